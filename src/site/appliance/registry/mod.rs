//! What the appliance answers to a client that pulls: names, visibility, and bytes that were checked before they leave.
//!
//! ```text
//! names ─> resolve ─> visible content (of a snapshot) ─> bytes (from the store)
//! ```
//!
//! # Rules
//!
//! - **Names** (D8): a repository is found by `?ns=HOST`, by a first segment that looks like a host, or, without either, under
//!   the home hosts of the live releases, in the order in which their scopes first had them live ([`resolve`]).
//! - **Owners** (D18 c): a tag is answered from the live release of the scope that had it live first, or not at all; below the home host
//!   of a domain, others have neither tags nor referrers; a scope's own clients see its own releases alone. Lists hold what is
//!   answered.
//! - **Visibility**: tags, lists and referrers come from live releases; a digest is answered through a repository that
//!   reaches it in a live release or in one that was replaced less than a grace period ago, so that a pull in progress
//!   ends well.
//! - **Public** (D18 d): agent images by repository and digest ([`public`]), charts as they were signed ([`charts`]).
//! - **Plain files** are found by the same rules, as the repositories that they are ([`files`]).
//! - **One generation per request**: a request keeps one [`Snapshot`] from its first to its last question.
//! - **Bytes** (threat model R05): content is hashed before it is sent, whole or by pieces, again whenever its file moved; what
//!   does not match is never sent completely, goes to `evidence/`, and leaves an audit row: all that is the store's ([`bytes`]).
//!
//! Nothing here waits for a network. Functions that may wait for a disk say so; their `cached` twins never do.

mod bytes;
mod charts;
mod content;
mod files;
mod foreign_json;
mod homes;
mod left_out;
mod manifests;
mod mirrored;
mod names;
mod omission;
mod public;
mod resolve;
mod service;
mod signed_charts;
mod snapshot;
mod visible;

pub use content::{Found, Missing};
pub use files::{FileEntry, FileLayer};
pub use mirrored::{MirroredManifest, MirroredRepository};
pub use names::{Asked, Reference};
pub use service::Registry;
pub use signed_charts::ChartIndex;
pub use snapshot::Snapshot;
pub use visible::Example;

pub use crate::db::site::names::{Referrer, ReferrersPage, TagPage};
pub use crate::store::BlobReader;

//! What the appliance answers to a client that pulls: names, visibility, and bytes that were checked before they leave.
//!
//! ```text
//! names ─> resolve ─> visible content (of a snapshot) ─> bytes (from the store)
//! ```
//!
//! # Rules
//!
//! - **Names** (D8): a repository is found by `?ns=HOST`, by a first segment that looks like a host, or, without either, under
//!   the home hosts of the active releases ([`resolve`]).
//! - **Visibility**: tags, lists and referrers come from active releases; a digest is answered through a repository that
//!   reaches it in an active release or in one that was replaced less than a grace period ago, so that a pull in progress
//!   ends well. A tag that stands for two digests is answered with neither (D18).
//! - **One generation per request**: a request keeps one [`Snapshot`] from its first to its last question.
//! - **Bytes** (threat model R05): content is hashed before it is sent, whole or by pieces, again whenever its file moved; what
//!   does not match is never sent completely, goes to `evidence/`, and leaves an audit row: all that is the store's ([`bytes`]).
//!
//! Nothing here waits for a network. Functions that may wait for a disk say so; their `cached` twins never do.

mod bytes;
mod charts;
mod content;
mod manifests;
mod names;
mod resolve;
mod service;
mod snapshot;
mod visible;

pub use charts::Chart;
pub use content::{Found, Missing};
pub use names::{Asked, Reference};
pub use service::Registry;
pub use snapshot::Snapshot;

pub use crate::store::BlobReader;

//! What the appliance answers to a client that pulls: names, visibility, and bytes that were checked before they leave.
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
//!   does not match is never sent completely, goes to `evidence/`, and leaves an audit row.
//!
//! Nothing here waits for a network. Functions that may wait for a disk say so; their `cached` twins never do.

mod blob;
mod charts;
mod health;
pub(super) mod identity;
mod manifests;
mod pieces;
mod resolve;
mod service;
mod snapshot;
pub(super) mod start;
mod watch;

pub use blob::BlobReader;
pub use charts::Chart;
pub use health::{Check, Health};
pub use service::{Found, Missing, Reference, Registry};
pub use snapshot::{Asked, Snapshot};
pub use watch::Watcher;

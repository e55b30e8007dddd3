//! Credentials for people and machines that are no agents: who may read which repositories of whose releases.
//!
//! # Rules
//!
//! - **One scope at a time** (D18 c): each pattern names a vendor, a product, a channel and repositories. Whoever shows the credential sees the
//!   releases of these scopes alone, and of them these repositories; what else is here is as if it were not. Digests are answered
//!   through the same repositories. Where two of its scopes have a tag of one name, the one that is named first answers.
//! - **128 random bits**, shown once and kept as a keyed hash, under a key of its own purpose.
//! - **Removed is refused at once**: nothing is handed out in its place that would outlive it. A running server notices as it notices what is
//!   decided about targets.
//! - Every act is a row of the audit log, which holds no secret. No vendor is told: names of people are this site's own.

mod acts;
mod readers;
mod view;

pub use acts::NewAccess;
pub(super) use readers::Readers;
pub use readers::{Grant, Reader};
pub use view::AccessView;

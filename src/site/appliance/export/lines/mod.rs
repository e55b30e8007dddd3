//! The lines of a package, a file a part: what the databases hold in the words of [`crate::package`].
//!
//! One line is in memory at a time, but for targets, of which there are few. What leaves is what these files name, member by member; every
//! text passes the [redactor](super::redact).

mod audit;
mod metrics;
mod receipts;
mod records;
mod releases;
mod sink;
mod targets;

pub(super) use audit::audit;
pub(super) use metrics::days;
pub(super) use receipts::receipts;
pub(super) use records::{counts, records};
pub(super) use releases::releases;
pub(super) use sink::Sink;
pub(super) use targets::targets;

//! Makes layers travel smaller, before anything is packed.
//!
//! ```text
//! laid out ─> phase: each layer ─ survey: candidate, read, compared ─ make ─> travel form ─> restored by the reader's own code
//!                │                             └ gzip: its producer and a recipe
//!                │                             └ bases: layers that all its sites hold, or that stand before it, to copy from
//!                └ cache: what an earlier run made                └─> a Reason to travel as it is
//!         ─> laid out anew with travel sizes ─> pack, whose sources the travel forms are
//! ```
//!
//! A travel form is used only after the reader's Restorer has made the very blob of the very bytes that will travel; whatever goes wrong
//! there costs size, never a release. The same inputs give the same bytes, with or without cache, on any number of cores.

mod bases;
mod cache;
mod candidate;
mod earlier;
mod keeper;
mod known_bases;
mod layer;
mod make;
mod options;
mod phase;
mod plain;
mod relatives;
mod report;
mod shelf;
mod survey;

pub use options::{EncodeOptions, Encodings};
pub(super) use phase::{Held, encode};
pub(super) use relatives::Relatives;
pub use report::{BaseReport, BlobReport, EncodeReport, Outcome, Reason};

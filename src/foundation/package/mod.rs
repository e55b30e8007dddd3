//! Status packages: what a container carries from a site back to a vendor. Normative text: `bundle-spec/SPEC.md`.
//!
//! ```text
//! write:  Statement ─> PackageWriter ─ lines ─> WrittenLines ─ counts ─> draft ─> UnsignedPackage ─ approvals, signature ─> file
//! read:   OpenedPackage ─> SignedPackage ─> VerifiedPackage ─> lines
//!            V1, V2           V3, V4            V6             V7 to V10
//! ```
//!
//! Entries, pages, chunks and frames are the [container](crate::container)'s. Here is what makes it a status package: the head with its
//! ranges and lineage, parts of typed lines, quoted text, what may be shown, and the sums that leave no number out.
//!
//! Nothing here knows a database: the site brings lines and counts, the vendor takes lines and compares them with its ledger.
//!
//! # How the text is read where it leaves something open
//!
//! - A text of a status stands in every `transition`, `continued` and `status` line of a package that shows `status-text`, and in none of
//!   another (`status` lines need that switch too).
//! - `runs` or `doubt` stands in every `deployment` line, and neither only in one with `removed`.
//! - A wrong member, word, sum or reference within a line is `line`, one between lines `order`; a page that is not filled is `pages`.
//! - A record outside of the head's range is E-CONTENT `coverage`, as is a count of shown records that is not that of the lines.
//! - Of receipts, one with a later number of the range than the next is `receipts-missing`; any other wrong number is `receipt`.
//! - The first refusal in the order of the steps is the verdict, though chunks are read once.
//! - For each approval 174 bytes are kept in front of the payload, in place of 160: a key id, a signature and their names have as many.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

pub mod advice;
mod check;
mod coverage;
mod enrolled;
mod head;
mod hints;
mod index;
mod judge;
mod keys;
mod kind;
mod line;
mod lineage;
mod lines;
mod order;
mod packing;
mod part;
mod payload;
mod quoted;
mod reader;
mod size;
mod statement;
mod summary;
mod switch;
mod unsigned;
mod words;
mod writer;

#[cfg(test)]
mod tests;

pub use check::check;
pub use coverage::{Acknowledged, AuditRange, Numbers, ReceiptRange, RecordCounts, RecordRange, Withheld};
pub use enrolled::EnrolledSites;
pub use head::Head;
pub use hints::Hints;
pub use keys::{REPLACED_KEY, StatusKeys};
pub use line::Line;
pub use lineage::LineageEntry;
pub use lines::{
    AgentLog, AuditRow, Damaged, Day, Deployment, Gap, GapClass, GapReason, Log, MetricsDay, Release, ReleaseState,
    SignedReceipt, StatusRecord, StatusRecordKind, Target, TargetMetrics,
};
pub use part::{PartEntry, PartType};
pub use payload::TakeLine;
pub use quoted::{Piece, Quoted};
pub use reader::{Draft, HeadedPackage, IndexedPackage, Known, OpenedPackage, Signed, SignedPackage, VerifiedPackage};
pub use size::rounded;
pub use statement::{Room, Statement};
pub use summary::{
    Age, LocalState, Sealer, SignedSummary, Summary, SummaryDeployments, SummaryLive, SummaryRelease, SummaryRuns,
    SummaryState, dictated, received, series,
};
pub use switch::{Shows, Switch};
pub use unsigned::UnsignedPackage;
pub use words::{AgentLogWord, DamagedWord, DeploymentWord, GapWord, LogWord, ReleaseWord, TargetWord};
pub use writer::{PackageWriter, Taken, WrittenLines, WrittenPackage};

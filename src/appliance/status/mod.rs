//! The status buffer: what agents report is on the disk before they are answered, numbered without gaps, and bounded (D13, P21).
//!
//! ```text
//! agent ─> http ─> queue (bounded) ─> writer: window of 10 ms ─> one transaction, one sync ─> everybody is answered
//!                                       │ repeats: counted in one short row a commit, folded in every minute
//!                                       │ over quota: oldest free text goes, a gap record stays
//!                                       └ damage: file set aside, a new one begins with a gap record
//! ```
//!
//! # Rules
//!
//! - **Durable before the answer**: a batch is answered after the commit that holds it, with `synchronous=FULL`.
//! - **Complete or visibly incomplete**: numbers have no gaps but those that a gap record names. They are given inside the
//!   transaction, and a mark in a file of its own keeps them from being given twice.
//! - **Times are the appliance's.** What agents say about time is data (threat model A07).
//! - **A flood stays small**: queue, rows and files have bounds; statuses neither wait for logs nor give way to them.
//! - **Text is hostile** (A08): it is stored as it came, less NULs, and whoever shows it escapes it.

mod advertise;
mod batch;
mod buffer;
mod condition;
mod damage;
mod deployment;
mod fold;
mod gaps;
mod group_commit;
mod mark;
mod missing;
mod overview;
mod owner;
mod queue;
mod quota;
mod runs;
mod shared;
mod shed;
mod sources;
mod streams;
mod working_set;
mod writer;

pub use batch::{Accepted, AgentLogRecord, Batch, DiskMetrics, LogRecord, Metrics, TEXT_BYTES, What};
pub use buffer::{BufferHealth, StatusBuffer};
pub use overview::{DeploymentStatus, Dot, LatestStatus, TargetStatus, Told, overview};
pub use owner::Owner;
pub use quota::Quota;
pub use runs::{Doubt, Running};

pub use crate::db::status::{Gap, Listed, Reason, RecordClass, Stream, StreamId};

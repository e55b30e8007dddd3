//! The status buffer: what agents report is on the disk before they are answered, numbered without gaps in a stream for each vendor, and
//! bounded (D13, P21, M-81).
//!
//! ```text
//! agent ─> http ─> queue (bounded) ─> writer: window of 10 ms, or 210 where few report ─> one transaction, one sync ─> everybody is answered
//!                                       │ repeats: counted in one short row a commit, folded in every minute
//!                                       │ measurements: folded into a row a target and day
//!                                       │ over quota: oldest free text goes, a gap record stays
//!                                       │ asked for: a stream is frozen, so that a package can tell it
//!                                       └ damage: file set aside, every stream goes on with a gap record
//! ```
//!
//! # Rules
//!
//! - **Durable before the answer**: a batch is answered after the commit that holds it, with `synchronous=FULL`.
//! - **Complete or visibly incomplete**: numbers of a stream have no gaps but those that a gap record names, and those that its vendor has
//!   acknowledged. They are given inside the transaction, and a mark in a file of its own keeps them from being given twice.
//! - **One vendor learns nothing of another**: what is in a stream is the same whatever the others' agents do, while there is room for all.
//! - **What left changes no more**: records and gaps up to what is frozen stay as they are, or go; a status that goes on gets another record.
//! - **One process writes**, the one that holds `status.lock`; others ask it in the database.
//! - **Times are the appliance's.** What agents say about time is data (threat model A07).
//! - **A flood stays small**: queue, rows and files have bounds; statuses neither wait for logs nor give way to them.
//! - **Text is hostile** (A08): it is stored as it came, less NULs, and whoever shows it escapes it.

mod acknowledge;
mod advertise;
mod batch;
mod buffer;
mod check;
mod company;
mod condition;
mod damage;
mod days;
mod deployment;
mod figures;
mod fold;
mod follow;
mod free;
mod freeze;
mod gaps;
mod group_commit;
mod lock;
mod mark;
mod missing;
mod overview;
mod owner;
mod queue;
mod quota;
mod runs;
mod shared;
mod shed;
mod silence;
mod sources;
mod stated;
mod stream_view;
mod streams;
mod working_set;
mod writer;

pub use acknowledge::acknowledge;
pub use batch::{Accepted, AgentLogRecord, Batch, CUT_MARK, DiskMetrics, LogRecord, Metrics, TEXT_BYTES, What};
pub use buffer::{BufferHealth, StatusBuffer};
pub use check::check;
pub(super) use days::parts_per_million;
pub use figures::Figures;
pub use freeze::{Frozen, freeze, freeze_within};
pub(in crate::appliance) use overview::last_contacts;
pub use overview::{DeploymentStatus, Dot, LatestStatus, STALE_SECONDS, TargetStatus, Told, overview};
pub use owner::Owner;
pub use quota::Quota;
pub use runs::{Doubt, Running};
pub use silence::SILENT_SECONDS;
pub use stream_view::{StreamView, read_stream};

pub use crate::db::status::{Coverage, Day, Gap, Listed, Reason, RecordClass, Spread, Stream, StreamId, StreamRecord};

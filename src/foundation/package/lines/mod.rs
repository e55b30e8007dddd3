//! The lines of a package, one type a kind of line (M-93, section 3 of the format).
//!
//! Members are declared in the order of their bytes, so that a line is written in canonical form as it stands. What holds within a line is
//! checked by the line; order, switches and limits of whole packages are [judged](super::judge) where lines come together.

mod audit;
mod gap;
mod metrics;
mod receipt;
mod record;
mod release;
mod target;

pub use audit::AuditRow;
pub use gap::{Gap, GapClass, GapReason};
pub use metrics::{Day, MetricsDay, TargetMetrics};
pub use receipt::SignedReceipt;
pub(super) use receipt::{parse_envelope, parse_receipt};
pub use record::{AgentLog, Log, StatusRecord, StatusRecordKind};
pub use release::{Damaged, Release, ReleaseState};
pub use target::{Deployment, Target};

//! What vendors say they have, so that it may go here (SPEC section 14, M-107 to M-110).
//!
//! ```text
//! file, or document of a bundle ─> signed by whom? ─> for this site? ─> judge ─┬─> applied: a row, then files and status.db follow
//!                                                        │ alarms are shown     └─> refused: a row of the log, nothing else
//! ```
//!
//! | File | One step or type |
//! |---|---|
//! | `hear` | from bytes to what became of them: signature, judgement, one transaction |
//! | `judge` | the conditions of M-108 in their order, by what this site signed itself |
//! | `follow` | what was acknowledged goes: status.db learns of it, files of packages end |
//! | `alarms` | what vendors found in packages of this site, and what this site makes of a strange one |
//!
//! `airlock.db` decides, in one transaction; what a stop leaves undone after it follows with the next acknowledgement, and in `status.db`
//! at the next start or fold of the server. So nobody frees what he has not seen: the numbers must lie within packages that are named by
//! the digests of their heads, and the log's seal must be known.

mod alarms;
mod follow;
mod hear;
mod judge;

pub(in crate::appliance) use alarms::standing;
pub use alarms::{Found, Standing, explained, explained_over};
pub use hear::{Heard, LetGo, Outcome};
pub(super) use hear::{Source, hear};

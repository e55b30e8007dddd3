//! What this workspace knows of its sites, from their signed packages (SPEC sections 14 to 16, M-100 to M-118).
//!
//! ```text
//! package ─> ingest (V0 to V13) ─> ledger.db ─┬─> ask (who has, who lacks, what runs, proof, report)
//!                                             ├─> acknowledge ─> next bundle, or a file
//!                                             ├─> base: what a site holds, so the next bundle leaves it out
//!                                             └─> replay ─> hub
//! ```
//!
//! Each of these is a folder or file of its own and uses the rows of `db::ledger`; none uses another, but that all stand on what `ingest`
//! wrote, and that `acknowledge` asks it whether the file of a package is whole, and it takes up
//! a summary that waited for a package of its instance. What a site tells is shown escaped, counts for that site alone, and is never taken for the time of day.

mod acknowledge;
pub mod ask;
pub mod base;
mod ingest;
pub mod replay;
mod site_clock;
mod summary;

pub(crate) use acknowledge::{Due, NO_KEY, due, rehearse, sign};
pub use acknowledge::{Issued, acknowledge};
pub use ingest::{
    FailedDeployment, HeldRelease, Identity, IngestEvent, IngestOptions, Noticed, Outcome, ReceiptTold, Refused,
    TakenIn, Verdict, ingest, is_taking_in,
};
pub use summary::{ReleaseTold, SummaryTaken, take_summary};

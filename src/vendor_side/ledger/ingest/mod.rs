//! Takes a site's status package into the ledger: the one way in (V0 to V13, M-111).
//!
//! ```text
//! file ─> desk ─────> package V1 ─> sender V2 ─> package V3, V4 ─> numbers V5 ─> package V6–V8 ─> facts V9–V11 ─> desk V12 ─> commit V13
//!         V0: lock,                 whose is it                   known, in line?                 rows, compared    packages/SITE/
//!         time, copy                                                                                └> snapshot, findings
//! ```
//!
//! # One transaction, one reading
//!
//! A package has up to 4,000,000 lines, and none of them is kept in memory. They are written where they belong as they are read, in the
//! transaction that V13 commits: what is known already is compared there and then (V10, V11), and a refusal at whatever step takes the
//! transaction back. So the ledger shows nothing of a package before everything of it was good and its file is durable in `packages/`,
//! and there is no second form of the facts, in memory or on disk, that could differ from the first. (A second reading inside the
//! transaction would cost the time again; temporary tables would live in memory.) What later steps find is held until the earlier ones
//! are through with the whole package, as in [`package`](crate::package).
//!
//! `--dry-run` is the same, taken back at the end.
//!
//! # A package that is known
//!
//! Nothing of it is read behind its head (V5) where it is byte for byte the file in `packages/`. Another copy is read to its end: it takes that
//! place where the file there is gone or damaged, for the lines of logs are read from there; and where it is itself damaged, that is said.
//!
//! # What a stop leaves
//!
//! Copies in `incoming/`, which the next start removes; in `packages/` perhaps the whole file of a package that no row names. It is
//! left alone: after a ledger was restored from an older copy such files are what it is filled from again.

mod copied;
mod desk;
mod facts;
mod judge;
mod kept;
mod notice;
mod numbers;
mod order;
mod release_line;
mod run;
mod sender;
mod shrunk;
mod snapshot;
mod verdict;

pub use desk::is_taking_in;
pub(super) use judge::Court;
pub(super) use kept::is_kept_whole;
pub use run::{IngestEvent, IngestOptions, ingest};
pub use verdict::{FailedDeployment, HeldRelease, Identity, Noticed, Outcome, ReceiptTold, Refused, TakenIn, Verdict};

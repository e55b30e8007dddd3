//! Care of the appliance: what goes and what stays, who uses the disk, whether what is stored is still what was imported.
//!
//! | File | One step or type |
//! |---|---|
//! | `retention` | which releases stay, and why |
//! | `running` | which releases agents report running |
//! | `gc` | what goes, said before; then names, then bytes |
//! | `removal` | one release, because a person says so |
//! | `whole_rows` | whether the database names all that stays, before anything goes |
//! | `visible` | names that others had hidden, and that are seen once a release is gone |
//! | `disk` | who uses what |
//! | `scrub` | all content hashed anew, as slowly as is asked for |
//! | `backup` | everything that no bundle brings back, in one encrypted file, and put back |
//!
//! # Threats and defences
//!
//! - *Content that is needed goes*: what is looked at and what goes is one act under the lock of imports; a release goes in one transaction,
//!   and only then the bytes that no row names; whatever stops that leaves bytes that nobody names, for the next time.
//! - *A pull is cut off*: what was replaced stays for the grace period, in which its digests can be read; who has a file open reads it to
//!   its end, named or not.
//! - *A vendor builds on what is gone*: what a package lists that its vendor may know as the newest stays until none does (SPEC M-102).
//! - *The database says less than was signed*: a release of which it names fewer blobs than its head counts stops everything that goes.

mod backup;
mod disk;
mod gc;
mod removal;
mod retention;
mod running;
mod scrub;
mod visible;
mod whole_rows;

pub use backup::{BackedUp, HigherMark, Newer, NewerRoot, Restore, Restored, ScopeFact, SiteFacts, VendorFact};
pub use disk::{Disk, Share, Used};
pub use gc::{Collected, GcPlan, Leftovers};
pub use removal::RemovalPlan;
pub use retention::{Policy, Reason, Standing};
pub use scrub::{Pace, Scrubbed};

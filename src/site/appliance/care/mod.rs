//! Care of the appliance: what goes and what stays, who uses the disk, whether what is stored is still what was imported.
//!
//! | File | One step or type |
//! |---|---|
//! | `retention` | which releases stay, and why |
//! | `running` | which releases agents report running |
//! | `gc` | what goes, said before; then names, then bytes |
//! | `removal` | one release, because a person says so |
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
//! - *A vendor builds on what is gone*: what a signed package lists stays until a newer one does not list it (SPEC M-102).

mod backup;
mod disk;
mod gc;
mod removal;
mod retention;
mod running;
mod scrub;
mod visible;

pub use backup::{BackedUp, HigherMark, Newer, NewerRoot, Restore, Restored, ScopeFact, SiteFacts, VendorFact};
pub use disk::{Disk, Share, Used};
pub use gc::{Collected, GcPlan, Leftovers};
pub use removal::RemovalPlan;
pub use retention::{Policy, Reason, Standing};
pub use scrub::{Pace, Scrubbed};

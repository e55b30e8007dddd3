//! Backup and restore of an appliance: everything that does not come back with a bundle, as it stood at one moment, in one encrypted file
//! ([`crate::backup`]); and put back, as another life of it.
//!
//! | File | One step or type |
//! |---|---|
//! | `facts` | what a backup says of the site: marks, roots, floors |
//! | `gather` | small files and copies of the databases that belong together |
//! | `make` | written, with or without content |
//! | `newer` | what another state folder or backup knows that this one does not |
//! | `restore` | into an empty folder, whole or not at all |
//!
//! # Threats and defences
//!
//! - *Parts of different times*: the databases are copied online; the small files are read before and after, and must be the same. So nobody is
//!   kept waiting, and an import may run meanwhile: what it has committed is in the backup, and no more.
//! - *An older state lets older releases in again*: marks, floors and roots of the folder that is replaced, or of a newer backup, are
//!   taken over (`--against`), and what is turned back is said before anything is written.
//! - *Two lives under one name*: what is put back begins another life, in its first transaction, before the database has its name.
//! - *Half of it*: the database takes its name last; what a stopped try left is taken away by the next one, and used by nobody.

mod facts;
mod gather;
mod make;
mod newer;
mod restore;

pub use facts::{ScopeFact, SiteFacts, VendorFact};
pub use make::BackedUp;
pub use newer::{HigherMark, Newer, NewerRoot};
pub use restore::{Restore, Restored};

//! How a state folder is, whoever runs and whatever is broken: a verdict, a sentence and a remedy for each part.
//!
//! | File | One step or type |
//! |---|---|
//! | `examine` | all of it, in order |
//! | `finding` | a verdict with its sentence |
//! | `modes` | who gets at what only its owner may read |
//! | `medium` | what file system the folder is on, and what is left of it |
//! | `rows` | databases, keys and marks, kept values, the log, trust, content, the clock |
//! | `agents` | who is silent |
//! | `alarms` | what vendors found in packages of this site, and what it found itself |
//!
//! Nothing is opened as an appliance opens it: that completes folders, settles which life this is, and raises marks. A look reads, beside
//! any server, and leaves every byte as it was; the index beside a log that a killed process left is SQLite's own to make anew.
//!
//! The owner is compared before anything in the folder is looked at (D22): of another user's nothing is told but that.

mod agents;
mod alarms;
mod examine;
mod finding;
mod medium;
mod modes;
mod rows;

pub use examine::examine;
pub use finding::{Finding, Verdict};

//! How a state folder is, whoever runs and whatever is broken: a verdict, a sentence and a remedy for each part.
//!
//! | File | One step or type |
//! |---|---|
//! | `finding` | a verdict with its sentence |
//! | `medium` | what file system the folder is on, and what is left of it |
//! | `rows` | databases, keys and marks, the log, trust, content, the clock |
//! | `agents` | who is silent |
//!
//! Nothing is opened as an appliance opens it: that completes folders, settles which life this is, and raises marks. A look reads, beside
//! any server, and leaves every byte as it was; the index beside a log that a killed process left is SQLite's own to make anew.
//!
//! The owner is compared before anything in the folder is looked at (D22): of another user's nothing is told but that.

mod agents;
mod finding;
mod medium;
mod rows;

use std::path::Path;

use super::folder::{self, DATABASE_MISSING};
use crate::domain::Timestamp;

pub use finding::{Finding, Verdict};

/// Looks at everything in a state folder; in the order of the parts, each with one finding at least.
pub fn examine(state: &Path, now: Timestamp) -> Vec<Finding> {
    let checked = folder::check(state);
    let mut found = Vec::new();
    match checked {
        Ok(folder) => {
            found.push(Finding::good(
                "permissions",
                "the state folder and everything in it belongs to this user alone",
            ));
            found.extend(medium::look(&folder));
            found.extend(rows::look(&folder, now));
        }
        // The folder is this user's, and the first file of it is gone: its keys may be there still.
        Err(error) if error.is(DATABASE_MISSING) => {
            found.push(Finding::broken("databases", &error));
            if state.is_dir() {
                found.extend(medium::look(state));
            }
        }
        Err(error) => found.push(Finding::broken("permissions", &error)),
    }
    found
}

//! All of a state folder, in the order in which one thing is needed for the next.

use std::path::Path;

use super::{Finding, medium, modes, rows};
use crate::appliance::folder::{self, DATABASE_MISSING};
use crate::domain::Timestamp;

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
            found.extend(modes::look(&folder).unwrap_or_else(|error| Some(Finding::broken("permissions", &error))));
            found.extend(medium::look(&folder));
            found.extend(rows::look(&folder, now));
        }
        // The folder is this user's, and the first file of it is gone: its keys may be there still.
        Err(error) if error.is(DATABASE_MISSING) => {
            found.push(Finding::broken("databases", &error));
            if state.is_dir() {
                found.extend(medium::look(state));
                found.push(rows::kept(state));
            }
        }
        Err(error) => found.push(Finding::broken("permissions", &error)),
    }
    found
}

//! Parts of the state that imports and exports need and that serving does not read: whether each holds. What does not is told by
//! `/readyz` before somebody stands there with a medium.
//!
//! Nothing is written here, and nothing waited for: a change of keys that is under way holds too.

use std::path::Path;

use super::folder::ROOTS;
use super::state::Appliance;
use super::{enrolment, folder, instance, marks, status_key};
use crate::db::Reads;
use crate::domain::{Error, Result};

impl Appliance {
    /// Returns everything that is wrong with the identity, the keys, the marks, and the folder of the roots.
    pub(super) fn unsound_parts(&self) -> Vec<Error> {
        let found = self.look_at_parts();
        if found.is_empty() {
            return found;
        }
        // A change that another process made in between looks like damage, once.
        self.look_at_parts()
    }

    fn look_at_parts(&self) -> Vec<Error> {
        look(self.folder(), &self.db, self.check_token_key())
    }
}

/// Looks at the parts of a state folder; `token_key` is what is known of the key of tokens.
pub(super) fn look(state: &Path, db: &impl Reads, token_key: Result<()>) -> Vec<Error> {
    let checks: [Result<()>; 6] = [
        instance::check(state, db),
        marks::check(state),
        status_key::check(state, db),
        enrolment::check_recipient(state, db),
        token_key,
        folder::check_there(state, ROOTS),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

//! Parts of the state that imports and exports need and that serving does not read: whether each holds. What does not is told by
//! `/readyz` before somebody stands there with a medium.
//!
//! Nothing is written here, and nothing waited for: a change of keys that is under way holds too.

use std::path::Path;

use super::folder::ROOTS;
use super::secret::{self, RevisionKey};
use super::state::Appliance;
use super::{authority, enrolment, folder, instance, marks, pins, status_key};
use crate::db::Reads;
use crate::db::site::{kept_secrets, release};
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

/// Looks at what else of a state folder no bundle brings back: pins, the authority, the key of revisions, values that are kept here.
pub(super) fn look_at_kept(state: &Path, db: &impl Reads) -> Vec<Error> {
    let mut found: Vec<Error> = [RevisionKey::open_own(state, db).err(), authority::examine(state).err()]
        .into_iter()
        .flatten()
        .collect();
    let mut note = |looked: Result<Vec<Error>>| match looked {
        Ok(errors) => found.extend(errors),
        Err(error) => found.push(error),
    };
    note(pins::read_good(&state.join(ROOTS)).and_then(|pins| {
        let mut errors = pins.missing(&db.read(release::list)?);
        errors.extend(pins.damaged.into_iter().map(|(_, error)| error));
        Ok(errors)
    }));
    note(
        db.read(kept_secrets::list)
            .and_then(|rows| secret::unreadable(state, &rows)),
    );
    found
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

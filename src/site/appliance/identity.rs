//! Who this appliance is at present: the life of its state folder and the keys it is known by, brought to where an act that was stopped
//! had left them.

use std::fs::File;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::folder::IDENTITY;
use super::instance::Life;
use super::{instance, status_key};
use crate::db::Db;
use crate::domain::{Error, Result, Timestamp};

/// Held while somebody looks at or changes the files of the identity, so that of two only one begins an instance.
pub(super) struct Held {
    _folder: File,
}

/// Waits until nobody else looks at or changes them. The system takes it back when the process ends, however it ends.
///
/// # Errors
///
/// `E-IO`.
pub(super) fn hold(state: &Path) -> Result<Held> {
    let path = state.join(IDENTITY);
    let folder = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive)
        .map_err(|error| Error::io("lock", &path, error.into()))?;
    Ok(Held { _folder: folder })
}

/// Finishes or drops a change of keys that was stopped, and returns the present life; in a folder that was copied or restored it begins
/// now.
///
/// # Errors
///
/// `E-STATE instance` when database and file do not belong together; `E-STATE`, `E-IO` and `E-SPACE`.
pub(super) fn settle(state: &Path, db: &Db, now: Timestamp) -> Result<Life> {
    let held = hold(state)?;
    settle_held(&held, state, db, now)
}

/// As [`settle`], for who holds them.
///
/// # Errors
///
/// As [`settle`].
pub(super) fn settle_held(_held: &Held, state: &Path, db: &Db, now: Timestamp) -> Result<Life> {
    status_key::finish(state, db)?;
    instance::settle(state, db, now)
}

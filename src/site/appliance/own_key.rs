//! Key files of the appliance's own: nobody named them on a command line, so what is wrong with one is said for who keeps the state.

use std::path::{Path, PathBuf};

use crate::crypto::{KeyFile, NAME_KEY};
use crate::db::Reads;
use crate::db::site::own_keys::{self, OwnKey};
use crate::domain::{Class, Error, Hash, Result};
use crate::stream::{Expected, look};

/// What to do where the status key or the recipient key is not the key any more: both are replaced together.
pub(super) const LOST: &str = "end airlock serve, then put a whole copy of the state folder in its place, or make another key with `airlock status rotate-key`";

/// Reads one of the appliance's keys.
///
/// # Errors
///
/// `E-STATE` with the code, when it is missing, readable by others, or no key; `lost` is what to do then. `planted`.
pub(super) fn read<T>(
    path: &Path,
    code: &'static str,
    lost: &str,
    open: impl FnOnce(&KeyFile) -> Result<T>,
) -> Result<T> {
    let is_readable = look(path, Expected::File)?.is_some_and(|found| found.mode() & 0o077 != 0);
    KeyFile::read(path).and_then(|file| open(&file)).map_err(|error| {
        let error = error.reclassified(Class::State, code);
        // A mode is put right where it is.
        if is_readable && error.advice() != Some(NAME_KEY) {
            error
        } else {
            error.remedy(lost)
        }
    })
}

/// Checks that a key is the one that this appliance has, where that is known.
///
/// # Errors
///
/// `E-STATE` with the code, when it is another one; `lost` is what to do then. Those of the database.
pub(super) fn check_is_own(
    db: &impl Reads,
    (key, proof): (OwnKey, Hash),
    path: &Path,
    code: &'static str,
    lost: &str,
) -> Result<()> {
    match db.read(|connection| own_keys::get(connection, key))? {
        Some(known) if known != proof => Err(Error::new(
            Class::State,
            code,
            format!("{} is not the key of this appliance, but another one", path.display()),
        )
        .expected("the key that was made here")
        .remedy(lost)),
        _ => Ok(()),
    }
}

/// Returns the first free name beside a key that cannot be read: `KIND-damaged-1.key`.
///
/// # Errors
///
/// `planted`, `E-IO`.
pub(super) fn damaged_name(folder: &Path, kind: &str) -> Result<PathBuf> {
    for number in 1_u32.. {
        let free = folder.join(format!("{kind}-damaged-{number}.key"));
        if look(&free, Expected::File)?.is_none() {
            return Ok(free);
        }
    }
    Err(Error::new(Class::Internal, "names", "there is no free name"))
}

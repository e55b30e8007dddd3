//! `airlock.db.damaged`: a server found the security database damaged while it ran. What it had read already was answered all the same; the
//! next start reads every page before it answers from it, which takes longer the larger it is.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::folder::{DATABASE, SUSPECT};
use crate::db::{Reader, Schema};
use crate::domain::{Error, Result};
use crate::stream::{Expected, look, open_or_create, sync_folder};

/// Says that the database was found damaged.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`.
pub(super) fn note(state: &Path) -> Result<()> {
    open_or_create(&state.join(SUSPECT), 0o600)?;
    sync_folder(state)
}

/// Where it was found damaged, reads all of it; one that is whole by now is suspected no more.
///
/// # Errors
///
/// `E-STATE database-damaged` where it is still; `planted`; `E-IO`.
pub(super) fn settle(state: &Path) -> Result<()> {
    let path = state.join(SUSPECT);
    if look(&path, Expected::File)?.is_none() {
        return Ok(());
    }
    Reader::open(&state.join(DATABASE), &Schema::SITE)?.quick_check()?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path, error)),
        _ => Ok(()),
    }
}

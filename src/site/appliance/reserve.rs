//! A few MiB on disk that are given up when it is full, so that a refusal can still be recorded.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::folder::RESERVE;
use crate::domain::{Class, Error, Result};
use crate::stream::{Expected, look, open_or_create};

const BYTES: u64 = 4 << 20;

/// Makes the reserve, unless it is there; that the disk is too full for it is no error here.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub(super) fn fill(state: &Path) -> Result<()> {
    let path = state.join(RESERVE);
    let file = match open_or_create(&path, 0o600) {
        Err(error) if error.class() == Class::Space => return Ok(()),
        opened => opened?,
    };
    // One whose making was interrupted is there and holds nothing.
    let held = file.metadata().map_err(|e| Error::io("look at", &path, e))?;
    if held.len() >= BYTES {
        return Ok(());
    }
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
        Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => give_up(state),
        // A file system that cannot set space aside keeps none in reserve.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(Error::io("reserve space in", &path, error.into())),
    }
}

/// Whether the reserve is not there, or holds less than it should.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub(super) fn is_short(state: &Path) -> Result<bool> {
    Ok(look(&state.join(RESERVE), Expected::File)?.is_none_or(|found| found.size() < BYTES))
}

/// Gives the reserve up.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub(super) fn give_up(state: &Path) -> Result<()> {
    let path = state.join(RESERVE);
    look(&path, Expected::File)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path, error)),
        _ => Ok(()),
    }
}

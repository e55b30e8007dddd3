//! Files that begin as a summary of a package does: texts of codes, dictated lines, or its bytes.

use std::path::Path;

use crate::domain::{Error, Result};
#[cfg(feature = "vendor")]
use crate::stream::read_bounded;
use crate::stream::{open_lasting, read_exact_or_end};

/// Bytes of what a summary is read from.
#[cfg(feature = "vendor")]
const TEXT_BYTES: u64 = 64 << 10;
/// How the text of a code begins.
pub(super) const CODE: &[u8] = b"AIRLOCK1/";

/// Whether a file begins as a summary does; what cannot be looked at is for whoever reads it to say.
///
/// # Errors
///
/// `E-IO`.
pub(super) fn is_one(path: &Path) -> Result<bool> {
    let Ok(mut file) = open_lasting(path, "open") else {
        return Ok(false);
    };
    let mut start = [0; CODE.len()];
    let read = read_exact_or_end(&mut file, &mut start).map_err(|e| Error::io("read", path, e))?;
    let start = start.get(..read).unwrap_or_default();
    let is_spoken = matches!(start, [b'0'..=b'9', b'0'..=b'9', b' ', ..]);
    Ok(start == CODE || is_spoken || start.first() == Some(&1))
}

/// Returns what a file holds that begins as a summary does.
///
/// # Errors
///
/// `E-LIMIT` for what is too long to be one; `E-IO`.
#[cfg(feature = "vendor")]
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    if !is_one(path)? {
        return Ok(None);
    }
    let file = open_lasting(path, "open")?;
    let mut data = read_bounded(file, TEXT_BYTES, "the summary")?;
    if data.first() != Some(&1) {
        data.truncate(data.trim_ascii_end().len());
    }
    Ok(Some(data))
}

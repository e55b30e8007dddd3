//! Room on a file system.

use std::path::Path;

use crate::domain::{Error, Result};

/// What a file system has left for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free bytes.
    pub bytes: u64,
    /// Free inodes; `u64::MAX` where the file system does not count them.
    pub inodes: u64,
}

/// Returns the bytes that the file system of a folder has in all.
///
/// # Errors
///
/// `E-IO`.
pub fn capacity(folder: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(folder).map_err(|e| Error::io("ask for the size of", folder, e.into()))?;
    Ok(stat.f_blocks.saturating_mul(stat.f_frsize))
}

/// Returns what the file system of a folder has left.
///
/// # Errors
///
/// `E-IO`.
pub fn space(folder: &Path) -> Result<Space> {
    let stat = rustix::fs::statvfs(folder).map_err(|e| Error::io("ask for the free space of", folder, e.into()))?;
    Ok(Space {
        bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        inodes: if stat.f_files == 0 { u64::MAX } else { stat.f_favail },
    })
}

//! Files without a name: gone when the process ends, however it ends.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::domain::{Error, Result};

/// Makes a file without a name in a folder, to be written and read by whoever has it open.
///
/// # Errors
///
/// `E-IO`, `E-SPACE`.
pub fn unnamed_file(folder: &Path) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|errno| Error::io("create an unnamed file in", folder, errno.into()))
}

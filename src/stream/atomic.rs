//! Small files that appear whole or not at all, and folders that survive a power cut.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::domain::{Error, Result};

/// Writes a file under a temporary name beside it, syncs it, renames it, and syncs the folder.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`; the old file, if any, is untouched then.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let temporary = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    #[expect(clippy::disallowed_methods, reason = "the atomic helper itself")]
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // The temporary file is worthless now; the error that matters is the first one.
        fs::remove_file(&temporary).ok();
        return Err(Error::io("write", path, error));
    }
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes a folder and its parents with mode 0700 for the last one; an existing folder is fine.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io("create the folder", path, e))
}

/// Makes the names in a folder durable.
///
/// # Errors
///
/// `E-IO`.
pub fn sync_folder(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Error::io("sync the folder", path, e))
}

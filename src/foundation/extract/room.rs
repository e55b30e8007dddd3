//! Whether a place can take a layout, asked before anything is written there.

use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::domain::{Class, Error, Result};
use crate::store::space;

/// Files beside the content: lock, journal, index.
const OTHER_FILES: u64 = 64;
/// Bytes of these, and of folders.
const OTHER_BYTES: u64 = 8 << 20;

/// Where the layout may grow instead.
const ELSEWHERE: &str = "with -o DIR name a folder on ext4, xfs, btrfs or tmpfs, and copy it from there (`cp -r`); with -o - name such a folder with --work; nothing was written";

/// Checks that the file system of a folder has files without a name, in which content waits until it is whole.
///
/// # Errors
///
/// `E-IO unnamed-files`. What else may be wrong with the folder is told by whoever uses it.
pub(super) fn check_kind(folder: &Path) -> Result<()> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    // What such file systems answer.
    match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => Err(Error::new(
            Class::Io,
            "unnamed-files",
            format!(
                "the file system of {} has no files without a name, in which content waits until it is whole",
                folder.display()
            ),
        )
        .expected("one that has")
        .remedy(ELSEWHERE)),
        _ => Ok(()),
    }
}

/// Checks that so many bytes in so many files fit into a folder, and beside them the largest plain that is unpacked to copy from it.
///
/// # Errors
///
/// `E-SPACE no-space`, `E-IO`.
pub(super) fn check_space(folder: &Path, bytes: u64, files: u64, scratch: u64) -> Result<()> {
    let free = space(folder)?;
    let wanted = bytes.saturating_add(scratch).saturating_add(OTHER_BYTES);
    let files = files.saturating_add(OTHER_FILES);
    if wanted <= free.bytes && files <= free.inodes {
        return Ok(());
    }
    Err(Error::new(
        Class::Space,
        "no-space",
        format!(
            "{} has {} bytes and {} files left",
            folder.display(),
            free.bytes,
            free.inodes
        ),
    )
    .expected(format!("room for {wanted} bytes in {files} files"))
    .remedy("free space there, or name another place: with -o DIR, or with -o - by --work"))
}

//! The file of a large blob on its way: all its room from the start, pieces in any order.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::domain::{Error, Result};
use crate::stream::{PAGE, open_or_create};

/// Bytes of a blob from which on it is written past the page cache. Such a write holds its worker until the disk is done; for a blob of one full
/// piece and a part the copy into the cache takes less time.
const DIRECT: u64 = 8 << 20;

/// The file of a large blob on its way.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    /// The same file, written past the page cache; nothing for a blob below [`DIRECT`] and where the file system has no such way.
    direct: Option<File>,
}

impl Part {
    /// Opens or makes the file of a blob of `size` bytes, of which `kept` are durable. What lies behind them was never known to be, and is
    /// written anew.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`; `E-SPACE`.
    pub(super) fn open(path: &Path, size: u64, kept: u64) -> Result<Self> {
        let file = open_or_create(path, 0o600)?;
        make_room(&file, size, kept).map_err(|e| Error::io("create", path, e))?;
        // The very file that is open, whatever happens to its name.
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
        let direct = if size < DIRECT {
            None
        } else {
            rustix::fs::open(itself, flags, Mode::empty()).ok().map(File::from)
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            direct,
        })
    }

    /// Writes a piece at its place.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-SPACE`.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.try_write(bytes, offset)
            .map_err(|e| Error::io("write", &self.path, e))
    }

    fn try_write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let fits = bytes.as_ptr().align_offset(PAGE) == 0 && offset.is_multiple_of(PAGE as u64);
        let pages = if fits { bytes.len() - bytes.len() % PAGE } else { 0 };
        let (head, tail) = bytes.split_at_checked(pages).unwrap_or((&[], bytes));
        match self.direct.as_ref().map(|direct| direct.write_all_at(head, offset)) {
            // Larger pages than ours, or a file system that takes the flag and not the writing.
            None => self.write_through_cache(head, offset)?,
            Some(Err(error)) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                self.write_through_cache(head, offset)?;
            }
            Some(written) => written?,
        }
        self.write_through_cache(tail, offset.saturating_add(pages as u64))
    }

    /// Writes, and asks for the write-back at once: the sync at the end of the batch then finds little to do.
    fn write_through_cache(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let Some(length) = std::num::NonZero::new(bytes.len() as u64) else {
            return Ok(());
        };
        self.file.write_all_at(bytes, offset)?;
        // Advice: a file system that has no use for it loses nothing.
        rustix::fs::fadvise(&self.file, offset, Some(length), Advice::DontNeed).ok();
        Ok(())
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-SPACE`.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io("sync", &self.path, e))
    }

    /// Takes away the right to write, for the time when it has its name.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn protect(&self) -> Result<()> {
        rustix::fs::fchmod(&self.file, Mode::RUSR | Mode::RGRP | Mode::ROTH)
            .map_err(|e| Error::io("protect", &self.path, e.into()))
    }
}

fn make_room(file: &File, size: u64, kept: u64) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length < kept {
        return Err(io::Error::other("it is shorter than its journal says"));
    }
    if length > size {
        file.set_len(size)?;
    }
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size) {
        // The file then grows by its pieces.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        made => Ok(made?),
    }
}

//! Reads a file back from its medium, past the page cache.
//!
//! What was just written is still in memory; reading it there proves nothing about the stick. Direct reads go to the device;
//! where the file system has none (tmpfs, some FUSE), the cached pages are dropped after the sync instead.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::container::Input;
use crate::domain::{Error, Result};

/// Alignment of memory, offset and length that every device accepts.
const ALIGNMENT: usize = 4096;
/// Bytes of one read.
const BLOCK: usize = 1 << 20;

/// A file that is read from its medium.
pub struct UncachedFile {
    file: File,
    direct: bool,
    memory: Vec<u8>,
    /// Where the aligned block begins in `memory`.
    start: usize,
    filled: usize,
    used: usize,
    offset: u64,
    ended: bool,
}

impl std::fmt::Debug for UncachedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UncachedFile(direct: {})", self.direct)
    }
}

impl UncachedFile {
    /// Opens a file that was synced before.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let direct = rustix::fs::open(path, flags | OFlags::DIRECT, Mode::empty());
        let (fd, direct) = match direct {
            Ok(fd) => (fd, true),
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => {
                let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Error::io("open", path, e.into()))?;
                rustix::fs::fadvise(&fd, 0, None, rustix::fs::Advice::DontNeed)
                    .map_err(|e| Error::io("drop the cached pages of", path, e.into()))?;
                (fd, false)
            }
            Err(error) => return Err(Error::io("open", path, error.into())),
        };
        let memory = vec![0_u8; BLOCK + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Ok(Self {
            file: File::from(fd),
            direct,
            memory,
            start,
            filled: 0,
            used: 0,
            offset: 0,
            ended: false,
        })
    }

    /// Whether reads go to the device by themselves.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    fn refill(&mut self) -> io::Result<()> {
        let block = self.memory.get_mut(self.start..self.start + BLOCK).unwrap_or_default();
        self.filled = self.file.read_at(block, self.offset)?;
        self.used = 0;
        self.offset += self.filled as u64;
        // A short read ends at the end of file; asking again from there could miss the alignment.
        self.ended = self.filled < BLOCK;
        Ok(())
    }
}

impl Read for UncachedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.filled && !self.ended {
            self.refill()?;
        }
        let ready = self
            .memory
            .get(self.start + self.used..self.start + self.filled)
            .unwrap_or_default();
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.used += count;
        Ok(count)
    }
}

impl Input for UncachedFile {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut *self).take(count), &mut io::sink())?;
        if skipped == count {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

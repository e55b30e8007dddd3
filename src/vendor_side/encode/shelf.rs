//! Travel forms of one run that are not kept: one after the other in a file without a name.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Error, Result};
use crate::stream::unnamed_file;

/// A stretch of a file, read from its beginning.
#[derive(Debug)]
pub(super) struct Stretch {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl Stretch {
    pub(super) fn new(file: Arc<File>, offset: u64, length: u64) -> Self {
        Self {
            file,
            offset,
            left: length,
        }
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self
            .file
            .read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

/// Travel forms, one after the other.
#[derive(Debug)]
pub(super) struct Shelf {
    file: Arc<File>,
    end: u64,
}

impl Shelf {
    /// An empty one, in a folder with room for it.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            file: Arc::new(unnamed_file(folder)?),
            end: 0,
        })
    }

    /// Returns where the next one is written, from its first byte on: what a try before has left there counts for nothing.
    pub(super) fn writer(&self) -> Result<impl Write + use<'_>> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.end))
            .map_err(|error| Error::io("write", Path::new("a travel form"), error))?;
        Ok(file)
    }

    /// Returns the file that they stand in.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Returns where the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Returns what a form of so many bytes would be read from.
    pub(super) fn written(&self, length: u64) -> Stretch {
        Stretch::new(Arc::clone(&self.file), self.end, length)
    }

    /// Keeps the form that was written; returns where it stands.
    pub(super) fn keep(&mut self, length: u64) -> u64 {
        let start = self.end;
        self.end = start.saturating_add(length);
        start
    }

    /// Keeps the form that was written from there on.
    pub(super) fn keep_from(&mut self, start: u64, length: u64) {
        self.end = self.end.max(start.saturating_add(length));
    }

    /// Opens a form that was written.
    pub(super) fn open(&self, start: u64, length: u64) -> Stretch {
        Stretch::new(Arc::clone(&self.file), start, length)
    }
}

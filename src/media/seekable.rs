//! A bundle in a plain file: skipping moves on without reading.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use crate::container::Input;

/// A file, read from its beginning whatever the position of the handle is.
pub(super) struct Seekable {
    file: File,
    size: u64,
    position: u64,
}

impl Seekable {
    pub(super) fn new(file: File, size: u64) -> Self {
        Self {
            file,
            size,
            position: 0,
        }
    }
}

impl Read for Seekable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl Input for Seekable {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.position = self
            .position
            .checked_add(count)
            .filter(|position| *position <= self.size)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }
}

//! A part of an open file, read without moving its position, so that many readers share one file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Reads `left` bytes from `offset` on; a file that is shorter ends early, and the one who counts notices.
#[derive(Debug)]
pub(super) struct BlobRange {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl BlobRange {
    pub(super) fn new(file: Arc<File>, offset: u64, size: u64) -> Self {
        Self {
            file,
            offset,
            left: size,
        }
    }
}

impl Read for BlobRange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

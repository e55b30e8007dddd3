//! Pieces of a large blob: each is hashed before its bytes are sent for the first time.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use crate::domain::Hash;

/// Bytes hashed at once.
const BUFFER: usize = 256 << 10;

/// Kept hashes of a blob's pieces, and which of them were found right.
#[derive(Debug)]
pub(super) struct Pieces {
    size: u64,
    piece_size: u64,
    hashes: Vec<Hash>,
    good: Vec<AtomicBool>,
}

impl Pieces {
    /// Takes kept hashes; nothing when they do not cover the blob.
    pub(super) fn new(size: u64, piece_size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let count = size.checked_div(piece_size)? + u64::from(!size.is_multiple_of(piece_size));
        (count == hashes.len() as u64).then(|| Self {
            size,
            piece_size,
            good: hashes.iter().map(|_| AtomicBool::new(false)).collect(),
            hashes,
        })
    }

    /// Returns where the checked bytes from `offset` on end: `offset` itself when its piece is not checked.
    pub(super) fn checked_until(&self, offset: u64) -> u64 {
        let mut end = offset;
        while let Some(number) = self.number(end)
            && self.good.get(number).is_some_and(|good| good.load(Ordering::Acquire))
        {
            end = self.end(number);
        }
        end
    }

    /// Hashes the piece that holds `offset`, unless that was done. Waits for the disk; that many clients want it at once is the caller's
    /// matter.
    pub(super) fn check(&self, file: &File, offset: u64) -> Result<(), Failure> {
        let Some(number) = self.number(offset) else {
            return Ok(());
        };
        let (Some(good), Some(expected)) = (self.good.get(number), self.hashes.get(number)) else {
            return Ok(());
        };
        if good.load(Ordering::Acquire) {
            return Ok(());
        }
        let start = self.piece_size.saturating_mul(number as u64);
        if hash_range(file, start, self.end(number))? != *expected {
            return Err(Failure::Damaged(format!("bytes from {start} on are other ones")));
        }
        good.store(true, Ordering::Release);
        Ok(())
    }

    fn number(&self, offset: u64) -> Option<usize> {
        (offset < self.size)
            .then(|| offset.checked_div(self.piece_size))
            .flatten()
            .and_then(|number| usize::try_from(number).ok())
    }

    fn end(&self, number: usize) -> u64 {
        self.piece_size
            .saturating_mul((number as u64).saturating_add(1))
            .min(self.size)
    }
}

/// Hashes a range of a file with bounded memory; a file that ends early is damaged.
pub(super) fn hash_range(file: &File, mut offset: u64, end: u64) -> Result<Hash, Failure> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(BUFFER).min(BUFFER);
        let room = buffer.get_mut(..wanted).unwrap_or_default();
        match file.read_at(room, offset) {
            Ok(0) => return Err(Failure::Damaged(format!("the file ends at {offset}"))),
            Ok(count) => {
                hasher.update(room.get(..count).unwrap_or_default());
                offset = offset.saturating_add(count as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::of("read", error)),
        }
    }
    Ok(Hash(hasher.finalize().into()))
}

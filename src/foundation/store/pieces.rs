//! Pieces of a large blob: each is proved before its bytes are sent for the first time.
//!
//! What is kept of a blob are the states of its own SHA-256 at the ends of its pieces but the last (`crypto::RunningHash`): made when it was
//! imported, by the one hash that compared its digest. A piece is good when hashing it leads from the state before it to the one behind
//! it, the last one to the digest itself.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::Failure;
use crate::crypto::{HASH_BLOCK, RunningHash};
use crate::domain::{Digest, Hash};

/// Bytes hashed at once.
const BUFFER: usize = 256 << 10;
/// Bytes between two waits.
const STEP: u64 = 1 << 20;

/// Kept midstates of a blob, and which of its pieces were found right.
#[derive(Debug)]
pub(super) struct Pieces {
    digest: Digest,
    size: u64,
    piece_size: u64,
    midstates: Vec<Hash>,
    good: Vec<AtomicBool>,
}

impl Pieces {
    /// Takes kept midstates; nothing when they do not cover the blob.
    pub(super) fn new(digest: Digest, size: u64, piece_size: u64, midstates: Vec<Hash>) -> Option<Self> {
        let count = size.checked_div(piece_size)? + u64::from(!size.is_multiple_of(piece_size));
        let covered = piece_size.is_multiple_of(HASH_BLOCK) && (midstates.len() as u64).checked_add(1)? == count;
        covered.then(|| Self {
            digest,
            size,
            piece_size,
            good: (0..count).map(|_| AtomicBool::new(false)).collect(),
            midstates,
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
        let Some(good) = self.good.get(number) else {
            return Ok(());
        };
        if good.load(Ordering::Acquire) {
            return Ok(());
        }
        let start = self.piece_size.saturating_mul(number as u64);
        let before = number.checked_sub(1).and_then(|before| self.midstates.get(before));
        let hash = match before {
            Some(state) => RunningHash::after(state, start).unwrap_or_default(),
            None => RunningHash::default(),
        };
        let hash = hash_on(hash, file, start, self.end(number))?;
        let good_end = match self.midstates.get(number) {
            Some(state) => hash.midstate() == Some(*state),
            None => hash.finish() == self.digest.0,
        };
        if !good_end {
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
pub(super) fn hash_range(file: &File, offset: u64, end: u64) -> Result<Hash, Failure> {
    Ok(hash_on(RunningHash::default(), file, offset, end)?.finish())
}

/// Hashes the first `size` bytes of a file; `pace` is told of every step, and may wait.
pub(super) fn hash_paced(
    file: &File,
    size: u64,
    pace: &mut dyn FnMut(u64) -> crate::domain::Result<()>,
) -> Result<Hash, Failure> {
    let (mut hash, mut offset) = (RunningHash::default(), 0_u64);
    while offset < size {
        let end = offset.saturating_add(STEP).min(size);
        hash = hash_on(hash, file, offset, end)?;
        pace(end.saturating_sub(offset)).map_err(Failure::Caller)?;
        offset = end;
    }
    Ok(hash.finish())
}

/// Hashes the first `size` bytes of a file, and takes the states at the ends of its pieces but the last.
pub(super) fn hash_pieces(file: &File, size: u64, piece_size: u64) -> Result<(Hash, Vec<Hash>), Failure> {
    let (mut hash, mut offset, mut midstates) = (RunningHash::default(), 0_u64, Vec::new());
    while size.saturating_sub(offset) > piece_size {
        let end = offset.saturating_add(piece_size);
        hash = hash_on(hash, file, offset, end)?;
        midstates.extend(hash.midstate());
        offset = end;
    }
    Ok((hash_on(hash, file, offset, size)?.finish(), midstates))
}

/// Takes a range of a file into a hash.
fn hash_on(mut hash: RunningHash, file: &File, mut offset: u64, end: u64) -> Result<RunningHash, Failure> {
    let mut buffer = vec![0; BUFFER];
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(BUFFER).min(BUFFER);
        let room = buffer.get_mut(..wanted).unwrap_or_default();
        match file.read_at(room, offset) {
            Ok(0) => return Err(Failure::Damaged(format!("the file ends at {offset}"))),
            Ok(count) => {
                hash.update(room.get(..count).unwrap_or_default());
                offset = offset.saturating_add(count as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::of("read", error)),
        }
    }
    Ok(hash)
}

//! A restored blob as it comes: hashed from border to border of the pieces it will be served in (SPEC M-166).

use super::restorer::Statement;
use crate::crypto::RunningHash;
use crate::domain::{Digest, Hash};

/// A restored blob on its way.
pub(super) struct Original {
    statement: Statement,
    hash: RunningHash,
    seen: u64,
    midstates: Vec<Hash>,
}

impl Original {
    /// Before its first byte.
    pub(super) fn new(statement: Statement) -> Self {
        Self {
            statement,
            hash: RunningHash::default(),
            seen: 0,
            midstates: Vec::new(),
        }
    }

    /// Takes the bytes that come next; returns where they begin.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> u64 {
        let (start, Statement { size, chunk_bytes, .. }) = (self.seen, self.statement);
        while !bytes.is_empty() {
            let to_border = chunk_bytes.saturating_sub(self.seen.checked_rem(chunk_bytes).unwrap_or(0));
            let now = usize::try_from(to_border).unwrap_or(usize::MAX).min(bytes.len()).max(1);
            let (piece, rest) = bytes.split_at_checked(now).unwrap_or((bytes, &[]));
            self.hash.update(piece);
            self.seen = self.seen.saturating_add(piece.len() as u64);
            bytes = rest;
            if self.seen.is_multiple_of(chunk_bytes) && self.seen < size {
                self.midstates.extend(self.hash.midstate());
            }
        }
        start
    }

    /// Returns its digest, for the caller to compare, and the states of its SHA-256 at the ends of its pieces but the last.
    pub(super) fn finish(self) -> (Digest, Vec<Hash>) {
        (Digest(self.hash.finish()), self.midstates)
    }
}

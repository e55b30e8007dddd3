//! A blob larger than a chunk, hashed from border to border.

use super::cut::{ChunkSpan, PayloadBlob};
use super::kind::Kind;
use super::signed_digest::check_digest;
use crate::crypto::RunningHash;
use crate::domain::{Class, Digest, Error, Hash, Result};

/// A blob larger than a chunk, on its way.
pub(super) struct Large<B> {
    pub(super) blob: B,
    hash: RunningHash,
    seen: u64,
    midstates: Vec<Hash>,
}

impl<B: PayloadBlob> Large<B> {
    /// Before its first byte.
    pub(super) fn new(blob: B) -> Self {
        Self {
            blob,
            hash: RunningHash::default(),
            seen: 0,
            midstates: Vec::new(),
        }
    }

    /// Behind its first `seen` bytes, with the midstates up to there.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when there is no such place.
    pub(super) fn after(blob: B, seen: u64, midstates: Vec<Hash>) -> Result<Self> {
        let hash = midstates.last().and_then(|state| RunningHash::after(state, seen));
        Ok(Self {
            blob,
            hash: hash.ok_or_else(out_of_place)?,
            seen,
            midstates,
        })
    }

    /// Takes the piece that comes next; returns the midstate at its end, or nothing when it was the last one.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` for a piece that does not come next.
    pub(super) fn piece(&mut self, span: ChunkSpan, bytes: &[u8]) -> Result<Option<Hash>> {
        if span.offset != self.seen {
            return Err(out_of_place());
        }
        self.hash.update(bytes);
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen >= self.blob.travel_size() {
            return Ok(None);
        }
        let state = self.hash.midstate().ok_or_else(out_of_place)?;
        self.midstates.push(state);
        Ok(Some(state))
    }

    /// Compares its digest; returns the midstates at the ends of its pieces but the last.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY content-digest`.
    pub(super) fn finish(self, kind: &Kind) -> Result<Vec<Hash>> {
        check_digest(kind, self.blob.digest(), Digest(self.hash.finish()))?;
        Ok(self.midstates)
    }
}

/// The cut rule gives the pieces, one behind the other, in whole blocks of the hash.
pub(super) fn out_of_place() -> Error {
    Error::new(Class::Internal, "pieces", "a piece of a blob came out of its place")
}

//! A blob larger than a chunk, told of piece by piece.

use super::cut::{ChunkSpan, PayloadBlob, out_of_place};
use super::hash_chain::PieceHash;
use super::kind::Kind;
use super::signed_digest::check_digest;
use crate::crypto::RunningHash;
use crate::domain::{Hash, Result};

/// A blob larger than a chunk, on its way.
pub(super) struct Large<B> {
    pub(super) blob: B,
    seen: u64,
    midstates: Vec<Hash>,
}

/// How a large blob stands behind a piece.
pub(super) enum Progress<B> {
    /// It goes on; the midstate at the end of the piece.
    GoesOn(Large<B>, Hash),
    /// It is whole, and its digest is the one that was signed; the midstates at the ends of its pieces but the last.
    Whole(Vec<Hash>),
}

impl<B: PayloadBlob> Large<B> {
    /// Before its first byte.
    pub(super) fn new(blob: B) -> Self {
        Self {
            blob,
            seen: 0,
            midstates: Vec::new(),
        }
    }

    /// Behind its first `seen` bytes, with the midstates up to there; and its hash, to go on with.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when there is no such place.
    pub(super) fn after(blob: B, seen: u64, midstates: Vec<Hash>) -> Result<(Self, RunningHash)> {
        let hash = midstates.last().and_then(|state| RunningHash::after(state, seen));
        let large = Self { blob, seen, midstates };
        Ok((large, hash.ok_or_else(out_of_place)?))
    }

    /// Takes the piece that comes next, by what the blob's hash says behind it.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY content-digest`; `E-INTERNAL` for a piece that does not come next.
    pub(super) fn piece(mut self, span: ChunkSpan, hash: PieceHash, kind: &Kind) -> Result<Progress<B>> {
        if span.offset != self.seen {
            return Err(out_of_place());
        }
        self.seen = self.seen.saturating_add(span.plain);
        let is_whole = self.seen >= self.blob.travel_size();
        match hash {
            PieceHash::Midstate(state) if !is_whole => {
                self.midstates.push(state);
                Ok(Progress::GoesOn(self, state))
            }
            PieceHash::Digest(digest) if is_whole => {
                check_digest(kind, self.blob.digest(), digest)?;
                Ok(Progress::Whole(self.midstates))
            }
            _ => Err(out_of_place()),
        }
    }
}

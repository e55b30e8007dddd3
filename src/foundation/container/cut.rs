//! The cut rule: which piece of which blob lies in which chunk follows from the sizes alone (SPEC section 6).
//!
//! Nothing of this is stated in a bundle, so there are no gaps, overlaps or lies to look for.

use crate::domain::{Class, Digest, Error};

/// Something that has a place in the payload.
pub(crate) trait PayloadBlob: Copy + Send + Sync {
    /// Digest of its bytes.
    fn digest(&self) -> Digest;

    /// Bytes of its travel form: those that lie in chunks.
    fn travel_size(&self) -> u64;

    /// Whether these are not the blob's own bytes: something else makes it of them.
    fn is_encoded(&self) -> bool {
        false
    }
}

/// The blobs of a payload in their order, and what decides about their chunks.
#[derive(Debug)]
pub(crate) struct Payload<'a, B> {
    /// The blobs in payload order.
    pub(crate) blobs: &'a [B],
    /// So many of them end on a chunk border together.
    pub(crate) early: usize,
    /// Plain bytes of a full chunk.
    pub(crate) chunk_bytes: u64,
    /// Whether some are made of parts of others.
    pub(crate) copies: bool,
}

impl<B> Clone for Payload<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Payload<'_, B> {}

impl<'a, B: PayloadBlob> Payload<'a, B> {
    /// Returns the chunks that the cut rule gives.
    pub(crate) fn cut(self) -> Cut<'a, B> {
        Cut {
            payload: self,
            blob: 0,
            offset: 0,
        }
    }

    /// Returns how many chunks the early blobs fill.
    pub(super) fn early_chunks(self) -> usize {
        self.cut().take_while(|span| span.blob < self.early).count()
    }

    /// Whether a chunk holds one piece of a blob that is larger than a chunk.
    pub(crate) fn is_piece(self, span: ChunkSpan) -> bool {
        self.blobs
            .get(span.blob)
            .is_some_and(|blob| blob.travel_size() > span.plain)
    }

    /// Whether a chunk holds one piece of an encoded blob: it is not compressed once more.
    pub(crate) fn is_encoded_piece(self, span: ChunkSpan) -> bool {
        self.is_piece(span) && self.blobs.get(span.blob).is_some_and(PayloadBlob::is_encoded)
    }

    /// Whether a chunk holds an encoded blob, or a piece of one.
    pub(super) fn has_encoded(self, span: ChunkSpan) -> bool {
        let blobs = self.blobs.get(self.numbers_in(span)).unwrap_or_default();
        blobs.iter().any(PayloadBlob::is_encoded)
    }

    /// Returns the numbers of the blobs that a chunk holds, or holds a piece of.
    pub(crate) fn numbers_in(self, span: ChunkSpan) -> std::ops::Range<usize> {
        let (mut end, mut held) = (span.blob, 0_u64);
        while held < span.plain {
            let Some(blob) = self.blobs.get(end) else { break };
            held = held.saturating_add(blob.travel_size());
            end = end.saturating_add(1);
        }
        span.blob..end
    }

    /// Returns the whole blobs that a chunk holds, with their bytes.
    pub(super) fn blobs_in<'p>(
        self,
        span: ChunkSpan,
        plain: &'p [u8],
    ) -> impl Iterator<Item = (B, &'p [u8])> + use<'a, 'p, B> {
        let mut rest = plain;
        self.blobs
            .get(span.blob..)
            .unwrap_or_default()
            .iter()
            .map_while(move |blob| {
                if rest.is_empty() {
                    return None;
                }
                let (bytes, after) = rest.split_at_checked(usize::try_from(blob.travel_size()).ok()?)?;
                rest = after;
                Some((*blob, bytes))
            })
    }
}

/// The chunks of a payload, derived from the sizes of its blobs.
#[derive(Debug, Clone)]
pub(crate) struct Cut<'a, B> {
    payload: Payload<'a, B>,
    blob: usize,
    offset: u64,
}

/// A chunk: where it starts, and how many plain bytes it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkSpan {
    /// Blob that the chunk's first byte belongs to.
    pub(crate) blob: usize,
    /// Offset of that byte in the blob.
    pub(crate) offset: u64,
    /// Plain bytes, never 0.
    pub(crate) plain: u64,
}

impl<B: PayloadBlob> Iterator for Cut<'_, B> {
    type Item = ChunkSpan;

    fn next(&mut self) -> Option<ChunkSpan> {
        // A zero-length blob is in no chunk.
        while self.payload.blobs.get(self.blob)?.travel_size() == 0 {
            self.blob = self.blob.saturating_add(1);
        }
        let (start, size) = (self.blob, self.payload.blobs.get(self.blob)?.travel_size());
        if size > self.payload.chunk_bytes {
            let offset = self.offset;
            let plain = size.saturating_sub(offset).min(self.payload.chunk_bytes);
            self.offset = offset.saturating_add(plain);
            if self.offset == size {
                (self.blob, self.offset) = (start.saturating_add(1), 0);
            }
            return Some(ChunkSpan {
                blob: start,
                offset,
                plain,
            });
        }
        let mut plain: u64 = 0;
        while let Some(blob) = self.payload.blobs.get(self.blob) {
            let after = plain.saturating_add(blob.travel_size());
            // Early blobs end on a border; a blob that does not fit, which includes every large one, starts a new chunk.
            if after > self.payload.chunk_bytes || (self.blob == self.payload.early && plain > 0) {
                break;
            }
            plain = after;
            self.blob = self.blob.saturating_add(1);
        }
        Some(ChunkSpan {
            blob: start,
            offset: 0,
            plain,
        })
    }
}

/// The cut rule gives the pieces of a blob, one behind the other, in whole blocks of its hash.
pub(super) fn out_of_place() -> Error {
    Error::new(Class::Internal, "pieces", "a piece of a blob came out of its place")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Hash;

    impl PayloadBlob for u64 {
        fn digest(&self) -> Digest {
            Digest(Hash([0; 32]))
        }

        fn travel_size(&self) -> u64 {
            *self
        }
    }

    fn cut(sizes: &[u64], early: usize) -> Vec<(usize, u64, u64)> {
        Payload {
            blobs: sizes,
            early,
            chunk_bytes: 10,
            copies: false,
        }
        .cut()
        .map(|chunk| (chunk.blob, chunk.offset, chunk.plain))
        .collect()
    }

    #[test]
    fn small_blobs_are_packed_and_large_ones_stand_alone() {
        assert_eq!(cut(&[], 0), []);
        assert_eq!(cut(&[0, 0], 1), []);
        assert_eq!(cut(&[4, 6, 1], 0), [(0, 0, 10), (2, 0, 1)]);
        assert_eq!(cut(&[10, 10], 0), [(0, 0, 10), (1, 0, 10)]);
        assert_eq!(
            cut(&[3, 25, 3], 0),
            [(0, 0, 3), (1, 0, 10), (1, 10, 10), (1, 20, 5), (2, 0, 3)]
        );
        assert_eq!(
            cut(&[11, 20, 0, 2, 0], 0),
            [(0, 0, 10), (0, 10, 1), (1, 0, 10), (1, 10, 10), (3, 0, 2)]
        );
    }

    #[test]
    fn early_blobs_end_on_a_border() {
        assert_eq!(cut(&[2, 2, 2], 2), [(0, 0, 4), (2, 0, 2)]);
        assert_eq!(cut(&[2, 0, 2], 2), [(0, 0, 2), (2, 0, 2)]);
        assert_eq!(cut(&[2, 2], 2), [(0, 0, 4)]);
        assert_eq!(cut(&[0, 2, 2], 1), [(1, 0, 4)]);
    }
}

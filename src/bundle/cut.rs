//! The cut rule: which piece of which blob lies in which chunk follows from the sizes alone (SPEC section 6).
//!
//! Nothing of this is stated in a bundle, so there are no gaps, overlaps or lies to look for.

/// The chunks of a payload, derived from the sizes of its blobs.
#[derive(Debug, Clone)]
pub(super) struct Cut<'a, B> {
    blobs: &'a [B],
    early: usize,
    chunk_bytes: u64,
    blob: usize,
    offset: u64,
}

/// Something that has a place in the payload.
pub(super) trait Sized64 {
    /// Bytes of its travel form.
    fn size(&self) -> u64;
}

/// A chunk: where it starts, and how many plain bytes it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkPlan {
    /// Blob that the chunk's first byte belongs to.
    pub(super) blob: usize,
    /// Offset of that byte in the blob.
    pub(super) offset: u64,
    /// Plain bytes, never 0.
    pub(super) plain: u64,
}

impl<'a, B: Sized64> Cut<'a, B> {
    /// Makes the cut of blobs in payload order, the first `early` of which end on a chunk border.
    pub(super) fn new(blobs: &'a [B], early: usize, chunk_bytes: u64) -> Self {
        Self {
            blobs,
            early,
            chunk_bytes,
            blob: 0,
            offset: 0,
        }
    }
}

impl<B: Sized64> Iterator for Cut<'_, B> {
    type Item = ChunkPlan;

    fn next(&mut self) -> Option<ChunkPlan> {
        // A zero-length blob is in no chunk.
        while self.blobs.get(self.blob)?.size() == 0 {
            self.blob = self.blob.saturating_add(1);
        }
        let (start, size) = (self.blob, self.blobs.get(self.blob)?.size());
        if size > self.chunk_bytes {
            let offset = self.offset;
            let plain = size.saturating_sub(offset).min(self.chunk_bytes);
            self.offset = offset.saturating_add(plain);
            if self.offset == size {
                (self.blob, self.offset) = (start.saturating_add(1), 0);
            }
            return Some(ChunkPlan {
                blob: start,
                offset,
                plain,
            });
        }
        let mut plain: u64 = 0;
        while let Some(blob) = self.blobs.get(self.blob) {
            let after = plain.saturating_add(blob.size());
            // Early blobs end on a border; a blob that does not fit, which includes every large one, starts a new chunk.
            if after > self.chunk_bytes || (self.blob == self.early && plain > 0) {
                break;
            }
            plain = after;
            self.blob = self.blob.saturating_add(1);
        }
        Some(ChunkPlan {
            blob: start,
            offset: 0,
            plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Sized64 for u64 {
        fn size(&self) -> u64 {
            *self
        }
    }

    fn cut(sizes: &[u64], early: usize) -> Vec<(usize, u64, u64)> {
        Cut::new(sizes, early, 10)
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

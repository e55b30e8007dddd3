//! What searches of chains have in common: a window that comparisons may read a little behind, and tables on the heap.

/// Half a window: the farthest match of the format, and how far a window moves.
pub(crate) const HALF: usize = 32_768;
/// Plain bytes that are searched at once.
pub(crate) const WINDOW: usize = 2 * HALF;
/// The window's bytes, and as many behind it as a comparison may read; a power of two, so that a mask stands for every check.
pub(crate) const ROOM: usize = 2 * WINDOW;

/// Bytes that two places have in common, at most `most`.
#[inline]
pub(crate) fn common(window: &[u8; ROOM], a: usize, b: usize, most: usize) -> usize {
    let mut length = 0;
    while length + 8 <= most {
        let differ = eight(window, a + length) ^ eight(window, b + length);
        if differ != 0 {
            return length + (differ.trailing_zeros() >> 3) as usize;
        }
        length += 8;
    }
    while length < most && window[(a + length) & (ROOM - 1)] == window[(b + length) & (ROOM - 1)] {
        length += 1;
    }
    length
}

#[inline]
fn eight(window: &[u8; ROOM], at: usize) -> u64 {
    let bytes: &[u8; 8] = window[at & (ROOM - 1)..].first_chunk().unwrap_or(&[0; 8]);
    u64::from_le_bytes(*bytes)
}

/// A position of a window, or a length: far below 2^32.
#[inline]
pub(crate) fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A table of zeros that does not pass over the stack.
#[expect(clippy::unnecessary_box_returns, reason = "hundreds of kilobytes")]
pub(crate) fn zeros<T: Clone + Default + std::fmt::Debug, const N: usize>() -> Box<[T; N]> {
    #[expect(clippy::expect_used, reason = "the size is the same on both sides")]
    vec![T::default(); N]
        .into_boxed_slice()
        .try_into()
        .expect("sizes agree")
}

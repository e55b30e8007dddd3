//! The plain that can be reached, and where its sequences of four and of seven bytes were seen.
//!
//! Where the history begins decides bits: a match is not extended before it.

use crate::producer::format::STORED;

/// Matches are nearer than this.
pub(super) const FARTHEST: usize = 32_768;
/// Bytes of the history; before it would be more, all but the last [`FARTHEST`] go.
const ROOM: usize = STORED * 5;
const TABLE_BITS: u32 = 15;
/// The number of the history's first byte at the start: far enough that an empty entry is never near.
const FIRST: u32 = 65_536;

/// History and tables.
#[derive(Debug)]
pub(super) struct History {
    pub(super) plain: Vec<u8>,
    /// The number of the first byte.
    pub(super) number: u32,
    short: Box<[u32]>,
    /// The last position and the one before it.
    long: Box<[[u32; 2]]>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            plain: Vec::with_capacity(ROOM),
            number: FIRST,
            short: vec![0; 1 << TABLE_BITS].into_boxed_slice(),
            long: vec![[0; 2]; 1 << TABLE_BITS].into_boxed_slice(),
        }
    }

    pub(super) fn start(&mut self) {
        self.forget();
        self.number = FIRST;
        self.short.fill(0);
        self.long.fill([0; 2]);
    }

    /// Puts everything out of reach.
    pub(super) fn forget(&mut self) {
        self.number += small(self.plain.len() + FARTHEST);
        self.plain.clear();
    }

    /// Adds plain, and returns where it begins.
    pub(super) fn add(&mut self, plain: &[u8]) -> usize {
        if self.plain.len() + plain.len() > ROOM {
            let gone = self.plain.len() - FARTHEST;
            self.plain.drain(..gone);
            self.number += small(gone);
        }
        if self.number > 1 << 31 {
            let less = self.number - FIRST;
            for entry in self.short.iter_mut().chain(self.long.as_flattened_mut()) {
                *entry = entry.saturating_sub(less);
            }
            self.number = FIRST;
        }
        let at = self.plain.len();
        self.plain.extend_from_slice(plain);
        at
    }

    #[inline]
    pub(super) fn eight(&self, at: usize) -> u64 {
        let bytes: &[u8; 8] = self.plain[at..].first_chunk().unwrap_or(&[0; 8]);
        u64::from_le_bytes(*bytes)
    }

    #[inline]
    pub(super) fn four(&self, at: usize) -> u32 {
        let bytes: &[u8; 4] = self.plain[at..].first_chunk().unwrap_or(&[0; 4]);
        u32::from_le_bytes(*bytes)
    }

    /// The number of a position.
    #[inline]
    pub(super) fn number_of(&self, at: usize) -> u32 {
        self.number + small(at)
    }

    /// The position of an entry, if a match may reach it from `at` on.
    #[inline]
    pub(super) fn near(&self, entry: u32, at: usize) -> Option<usize> {
        let distance = (self.number_of(at).wrapping_sub(entry)) as usize;
        if distance < FARTHEST {
            at.checked_sub(distance)
        } else {
            None
        }
    }

    /// As [`near`](Self::near), if four bytes are these.
    #[inline]
    pub(super) fn equal(&self, entry: u32, at: usize, four: u32) -> Option<usize> {
        self.near(entry, at).filter(|place| self.four(*place) == four)
    }

    #[inline]
    pub(super) fn short(&mut self, hash: usize) -> &mut u32 {
        &mut self.short[hash & ((1 << TABLE_BITS) - 1)]
    }

    #[inline]
    pub(super) fn long(&self, hash: usize) -> [u32; 2] {
        self.long[hash & ((1 << TABLE_BITS) - 1)]
    }

    /// Makes a position the last one of its seven bytes.
    #[inline]
    pub(super) fn insert_long(&mut self, hash: usize, number: u32) {
        let entry = &mut self.long[hash & ((1 << TABLE_BITS) - 1)];
        *entry = [number, entry[0]];
    }

    /// Bytes that two positions have in common, at most 254.
    #[inline]
    pub(super) fn common(&self, at: usize, place: usize) -> usize {
        let end = self.plain.len().min(at + 254);
        equal(&self.plain[at..end], &self.plain[place..])
    }

    /// Bytes that two positions have in common.
    #[inline]
    pub(super) fn common_to_end(&self, at: usize, place: usize) -> usize {
        equal(&self.plain[at..], &self.plain[place..])
    }
}

/// The hash of the first four bytes of eight.
#[inline]
pub(super) fn short_hash(eight: u64) -> usize {
    let [a, b, c, d, ..] = eight.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]).wrapping_mul(2_654_435_761) >> (32 - TABLE_BITS)) as usize
}

/// The hash of the first seven bytes of eight.
#[inline]
pub(super) fn long_hash(eight: u64) -> usize {
    let hash = (eight << 8).wrapping_mul(58_295_818_150_454_627) >> (64 - TABLE_BITS);
    usize::try_from(hash).unwrap_or(0)
}

/// The first four bytes of eight.
#[inline]
pub(super) fn low(eight: u64) -> u32 {
    let [a, b, c, d, ..] = eight.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[inline]
pub(super) fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[inline]
fn equal(a: &[u8], b: &[u8]) -> usize {
    let b = &b[..a.len()];
    let (left, _) = a.as_chunks::<8>();
    let (right, _) = b.as_chunks::<8>();
    let mut length = 0;
    for (left, right) in left.iter().zip(right) {
        let differ = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if differ != 0 {
            return length + (differ.trailing_zeros() >> 3) as usize;
        }
        length += 8;
    }
    length + a[length..].iter().zip(&b[length..]).take_while(|(a, b)| a == b).count()
}

//! Places in bases that their own bytes choose: the same bytes choose the same places wherever they stand, so a plain in which they have
//! moved by any number of bytes finds them.
//!
//! A sum runs over the bytes, of which each has left it after 32 more. Where it says so, on average every 64th time, there is an anchor,
//! known by its 32 bytes. An anchor is 8 bytes of memory, and of larger bases fewer are known; what is found is compared byte for byte.

use super::number_of;

/// Bytes by which an anchor is known.
pub(super) const WINDOW: usize = 32;
/// Anchors that are expected of all bases of a layer together.
const ANCHORS: u64 = 4 << 20;
/// One place in 2^6 is an anchor, as long as that gives no more.
const OFTEN: u32 = 6;
/// Bits of an anchor that say where it is; the others stand for its bytes.
const PLACE_BITS: u32 = 38;

/// How many places are anchors, the same for all bases that a plain is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Of 32 bits, those that do not choose.
    shift: u32,
}

/// Anchors of a base.
#[derive(Debug)]
pub(super) struct Anchors {
    rate: Rate,
    most: usize,
    /// Ascending.
    found: Vec<u64>,
    /// Bytes that came.
    came: u64,
}

/// The sum under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    shift: u32,
    value: u32,
    last: u32,
}

impl Rate {
    /// One place in 64.
    pub(super) const OFTEN: Self = Self {
        shift: u32::BITS - OFTEN,
    };

    /// For bases of so many bytes together.
    pub(super) fn of(bytes: u64) -> Self {
        let (mut expected, mut shift) = (bytes >> OFTEN, Self::OFTEN.shift);
        while expected > ANCHORS {
            (expected, shift) = (expected >> 1, shift.saturating_sub(1));
        }
        Self { shift }
    }

    /// Anchors that so many bytes have at most: bytes that come again and again may choose more than are expected.
    pub(super) fn most(self, bytes: u64) -> usize {
        let expected = bytes >> u32::BITS.saturating_sub(self.shift);
        usize::try_from(expected)
            .unwrap_or(0)
            .saturating_mul(2)
            .saturating_add(1024)
    }

    /// A sum that found nothing yet.
    pub(super) fn sum(self) -> Sum {
        Sum {
            shift: self.shift,
            value: 0,
            last: 0,
        }
    }
}

impl Anchors {
    /// For a base of so many bytes.
    pub(super) fn of(rate: Rate, bytes: u64) -> Self {
        Self {
            rate,
            most: rate.most(bytes),
            found: Vec::new(),
            came: 0,
        }
    }

    /// Takes the next bytes of the base.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let begins = self.came;
        self.came = begins.saturating_add(bytes.len() as u64);
        let (mut sum, mut at) = (self.rate.sum(), 0_usize);
        while let Some(next) = sum.next(bytes, at) {
            at = next;
            let Some(window) = at.checked_sub(WINDOW).and_then(|from| bytes.get(from..at)) else {
                continue;
            };
            let place = begins.saturating_add(at as u64);
            if self.found.len() >= self.most || place >> PLACE_BITS != 0 {
                return;
            }
            self.found.push(number(window) | place);
        }
    }

    /// All of the base was taken.
    pub(super) fn finish(&mut self) {
        self.found.sort_unstable();
        self.found.dedup_by_key(|found| *found >> PLACE_BITS);
        self.found.shrink_to_fit();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Returns the offset behind an anchor of these bytes.
    pub(super) fn find(&self, window: &[u8]) -> Option<u64> {
        let wanted = number(window) >> PLACE_BITS;
        let at = self
            .found
            .binary_search_by_key(&wanted, |found| *found >> PLACE_BITS)
            .ok()?;
        Some(self.found.get(at)? & ((1 << PLACE_BITS) - 1))
    }

    /// Bytes of memory that they take.
    pub(super) fn memory(&self) -> u64 {
        (self.found.len() as u64).saturating_mul(8)
    }
}

/// Stands for the bytes of an anchor.
fn number(window: &[u8]) -> u64 {
    number_of(window) >> PLACE_BITS << PLACE_BITS
}

impl Sum {
    /// Goes on behind so many bytes that it knows; returns how many it knows when it is at an anchor. Bytes that are all the same have none
    /// but the first.
    pub(super) fn next(&mut self, bytes: &[u8], known: usize) -> Option<usize> {
        const FACTOR: u32 = 0x9e37_79b1;
        let chosen = u32::MAX.checked_shr(self.shift)?;
        let rest = bytes.get(known..)?;
        let at = rest.iter().position(|byte| {
            self.value = (self.value << 1).wrapping_add(u32::from(*byte));
            let is_chosen = self.value.wrapping_mul(FACTOR).wrapping_shr(self.shift) == chosen;
            is_chosen && std::mem::replace(&mut self.last, self.value) != self.value
        })?;
        Some(known.saturating_add(at).saturating_add(1))
    }
}

//! Places in bases that their own bytes choose: the same bytes choose the same places wherever they stand, so a plain in which they have
//! moved by any number of bytes finds them.
//!
//! A sum runs over the bytes, of which each has left it after 32 more. Where it says so, on average every 64th time, there is an anchor,
//! known by its 32 bytes. An anchor is 8 bytes of memory, and of larger bases fewer are known; what is found is compared byte for byte.

use super::known::Place;
use super::number_of;

/// Bytes by which an anchor is known.
pub(super) const WINDOW: usize = 32;
/// Anchors that are expected of all bases together.
const ANCHORS: u64 = 4 << 20;
/// One place in 2^6 is an anchor, as long as that gives no more.
const RATE: u32 = 6;
/// Bits of an anchor that say where it is, in all bases one after the other; the others stand for its bytes.
const PLACE_BITS: u32 = 38;

/// Anchors of bases.
#[derive(Debug)]
pub(super) struct Anchors {
    /// Of 32 bits, those that do not choose.
    shift: u32,
    most: usize,
    /// Ascending.
    found: Vec<u64>,
    /// Where each base ends, in all of them one after the other.
    ends: Vec<u64>,
}

/// The sum under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    shift: u32,
    value: u32,
    last: u32,
}

impl Anchors {
    /// For bases of so many bytes together.
    pub(super) fn of(bytes: u64) -> Self {
        let (mut expected, mut shift) = (bytes >> RATE, u32::BITS - RATE);
        while expected > ANCHORS {
            (expected, shift) = (expected >> 1, shift.saturating_sub(1));
        }
        // Bytes that come again and again may choose more.
        let most = usize::try_from(expected)
            .unwrap_or(0)
            .saturating_mul(2)
            .saturating_add(1024);
        Self {
            shift,
            most,
            found: Vec::with_capacity(most),
            ends: Vec::new(),
        }
    }

    /// Goes on with the next base, of so many bytes.
    pub(super) fn base(&mut self, size: u64) {
        let end = self.begin().saturating_add(size);
        self.ends.push(end);
    }

    fn begin(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Takes bytes of the base that was begun last, of which so many stand behind them.
    pub(super) fn take(&mut self, bytes: &[u8], behind: u64) {
        let end = self.begin().saturating_sub(behind);
        let (mut sum, mut at) = (self.sum(), 0_usize);
        while let Some(next) = sum.next(bytes, at) {
            at = next;
            let Some(window) = at.checked_sub(WINDOW).and_then(|from| bytes.get(from..at)) else {
                continue;
            };
            let place = end.saturating_sub(bytes.len().saturating_sub(at) as u64);
            if self.found.len() >= self.most || place >> PLACE_BITS != 0 {
                return;
            }
            self.found.push(number(window) | place);
        }
    }

    /// All bases were taken.
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

    /// A sum that found nothing yet.
    pub(super) fn sum(&self) -> Sum {
        Sum {
            shift: self.shift,
            value: 0,
            last: 0,
        }
    }

    /// Returns the place behind an anchor of these bytes.
    pub(super) fn find(&self, window: &[u8]) -> Option<Place> {
        let wanted = number(window) >> PLACE_BITS;
        let at = self
            .found
            .binary_search_by_key(&wanted, |found| *found >> PLACE_BITS)
            .ok()?;
        let place = self.found.get(at)? & ((1 << PLACE_BITS) - 1);
        // A place behind the last byte of a base is of that base.
        let base = self.ends.partition_point(|end| *end < place);
        let begins = base.checked_sub(1).and_then(|before| self.ends.get(before));
        let offset = place.saturating_sub(begins.copied().unwrap_or(0));
        Some(Place { base, offset })
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

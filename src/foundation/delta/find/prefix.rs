//! What of the bases stands in front of a record's literals while they are compressed.

use super::super::grammar::{LITERAL_RECORD, Stretch};
use super::super::judge::RANGE_BYTES;

/// Ranges in front of a record: more say little that the others did not.
const RANGES: usize = 8_192;
/// Ranges of all records of a group: a script has a bound.
const OF_GROUP: usize = 48 << 10;
/// Bytes between two ranges that are taken too, so that they are one.
const BETWEEN: u64 = 256;

/// The ranges of a record under way.
#[derive(Debug)]
pub(super) struct Prefix {
    ranges: Vec<Stretch>,
    bytes: u64,
    /// Ranges that it may have.
    most: usize,
}

impl Prefix {
    /// One for a group whose records before have so many ranges.
    pub(super) fn new(before: usize) -> Self {
        Self {
            ranges: Vec::new(),
            bytes: 0,
            most: OF_GROUP.saturating_sub(before).min(RANGES),
        }
    }

    /// Adds a stretch, less what is there of it, as far as there is room.
    pub(super) fn add(&mut self, stretch: Stretch) {
        let room = RANGE_BYTES.min(LITERAL_RECORD).saturating_sub(self.bytes);
        let end_of = |stretch: &Stretch| stretch.offset.saturating_add(stretch.length);
        let (from, to) = (stretch.offset, end_of(&stretch));
        if let Some(last) = self.ranges.last_mut().filter(|last| last.base == stretch.base) {
            let end = end_of(last);
            if last.offset <= from && from <= end.saturating_add(BETWEEN) {
                let more = to.saturating_sub(end).min(room);
                last.length = last.length.saturating_add(more);
                self.bytes = self.bytes.saturating_add(more);
                return;
            }
            let is_there = |range: &Stretch| range.base == stretch.base && range.offset <= from && to <= end_of(range);
            if self.ranges.iter().any(is_there) {
                return;
            }
        }
        let length = stretch.length.min(room);
        if length == 0 || self.ranges.len() >= self.most {
            return;
        }
        self.ranges.push(Stretch { length, ..stretch });
        self.bytes = self.bytes.saturating_add(length);
    }

    /// How many ranges there are.
    pub(super) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// Returns the ranges, in the order of the literals that they stand beside.
    pub(super) fn ranges(self) -> Vec<Stretch> {
        self.ranges
    }
}

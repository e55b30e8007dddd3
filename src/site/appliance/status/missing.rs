//! Things that are not kept, before the gap record that accounts for them.

use crate::domain::Timestamp;

/// Things of one target, or of one stream, that are not kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    pub(super) count: u64,
    pub(super) exact: bool,
    pub(super) bytes: u64,
    /// Positions; 0 for things that never had one.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Missing {
    /// One thing, with its position, or 0.
    pub(super) fn one(at: Timestamp, position: u64) -> Self {
        Self {
            count: 1,
            exact: true,
            bytes: 0,
            first: position,
            last: position,
            since: at,
            until: at,
        }
    }

    /// Everything from a position up to another one, whatever that was: an upper bound.
    pub(super) fn all(first: u64, last: u64, now: Timestamp) -> Self {
        Self {
            count: last.saturating_add(1).saturating_sub(first),
            exact: false,
            bytes: 0,
            first,
            last,
            since: Timestamp::EPOCH,
            until: now,
        }
    }

    /// Takes in some more.
    pub(super) fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.exact &= more.exact;
        self.bytes = self.bytes.saturating_add(more.bytes);
        if more.last > 0 {
            self.first = if self.last == 0 {
                more.first
            } else {
                self.first.min(more.first)
            };
            self.last = self.last.max(more.last);
        }
        self.since = self.since.min(more.since);
        self.until = self.until.max(more.until);
    }
}

//! How much is kept.

/// Bounds of what the buffer keeps, in bytes of text and overhead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Of one target.
    pub target: u64,
    /// Of all.
    pub total: u64,
    /// Days that what a vendor acknowledged is kept all the same, while there is room.
    pub keep_days: u32,
}

impl Quota {
    /// Nothing goes.
    pub(super) const UNBOUNDED: Self = Self {
        target: u64::MAX,
        total: u64::MAX,
        keep_days: u32::MAX,
    };

    /// Makes bounds from a total in MiB; one target may take a sixteenth of it, but at least 4 MiB.
    pub fn from_mib(total: u64) -> Self {
        let total = total.max(16).saturating_mul(1 << 20);
        Self {
            target: (total / 16).max(4 << 20),
            total,
            keep_days: 30,
        }
    }

    /// For how long what was acknowledged is kept.
    pub(super) fn keep_seconds(self) -> i64 {
        i64::from(self.keep_days).saturating_mul(86_400)
    }

    /// What raw measurements may take in all before they are folded into days.
    pub(super) fn metrics(self) -> u64 {
        self.total / 8
    }

    /// What transitions of one target may take before those that come back to an earlier state are only counted.
    pub(super) fn transitions(self) -> u64 {
        self.target / 2
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::from_mib(1024)
    }
}

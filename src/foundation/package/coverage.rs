//! Ranges of numbers, and the sum that leaves no number out (M-85, M-86).

use serde::{Deserialize, Serialize};

use crate::crypto::canonical::integer;
use crate::domain::{Class, Error, Hash, Result};

/// Numbers of each kind in a stream: up to which something is known, or where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Of rows of the stream's log.
    pub audit: u64,
    /// Of receipts.
    pub receipts: u64,
    /// Of records.
    pub records: u64,
}

impl Numbers {
    /// Whether none of them is above the other's.
    pub fn are_within(&self, other: &Self) -> bool {
        self.audit <= other.audit && self.receipts <= other.receipts && self.records <= other.records
    }

    /// Returns the same number of each kind.
    pub const fn all(number: u64) -> Self {
        Self {
            audit: number,
            receipts: number,
            records: number,
        }
    }

    /// Whether each number is below or at that of another.
    pub(super) fn at_most(&self, other: &Self) -> bool {
        self.audit <= other.audit && self.receipts <= other.receipts && self.records <= other.records
    }
}

/// The newest acknowledgement that the site applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// Rows of the stream's log up to here.
    #[serde(with = "integer")]
    pub audit: u64,
    /// Number of the acknowledgement.
    #[serde(with = "integer")]
    pub number: u64,
    /// Receipts up to here.
    #[serde(with = "integer")]
    pub receipts: u64,
    /// Records up to here.
    #[serde(with = "integer")]
    pub records: u64,
}

impl Acknowledged {
    /// Returns the first numbers that it does not cover.
    pub fn next(&self) -> Numbers {
        Numbers {
            audit: self.audit.saturating_add(1),
            receipts: self.receipts.saturating_add(1),
            records: self.records.saturating_add(1),
        }
    }
}

/// Receipts in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRange {
    /// The first number, from 1.
    #[serde(with = "integer")]
    pub first: u64,
    /// The last one; first − 1 when there is none.
    #[serde(with = "integer")]
    pub last: u64,
}

/// Rows of the stream's log in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRange {
    /// Seal of row first − 1.
    pub before: Hash,
    /// The first number, from 1.
    #[serde(with = "integer")]
    pub first: u64,
    /// Seal of row last.
    pub hash: Hash,
    /// The last one; first − 1 when there is none.
    #[serde(with = "integer")]
    pub last: u64,
}

/// Records of a range, and where those are that no line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordRange {
    /// The first number, from 1.
    #[serde(with = "integer")]
    pub first: u64,
    /// The last one; first − 1 when there is none.
    #[serde(with = "integer")]
    pub last: u64,
    /// Numbers without a record that lie in a gap row's range.
    #[serde(with = "integer")]
    pub missing: u64,
    /// Records that lines show.
    #[serde(with = "integer")]
    pub shown: u64,
    /// Numbers without a record that lie in none: a fault at the site.
    #[serde(with = "integer")]
    pub unexplained: u64,
    /// Records that no switch shows.
    pub withheld: Withheld,
}

/// Records that no switch shows, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// Lines of the agents themselves.
    #[serde(rename = "agent-log", with = "integer")]
    pub agent_log: u64,
    /// Lines of containers.
    #[serde(with = "integer")]
    pub log: u64,
    /// Samples of metrics.
    #[serde(with = "integer")]
    pub metrics: u64,
    /// Statuses that changed nothing.
    #[serde(with = "integer")]
    pub status: u64,
}

/// What a site counts beside the lines it shows, for the range of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordCounts {
    /// Numbers without a record that lie in a gap row's range.
    pub missing: u64,
    /// Numbers without a record that lie in none.
    pub unexplained: u64,
    /// Records that no switch shows.
    pub withheld: Withheld,
}

impl RecordRange {
    /// Checks that every number of the range is somewhere, and that as many lines came as are said to be shown.
    ///
    /// # Errors
    ///
    /// `E-CONTENT coverage`.
    pub(super) fn check_sum(&self, lines: u64) -> Result<()> {
        let Withheld {
            agent_log,
            log,
            metrics,
            status,
        } = self.withheld;
        let parts = [
            self.shown,
            agent_log,
            log,
            metrics,
            status,
            self.missing,
            self.unexplained,
        ];
        let sum: u128 = parts.into_iter().map(u128::from).sum();
        let range = u128::from(count(self.first, self.last));
        if sum == range && self.shown == lines {
            return Ok(());
        }
        Err(Error::new(
            Class::Content,
            "coverage",
            format!(
                "the head accounts for {sum} of {range} records and says that {} are shown, and {lines} are",
                self.shown
            ),
        )
        .expected("every number of the range shown, withheld, missing or unexplained, each once"))
    }
}

/// Returns how many numbers a range has; `last` is at least `first` − 1.
pub(super) fn count(first: u64, last: u64) -> u64 {
    last.saturating_add(1).saturating_sub(first)
}

/// Whether numbers are a range: from 1, and at least empty.
pub(super) fn is_range(first: u64, last: u64) -> bool {
    first > 0 && last.saturating_add(1) >= first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_worked_example_holds_and_no_other() {
        let good = RecordRange {
            first: 1,
            last: 240,
            missing: 0,
            shown: 2,
            unexplained: 0,
            withheld: Withheld {
                metrics: 236,
                status: 2,
                ..Withheld::default()
            },
        };
        good.check_sum(2).unwrap();
        let empty = RecordRange {
            first: 7,
            last: 6,
            shown: 0,
            withheld: Withheld::default(),
            ..good
        };
        empty.check_sum(0).unwrap();
        for bad in [
            RecordRange { last: 241, ..good },
            RecordRange { missing: 1, ..good },
            RecordRange {
                shown: 3,
                last: 241,
                ..good
            },
            RecordRange {
                missing: (1 << 53) - 1,
                unexplained: (1 << 53) - 1,
                ..good
            },
        ] {
            let error = bad.check_sum(2).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, "coverage"));
        }
        assert!(is_range(1, 0) && is_range(1, 1) && !is_range(0, 0) && !is_range(3, 1));
        assert_eq!((count(1, 0), count(3, 5)), (0, 3));
    }
}

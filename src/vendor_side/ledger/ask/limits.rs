//! As of when something is known, and when that is too long ago.

use crate::db::ledger::questions::Newest;
use crate::domain::Timestamp;

/// The newest package of a site, as far as it says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// The package.
    pub package: Newest,
}

impl AsOf {
    /// Returns the time up to which the site is known: when its numbers were frozen, and never later than when the package came. A
    /// clock that is ahead makes nothing fresher than it can be.
    pub fn at(self) -> Timestamp {
        self.package.made_at.min(self.package.ingested_at)
    }
}

/// What counts as stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Now, by the clock here.
    pub now: Timestamp,
    /// Age in seconds above which what a package says is stale.
    pub as_of: i64,
    /// Age in seconds above which a target was not heard for too long.
    pub seen: i64,
}

impl Limits {
    /// Returns how long ago a time is, in seconds; a time ahead is now.
    pub fn age(&self, at: Timestamp) -> i64 {
        self.now.unix().saturating_sub(at.unix()).max(0)
    }

    /// Whether what is known as of a time is stale.
    pub fn is_stale(&self, as_of: AsOf) -> bool {
        self.age(as_of.at()) > self.as_of
    }

    /// Whether a target that was heard last at a time, told as of another, was not heard for too long.
    pub fn is_unseen(&self, seen: Option<Timestamp>, as_of: Timestamp) -> bool {
        seen.is_none_or(|seen| self.age(seen.min(as_of)) > self.seen)
    }

    /// Returns the first moment that is recent enough for a target.
    pub fn seen_since(&self) -> Timestamp {
        let since = self.now.unix().saturating_sub(self.seen).max(0);
        Timestamp::from_unix(since).unwrap_or(Timestamp::EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Hash;

    #[test]
    fn a_clock_that_is_ahead_makes_nothing_fresh() {
        let at = |seconds| Timestamp::from_unix(seconds).unwrap();
        let as_of = |made_at, ingested_at| AsOf {
            package: Newest {
                head: Hash([0; 32]),
                number: 1,
                made_at: at(made_at),
                ingested_at: at(ingested_at),
            },
        };
        let limits = Limits {
            now: at(1000),
            as_of: 100,
            seen: 50,
        };
        assert!(!limits.is_stale(as_of(900, 950)));
        assert!(limits.is_stale(as_of(899, 950)));
        assert!(limits.is_stale(as_of(5000, 899)));
        assert_eq!(limits.age(at(5000)), 0);
        assert!(!limits.is_unseen(Some(at(950)), at(960)));
        assert!(limits.is_unseen(Some(at(949)), at(960)));
        assert!(limits.is_unseen(Some(at(5000)), at(949)));
        assert!(limits.is_unseen(None, at(1000)));
        assert_eq!(limits.seen_since(), at(950));
    }
}

//! Metrics: the newest sample of a target, and lines of the part `metrics`, one a target and day.
//!
//! Fractions are parts per million, cores are thousandths, the rest bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::crypto::canonical::{Integer, integer};
use crate::domain::{Timestamp, Uuid};

/// The newest sample of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetMetrics {
    /// Cores.
    #[serde(with = "integer")]
    pub cores: u64,
    /// Part of them that is used.
    #[serde(with = "integer")]
    pub cpu: u64,
    /// Total and used bytes of each disk. Which disk it is stays at the site.
    pub disks: Vec<[Integer; 2]>,
    /// Bytes of memory.
    #[serde(with = "integer")]
    pub memory: u64,
    /// Bytes of it that are used.
    #[serde(with = "integer")]
    pub memory_used: u64,
}

/// What a target's samples of one day come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsDay {
    /// Least, mean and greatest part of the cores that was used.
    pub cpu: [Integer; 3],
    /// The day in UTC.
    pub day: Day,
    /// Greatest part that was used of the fullest disk.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub disk: Option<u64>,
    /// Least, mean and greatest part of the memory that was used.
    pub memory: [Integer; 3],
    /// How many samples there were.
    #[serde(with = "integer")]
    pub samples: u64,
    /// The target.
    pub target: Uuid,
}

/// A day in UTC, written `YYYY-MM-DD`, 1970 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Timestamp);

impl Day {
    const SECONDS: i64 = 24 * 60 * 60;

    /// Returns the day of a time.
    pub fn of(time: Timestamp) -> Self {
        let start = time.unix().saturating_sub(time.unix().rem_euclid(Self::SECONDS));
        Self(Timestamp::from_unix(start).unwrap_or(Timestamp::EPOCH))
    }

    /// Returns its first second.
    pub fn start(self) -> Timestamp {
        self.0
    }
}

impl FromStr for Day {
    type Err = <Timestamp as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        format!("{text}T00:00:00Z").parse().map(Self)
    }
}

impl TryFrom<String> for Day {
    type Error = <Self as FromStr>::Err;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.to_string();
        f.write_str(time.split('T').next().unwrap_or_default())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_spelling() {
        let day: Day = "2026-11-21".parse().unwrap();
        assert_eq!(day.to_string(), "2026-11-21");
        assert_eq!(Day::of("2026-11-21T23:59:59Z".parse().unwrap()), day);
        for bad in [
            "2026-11-21T",
            "2026-1-1",
            "2026-02-30",
            "",
            "2026-11-21T00:00:00Z",
            " 2026-11-21",
        ] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }
}

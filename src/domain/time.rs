//! Points in time as signed documents write them, and the one place that reads the system clock.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use serde::{Deserialize, Serialize};

use super::digest::string_conversions;
use super::limits;
use super::names::ParseNameError;

/// A time in whole seconds, 1970 to 9999, written `YYYY-MM-DDTHH:MM:SSZ` (TUF 4.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// The first second that does not fit: 10000-01-01T00:00:00Z.
const END: i64 = 253_402_300_800;
/// 1970-01-01T00:00:00.
const UNIX_EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Makes a time from seconds since 1970, when it lies inside the range.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        (0..END).contains(&seconds).then_some(Self(seconds))
    }

    /// Returns the seconds since 1970.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// Returns the time that many seconds later, no later than the end of 9999.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(0, END - 1))
    }
}

/// Returns the last `issued_at` that a release may state without a person who confirms the date (SPEC M-40).
///
/// A clock behind the floor is known to be wrong and judges nothing; then the floor does, generously.
pub fn latest_issue(clock: Timestamp, floor: Timestamp) -> Timestamp {
    if clock < floor {
        floor.plus_seconds(limits::ISSUED_AHEAD_OF_FLOOR_SECONDS)
    } else {
        clock.plus_seconds(limits::ISSUED_AHEAD_SECONDS)
    }
}

impl FromStr for Timestamp {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_suffix('Z')
            .and_then(|civil| civil.parse::<DateTime>().ok())
            .and_then(|civil| Self::from_unix(civil.duration_since(UNIX_EPOCH).as_secs()))
            // jiff reads many forms (fractions, second 60, a space for the T); only the one form written below counts.
            .filter(|time| time.to_string() == text)
            .ok_or_else(|| ParseNameError::new(text, "a time YYYY-MM-DDTHH:MM:SSZ"))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = UNIX_EPOCH + SignedDuration::from_secs(self.0);
        write!(f, "{civil}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

string_conversions!(Timestamp);

/// Where the present comes from; passed in, so that tests can stand at any time.
pub trait Clock: Send + Sync {
    /// Returns the present, clamped to the range of [`Timestamp`].
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let seconds = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(END - 1));
        Timestamp(seconds.clamp(0, END - 1))
    }
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_judges_what_is_issued_ahead_and_a_wrong_one_does_not() {
        let time = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (floor, clock) = (time("2026-11-01T00:00:00Z"), time("2026-12-01T00:00:00Z"));
        assert_eq!(latest_issue(clock, floor), time("2026-12-03T00:00:00Z"));
        assert_eq!(latest_issue(floor, floor), time("2026-11-03T00:00:00Z"));
        assert_eq!(
            latest_issue(floor.plus_seconds(-1), floor),
            time("2027-11-02T00:00:00Z")
        );
        assert_eq!(latest_issue(Timestamp::EPOCH, floor), time("2027-11-02T00:00:00Z"));
        let end = time("9999-12-31T23:59:59Z");
        assert_eq!(latest_issue(end, floor), end);
    }

    #[test]
    fn only_one_form_of_a_time_parses() {
        let time: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T10:00:00Z");
        for bad in [
            "2026-11-21T10:00:00+00:00",
            "2026-11-21T10:00:00.0Z",
            "2026-11-21 10:00:00Z",
            "2026-11-21T10:00:60Z",
            "2026-02-30T10:00:00Z",
            "10000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21t10:00:00z",
            "",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
        assert_eq!(Timestamp(END - 1).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::EPOCH.plus_seconds(-5), Timestamp::EPOCH);
    }
}

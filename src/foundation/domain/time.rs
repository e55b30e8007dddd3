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

    /// Reads a time as people write it: RFC 3339, in UTC or with an offset, or a day alone, which is its first second in UTC. Fractions of a
    /// second are left out.
    ///
    /// # Errors
    ///
    /// For everything else, and for what lies outside of the range.
    pub fn of_person(text: &str) -> Result<Self, ParseNameError> {
        const EXPECTED: &str = "a time such as 2026-11-21T10:00:00Z or 2026-11-21T11:00:00+01:00, or a day such as 2026-11-21, which begins at 00:00 UTC";
        let wrong = || ParseNameError::new(text, EXPECTED);
        // jiff reads more forms than RFC 3339 has: a space for the T, offsets of other kinds, hours alone.
        let zone = text.get(19..).unwrap_or_default().trim_start_matches('.');
        let zone = zone.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_offset =
            |zone: &str| zone.len() == 6 && zone.starts_with(['+', '-']) && zone.as_bytes().get(3) == Some(&b':');
        match text.len() {
            10 => format!("{text}T00:00:00Z").parse().map_err(|_| wrong()),
            20.. if text.as_bytes().get(10) == Some(&b'T') && (zone == "Z" || is_offset(zone)) => text
                .parse::<jiff::Timestamp>()
                .ok()
                .and_then(|time| Self::from_unix(time.as_second()))
                .ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

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
    fn people_write_times_in_few_forms() {
        for (text, time) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00.999Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T11:30:00+01:30", "2026-11-21T10:00:00Z"),
            ("2026-11-20T22:00:00.5-02:00", "2026-11-21T00:00:00Z"),
            ("2026-11-21", "2026-11-21T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::of_person(text).unwrap().to_string(), time, "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "2026-11-31",
            "2026-1-1",
            "20261121",
            "2026-11-21 10:00:00Z",
            "2026-11-21T10:00Z",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00:00+01",
            "2026-11-21T10:00:00+0100",
            "2026-11-21T10:00:00Z[UTC]",
            "1969-12-31",
            "2026-11-21é",
        ] {
            let error = Timestamp::of_person(text).unwrap_err().to_string();
            assert!(error.contains("or a day such as 2026-11-21"), "{error}");
        }
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

//! Words of what agents report: the state of a deployment, and the time that a log line claims.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ParseNameError;
use super::digest::string_conversions;

/// The state of a deployment, as its agent reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusKind {
    /// Something failed; also a check of what runs.
    Error,
    /// An apply is under way, or containers start.
    Progressing,
    /// It runs, and not everything in it can say whether it is healthy.
    Running,
    /// It runs and is healthy.
    Healthy,
}

impl StatusKind {
    /// Returns the word that agents use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Progressing => "progressing",
            Self::Running => "running",
            Self::Healthy => "healthy",
        }
    }
}

impl FromStr for StatusKind {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "error" => Ok(Self::Error),
            "progressing" => Ok(Self::Progressing),
            // What agents said before there were two words for it.
            "running" | "ok" => Ok(Self::Running),
            "healthy" => Ok(Self::Healthy),
            _ => Err(ParseNameError::new(text, "healthy, running, progressing, error or ok")),
        }
    }
}

impl fmt::Display for StatusKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A moment by an agent's clock: data, never an order (threat model A07).
///
/// Read as Go reads RFC 3339: a fraction is allowed, a zone is needed. Written in UTC, from `0001-01-01T00:00:00Z` to the end of
/// `9999-12-30T22:00:00Z`: every time zone then has four digits for the year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentTime(jiff::Timestamp);

impl AgentTime {
    /// Go's zero time, which stands for a time that was not given.
    pub const ZERO_SECONDS: i64 = -62_135_596_800;

    /// Returns the time that was not given.
    pub fn zero() -> Self {
        Self(jiff::Timestamp::from_second(Self::ZERO_SECONDS).unwrap_or(jiff::Timestamp::MIN))
    }

    /// Returns whole seconds since 1970, rounded down, and the nanoseconds above them.
    pub fn parts(self) -> (i64, u32) {
        let nanoseconds = self.0.as_nanosecond();
        let seconds = nanoseconds.div_euclid(1_000_000_000);
        let rest = nanoseconds.rem_euclid(1_000_000_000);
        (i64::try_from(seconds).unwrap_or(0), u32::try_from(rest).unwrap_or(0))
    }

    /// Makes a time from its parts; out of range it is the time that was not given.
    pub fn from_parts(seconds: i64, nanoseconds: u32) -> Self {
        jiff::Timestamp::from_nanosecond(
            i128::from(seconds)
                .saturating_mul(1_000_000_000)
                .saturating_add(i128::from(nanoseconds)),
        )
        .map_or_else(|_| Self::zero(), Self)
    }
}

impl Default for AgentTime {
    fn default() -> Self {
        Self::zero()
    }
}

impl FromStr for AgentTime {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseNameError::new(text, "a time like 2026-11-21T10:00:00.5+01:00");
        // jiff reads more than this: other separators, names of zones.
        let head: [bool; 19] = std::array::from_fn(|at| {
            let byte = text.as_bytes().get(at).copied().unwrap_or(0);
            match at {
                4 | 7 => byte == b'-',
                10 => byte == b'T',
                13 | 16 => byte == b':',
                _ => byte.is_ascii_digit(),
            }
        });
        let rest = text
            .get(19..)
            .filter(|_| head.iter().all(|fits| *fits))
            .ok_or_else(wrong)?;
        let (fraction, zone) = rest
            .find(['Z', '+', '-'])
            .map(|at| rest.split_at(at))
            .ok_or_else(wrong)?;
        let digits = fraction.strip_prefix('.');
        let fits = fraction.is_empty()
            || digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
        let zone_fits = zone == "Z"
            || (zone.len() == 6
                && zone
                    .bytes()
                    .enumerate()
                    .skip(1)
                    .all(|(at, byte)| if at == 3 { byte == b':' } else { byte.is_ascii_digit() }));
        if !fits || !zone_fits {
            return Err(wrong());
        }
        // Go keeps nine digits too, and takes more.
        let fraction = fraction.get(..fraction.len().min(10)).unwrap_or(fraction);
        format!("{}{fraction}{zone}", text.get(..19).unwrap_or_default())
            .parse()
            .ok()
            // A year has four digits also in UTC; 0 is none that other readers know.
            .filter(|time: &jiff::Timestamp| time.as_second() >= Self::ZERO_SECONDS)
            .map(Self)
            .ok_or_else(wrong)
    }
}

impl fmt::Display for AgentTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for AgentTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

string_conversions!(AgentTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, written) in [
            ("2026-11-21T13:05:06.123456789+01:00", "2026-11-21T12:05:06.123456789Z"),
            ("2026-11-21T12:05:06Z", "2026-11-21T12:05:06Z"),
            ("2026-11-21T12:05:06.5000000009Z", "2026-11-21T12:05:06.5Z"),
            ("1996-11-21T12:05:06.25-05:30", "1996-11-21T17:35:06.25Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-30T22:00:00.999999999Z", "9999-12-30T22:00:00.999999999Z"),
        ] {
            let time: AgentTime = text.parse().unwrap();
            assert_eq!(time.to_string(), written);
            let (seconds, nanoseconds) = time.parts();
            assert_eq!(AgentTime::from_parts(seconds, nanoseconds), time);
        }
        for bad in [
            "2026-11-21T12:05:06",
            "2026-11-21 12:05:06Z",
            "2026-11-21T12:05:06z",
            "2026-11-21T12:05:06.Z",
            "2026-11-21T12:05:06+0100",
            "2026-11-21T12:05:06Z[Europe/Berlin]",
            "2026-13-21T12:05:06Z",
            "0000-06-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-30T22:00:01Z",
            "9999-12-31T23:59:59-11:00",
            "",
        ] {
            assert!(bad.parse::<AgentTime>().is_err(), "{bad}");
        }
        assert_eq!(AgentTime::zero().parts(), (AgentTime::ZERO_SECONDS, 0));
    }

    #[test]
    fn the_old_word_for_running_is_read_and_not_written() {
        assert_eq!("ok".parse::<StatusKind>().unwrap().as_str(), "running");
        assert!("weird".parse::<StatusKind>().is_err());
    }
}

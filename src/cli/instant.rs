//! Times and ages for people, and ages as options.

use crate::domain::{Clock as _, SystemClock, Timestamp};
use crate::vendor_side::ledger::ask::Limits;

pub(super) use super::moment::{age, moment};

/// Age above which what a package says is stale, unless said otherwise.
const STALE: i64 = 30 * 86_400;

// When what is known is too old.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LimitArgs {
    /// Age above which what a package says is stale, such as 14d (units: m, h, d, w)
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    as_of_max: i64,
    /// Age above which a target was not heard for too long
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    seen_max: i64,
}

impl LimitArgs {
    /// Returns them, as of now.
    pub(super) fn limits(&self) -> Limits {
        limits(self.as_of_max, self.seen_max)
    }
}

/// Returns limits as of now; ages in seconds.
pub(super) fn limits(as_of: i64, seen: i64) -> Limits {
    Limits {
        now: SystemClock.now(),
        as_of,
        seen,
    }
}

/// Returns the limits that hold where nothing else is said.
pub(super) fn usual_limits() -> Limits {
    limits(STALE, STALE)
}

/// Returns an age for people: `3 d`.
pub(super) fn aged(seconds: i64) -> String {
    let named = [(86_400, "d"), (3_600, "h"), (60, "min")];
    match named.into_iter().find(|(unit, _)| seconds >= *unit) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} s"),
    }
}

/// Returns how long ago something was, for people: `3 d ago`.
pub(super) fn ago(seconds: i64) -> String {
    if seconds < 60 {
        "just now".to_owned()
    } else {
        format!("{} ago", aged(seconds))
    }
}

/// Returns the day of a time, or a dash.
pub(super) fn day(time: Option<Timestamp>) -> String {
    let text = time.map(|time| time.to_string());
    text.as_deref()
        .and_then(|text| text.split('T').next())
        .unwrap_or("–")
        .to_owned()
}

/// Returns day and minute of a time, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    time.to_string().chars().take(16).collect::<String>().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_and_shown() {
        for (text, seconds) in [
            ("90m", 5400),
            ("36h", 129_600),
            ("14d", 1_209_600),
            ("0d", 0),
            ("2w", 1_209_600),
        ] {
            assert_eq!(age(text), Ok(seconds));
        }
        for text in [
            "",
            "d",
            "-1d",
            "+1d",
            "1.5d",
            "14",
            "14 d",
            "99999999999999999999d",
            "9223372036854775807w",
        ] {
            assert!(age(text).is_err(), "{text}");
        }
        assert_eq!(
            [aged(0), aged(59), aged(60), aged(7200), aged(90_000)],
            ["0 s", "59 s", "1 min", "2 h", "1 d"]
        );
        assert_eq!([ago(59), ago(7200)], ["just now", "2 h ago"]);
        let time: Timestamp = "2026-11-21T12:00:59Z".parse().unwrap();
        assert_eq!(
            (day(Some(time)).as_str(), minute(time).as_str()),
            ("2026-11-21", "2026-11-21 12:00")
        );
        assert_eq!(day(None), "–");
        assert_eq!(moment("2026-11-21T12:00:59Z"), Ok(time));
        let ago = SystemClock.now().unix() - moment("1d").unwrap().unix();
        assert!((86_400..86_460).contains(&ago), "{ago}");
        let refused = moment("yesterday").unwrap_err();
        assert!(
            refused.contains("2026-11-21T10:00:00Z") && refused.contains("36h"),
            "{refused}"
        );
    }
}

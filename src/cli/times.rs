//! Times as options: the moment a document is signed and issued, and how long it holds.

use clap::Args;

use crate::domain::{Class, Clock as _, Error, Result, SystemClock, Timestamp};
use crate::vendor_side::SigningTime;

// The word without which nothing is signed that is dated ahead of the clock.
#[derive(Debug, Clone, Args)]
pub(super) struct SigningTimeArgs {
    /// Take a time of issue that lies more than an hour ahead of this machine's clock; without it that is E-CLOCK
    #[arg(long)]
    allow_future: bool,
}

impl SigningTimeArgs {
    /// Returns the moment of signing: now.
    pub(super) fn signing_time(&self) -> SigningTime {
        SigningTime {
            now: SystemClock.now(),
            allow_future: self.allow_future,
        }
    }
}

// When a root is issued and how long it holds.
#[derive(Debug, Clone, Args)]
pub(super) struct RootTimes {
    /// When the root is issued: `YYYY-MM-DDTHH:MM:SSZ`, or with an offset, or a day (its start in UTC); else `SOURCE_DATE_EPOCH`, else now
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
    issued_at: Option<Timestamp>,
    /// When it expires: `YYYY-MM-DDTHH:MM:SSZ`, or with an offset, or a day (its start in UTC)
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person, conflicts_with = "expires_years")]
    expires: Option<Timestamp>,
    /// How many years it holds
    #[arg(long, value_name = "YEARS", value_parser = clap::value_parser!(u16).range(1..=100))]
    expires_years: Option<u16>,
    #[command(flatten)]
    pub(super) signing: SigningTimeArgs,
}

impl RootTimes {
    /// Returns the time of issue.
    pub(super) fn issued_at(&self) -> Result<Timestamp> {
        Ok(match self.issued_at {
            Some(time) => time,
            None => source_date_epoch()?.unwrap_or_else(|| SystemClock.now()),
        })
    }

    /// Returns the expiry, if one was asked for.
    pub(super) fn expires(&self, issued_at: Timestamp) -> Option<Timestamp> {
        self.expires
            .or_else(|| self.expires_years.map(|years| in_years(issued_at, years)))
    }
}

/// Returns the same day and time a number of years later, 28 February for the 29th where there is none.
pub(super) fn in_years(from: Timestamp, years: u16) -> Timestamp {
    let text = from.to_string();
    let (year, rest) = text.split_once('-').unwrap_or((&text, ""));
    let year = year.parse::<u16>().unwrap_or(9999).saturating_add(years).min(9999);
    let later = format!("{year:04}-{rest}");
    later
        .parse()
        .or_else(|_| later.replacen("-02-29T", "-02-28T", 1).parse())
        .unwrap_or(from)
}

/// Returns the time that the environment fixes for reproducible builds.
///
/// # Errors
///
/// `E-USAGE source-date-epoch` when the variable holds something else than seconds since 1970.
pub(super) fn source_date_epoch() -> Result<Option<Timestamp>> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    let text = text.to_string_lossy();
    text.parse::<i64>()
        .ok()
        .and_then(Timestamp::from_unix)
        .map(Some)
        .ok_or_else(|| {
            Error::new(
                Class::Usage,
                "source-date-epoch",
                format!("SOURCE_DATE_EPOCH is {:?}", text.chars().take(80).collect::<String>()),
            )
            .expected("seconds since 1970")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_counted_by_the_calendar() {
        for (from, years, later) in [
            ("2026-11-21T10:00:00Z", 5, "2031-11-21T10:00:00Z"),
            ("2024-02-29T10:00:00Z", 1, "2025-02-28T10:00:00Z"),
            ("2024-02-29T10:00:00Z", 4, "2028-02-29T10:00:00Z"),
            ("2026-01-01T00:00:00Z", 9000, "9999-01-01T00:00:00Z"),
        ] {
            assert_eq!(in_years(from.parse().unwrap(), years).to_string(), later);
        }
    }
}

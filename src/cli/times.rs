//! Times as options: the moment a document is issued, and how long it holds.

use clap::Args;

use crate::domain::{Class, Clock as _, Error, Result, SystemClock, Timestamp};

/// Seconds of a year of 365.25 days.
const YEAR: i64 = 31_557_600;

/// When a root is issued and how long it holds.
#[derive(Debug, Clone, Args)]
pub(super) struct RootTimes {
    /// When the root is issued, `YYYY-MM-DDTHH:MM:SSZ`; else `SOURCE_DATE_EPOCH`, else now
    #[arg(long, value_name = "TIME")]
    issued_at: Option<Timestamp>,
    /// When it expires, `YYYY-MM-DDTHH:MM:SSZ`
    #[arg(long, value_name = "TIME", conflicts_with = "expires_years")]
    expires: Option<Timestamp>,
    /// How many years it holds
    #[arg(long, value_name = "YEARS", value_parser = clap::value_parser!(u16).range(1..=100))]
    expires_years: Option<u16>,
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

/// Returns the time a number of years later.
pub(super) fn in_years(from: Timestamp, years: u16) -> Timestamp {
    from.plus_seconds(i64::from(years).saturating_mul(YEAR))
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

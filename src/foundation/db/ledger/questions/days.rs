//! Days of metrics.

use rusqlite::{Connection, Row, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId, Timestamp, Uuid};

/// What a target's samples of a day come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The target.
    pub target: Uuid,
    /// Beginning of the day, UTC.
    pub day: Timestamp,
    /// How many samples there were.
    pub samples: u64,
    /// Least, mean and greatest, in parts per million: JSON, as it travelled.
    pub cpu: String,
    /// As `cpu`.
    pub memory: String,
    /// Greatest part of the fullest disk.
    pub disk: Option<u64>,
}

/// Returns days of metrics of a site, the newest `last` of each target, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn days(connection: &Connection, site: &SiteId, last: u64) -> Result<Vec<Day>> {
    let what = "read the metrics";
    let mut select = connection
        .prepare_cached(
            "SELECT m.target, m.day, m.samples, m.cpu, m.memory, m.disk
             FROM (SELECT target, max(day) AS day FROM metrics_day WHERE site = ?1 GROUP BY target) newest
             JOIN metrics_day m ON m.site = ?1 AND m.target = newest.target AND m.day > newest.day - ?2
             ORDER BY m.target, m.day DESC",
        )
        .sql(what)?;
    let read = |row: &Row<'_>| {
        let day: i64 = row.get(1)?;
        Ok(Day {
            target: row.get(0)?,
            day: Timestamp::EPOCH.plus_seconds(day.saturating_mul(24 * 60 * 60)),
            samples: row.get(2)?,
            cpu: row.get(3)?,
            memory: row.get(4)?,
            disk: row.get(5)?,
        })
    };
    let last = i64::try_from(last).unwrap_or(i64::MAX >> 1).min(i64::MAX >> 1);
    let rows = select.query_map(params![site, last], read).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

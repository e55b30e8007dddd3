//! How many deployments of each site are how.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId, Timestamp};

/// Deployments of a site, counted by what is told of them. Those that were taken away there are counted as that alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All.
    pub deployments: u64,
    /// It runs and is healthy.
    pub healthy: u64,
    /// It runs.
    pub running: u64,
    /// An apply is under way.
    pub progressing: u64,
    /// The last status says that something failed.
    pub failed: u64,
    /// No status yet.
    pub silent: u64,
    /// It is not known what runs.
    pub doubt: u64,
    /// What runs is another revision than what shall run.
    pub behind: u64,
    /// Taken away there.
    pub removed: u64,
    /// Targets that were not taken away.
    pub targets: u64,
    /// Those of them that were not heard since the time that was asked for, or never.
    pub unseen: u64,
}

/// Counts the deployments of every site, and the targets that were not heard since a time.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tallies(connection: &Connection, seen_since: Timestamp) -> Result<BTreeMap<SiteId, Tally>> {
    let what = "count what runs";
    let mut select = connection
        .prepare_cached(
            "SELECT site, count(*), sum(removed IS NULL AND state IS 'healthy'), sum(removed IS NULL AND state IS 'running'),
               sum(removed IS NULL AND state IS 'progressing'), sum(removed IS NULL AND (state IS 'error' OR ifnull(signal IN ('failed', 'rolled-back'), 0))),
               sum(removed IS NULL AND state IS NULL), sum(removed IS NULL AND doubt IS NOT NULL),
               sum(removed IS NULL AND runs IS NOT NULL AND wanted IS NOT NULL AND runs <> wanted), sum(removed IS NOT NULL)
             FROM deployment_now GROUP BY site",
        )
        .sql(what)?;
    let read = |row: &Row<'_>| {
        let tally = Tally {
            deployments: row.get(1)?,
            healthy: row.get(2)?,
            running: row.get(3)?,
            progressing: row.get(4)?,
            failed: row.get(5)?,
            silent: row.get(6)?,
            doubt: row.get(7)?,
            behind: row.get(8)?,
            removed: row.get(9)?,
            ..Tally::default()
        };
        Ok((row.get::<_, SiteId>(0)?, tally))
    };
    let mut tallies: BTreeMap<SiteId, Tally> = select
        .query_map([], read)
        .sql(what)?
        .collect::<rusqlite::Result<_>>()
        .sql(what)?;
    let mut select = connection
        .prepare_cached(
            "SELECT site, count(*), sum(seen IS NULL OR seen < ?) FROM target_now WHERE removed IS NULL GROUP BY site",
        )
        .sql(what)?;
    let rows = select
        .query_map(params![seen_since], |row| {
            Ok((row.get::<_, SiteId>(0)?, row.get(1)?, row.get(2)?))
        })
        .sql(what)?;
    for row in rows {
        let (site, targets, unseen) = row.sql(what)?;
        let tally = tallies.entry(site).or_default();
        (tally.targets, tally.unseen) = (targets, unseen);
    }
    Ok(tallies)
}

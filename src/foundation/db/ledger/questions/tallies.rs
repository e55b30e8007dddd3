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
            "SELECT site, count(*), count(*) FILTER (WHERE there AND state = 'healthy'), count(*) FILTER (WHERE there AND state = 'running'),
               count(*) FILTER (WHERE there AND state = 'progressing'),
               count(*) FILTER (WHERE there AND (state = 'error' OR signal IN ('failed', 'rolled-back'))),
               count(*) FILTER (WHERE there AND state IS NULL), count(*) FILTER (WHERE there AND doubt IS NOT NULL),
               count(*) FILTER (WHERE there AND runs <> wanted), count(*) FILTER (WHERE NOT there)
             FROM (SELECT site, state, signal, doubt, runs, wanted, removed IS NULL AS there FROM deployment_now) GROUP BY site",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    #[test]
    fn deployments_are_counted_by_how_they_are_and_what_was_taken_away_apart() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let (first, second) = ("0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef");
        let mut sql = String::new();
        for site in [first, second] {
            sql += &format!("INSERT INTO site VALUES ('{site}', '{site}', x'', x'', x'', 0, NULL);");
        }
        // Wanted, runs, doubt, state, signal, removed.
        let rows = [
            (first, "x'01', x'01', NULL, 'healthy', 'well', NULL"),
            (first, "x'01', x'02', NULL, 'running', 'rolled-back', NULL"),
            (first, "x'01', NULL, 'applying', 'progressing', 'preparing', NULL"),
            (first, "NULL, x'01', NULL, 'error', 'failed', NULL"),
            (first, "x'01', NULL, 'no-status', NULL, NULL, NULL"),
            (first, "x'01', x'02', 'unseen', 'error', 'failed', 5"),
            (second, "x'01', x'01', NULL, 'healthy', 'well', 5"),
        ];
        for (number, (site, row)) in (1..).zip(rows) {
            sql += &format!(
                "INSERT INTO deployment_now (site, deployment, target, wanted, runs, doubt, state, signal, removed, package)
                 VALUES ('{site}', x'{number:032x}', x'00', {row}, x'00');"
            );
        }
        let found = db
            .write(|tx| {
                tx.execute_batch(&sql).sql("prepare")?;
                tallies(tx, Timestamp::EPOCH)
            })
            .unwrap();
        let expected = Tally {
            deployments: 6,
            healthy: 1,
            running: 1,
            progressing: 1,
            failed: 2,
            silent: 1,
            doubt: 2,
            behind: 1,
            removed: 1,
            ..Tally::default()
        };
        assert_eq!(found[&first.parse().unwrap()], expected);
        let gone = Tally {
            deployments: 1,
            removed: 1,
            ..Tally::default()
        };
        assert_eq!(found[&second.parse().unwrap()], gone);
    }
}

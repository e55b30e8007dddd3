//! What was reported, and what of it was not kept, along the shown line.

use rusqlite::{Connection, Row, params};

use super::super::instances::{Lineage, Numbered, Owned};
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp, Uuid};

const WHAT: &str = "read the records";
/// Records of one deployment, the newest first.
const HISTORY: &str =
    "SELECT instance, number, class, at, last, count, entered, of, target, deployment, revision, state, signal, text
  FROM record INDEXED BY record_of WHERE deployment = ? AND instance = ? AND number BETWEEN ? AND ? ORDER BY number DESC LIMIT ?";
/// Records of an instance, by number.
const RECORDS: &str =
    "SELECT instance, number, class, at, last, count, entered, of, target, deployment, revision, state, signal, text
  FROM record WHERE instance = ? AND number BETWEEN ? AND ? ORDER BY number";

/// A status and its repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Row id of the instance that it belongs to.
    pub instance: u64,
    /// Its number in the stream.
    pub number: u64,
    /// 1 transition, 2 continued, 3 status.
    pub class: u64,
    /// When it was reported first.
    pub at: Timestamp,
    /// When it was reported last.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
    /// How often it was entered.
    pub entered: u64,
    /// Record in which the reports began that go on here.
    pub of: Option<u64>,
    /// The target.
    pub target: Uuid,
    /// The deployment.
    pub deployment: Uuid,
    /// The revision.
    pub revision: Uuid,
    /// The state.
    pub state: String,
    /// What it says of the apply.
    pub signal: String,
    /// The agent's words, quoted; none where they did not travel.
    pub text: Option<String>,
}

/// Records that were not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// Row id of the instance that it belongs to.
    pub instance: u64,
    /// Its number in the stream.
    pub number: u64,
    /// The target; none for all.
    pub target: Option<Uuid>,
    /// Which records.
    pub class: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Whether that is exact, or at least.
    pub exact: bool,
    /// First and last number.
    pub range: Option<(u64, u64)>,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Returns the newest `last` records of a deployment, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn history(connection: &Connection, line: &Lineage, deployment: Uuid, last: u64) -> Result<Vec<RecordRow>> {
    let mut select = connection.prepare_cached(HISTORY).sql(WHAT)?;
    let mut found: Vec<RecordRow> = Vec::new();
    for owned in line.split(Numbered::Records, 1, MOST).into_iter().rev() {
        let left = last.saturating_sub(found.len() as u64).min(MOST);
        let values = params![deployment, owned.instance, owned.first, owned.last.min(MOST), left];
        for row in select.query_map(values, read).sql(WHAT)? {
            found.push(row.sql(WHAT)?);
        }
    }
    Ok(found)
}

/// Hands over the records of one instance's own numbers, by number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql), and those of `take`.
pub fn records(connection: &Connection, owned: Owned, take: &mut dyn FnMut(RecordRow) -> Result<()>) -> Result<()> {
    let mut select = connection.prepare_cached(RECORDS).sql(WHAT)?;
    let values = params![owned.instance, owned.first, owned.last.min(MOST)];
    for row in select.query_map(values, read).sql(WHAT)? {
        take(row.sql(WHAT)?)?;
    }
    Ok(())
}

/// Returns the gaps of one instance's own numbers, by number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn gaps(connection: &Connection, owned: Owned) -> Result<Vec<GapRow>> {
    let what = "read the gaps";
    let mut select = connection
        .prepare_cached(
            "SELECT instance, number, target, class, reason, count, exact, first, last, since, until FROM site_gap
             WHERE instance = ? AND number BETWEEN ? AND ? ORDER BY number",
        )
        .sql(what)?;
    let read = |row: &Row<'_>| {
        let range: (Option<u64>, Option<u64>) = (row.get(7)?, row.get(8)?);
        Ok(GapRow {
            instance: row.get(0)?,
            number: row.get(1)?,
            target: row.get(2)?,
            class: row.get(3)?,
            reason: row.get(4)?,
            count: row.get(5)?,
            exact: row.get(6)?,
            range: range.0.zip(range.1),
            since: row.get(9)?,
            until: row.get(10)?,
        })
    };
    let values = params![owned.instance, owned.first, owned.last.min(MOST)];
    let rows = select.query_map(values, read).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Numbers in the database are at most this.
pub(super) const MOST: u64 = i64::MAX as u64;

fn read(row: &Row<'_>) -> rusqlite::Result<RecordRow> {
    Ok(RecordRow {
        instance: row.get(0)?,
        number: row.get(1)?,
        class: row.get(2)?,
        at: row.get(3)?,
        last: row.get(4)?,
        count: row.get(5)?,
        entered: row.get(6)?,
        of: row.get(7)?,
        target: row.get(8)?,
        deployment: row.get(9)?,
        revision: row.get(10)?,
        state: row.get(11)?,
        signal: row.get(12)?,
        text: row.get(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    /// The one table that grows with every report is never walked through, and no other file of the questions reads it.
    #[test]
    fn records_are_searched_and_never_scanned() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let plan = |sql: &str| {
            db.read(|c| {
                let mut select = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).sql("explain")?;
                let nothing = vec![rusqlite::types::Null; select.parameter_count()];
                let rows = select
                    .query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>(3))
                    .sql("explain")?;
                rows.collect::<rusqlite::Result<Vec<_>>>().sql("explain")
            })
            .unwrap()
        };
        let history = "SEARCH record USING INDEX record_of (deployment=? AND instance=? AND number>? AND number<?)";
        assert_eq!(plan(HISTORY), [history]);
        let records = "SEARCH record USING PRIMARY KEY (instance=? AND number>? AND number<?)";
        assert_eq!(plan(RECORDS), [records]);
        assert_eq!(plan("SELECT * FROM record"), ["SCAN record"], "the twin");
        let own = include_str!("records.rs").split("#[cfg(test)]").next().unwrap();
        assert_eq!(own.matches("FROM record").count(), 2);
        for other in [
            include_str!("days.rs"),
            include_str!("ended.rs"),
            include_str!("held.rs"),
            include_str!("holes.rs"),
            include_str!("names.rs"),
            include_str!("newest.rs"),
            include_str!("now.rs"),
            include_str!("receipts.rs"),
            include_str!("scope.rs"),
            include_str!("signed.rs"),
            include_str!("tallies.rs"),
        ] {
            let words: Vec<&str> = other.split_whitespace().collect();
            assert!(
                !words
                    .windows(2)
                    .any(|pair| matches!(pair[0], "FROM" | "JOIN") && pair[1] == "record")
            );
        }
    }
}

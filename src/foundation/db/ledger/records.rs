//! Statuses and gaps of sites, each under the instance that its number belongs to.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::instances::{Lineage, Numbered};
use super::put::Put;
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp, Uuid};

/// A status and its repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// Row id of the instance that the number belongs to.
    pub instance: u64,
    /// Its number.
    pub number: u64,
    /// 1 a transition, 2 what goes on, 3 a status that changed nothing.
    pub class: u8,
    /// When it was reported first.
    pub at: Timestamp,
    /// When it was reported last.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
    /// How often the state was entered.
    pub entered: u64,
    /// The record in which the reports began that go on here.
    pub of: Option<u64>,
    /// The target.
    pub target: Uuid,
    /// The deployment.
    pub deployment: Uuid,
    /// The revision that it speaks of.
    pub revision: Uuid,
    /// The state, as its word.
    pub state: &'a str,
    /// What it says of the apply, as its word.
    pub signal: &'a str,
    /// The agent's words, quoted as they travelled; nothing where they were not shown.
    pub text: Option<&'a str>,
}

/// Records that a site did not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewGap<'a> {
    /// Row id of the instance that the number belongs to.
    pub instance: u64,
    /// The gap's own number.
    pub number: u64,
    /// The target; nothing for all of them.
    pub target: Option<Uuid>,
    /// Class of the records, as its word.
    pub class: &'a str,
    /// Why, as its word.
    pub reason: &'a str,
    /// How many they were.
    pub count: u64,
    /// Whether that is exact, or at least.
    pub exact: bool,
    /// First and last of their numbers.
    pub range: Option<(u64, u64)>,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Writes a status down. One that is known must be the same but for its text, which may come later.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_record(transaction: &Transaction<'_>, record: &NewRecord<'_>) -> Result<Put> {
    let what = "record a status";
    let new = transaction
        .prepare_cached(
            "INSERT INTO record (instance, number, class, at, last, count, entered, of, target, deployment, revision, state, signal, text)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
             WHERE NOT EXISTS (SELECT 1 FROM site_gap WHERE instance = ?1 AND number = ?2)
             ON CONFLICT DO NOTHING",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                record.instance,
                record.number,
                record.class,
                record.at,
                record.last,
                record.count,
                record.entered,
                record.of,
                record.target,
                record.deployment,
                record.revision,
                record.state,
                record.signal,
                record.text
            ])
        })
        .sql(what)?;
    if new > 0 {
        return Ok(Put::New);
    }
    let same = transaction
        .prepare_cached(
            "UPDATE record SET text = ifnull(text, ?14) WHERE instance = ?1 AND number = ?2 AND class = ?3 AND at = ?4 AND last = ?5
             AND count = ?6 AND entered = ?7 AND of IS ?8 AND target = ?9 AND deployment = ?10 AND revision = ?11 AND state = ?12
             AND signal = ?13",
        )
        .and_then(|mut update| {
            update.execute(params![
                record.instance,
                record.number,
                record.class,
                record.at,
                record.last,
                record.count,
                record.entered,
                record.of,
                record.target,
                record.deployment,
                record.revision,
                record.state,
                record.signal,
                record.text
            ])
        })
        .sql(what)?;
    Ok(if same > 0 { Put::Known } else { Put::Differs })
}

/// Writes a gap down. One that is known must be the same.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_gap(transaction: &Transaction<'_>, gap: &NewGap<'_>) -> Result<Put> {
    let what = "record a gap";
    let (first, last) = gap.range.unzip();
    let new = transaction
        .prepare_cached(
            "INSERT INTO site_gap (instance, number, target, class, reason, count, exact, first, last, since, until)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
             WHERE NOT EXISTS (SELECT 1 FROM record WHERE instance = ?1 AND number = ?2)
             ON CONFLICT DO NOTHING",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                gap.instance,
                gap.number,
                gap.target,
                gap.class,
                gap.reason,
                gap.count,
                gap.exact,
                first,
                last,
                gap.since,
                gap.until
            ])
        })
        .sql(what)?;
    if new > 0 {
        return Ok(Put::New);
    }
    let same: Option<bool> = transaction
        .prepare_cached(
            "SELECT target IS ?3 AND class = ?4 AND reason = ?5 AND count = ?6 AND exact = ?7 AND first IS ?8 AND last IS ?9
             AND since = ?10 AND until = ?11 FROM site_gap WHERE instance = ?1 AND number = ?2",
        )
        .and_then(|mut select| {
            select
                .query_row(
                    params![
                        gap.instance,
                        gap.number,
                        gap.target,
                        gap.class,
                        gap.reason,
                        gap.count,
                        gap.exact,
                        first,
                        last,
                        gap.since,
                        gap.until
                    ],
                    |row| row.get(0),
                )
                .optional()
        })
        .sql(what)?;
    Ok(if same == Some(true) { Put::Known } else { Put::Differs })
}

/// Whether a number is known as that of a status or a gap.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_record(connection: &Connection, instance: u64, number: u64) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM record WHERE instance = ?1 AND number = ?2)
             OR EXISTS (SELECT 1 FROM site_gap WHERE instance = ?1 AND number = ?2)",
        )
        .and_then(|mut select| select.query_row(params![instance, number], |row| row.get(0)))
        .sql("read the records")
}

/// Returns how many of the numbers `first..=last` lie in the range of a gap that is known along a lineage.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn room(connection: &Connection, lineage: &Lineage, first: u64, last: u64) -> Result<u64> {
    let what = "read the gaps";
    let mut ranges = Vec::new();
    // A gap is told under a number above its range, perhaps by a later instance than the one whose numbers it is about.
    for owned in lineage.split(Numbered::Records, first, u64::MAX) {
        let mut select = connection
            .prepare_cached(
                "SELECT max(first, ?2), min(last, ?3) FROM site_gap
                 WHERE instance = ?1 AND first <= ?3 AND last >= ?2",
            )
            .sql(what)?;
        let rows = select
            .query_map(params![owned.instance, first, last], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
            })
            .sql(what)?;
        for row in rows {
            ranges.push(row.sql(what)?);
        }
    }
    ranges.sort_unstable();
    let (mut covered, mut reached) = (0_u64, first.saturating_sub(1));
    for (start, end) in ranges {
        let start = start.max(reached.saturating_add(1));
        if end >= start {
            covered = covered.saturating_add(end.saturating_sub(start).saturating_add(1));
            reached = end;
        }
    }
    Ok(covered)
}

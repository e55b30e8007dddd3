//! What a workspace that was put back from a backup does not know: which numbers were signed since.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::FOREIGN_RELEASE;
use super::findings::FindingId;
use crate::db::SqlResult as _;
use crate::domain::{Counter, Result, Scope, Timestamp};

/// A number that a site told of, with content that was not signed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldNumber {
    /// The number.
    pub counter: Counter,
    /// The site's local name.
    pub site: String,
    /// The open finding that says so.
    pub finding: FindingId,
}

/// Records that the workspace was put back, and the highest numbers that are known to have been signed since the backup was made. Where
/// `is_all` they are all of them.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_restored<'a>(
    transaction: &Transaction<'_>,
    made_at: Timestamp,
    is_all: bool,
    numbers: impl Iterator<Item = (&'a Scope, Counter)>,
) -> Result<()> {
    let what = "record that the workspace was put back";
    transaction.execute("DELETE FROM restored", []).sql(what)?;
    transaction.execute("DELETE FROM known_again", []).sql(what)?;
    if !is_all {
        transaction
            .execute("INSERT INTO restored (one, made_at) VALUES (1, ?)", [made_at])
            .sql(what)?;
    }
    for (scope, counter) in numbers {
        transaction
            .execute(
                "INSERT OR REPLACE INTO restored_number (domain, product, channel, epoch, sequence) VALUES (?, ?, ?, ?, ?)",
                params![scope.domain, scope.product, scope.channel, counter.epoch, counter.sequence],
            )
            .sql(what)?;
    }
    Ok(())
}

/// Records that the newest release of a scope is known again, where one that was signed or learned just now is the newest of those that are. One
/// that the backup had says nothing of what was signed since.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn put_known_again(transaction: &Transaction<'_>, scope: &Scope, counter: Counter) -> Result<()> {
    transaction
        .execute(
            "INSERT OR IGNORE INTO known_again (domain, product, channel) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM restored) AND NOT EXISTS
             (SELECT 1 FROM signed_release WHERE domain = ?1 AND product = ?2 AND channel = ?3 AND (epoch, sequence) > (?4, ?5))",
            params![scope.domain, scope.product, scope.channel, counter.epoch, counter.sequence],
        )
        .sql("record which release is the newest")?;
    Ok(())
}

/// Returns the highest number of a scope that was known to be signed when the workspace was put back.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn restored_number(connection: &Connection, scope: &Scope) -> Result<Option<Counter>> {
    connection
        .query_row(
            "SELECT epoch, sequence FROM restored_number WHERE domain = ? AND product = ? AND channel = ?",
            params![scope.domain, scope.product, scope.channel],
            counter,
        )
        .optional()
        .sql("read what was signed before the workspace was put back")
}

/// Returns when the backup was made that the workspace was put back from, where the newest release of a scope was neither signed nor
/// learned since: what was signed in between may not be known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn unsure_since(connection: &Connection, scope: &Scope) -> Result<Option<Timestamp>> {
    connection
        .query_row(
            "SELECT made_at FROM restored WHERE NOT EXISTS
             (SELECT 1 FROM known_again WHERE domain = ? AND product = ? AND channel = ?)",
            params![scope.domain, scope.product, scope.channel],
            |row| row.get(0),
        )
        .optional()
        .sql("read when the workspace was put back")
}

/// Returns the highest number of a product and channel that a site holds or imported with a head that was not signed here, for as long as the
/// finding about it is open.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn told_number(connection: &Connection, scope: &Scope) -> Result<Option<ToldNumber>> {
    let what = "read what sites told of";
    // Receipts are many, and such a finding is rare.
    let is_open: bool = connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM finding WHERE code = ? AND ended_at IS NULL)",
            [FOREIGN_RELEASE],
            |row| row.get(0),
        )
        .sql(what)?;
    if !is_open {
        return Ok(None);
    }
    connection
        .query_row(
            "WITH told (site, head, epoch, sequence) AS (
               SELECT site, head, epoch, sequence FROM held WHERE product = ?1 AND channel = ?2
               UNION ALL
               SELECT i.site, r.head, r.epoch, r.sequence FROM receipt r JOIN instance i ON i.id = r.instance
               WHERE r.product = ?1 AND r.channel = ?2 AND r.result <> 'refused' AND r.matched = 0)
             SELECT t.epoch, t.sequence, s.name, f.id FROM finding f
             JOIN told t ON t.site = f.site JOIN site s ON s.site = f.site
             WHERE f.code = ?3 AND f.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM signed_release g WHERE g.head = t.head)
             ORDER BY 1 DESC, 2 DESC LIMIT 1",
            params![scope.product, scope.channel, FOREIGN_RELEASE],
            |row| {
                Ok(ToldNumber {
                    counter: counter(row)?,
                    site: row.get(2)?,
                    finding: FindingId::Noticed(row.get(3)?),
                })
            },
        )
        .optional()
        .sql(what)
}

fn counter(row: &Row<'_>) -> rusqlite::Result<Counter> {
    Ok(Counter {
        epoch: row.get(0)?,
        sequence: row.get(1)?,
    })
}

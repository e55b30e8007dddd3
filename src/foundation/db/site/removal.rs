//! Releases that are let go: told first, so that no status package lists them any more, then removed with all that only they have
//! (SPEC M-102).
//!
//! Names go here, in one transaction; the bytes behind them go after it, by whoever holds the lock of imports. Rows of blobs stay: what no
//! release has refers to nothing, and its row is the one that the same digest gets when it comes again.

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params};

use super::damage::Content;
use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Digest, Hash, Result, Uuid};

/// What says something of a release alone; the release itself goes last.
const TABLES: [&str; 11] = [
    "referrer",
    "tag",
    "content",
    "release_repository",
    "release_blob",
    "home_host",
    "release_page",
    "release_target",
    "release_deployment",
    "release_removal",
    "lost_claim",
];

/// What ends with the last release of a scope, or of a domain (D18 c), and with the last one that has content.
const AFTER: [(&str, &str); 5] = [
    (
        "forget whose tags were",
        "DELETE FROM tag_claim WHERE scope NOT IN (SELECT scope FROM release)",
    ),
    (
        "forget whose home hosts were",
        "DELETE FROM home_claim WHERE scope NOT IN (SELECT scope FROM release)",
    ),
    (
        "forget whose hosts were",
        "DELETE FROM host_owner WHERE domain NOT IN (SELECT s.domain FROM release r JOIN scope s ON s.id = r.scope)",
    ),
    (
        "forget the hashes of blobs",
        "UPDATE blob SET piece_size = NULL, pieces = NULL
         WHERE pieces IS NOT NULL AND NOT EXISTS (SELECT 1 FROM release_blob rb WHERE rb.blob = blob.id)",
    ),
    (
        "forget damage",
        "DELETE FROM damage WHERE NOT EXISTS (
             SELECT 1 FROM blob b JOIN release_blob rb ON rb.blob = b.id WHERE b.digest = damage.digest)
           AND NOT EXISTS (SELECT 1 FROM release_page WHERE sha256 = damage.digest)",
    ),
];

/// Notes that a release shall go, told in this row of its domain's stream log. One of which that is known keeps its first row.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn mark(transaction: &Transaction<'_>, id: ReleaseId, row: u64) -> Result<()> {
    transaction
        .execute(
            "UPDATE release SET leaving = ? WHERE id = ? AND leaving IS NULL AND state <> 'active'",
            params![row, id.0],
        )
        .sql("note that a release shall go")?;
    Ok(())
}

/// Removes releases, none of them live, with all that only they have. Marks, receipts, rows of the log and owners of UUIDs stay.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn remove(transaction: &Transaction<'_>, releases: &[ReleaseId]) -> Result<()> {
    for id in releases {
        for table in TABLES {
            transaction
                .execute(&format!("DELETE FROM {table} WHERE release = ?"), [id.0])
                .sql("remove the rows of a release")?;
        }
        transaction
            .execute("DELETE FROM release WHERE id = ? AND state <> 'active'", [id.0])
            .sql("remove a release")?;
    }
    for (what, statement) in AFTER {
        transaction.execute(statement, []).sql(what)?;
    }
    Ok(())
}

/// Returns what only these releases have: blobs and index pages.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn freed(connection: &Connection, releases: &[ReleaseId]) -> Result<Vec<Content>> {
    const WHAT: &str = "read what goes with releases";
    let ids: Vec<String> = releases.iter().map(|id| id.0.to_string()).collect();
    let ids = ids.join(",");
    let mut select = connection
        .prepare(&format!(
            "SELECT b.digest, b.size FROM blob b WHERE b.id IN (SELECT blob FROM release_blob WHERE release IN ({ids}))
               AND NOT EXISTS (SELECT 1 FROM release_blob o WHERE o.blob = b.id AND o.release NOT IN ({ids}))
               AND NOT EXISTS (SELECT 1 FROM release_page p WHERE p.sha256 = b.digest AND p.release NOT IN ({ids}))
             UNION SELECT p.sha256, p.size FROM release_page p WHERE p.release IN ({ids})
               AND NOT EXISTS (SELECT 1 FROM release_page o WHERE o.sha256 = p.sha256 AND o.release NOT IN ({ids}))
               AND NOT EXISTS (SELECT 1 FROM blob b JOIN release_blob o ON o.blob = b.id
                               WHERE b.digest = p.sha256 AND o.release NOT IN ({ids}))"
        ))
        .sql(WHAT)?;
    let rows = select
        .query_map([], |row| {
            let hash: Hash = row.get(0)?;
            Ok(Content {
                digest: Digest(hash),
                size: row.get(1)?,
            })
        })
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the release that had a revision of a deployment live last, where it is here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn release_of_revision(connection: &Connection, deployment: &Uuid, revision: &Uuid) -> Result<Option<ReleaseId>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.id FROM known_revision k JOIN release r ON r.scope = k.scope AND r.epoch = k.epoch AND r.sequence = k.sequence
             WHERE k.deployment = ? AND k.revision = ?",
        )
        .sql("look for the release of a revision")?;
    let mut rows = select
        .query_map([deployment, revision], |row| row.get(0).map(ReleaseId))
        .sql("look for the release of a revision")?;
    rows.next().transpose().sql("look for the release of a revision")
}

/// What content belongs to, in one walk over all of it: `each` is told the size, and every release that has it, in the order of imports.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn each_content(connection: &Connection, mut each: impl FnMut(u64, &[ReleaseId])) -> Result<()> {
    const WHAT: &str = "read what releases hold";
    for query in [
        "SELECT rb.blob, b.size, rb.release FROM release_blob rb JOIN blob b ON b.id = rb.blob ORDER BY rb.blob, rb.release",
        "SELECT sha256, size, release FROM release_page ORDER BY sha256, release",
    ] {
        let mut select = connection.prepare(query).sql(WHAT)?;
        let mut rows = select.query([]).sql(WHAT)?;
        let (mut held, mut holders): (Option<(Value, u64)>, Vec<ReleaseId>) = (None, Vec::new());
        while let Some(row) = rows.next().sql(WHAT)? {
            let content: Value = row.get(0).sql(WHAT)?;
            if let Some((_, size)) = held.as_ref().filter(|(before, _)| *before != content) {
                each(*size, &holders);
                holders.clear();
            }
            held = Some((content, row.get(1).sql(WHAT)?));
            holders.push(ReleaseId(row.get(2).sql(WHAT)?));
        }
        if let Some((_, size)) = held {
            each(size, &holders);
        }
    }
    Ok(())
}

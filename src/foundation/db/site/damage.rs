//! What of the releases was found missing or damaged: kept, so that every process says the same of it.
//!
//! A row says what was met, not what is: whoever tells of it looks at the store again. It goes when its content was found whole.

use rusqlite::{Connection, Transaction, params};

use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Counter, Digest, Hash, Result, Timestamp};

/// Content that was met missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamageRow {
    /// What it should be.
    pub digest: Digest,
    /// What was found in its place.
    pub found: String,
    /// When it was met first.
    pub at: Timestamp,
}

/// Content that releases are made of: a blob or an index page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Writes damage down; says whether it was not known before.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn note(transaction: &Transaction<'_>, digest: &Digest, found: &str, at: Timestamp) -> Result<bool> {
    transaction
        .execute(
            "INSERT INTO damage (digest, found, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            params![digest, found, at],
        )
        .map(|rows| rows > 0)
        .sql("write damage down")
}

/// Whether damage of this content is written down.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_known(connection: &Connection, digest: &Digest) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM damage WHERE digest = ?)")
        .and_then(|mut select| select.query_row([digest], |row| row.get(0)))
        .sql("look for damage")
}

/// Forgets damage that ended; says whether it was known. Running servers notice ([`repairs`]).
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn end(transaction: &Transaction<'_>, digest: &Digest) -> Result<bool> {
    transaction
        .prepare_cached("DELETE FROM damage WHERE digest = ?")
        .and_then(|mut delete| delete.execute([digest]))
        .map(|rows| rows > 0)
        .sql("forget damage")
}

/// Returns all damage that is known, by digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<DamageRow>> {
    let mut select = connection
        .prepare_cached("SELECT digest, found, at FROM damage ORDER BY digest")
        .sql("read the damage")?;
    let rows = select
        .query_map([], |row| {
            Ok(DamageRow {
                digest: row.get(0)?,
                found: row.get(1)?,
                at: row.get(2)?,
            })
        })
        .sql("read the damage")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the damage")
}

/// Returns every blob and index page of every release, each once.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn contents(connection: &Connection) -> Result<Vec<Content>> {
    let mut select = connection
        .prepare_cached(
            "SELECT b.digest, b.size FROM blob b WHERE EXISTS (SELECT 1 FROM release_blob rb WHERE rb.blob = b.id)
             UNION SELECT sha256, size FROM release_page",
        )
        .sql("read what releases hold")?;
    let rows = select
        .query_map([], |row| {
            // The two kinds of columns hold the same 32 bytes.
            let hash: Hash = row.get(0)?;
            Ok(Content {
                digest: Digest(hash),
                size: row.get(1)?,
            })
        })
        .sql("read what releases hold")?;
    rows.collect::<rusqlite::Result<_>>().sql("read what releases hold")
}

/// Returns the releases that content belongs to, in the order of their imports, and its size.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn holders(connection: &Connection, digest: &Digest) -> Result<Vec<(ReleaseId, u64)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT rb.release, b.size FROM blob b JOIN release_blob rb ON rb.blob = b.id WHERE b.digest = ?1
             UNION SELECT release, size FROM release_page WHERE sha256 = ?1 ORDER BY 1",
        )
        .sql("look for releases")?;
    let rows = select
        .query_map([digest], |row| Ok((ReleaseId(row.get(0)?), row.get(1)?)))
        .sql("look for releases")?;
    rows.collect::<rusqlite::Result<_>>().sql("look for releases")
}

/// Returns the trust domains of the releases that content belongs to.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn domains(connection: &Connection, digest: &Digest) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached(
            "SELECT DISTINCT s.domain FROM scope s JOIN release r ON r.scope = s.id WHERE r.id IN (
               SELECT rb.release FROM blob b JOIN release_blob rb ON rb.blob = b.id WHERE b.digest = ?1
               UNION SELECT release FROM release_page WHERE sha256 = ?1) ORDER BY s.domain",
        )
        .sql("look for trust domains")?;
    let rows = select
        .query_map([digest], |row| row.get(0))
        .sql("look for trust domains")?;
    rows.collect::<rusqlite::Result<_>>().sql("look for trust domains")
}

/// Returns the number that grows whenever damage ended.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn repairs(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT repairs FROM appliance", [], |row| row.get(0))
        .sql("read the number of repairs")
}

/// Tells running servers that damage ended.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn raise_repairs(transaction: &Transaction<'_>) -> Result<()> {
    transaction
        .execute("UPDATE appliance SET repairs = repairs + 1", [])
        .sql("count a repair")?;
    Ok(())
}

/// Puts the signed bytes of a release right, and what its row repeats of them: those of its own bundle, checked under the root that is
/// named.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn restore_head(
    transaction: &Transaction<'_>,
    id: ReleaseId,
    head: &[u8],
    signatures: &[u8],
    root_version: u64,
    counter: Counter,
    version: &str,
) -> Result<()> {
    transaction
        .execute(
            "UPDATE release SET head_bytes = ?, signatures = ?, root_version = ?, epoch = ?, sequence = ?, version = ? WHERE id = ?",
            params![head, signatures, root_version, counter.epoch, counter.sequence, version, id.0],
        )
        .sql("restore the signed head")?;
    Ok(())
}

/// Keeps the midstates of a large blob that was restored; those that were kept may be what was wrong.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn restore_pieces(transaction: &Transaction<'_>, digest: &Digest, piece_size: u64, pieces: &[Hash]) -> Result<()> {
    let bytes: Vec<u8> = pieces.iter().flat_map(|hash| hash.0).collect();
    transaction
        .execute(
            "UPDATE blob SET piece_size = ?, pieces = ? WHERE digest = ?",
            params![piece_size, bytes, digest],
        )
        .sql("restore the hashes of a blob")?;
    Ok(())
}

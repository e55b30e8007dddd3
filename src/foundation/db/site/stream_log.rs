//! The stream logs: beside the appliance's whole log, one for each trust domain, with what its vendor may learn of the rows that
//! concern it (SPEC section 15).
//!
//! A stream is numbered and sealed for itself, so that another vendor on the appliance leaves neither number nor gap in it. Action and
//! time are those of the row of the whole log, in whose transaction it is written; the detail is its own, and holds nothing but numbers,
//! digests, UUIDs and words that concern this vendor.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::Value;

use crate::crypto::{canonical, stream_seal, stream_start};
use crate::db::SqlResult as _;
use crate::db::sealed_log::AUDIT_BROKEN;
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};

/// What a vendor learns of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose stream it stands in.
    pub domain: Hash,
    /// What may leave: an object.
    pub detail: Value,
}

/// A row as it stands in a stream log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRow {
    /// 1, 2, 3 … without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What: a stable word such as `import`.
    pub action: String,
    /// The rest, as canonical JSON.
    pub detail: String,
    /// Seal over the previous seal and this row.
    pub seal: Hash,
}

/// Appends what a vendor learns of a row of the whole log, and returns its seal.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn append(
    transaction: &Transaction<'_>,
    told: &Told,
    row: u64,
    at: Timestamp,
    action: &str,
) -> Result<Hash> {
    let (number, before) = newest(transaction, told.domain)?;
    let number = number.saturating_add(1);
    let seal = stream_seal(before, number, at, action, &told.detail);
    let detail = String::from_utf8(canonical::to_vec(&told.detail)).expect("canonical JSON is UTF-8");
    transaction
        .prepare_cached("INSERT INTO stream_audit (domain, number, row, detail, seal) VALUES (?, ?, ?, ?, ?)")
        .and_then(|mut insert| insert.execute(params![told.domain, number, row, detail, seal]))
        .sql("write the row of the stream")?;
    Ok(seal)
}

/// Returns the number and seal of the last row of a stream; 0 and the seal before the first row where there is none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection, domain: Hash) -> Result<(u64, Hash)> {
    let newest = connection
        .prepare_cached("SELECT number, seal FROM stream_audit WHERE domain = ? ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| {
            select
                .query_row([domain], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .sql("read the stream log")?;
    match newest {
        Some(newest) => Ok(newest),
        None => Ok((0, stream_start(&site(connection)?, domain))),
    }
}

/// Returns the seal of a row, or that before the first one for 0; nothing where the stream is shorter.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn seal(connection: &Connection, domain: Hash, number: u64) -> Result<Option<Hash>> {
    if number == 0 {
        return Ok(Some(stream_start(&site(connection)?, domain)));
    }
    connection
        .prepare_cached("SELECT seal FROM stream_audit WHERE domain = ? AND number = ?")
        .and_then(|mut select| select.query_row(params![domain, number], |row| row.get(0)).optional())
        .sql("read the stream log")
}

/// Returns in which row a vendor was first told that a release was imported, by head digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn imports(connection: &Connection, domain: Hash) -> Result<BTreeMap<Hash, u64>> {
    let mut select = connection
        .prepare_cached(
            "SELECT s.detail ->> 'head', min(s.number) FROM stream_audit s JOIN audit a ON a.number = s.row
             WHERE s.domain = ? AND a.action = 'import' GROUP BY 1",
        )
        .sql("read the stream log")?;
    let rows = select
        .query_map([domain], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .sql("read the stream log")?;
    let rows: Vec<(String, u64)> = rows.collect::<rusqlite::Result<_>>().sql("read the stream log")?;
    let known = rows
        .into_iter()
        .filter_map(|(head, row)| Some((head.parse().ok()?, row)));
    Ok(known.collect())
}

/// Returns the trust domains that have a stream.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn domains(connection: &Connection) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached("SELECT DISTINCT domain FROM stream_audit ORDER BY domain")
        .sql("read the streams")?;
    let rows = select.query_map([], |row| row.get(0)).sql("read the streams")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the streams")
}

/// Returns up to `limit` rows of a stream after a number, in order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection, domain: Hash, after: u64, limit: usize) -> Result<Vec<StreamRow>> {
    let mut select = connection
        .prepare_cached(&format!("{ROWS} LIMIT ?3"))
        .sql("read the stream log")?;
    let rows = select
        .query_map(params![domain, after, limit], read_row)
        .sql("read the stream log")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the stream log")
}

/// Walks a stream and returns how many rows hold.
///
/// # Errors
///
/// `E-STATE audit-broken` with the number of the first row that is missing, moved or changed.
pub fn verify(connection: &Connection, domain: Hash) -> Result<u64> {
    let mut select = connection.prepare(ROWS).sql("read the stream log")?;
    let rows = select
        .query_map(params![domain, 0], read_row)
        .sql("read the stream log")?;
    let (mut count, mut before) = (0_u64, stream_start(&site(connection)?, domain));
    for row in rows {
        let expected = count.saturating_add(1);
        let row = row
            .sql("read the stream log")
            .map_err(|error| broken(domain, expected, "cannot be read").with_source(error))?;
        if row.number != expected {
            return Err(broken(domain, expected, "is missing"));
        }
        let detail: Option<Value> = serde_json::from_str(&row.detail).ok();
        let holds = detail.is_some_and(|detail| {
            canonical::to_vec(&detail) == row.detail.as_bytes()
                && stream_seal(before, row.number, row.at, &row.action, &detail) == row.seal
        });
        if !holds {
            return Err(broken(domain, expected, "is not what was written"));
        }
        (count, before) = (row.number, row.seal);
    }
    Ok(count)
}

const ROWS: &str =
    "SELECT s.number, a.at, a.action, s.detail, s.seal FROM stream_audit s LEFT JOIN audit a ON a.number = s.row
     WHERE s.domain = ?1 AND s.number > ?2 ORDER BY s.number";

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<StreamRow> {
    Ok(StreamRow {
        number: row.get(0)?,
        at: row.get(1)?,
        action: row.get(2)?,
        detail: row.get(3)?,
        seal: row.get(4)?,
    })
}

fn site(connection: &Connection) -> Result<SiteId> {
    connection
        .query_row("SELECT site FROM appliance", [], |row| row.get(0))
        .sql("read the appliance's identity")
}

/// A stream that does not hold, with the row that shows it.
pub fn broken(domain: Hash, number: u64, how: &str) -> Error {
    Error::new(
        Class::State,
        AUDIT_BROKEN,
        format!("row {number} of the stream log of the trust domain {domain} {how}"),
    )
    .expected("a log in which every row is sealed by the next")
    .remedy("end airlock serve, keep a copy of the state folder as evidence, then put a whole copy of it from before in its place")
}

//! A log that is sealed row by row: one row for everything that changed or was refused, each with the hash of the one before.
//!
//! `hash = SHA-256("airlock-audit-row-v1" LF || previous hash (32 zero bytes for row 1) || canonical
//! {"action","at","detail","number"})` (SPEC section 10, M-67). `airlock.db` and `ledger.db` have one each, in a table `audit`. A row is
//! written in the transaction of its effect, so there is neither an effect without a row nor a row without its effect.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::SqlResult as _;
use crate::crypto::canonical;
use crate::domain::{Class, Code, Error, Hash, Result, Timestamp};

/// Sub-code of a log that does not hold.
pub const AUDIT_BROKEN: Code = Code::new("audit-broken");

const LABEL: &[u8] = b"airlock-audit-row-v1\n";

/// A row as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 1, 2, 3 … without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What: a stable word such as `import`.
    pub action: String,
    /// The rest, as canonical JSON.
    pub detail: String,
    /// Seal over the previous row's hash and this row.
    pub hash: Hash,
}

impl Row {
    /// Returns the canonical line that is sealed, and exported.
    pub fn line(&self) -> String {
        line(self.number, self.at, &self.action, &self.detail)
    }
}

/// Appends a row and returns its number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn append(transaction: &Transaction<'_>, at: Timestamp, action: &str, detail: &impl Serialize) -> Result<u64> {
    let (number, previous) = newest(transaction)?;
    let number = number.saturating_add(1);
    let detail = String::from_utf8(canonical::to_vec(detail)).expect("canonical JSON is UTF-8");
    let hash = seal(previous, line(number, at, action, &detail).as_bytes());
    transaction
        .prepare_cached("INSERT INTO audit (number, at, action, detail, hash) VALUES (?, ?, ?, ?, ?)")
        .and_then(|mut insert| insert.execute(params![number, at, action, detail, hash]))
        .sql("write the audit row")?;
    Ok(number)
}

/// Returns the number and hash of the last row; 0 and zeroes for an empty log.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection) -> Result<(u64, Hash)> {
    let newest = connection
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .sql("read the audit log")?;
    Ok(newest.unwrap_or((0, Hash([0; 32]))))
}

/// Returns the number of the last row, which is not looked at otherwise; 0 for an empty log.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn last_number(connection: &Connection) -> Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM audit")
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .sql("read the audit log")
}

/// Returns up to `limit` rows after a number, in order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Row>> {
    let mut select = connection
        .prepare_cached("SELECT number, at, action, detail, hash FROM audit WHERE number > ? ORDER BY number LIMIT ?")
        .sql("read the audit log")?;
    let rows = select
        .query_map(params![after, limit], read_row)
        .sql("read the audit log")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the audit log")
}

/// A row up to which a log was found to hold, by its number and seal; before the first one by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub number: u64,
    /// Its seal.
    pub hash: Hash,
}

impl Default for Sealed {
    fn default() -> Self {
        Self {
            number: 0,
            hash: Hash([0; 32]),
        }
    }
}

/// Walks the whole log and returns how many rows hold.
///
/// # Errors
///
/// `E-STATE audit-broken` with the number of the first row that is missing, moved or changed.
pub fn verify(connection: &Connection) -> Result<u64> {
    verify_after(connection, Sealed::default(), u64::MAX).map(|last| last.number)
}

/// Walks up to so many rows behind one that was found to hold, and returns the last of them. That row itself is not looked at again, but it
/// has to be there.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_after(connection: &Connection, from: Sealed, most: u64) -> Result<Sealed> {
    if last_number(connection)? < from.number {
        return Err(broken(from.number, "is missing"));
    }
    let mut select = connection
        .prepare("SELECT number, at, action, detail, hash FROM audit WHERE number > ? ORDER BY number LIMIT ?")
        .sql("read the audit log")?;
    // What SQLite counts ends before what this does.
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = select
        .query_map(params![from.number, most], read_row)
        .sql("read the audit log")?;
    let (mut count, mut previous) = (from.number, from.hash);
    for row in rows {
        let expected = count.saturating_add(1);
        let row = row
            .sql("read the audit log")
            .map_err(|error| broken(expected, "cannot be read").with_source(error))?;
        if row.number != expected {
            return Err(broken(expected, "is missing"));
        }
        if seal(previous, row.line().as_bytes()) != row.hash {
            return Err(broken(expected, "is not what was written"));
        }
        (count, previous) = (row.number, row.hash);
    }
    Ok(Sealed {
        number: count,
        hash: previous,
    })
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        number: row.get(0)?,
        at: row.get(1)?,
        action: row.get(2)?,
        detail: row.get(3)?,
        hash: row.get(4)?,
    })
}

/// A log that does not hold, with the row that shows it.
pub(super) fn broken(number: u64, how: &str) -> Error {
    Error::new(Class::State, AUDIT_BROKEN, format!("audit row {number} {how}"))
        .expected("a log in which every row is sealed by the next")
        .remedy("end airlock serve, keep a copy of the state folder as evidence, then put a whole copy of it from before in its place")
}

/// Members in sorted order, and `detail` is canonical already: the text is canonical without another pass.
fn line(number: u64, at: Timestamp, action: &str, detail: &str) -> String {
    let action = serde_json::Value::from(action);
    format!("{{\"action\":{action},\"at\":\"{at}\",\"detail\":{detail},\"number\":{number}}}")
}

/// Returns the hash of a row from its canonical line and the hash before.
pub fn seal(previous: Hash, line: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(LABEL);
    hasher.update(previous.0);
    hasher.update(line);
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::{Db, Schema};

    fn log() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("airlock.db"), &Schema::SITE).unwrap();
        for n in 0..5 {
            db.write(|tx| append(tx, Timestamp::EPOCH.plus_seconds(n), "import", &json!({"n": n})))
                .unwrap();
        }
        (folder, db)
    }

    /// M-67 of the specification.
    #[test]
    fn the_seal_is_the_one_of_the_specification() {
        let (_folder, db) = log();
        let rows = db.read(|c| list(c, 0, 10)).unwrap();
        let mut previous = [0_u8; 32];
        for row in &rows {
            let value = json!({"number": row.number, "at": row.at.to_string(), "action": row.action,
                "detail": serde_json::from_str::<serde_json::Value>(&row.detail).unwrap()});
            let mut bytes = b"airlock-audit-row-v1\n".to_vec();
            bytes.extend_from_slice(&previous);
            bytes.extend_from_slice(&canonical::to_vec(&value));
            assert_eq!(row.hash.0, <[u8; 32]>::from(Sha256::digest(&bytes)));
            previous = row.hash.0;
        }
        assert_eq!(db.read(verify).unwrap(), 5);
    }

    #[test]
    fn the_first_bad_row_is_named() {
        for (damage, number) in [
            ("UPDATE audit SET detail = '{\"n\":9}' WHERE number = 3", 3),
            ("UPDATE audit SET at = 77 WHERE number = 2", 2),
            ("UPDATE audit SET action = 'none' WHERE number = 5", 5),
            ("UPDATE audit SET hash = zeroblob(32) WHERE number = 1", 1),
            ("UPDATE audit SET hash = zeroblob(31) WHERE number = 4", 4),
            ("DELETE FROM audit WHERE number = 3", 3),
            (
                "UPDATE audit SET number = 9 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3;
                 UPDATE audit SET number = 3 WHERE number = 9",
                2,
            ),
        ] {
            let (_folder, db) = log();
            db.write(|tx| tx.execute_batch(damage).sql("damage")).unwrap();
            let error = db.read(verify).unwrap_err();
            assert_eq!(
                (error.class(), error.code()),
                (Class::State, "audit-broken"),
                "{damage}"
            );
            assert!(
                error.found().starts_with(&format!("audit row {number} ")),
                "{damage}: {error}"
            );
        }
    }

    #[test]
    fn a_walk_goes_on_where_it_was() {
        let (_folder, db) = log();
        let from = |from, most| db.read(|c| verify_after(c, from, most));
        let two = from(Sealed::default(), 2).unwrap();
        assert_eq!(two.number, 2);
        assert_eq!(from(two, 2).unwrap().number, 4);
        let all = from(two, u64::MAX).unwrap();
        assert_eq!(all.number, 5);
        assert_eq!(from(all, 10).unwrap(), all);
        // What stands before is not looked at again; what is gone is missed.
        let change = |text: &str| db.write(|tx| tx.execute_batch(text).sql("damage")).unwrap();
        change("UPDATE audit SET at = 77 WHERE number = 1");
        assert_eq!(from(two, 9).unwrap(), all);
        change("DELETE FROM audit WHERE number = 5");
        assert!(from(all, 9).unwrap_err().found().starts_with("audit row 5 is missing"));
        change("UPDATE audit SET at = 77 WHERE number = 4");
        assert!(from(two, 9).unwrap_err().found().starts_with("audit row 4 is not"));
    }

    #[test]
    fn a_failed_effect_leaves_no_row() {
        let (_folder, db) = log();
        let refused = db.write(|tx| {
            append(tx, Timestamp::EPOCH, "import", &json!({}))?;
            Err::<(), _>(Error::new(Class::Other, "stop", "stop"))
        });
        assert_eq!(refused.unwrap_err().code(), "stop");
        assert_eq!(db.read(verify).unwrap(), 5);
    }
}

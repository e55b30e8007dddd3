//! The lives of the state folder: the instances that a site's packages and receipts name (SPEC section 15).
//!
//! A new one begins in every stream right after what the vendor has acknowledged, the last point that both sides surely share. What was
//! not acknowledged is told again under its name. A number belongs to the last instance that began at or below it.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction, params};

use super::acknowledgements::reached;
use super::stream_log;
use crate::db::SqlResult as _;
use crate::domain::{Hash, InstanceId, Result, Timestamp, limits};

/// Why an instance began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The appliance was made.
    Init,
    /// The folder is another one than the one that was written: copied, or restored from a copy.
    Copied,
    /// Somebody said that the state was turned back.
    Restored,
    /// Somebody said that the same state lives elsewhere too.
    Cloned,
    /// The status key was replaced.
    StatusKey,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// 1, 2, 3 … in the order in which they began.
    pub number: u64,
    /// Its name.
    pub instance: InstanceId,
    /// Why it began.
    pub reason: Reason,
    /// When it began.
    pub at: Timestamp,
}

/// Where an instance begins in a stream: its first number of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The instance.
    pub instance: InstanceId,
    /// First record.
    pub records: u64,
    /// First receipt.
    pub receipts: u64,
    /// First row of the stream log.
    pub audit: u64,
}

/// Begins an instance in every stream: from now on it is the present one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn begin(transaction: &Transaction<'_>, instance: &InstanceId, reason: Reason, at: Timestamp) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO instance (number, instance, reason, at)
             VALUES ((SELECT coalesce(max(number), 0) + 1 FROM instance), ?, ?, ?)",
            params![instance, reason, at],
        )
        .sql("begin an instance")?;
    for domain in stream_log::domains(transaction)? {
        begin_stream(transaction, domain)?;
    }
    Ok(())
}

/// Says where the present instance begins in a stream: right after what was acknowledged of it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn begin_stream(transaction: &Transaction<'_>, domain: Hash) -> Result<()> {
    let reached = reached(transaction, domain)?;
    transaction
        .execute(
            "INSERT INTO instance_start (instance, domain, records, receipts, audit)
             VALUES ((SELECT max(number) FROM instance), ?, ?, ?, ?)",
            params![
                domain,
                reached.records.saturating_add(1),
                reached.receipts.saturating_add(1),
                reached.audit.saturating_add(1)
            ],
        )
        .sql("begin an instance")?;
    Ok(())
}

/// Returns the instances of a stream, oldest first. One that has no number of its own, because nothing of it was acknowledged before the
/// next began, is left out; and so are the oldest, where they are more than a package may name.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn lineage(connection: &Connection, domain: Hash) -> Result<Vec<Start>> {
    let mut select = connection
        .prepare_cached(
            "SELECT i.instance, s.records, s.receipts, s.audit FROM instance_start s JOIN instance i ON i.number = s.instance
             WHERE s.domain = ? ORDER BY s.instance",
        )
        .sql("read the lineage")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Start {
            instance: row.get(0)?,
            records: row.get(1)?,
            receipts: row.get(2)?,
            audit: row.get(3)?,
        })
    };
    let rows = select.query_map([domain], read).sql("read the lineage")?;
    let mut lineage: Vec<Start> = Vec::new();
    for row in rows {
        let start = row.sql("read the lineage")?;
        let first = |start: &Start| (start.records, start.receipts, start.audit);
        if lineage.last().is_some_and(|before| first(before) == first(&start)) {
            lineage.pop();
        }
        lineage.push(start);
    }
    // Everything of the oldest was acknowledged: where nothing was of an instance it is in no lineage, and the next one begins behind
    // what was. So they may go, and a folder never runs out of lives.
    let left_out = lineage.len().saturating_sub(limits::LINEAGE);
    lineage.drain(..left_out);
    Ok(lineage)
}

/// Returns the present instance; nothing in a database that is no appliance's yet.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection) -> Result<Option<InstanceRow>> {
    nth_newest(connection, 0)
}

/// Returns the instance before the present one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn parent(connection: &Connection) -> Result<Option<InstanceRow>> {
    nth_newest(connection, 1)
}

/// Whether this folder ever lived as an instance.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_known(connection: &Connection, instance: &InstanceId) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM instance WHERE instance = ?)")
        .and_then(|mut select| select.query_row([instance], |row| row.get(0)))
        .sql("read the instance")
}

fn nth_newest(connection: &Connection, n: u64) -> Result<Option<InstanceRow>> {
    connection
        .prepare_cached("SELECT number, instance, reason, at FROM instance ORDER BY number DESC LIMIT 1 OFFSET ?")
        .and_then(|mut select| select.query_row([n], read).optional())
        .sql("read the instance")
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<InstanceRow> {
    Ok(InstanceRow {
        number: row.get(0)?,
        instance: row.get(1)?,
        reason: row.get(2)?,
        at: row.get(3)?,
    })
}

impl Reason {
    const ALL: [Self; 5] = [Self::Init, Self::Copied, Self::Restored, Self::Cloned, Self::StatusKey];

    /// Returns the word in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Copied => "copied",
            Self::Restored => "restored",
            Self::Cloned => "cloned",
            Self::StatusKey => "status-key",
        }
    }
}

impl ToSql for Reason {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl FromSql for Reason {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == word);
        known.ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::site::{appliance, audit};
    use crate::db::{Db, Schema};

    const A: Hash = Hash([1; 32]);
    const B: Hash = Hash([2; 32]);

    fn id(n: u8) -> InstanceId {
        format!("{n:032x}").parse().unwrap()
    }

    fn acknowledge(db: &Db, domain: Hash, number: u64, reached: [u64; 3]) {
        db.write(|tx| {
            tx.execute(
                "INSERT INTO acknowledgement (domain, number, envelope, records, receipts, audit, at) VALUES (?, ?, x'', ?, ?, ?, 0)",
                params![domain, number, reached[0], reached[1], reached[2]],
            )
            .sql("acknowledge")
        })
        .unwrap();
    }

    /// M-83: an instance begins after what was acknowledged, and one of which nothing was is no part of the lineage.
    #[test]
    fn an_instance_begins_in_each_stream_after_what_was_acknowledged_there() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("airlock.db"), &Schema::SITE).unwrap();
        let site = appliance::ApplianceRow {
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            name: "plant".into(),
            created_at: Timestamp::EPOCH,
        };
        let told = |domain| stream_log::Told {
            domain,
            detail: serde_json::json!({}),
        };
        let stream = |domain| {
            db.write(|tx| {
                audit::append(tx, Timestamp::EPOCH, "pin", &serde_json::json!({}), &[told(domain)])?;
                begin_stream(tx, domain)
            })
            .unwrap();
        };
        let next = |n, reason| db.write(|tx| begin(tx, &id(n), reason, Timestamp::EPOCH)).unwrap();
        let lineage = |domain| {
            let starts = db.read(|c| lineage(c, domain)).unwrap().into_iter();
            starts
                .map(|start| (start.instance, start.records, start.receipts, start.audit))
                .collect::<Vec<_>>()
        };
        db.write(|tx| appliance::insert(tx, &site)).unwrap();
        next(1, Reason::Init);
        stream(A);
        assert_eq!(lineage(A), [(id(1), 1, 1, 1)]);
        assert_eq!(lineage(B), []);
        // Nothing was acknowledged: the first life never spoke for a number of its own.
        next(2, Reason::Restored);
        assert_eq!(lineage(A), [(id(2), 1, 1, 1)]);
        acknowledge(&db, A, 1, [240, 2, 3]);
        next(3, Reason::Cloned);
        stream(B);
        assert_eq!(lineage(A), [(id(2), 1, 1, 1), (id(3), 241, 3, 4)]);
        assert_eq!(lineage(B), [(id(3), 1, 1, 1)]);
        // The newest counts, and one kind alone makes an instance one of its own.
        acknowledge(&db, A, 2, [240, 2, 4]);
        acknowledge(&db, B, 7, [0, 0, 1]);
        next(4, Reason::StatusKey);
        next(5, Reason::Copied);
        assert_eq!(lineage(A), [(id(2), 1, 1, 1), (id(3), 241, 3, 4), (id(5), 241, 3, 5)]);
        assert_eq!(lineage(B), [(id(3), 1, 1, 1), (id(5), 1, 1, 2)]);
        let (newest, parent) = db.read(|c| Ok((newest(c)?, parent(c)?))).unwrap();
        assert_eq!((newest.unwrap().instance, parent.unwrap().instance), (id(5), id(4)));
        // Of more than a head may name, the oldest are left out, of which everything was acknowledged.
        db.write(|tx| {
            let (mut row, mut life) = (5, 5);
            for _ in 0..limits::LINEAGE {
                (row, life) = (row + 1, life + 1);
                tx.execute(
                    "UPDATE acknowledgement SET audit = ? WHERE domain = ? AND number = 2",
                    params![row, A],
                )
                .sql("acknowledge")?;
                begin(
                    tx,
                    &format!("{life:032x}").parse().unwrap(),
                    Reason::Copied,
                    Timestamp::EPOCH,
                )?;
            }
            Ok(())
        })
        .unwrap();
        let full = lineage(A);
        assert_eq!(
            (full.len(), full[0].1, full[0].2, full[0].3),
            (limits::LINEAGE, 241, 3, 7)
        );
    }
}

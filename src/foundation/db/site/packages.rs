//! Status packages: at most one draft a stream, and those that were signed, each number once in a stream and instance. Their files stand in
//! the outbox, under their heads' digests.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, InstanceId, Result, Timestamp};

/// How far a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody signed it; its number is free.
    Draft,
    /// Its number is used, whether or not the signature is in its file yet.
    Signed,
    /// It was written out and read back.
    Exported,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Whose stream.
    pub domain: Hash,
    /// The life of the state folder that made it.
    pub instance: InstanceId,
    /// 1, 2, 3 … in both.
    pub number: u64,
    /// Head digest.
    pub head: Hash,
    /// How far it is.
    pub state: State,
    /// Entry 03.
    pub bytes: Vec<u8>,
    /// A range ended early for want of room: the next package goes on behind it.
    pub cut: bool,
    /// When the stream was frozen for it.
    pub made_at: Timestamp,
    /// Bytes of the file.
    pub size: u64,
    /// How many people have to approve it, as was said where it was made.
    pub approvals: u64,
}

const COLUMNS: &str = "SELECT p.domain, i.instance, p.number, p.head, p.state, p.bytes, p.cut, p.made_at, p.size, p.approvals \
     FROM package p JOIN instance i ON i.number = p.instance";

/// Returns the draft of a stream, also one of an earlier instance.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn draft(connection: &Connection, domain: Hash) -> Result<Option<PackageRow>> {
    one(connection, "WHERE p.domain = ? AND p.state = 'draft'", params![domain])
}

/// Returns the package of a head digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn find(connection: &Connection, head: Hash) -> Result<Option<PackageRow>> {
    one(connection, "WHERE p.head = ?", params![head])
}

/// Returns the newest package of a stream and instance whose number is used.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_signed(connection: &Connection, domain: Hash, instance: &InstanceId) -> Result<Option<PackageRow>> {
    one(
        connection,
        "WHERE p.domain = ? AND i.instance = ? AND p.state <> 'draft' ORDER BY p.number DESC LIMIT 1",
        params![domain, instance],
    )
}

/// Returns the newest package of a stream whose number is used, of whatever life of the state folder.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_signed_of_any(connection: &Connection, domain: Hash) -> Result<Option<PackageRow>> {
    one(
        connection,
        "WHERE p.domain = ? AND p.state <> 'draft' ORDER BY p.instance DESC, p.number DESC LIMIT 1",
        params![domain],
    )
}

/// Returns every package of a stream, by instance and number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection, domain: Hash) -> Result<Vec<PackageRow>> {
    let mut select = connection
        .prepare_cached(&format!("{COLUMNS} WHERE p.domain = ? ORDER BY p.instance, p.number"))
        .sql("read the packages")?;
    let rows = select.query_map([domain], read).sql("read the packages")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the packages")
}

/// Returns the head digests of all packages: what names their files.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn heads(connection: &Connection) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached("SELECT head FROM package ORDER BY head")
        .sql("read the packages")?;
    let rows = select.query_map([], |row| row.get(0)).sql("read the packages")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the packages")
}

/// Returns the drafts of instances that are over.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stale_drafts(connection: &Connection) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached(
            "SELECT head FROM package WHERE state = 'draft' AND instance < (SELECT max(number) FROM instance) ORDER BY head",
        )
        .sql("read the drafts")?;
    let rows = select.query_map([], |row| row.get(0)).sql("read the drafts")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the drafts")
}

/// Adds a draft, in the place of the one that its stream has.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_draft(transaction: &Transaction<'_>, draft: &PackageRow) -> Result<()> {
    transaction
        .execute(
            "DELETE FROM package WHERE domain = ? AND state = 'draft'",
            [draft.domain],
        )
        .sql("drop the draft before")?;
    transaction
        .execute(
            "INSERT INTO package (domain, instance, number, head, state, bytes, cut, made_at, size, approvals)
             VALUES (?, (SELECT number FROM instance WHERE instance = ?), ?, ?, 'draft', ?, ?, ?, ?, ?)",
            params![
                draft.domain,
                draft.instance,
                draft.number,
                draft.head,
                draft.bytes,
                draft.cut,
                draft.made_at,
                draft.size,
                draft.approvals
            ],
        )
        .sql("record the draft")?;
    Ok(())
}

/// Drops a draft: its number is free. Says whether there was one; what was signed stays.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_draft(transaction: &Transaction<'_>, head: Hash) -> Result<bool> {
    transaction
        .execute("DELETE FROM package WHERE head = ? AND state = 'draft'", [head])
        .map(|rows| rows > 0)
        .sql("drop a draft")
}

/// Says how far a package is now; it only goes on. Says whether that is news.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn advance(transaction: &Transaction<'_>, head: Hash, to: State) -> Result<bool> {
    let before = match to {
        State::Draft => return Ok(false),
        State::Signed => State::Draft,
        State::Exported => State::Signed,
    };
    transaction
        .execute(
            "UPDATE package SET state = ? WHERE head = ? AND state = ?",
            params![to, head, before],
        )
        .map(|rows| rows > 0)
        .sql("record how far a package is")
}

fn one(connection: &Connection, rest: &str, parameters: impl rusqlite::Params) -> Result<Option<PackageRow>> {
    connection
        .prepare_cached(&format!("{COLUMNS} {rest}"))
        .and_then(|mut select| select.query_row(parameters, read).optional())
        .sql("read a package")
}

fn read(row: &Row<'_>) -> rusqlite::Result<PackageRow> {
    Ok(PackageRow {
        domain: row.get(0)?,
        instance: row.get(1)?,
        number: row.get(2)?,
        head: row.get(3)?,
        state: row.get(4)?,
        bytes: row.get(5)?,
        cut: row.get(6)?,
        made_at: row.get(7)?,
        size: row.get(8)?,
        approvals: row.get(9)?,
    })
}

impl State {
    const ALL: [Self; 3] = [Self::Draft, Self::Signed, Self::Exported];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Signed => "signed",
            Self::Exported => "exported",
        }
    }
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let known = Self::ALL.into_iter().find(|state| state.as_str() == word);
        known.ok_or(FromSqlError::InvalidType)
    }
}

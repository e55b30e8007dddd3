//! The lives of the state folder: the instances that a site's packages and receipts name (SPEC section 15).

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{InstanceId, Result, Timestamp};

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

/// Begins an instance: from now on it is the present one.
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
    Ok(())
}

/// Returns the present instance; nothing in a database that is no appliance's yet.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection) -> Result<Option<InstanceRow>> {
    connection
        .prepare_cached("SELECT number, instance, reason, at FROM instance ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| select.query_row([], read).optional())
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

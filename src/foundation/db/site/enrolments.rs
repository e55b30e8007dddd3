//! Enrolment files, one for each vendor: what the outbox holds copies of. All are signed by the status key in force.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result};

/// Keeps the enrolment file of a trust domain, in the place of any before.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set(transaction: &Transaction<'_>, domain: Hash, envelope: &[u8]) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO enrolment (domain, envelope) VALUES (?, ?)
             ON CONFLICT (domain) DO UPDATE SET envelope = excluded.envelope",
            params![domain, envelope],
        )
        .sql("keep the enrolment file")?;
    Ok(())
}

/// Returns all of them, by domain.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<(Hash, Vec<u8>)>> {
    let mut select = connection
        .prepare_cached("SELECT domain, envelope FROM enrolment ORDER BY domain")
        .sql("read the enrolment files")?;
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql("read the enrolment files")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the enrolment files")
}

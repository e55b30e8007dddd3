//! The time floor of every trust domain: what its signed statements have proven to be past (threat model 2.6).
//!
//! There is no floor without a domain: what one vendor dates moves nothing of another.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// Returns the floor of a trust domain; nothing when none of its statements was accepted yet.
///
/// # Errors
///
/// `E-STATE floor-missing` when root links or releases of the domain are here, so that there must be one (a missing floor is never
/// the lowest one); those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn get(connection: &Connection, domain: Hash) -> Result<Option<Timestamp>> {
    let floor = connection
        .query_row("SELECT floor FROM time_floor WHERE domain = ?", [domain], |row| {
            row.get(0)
        })
        .optional()
        .sql("read the time floor")?;
    if floor.is_some() {
        return Ok(floor);
    }
    let known: bool = connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM trust_root WHERE domain = ?1)
                 OR EXISTS (SELECT 1 FROM release r JOIN scope s ON s.id = r.scope WHERE s.domain = ?1)",
            [domain],
            |row| row.get(0),
        )
        .sql("look for accepted statements")?;
    if known {
        return Err(Error::new(
            Class::State,
            "floor-missing",
            format!("statements of the trust domain {domain} were accepted, but the time that they prove is not known"),
        )
        .expected("a time floor for every domain whose root is kept")
        .remedy("end airlock serve, then put a whole copy of the state folder in its place"));
    }
    Ok(None)
}

/// Moves the floor of a trust domain forward; an earlier time changes nothing.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn raise(transaction: &Transaction<'_>, domain: Hash, to: Timestamp) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO time_floor (domain, floor) VALUES (?, ?)
             ON CONFLICT (domain) DO UPDATE SET floor = max(floor, excluded.floor)",
            params![domain, to],
        )
        .sql("raise the time floor")?;
    Ok(())
}

/// Sets the floor of a trust domain, also to an earlier time: for root documents with `time_reset`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set(transaction: &Transaction<'_>, domain: Hash, to: Timestamp) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO time_floor (domain, floor) VALUES (?, ?)
             ON CONFLICT (domain) DO UPDATE SET floor = excluded.floor",
            params![domain, to],
        )
        .sql("set the time floor")?;
    Ok(())
}

//! Acknowledgements that were made for sites, and what they are made from.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::findings::{Finding, FindingId};
use super::instances::{Lineage, Numbered};
use super::stream_rows::seal_of;
use crate::crypto::Acknowledgement;
use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};

/// Returns the envelope of the newest acknowledgement of a site.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection, site: &SiteId) -> Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT envelope FROM acknowledgement WHERE site = ? ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| select.query_row([site], |row| row.get(0)).optional())
        .sql("read the acknowledgements")
}

/// Returns the envelopes of a site's acknowledgements, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn envelopes(connection: &Connection, site: &SiteId) -> Result<Vec<Vec<u8>>> {
    let mut select = connection
        .prepare_cached("SELECT envelope FROM acknowledgement WHERE site = ? ORDER BY number DESC")
        .sql("read the acknowledgements")?;
    let rows = select
        .query_map([site], |row| row.get(0))
        .sql("read the acknowledgements")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the acknowledgements")
}

/// Records an acknowledgement before it leaves: its number is above every earlier one of the site.
///
/// # Errors
///
/// `E-BUSY acknowledgement` when another one got this number or a higher one meanwhile; those of
/// [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record(transaction: &Transaction<'_>, made: &Acknowledgement, envelope: &[u8], at: Timestamp) -> Result<()> {
    let newest: Option<u64> = transaction
        .prepare_cached("SELECT max(number) FROM acknowledgement WHERE site = ?")
        .and_then(|mut select| select.query_row([&made.site], |row| row.get(0)))
        .sql("read the acknowledgements")?;
    if newest.is_some_and(|newest| newest >= made.number) {
        return Err(Error::new(
            Class::Busy,
            "acknowledgement",
            format!(
                "another command made an acknowledgement for site {} meanwhile",
                made.site
            ),
        )
        .remedy("give the same command once more"));
    }
    transaction
        .prepare_cached(
            "INSERT INTO acknowledgement (site, number, envelope, records, receipts, audit, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                made.site,
                made.number,
                envelope,
                made.records,
                made.receipts,
                made.audit.number,
                at
            ])
        })
        .sql("record the acknowledgement")?;
    Ok(())
}

/// Returns the seal of a row of the log of a site's stream, where that row was carried.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn seal(connection: &Connection, lineage: &Lineage, number: u64) -> Result<Option<Hash>> {
    let Some(owner) = lineage.owner(Numbered::Audit, number) else {
        return Ok(None);
    };
    seal_of(connection, owner.id, number)
}

/// Returns the number of the package in which something was found; 0 where that is not known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn package_of(connection: &Connection, finding: &Finding) -> Result<u64> {
    let number: Option<Option<u64>> = match (finding.id, finding.package) {
        (FindingId::Refused(row), _) => connection
            .prepare_cached("SELECT detail ->> 'number' FROM audit WHERE number = ?")
            .and_then(|mut select| select.query_row([row], |row| row.get(0)).optional()),
        (FindingId::Noticed(_), Some(package)) => connection
            .prepare_cached("SELECT number FROM package WHERE head = ?")
            .and_then(|mut select| select.query_row([package], |row| row.get(0)).optional()),
        (FindingId::Noticed(_), None) => Ok(None),
    }
    .sql("read the packages")?;
    Ok(number.flatten().unwrap_or(0))
}

//! What else in the database speaks of rows of the logs: seals alone do not show that the last rows of a log are gone, or all of them.
//!
//! Receipts, acknowledgements and enrolments stand in tables of their own, each written in the transaction of its row, and rows of the whole log
//! say of which acts vendors learned. What takes all of that away too is seen only by what left before (SPEC M-106).

use rusqlite::{Connection, OptionalExtension as _};

use super::stream_log;
use crate::db::SqlResult as _;
use crate::db::sealed_log;
use crate::domain::{Hash, Result};

/// What was done to streams as the whole log tells it: rows of these acts always stand in a stream too.
const TOLD: &str = "'acknowledge', 'activate', 'gc-mark', 'import', 'init', 'instance', 'pin', 'restore', 'status-key', 'status-sign', \
     'status-summary', 'target-add', 'target-deploy', 'target-undeploy', 'trust'";

const WHAT: &str = "compare the logs with what speaks of them";

/// Checks that no log ends before what speaks of it.
///
/// # Errors
///
/// `E-STATE audit-broken` with the first row that is known to be missing.
pub fn check(connection: &Connection) -> Result<()> {
    whole_log(connection)?;
    enrolled(connection)?;
    told(connection)?;
    receipts(connection)?;
    acknowledged(connection)
}

/// An appliance's log begins when it is made, and every credential was given in it.
fn whole_log(connection: &Connection) -> Result<()> {
    let (rows, _) = sealed_log::newest(connection)?;
    if rows == 0 {
        return Err(sealed_log::broken(1, "is missing"));
    }
    let unsaid: Option<String> = connection
        .prepare_cached(
            "SELECT name FROM access WHERE name NOT IN (SELECT detail ->> 'name' FROM audit WHERE action = 'access-add') ORDER BY name",
        )
        .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
        .sql(WHAT)?;
    match unsaid {
        Some(name) => Err(sealed_log::broken(
            rows.saturating_add(1),
            &format!("is missing, or one before it: the credential {name:?} is here, and no row says who made it"),
        )),
        None => Ok(()),
    }
}

/// The stream of a vendor begins with its enrolment.
fn enrolled(connection: &Connection) -> Result<()> {
    let without: Option<Hash> = connection
        .prepare_cached(
            "SELECT domain FROM enrolment WHERE domain NOT IN (SELECT domain FROM stream_audit WHERE number = 1) ORDER BY domain",
        )
        .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
        .sql(WHAT)?;
    without.map_or(Ok(()), |domain| Err(stream_log::broken(domain, 1, "is missing")))
}

/// What vendors learned of, by the whole log.
fn told(connection: &Connection) -> Result<()> {
    let untold: Option<(u64, String)> = connection
        .prepare(&format!(
            "SELECT number, action FROM audit WHERE action IN ({TOLD}) AND number NOT IN (SELECT row FROM stream_audit)
             ORDER BY number LIMIT 1"
        ))
        .and_then(|mut select| select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .sql(WHAT)?;
    match untold {
        Some((number, action)) => Err(sealed_log::broken(
            number,
            &format!("({action}) has lost its row in the stream log of its vendor"),
        )),
        None => Ok(()),
    }
}

/// Receipts are numbered in rows of the stream, and none that a row names goes: its number would be given again.
fn receipts(connection: &Connection) -> Result<()> {
    let lost: Option<(Hash, u64, u64)> = connection
        .prepare(
            "SELECT s.domain, s.number, s.detail ->> 'receipt' FROM stream_audit s WHERE s.detail ->> 'receipt' IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM receipt r WHERE r.domain = s.domain AND r.number = s.detail ->> 'receipt')
             ORDER BY s.domain, s.number LIMIT 1",
        )
        .and_then(|mut select| {
            let lost = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            select.query_row([], lost).optional()
        })
        .sql(WHAT)?;
    if let Some((domain, row, receipt)) = lost {
        return Err(stream_log::broken(
            domain,
            row,
            &format!("names receipt {receipt}, which is not here"),
        ));
    }
    let mut select = connection
        .prepare("SELECT domain, max(number) FROM receipt GROUP BY domain ORDER BY domain")
        .sql(WHAT)?;
    let rows = select
        .query_map([], |row| Ok((row.get::<_, Hash>(0)?, row.get::<_, u64>(1)?)))
        .sql(WHAT)?;
    for row in rows {
        let (domain, last) = row.sql(WHAT)?;
        let named: u64 = connection
            .prepare_cached("SELECT coalesce(max(detail ->> 'receipt'), 0) FROM stream_audit WHERE domain = ?")
            .and_then(|mut select| select.query_row([domain], |row| row.get(0)))
            .sql(WHAT)?;
        if named < last {
            let (rows, _) = stream_log::newest(connection, domain)?;
            let how = format!("is missing, or one after it: receipt {last} was signed with it");
            return Err(stream_log::broken(domain, rows.saturating_add(1), &how));
        }
    }
    Ok(())
}

/// What a vendor has acknowledged was there.
fn acknowledged(connection: &Connection) -> Result<()> {
    let mut select = connection
        .prepare("SELECT domain, max(audit) FROM acknowledgement GROUP BY domain ORDER BY domain")
        .sql(WHAT)?;
    let rows = select
        .query_map([], |row| Ok((row.get::<_, Hash>(0)?, row.get::<_, u64>(1)?)))
        .sql(WHAT)?;
    for row in rows {
        let (domain, known) = row.sql(WHAT)?;
        let (rows, _) = stream_log::newest(connection, domain)?;
        if rows < known {
            let how = format!("is missing: its vendor has acknowledged row {known}");
            return Err(stream_log::broken(domain, rows.saturating_add(1), &how));
        }
    }
    Ok(())
}

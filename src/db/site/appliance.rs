//! The appliance itself: whose state this is, the time floor, and the generation that a running server watches.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId, Timestamp};

/// What an appliance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplianceRow {
    /// Site id, made once.
    pub site: SiteId,
    /// Local name; it never leaves the site.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Records a new appliance; its generation is 0.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn insert(transaction: &Transaction<'_>, appliance: &ApplianceRow, time_floor: Timestamp) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO appliance (one, site, name, created_at, time_floor, generation, agents)
             VALUES (1, ?, ?, ?, ?, 0, 0)",
            params![appliance.site, appliance.name, appliance.created_at, time_floor],
        )
        .sql("record the appliance")?;
    Ok(())
}

/// Returns whose state this is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn get(connection: &Connection) -> Result<ApplianceRow> {
    connection
        .query_row("SELECT site, name, created_at FROM appliance", [], |row| {
            Ok(ApplianceRow {
                site: row.get(0)?,
                name: row.get(1)?,
                created_at: row.get(2)?,
            })
        })
        .sql("read the appliance's identity")
}

/// Returns the time that signed statements have proven to be past (threat model 2.6).
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn time_floor(connection: &Connection) -> Result<Timestamp> {
    connection
        .query_row("SELECT time_floor FROM appliance", [], |row| row.get(0))
        .sql("read the time floor")
}

/// Moves the time floor forward; an earlier time changes nothing.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn raise_time_floor(transaction: &Transaction<'_>, to: Timestamp) -> Result<()> {
    transaction
        .execute("UPDATE appliance SET time_floor = max(time_floor, ?)", [to])
        .sql("raise the time floor")?;
    Ok(())
}

/// Starts the time floor again, for a root document with `time_reset`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn reset_time_floor(transaction: &Transaction<'_>, to: Timestamp) -> Result<()> {
    transaction
        .execute("UPDATE appliance SET time_floor = ?", [to])
        .sql("reset the time floor")?;
    Ok(())
}

/// Returns the number that grows with every activation.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn generation(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT generation FROM appliance", [], |row| row.get(0))
        .sql("read the generation")
}

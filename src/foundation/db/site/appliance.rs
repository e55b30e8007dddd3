//! The appliance itself: whose state this is, and the generation that a running server watches.

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

/// Records a new appliance; its generation is 0, and nobody has to approve what leaves.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn insert(transaction: &Transaction<'_>, appliance: &ApplianceRow) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO appliance (one, site, name, created_at, generation, agents, repairs, approvals)
             VALUES (1, ?, ?, ?, 0, 0, 0, 0)",
            params![appliance.site, appliance.name, appliance.created_at],
        )
        .sql("record the appliance")?;
    Ok(())
}

/// Returns whose state this is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
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

/// Returns the number that grows with every activation.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn generation(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT generation FROM appliance", [], |row| row.get(0))
        .sql("read the generation")
}

/// Returns how many people have to approve what leaves.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn approvals(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT approvals FROM appliance", [], |row| row.get(0))
        .sql("read how many approvals are asked for")
}

/// Says how many people have to approve what leaves from now on.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set_approvals(transaction: &Transaction<'_>, approvals: u64) -> Result<()> {
    transaction
        .execute("UPDATE appliance SET approvals = ?", [approvals])
        .sql("record how many approvals are asked for")?;
    Ok(())
}

//! What agents were told last of each deployment, and from which record on their statuses are about that.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp, Uuid};

/// What an agent was told of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertised {
    /// The revision that it shall run; of one that is gone the last one, where that is known.
    pub revision: Option<Uuid>,
    /// It was told that the deployment shall not run any more.
    pub gone: bool,
    /// Records with lower numbers came before.
    pub number: u64,
    /// What was reported below this number says nothing of what runs.
    pub reset: u64,
    /// When it was told first.
    pub at: Timestamp,
    /// Of one that is gone: when the agent asked again, having done what it was told before.
    pub confirmed: Option<Timestamp>,
}

/// Returns what was told of every deployment, by source.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn advertised(connection: &Connection) -> Result<Vec<(i64, Advertised)>> {
    let mut statement = connection
        .prepare_cached("SELECT source, revision, gone, number, reset, at, confirmed FROM advertised ORDER BY source")
        .sql("read what agents were told")?;
    let rows = statement
        .query_map([], |row| {
            let told = Advertised {
                revision: row.get(1)?,
                gone: row.get(2)?,
                number: row.get(3)?,
                reset: row.get(4)?,
                at: row.get(5)?,
                confirmed: row.get(6)?,
            };
            Ok((row.get(0)?, told))
        })
        .sql("read what agents were told")?;
    rows.collect::<rusqlite::Result<_>>().sql("read what agents were told")
}

/// Records what was told of a deployment.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_advertised(transaction: &Transaction<'_>, source: i64, told: &Advertised) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO advertised (source, revision, gone, number, reset, at, confirmed) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                source,
                told.revision,
                told.gone,
                told.number,
                told.reset,
                told.at,
                told.confirmed
            ])
        })
        .sql("record what an agent was told")?;
    Ok(())
}

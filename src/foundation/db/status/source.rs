//! Who reports: targets and their deployments, with short numbers in place of UUIDs.

use rusqlite::{Connection, Transaction, params};

use super::StreamId;
use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, Timestamp, Uuid};

/// A target, or a deployment of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its number in this file, from 1 on.
    pub id: i64,
    /// Where everything goes that it reports.
    pub stream: StreamId,
    /// The target.
    pub target: Uuid,
    /// Whose target it was then.
    pub owner: Hash,
    /// The deployment; none for the target itself.
    pub deployment: Option<Uuid>,
    /// Name of the target, for people.
    pub name: String,
    /// Version that the agent stated last.
    pub agent: Option<String>,
    /// First seen.
    pub since: Timestamp,
}

/// Returns every source.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn sources(connection: &Connection) -> Result<Vec<Source>> {
    let mut statement = connection
        .prepare_cached("SELECT id, stream, target, owner, deployment, name, agent, since FROM source ORDER BY id")
        .sql("read the sources")?;
    let rows = statement
        .query_map([], |row| {
            Ok(Source {
                id: row.get(0)?,
                stream: row.get(1)?,
                target: row.get(2)?,
                owner: row.get(3)?,
                deployment: row.get(4)?,
                name: row.get(5)?,
                agent: row.get(6)?,
                since: row.get(7)?,
            })
        })
        .sql("read the sources")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the sources")
}

/// Adds a source.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn insert_source(transaction: &Transaction<'_>, source: &Source) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO source (id, stream, target, owner, deployment, name, agent, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                source.id,
                source.stream,
                source.target,
                source.owner,
                source.deployment,
                source.name,
                source.agent,
                source.since
            ])
        })
        .sql("record a source")?;
    Ok(())
}

/// Changes a target's name and the version of its agent.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_agent(transaction: &Transaction<'_>, id: i64, name: &str, agent: Option<&str>) -> Result<()> {
    transaction
        .prepare_cached("UPDATE source SET name = ?, agent = ? WHERE id = ?")
        .and_then(|mut statement| statement.execute(params![name, agent, id]))
        .sql("record an agent's version")?;
    Ok(())
}

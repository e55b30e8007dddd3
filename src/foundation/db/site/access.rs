//! Credentials of people and machines that are no agents: what each may read, and a keyed hash of its secret.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Name, RepositoryPattern, Result, Scope, Timestamp};

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// Its name, for people.
    pub name: Name,
    /// HMAC-SHA-256 of the secret under a key of this appliance.
    pub mac: Hash,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it may read, in the order in which that is asked.
    pub grants: Vec<AccessGrant>,
}

/// Repositories of one product and channel of one vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGrant {
    /// Whose releases answer.
    pub scope: Scope,
    /// Which of their repositories.
    pub repositories: RepositoryPattern,
}

/// Returns all credentials by their names.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<AccessRow>> {
    const DOING: &str = "read the credentials";
    let mut select = connection
        .prepare_cached("SELECT name, mac, created_at FROM access ORDER BY name")
        .sql(DOING)?;
    let rows = select
        .query_map([], |row| {
            Ok(AccessRow {
                name: row.get(0)?,
                mac: row.get(1)?,
                created_at: row.get(2)?,
                grants: Vec::new(),
            })
        })
        .sql(DOING)?;
    let mut found: Vec<AccessRow> = rows.collect::<rusqlite::Result<_>>().sql(DOING)?;
    let mut select = connection
        .prepare_cached("SELECT domain, product, channel, repositories FROM access_grant WHERE name = ? ORDER BY place")
        .sql(DOING)?;
    for access in &mut found {
        let grants = select
            .query_map([&access.name], |row| {
                Ok(AccessGrant {
                    scope: Scope {
                        domain: row.get(0)?,
                        product: row.get(1)?,
                        channel: row.get(2)?,
                    },
                    repositories: row.get(3)?,
                })
            })
            .sql(DOING)?;
        access.grants = grants.collect::<rusqlite::Result<_>>().sql(DOING)?;
    }
    Ok(found)
}

/// Keeps a new credential; says whether its name was free.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn add(transaction: &Transaction<'_>, access: &AccessRow) -> Result<bool> {
    const DOING: &str = "record the credential";
    let added = transaction
        .execute(
            "INSERT INTO access (name, mac, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            params![access.name, access.mac, access.created_at],
        )
        .sql(DOING)?;
    if added == 0 {
        return Ok(false);
    }
    for (place, AccessGrant { scope, repositories }) in access.grants.iter().enumerate() {
        transaction
            .execute(
                "INSERT INTO access_grant (name, place, domain, product, channel, repositories) VALUES (?, ?, ?, ?, ?, ?)",
                params![access.name, place, scope.domain, scope.product, scope.channel, repositories],
            )
            .sql(DOING)?;
    }
    Ok(true)
}

/// Removes a credential; says whether there was one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn remove(transaction: &Transaction<'_>, name: &Name) -> Result<bool> {
    const DOING: &str = "remove the credential";
    transaction
        .execute("DELETE FROM access_grant WHERE name = ?", [name])
        .sql(DOING)?;
    let removed = transaction
        .execute("DELETE FROM access WHERE name = ?", [name])
        .sql(DOING)?;
    Ok(removed > 0)
}

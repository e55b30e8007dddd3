//! Which keys are this appliance's own: a keyed hash under each, by which another one in its place is noticed.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result};

/// A key that nobody else has or knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKey {
    /// That of tokens and target secrets.
    Token,
    /// That of the revisions that agents are told.
    Revision,
}

impl OwnKey {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Revision => "revision",
        }
    }
}

/// Records what a key proves itself with, in the place of what was known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put(transaction: &Transaction<'_>, key: OwnKey, proof: Hash) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO own_key (name, proof) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET proof = ?2",
            params![key.as_str(), proof],
        )
        .sql("record a key of the appliance")?;
    Ok(())
}

/// Returns what a key proves itself with; nothing where that was never recorded.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn get(connection: &Connection, key: OwnKey) -> Result<Option<Hash>> {
    connection
        .prepare_cached("SELECT proof FROM own_key WHERE name = ?")
        .and_then(|mut select| select.query_row([key.as_str()], |row| row.get(0)).optional())
        .sql("look for a key of the appliance")
}

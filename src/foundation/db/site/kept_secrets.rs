//! Which values of secrets were entered or made at this site, and in which file each of them stands. A value belongs to its scope: no
//! other one's is ever found under its name.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Result, Scope, SecretName, Timestamp, Uuid};

/// How a value came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person entered it.
    Entered,
    /// It was made here.
    Generated,
    /// However it came to be, it was let go: nobody gets it, and it is still taken out of texts.
    Forgotten,
}

/// A value that is kept, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: SecretName,
    /// The target that it is for; none for the whole site.
    pub target: Option<Uuid>,
    /// How it came to be.
    pub origin: Origin,
    /// Since when it counts, or is forgotten.
    pub at: Timestamp,
    /// Name of its file in `secrets/`.
    pub file: String,
}

impl KeptSecret {
    /// Whether it is used.
    pub fn counts(&self) -> bool {
        self.origin != Origin::Forgotten
    }
}

/// Returns all of them, forgotten ones too, by scope, name and target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<KeptSecret>> {
    let mut select = connection
        .prepare_cached(
            "SELECT s.domain, s.product, s.channel, k.name, k.target, k.origin, k.at, k.file
             FROM kept_secret k JOIN scope s ON s.id = k.scope ORDER BY s.product, s.channel, s.domain, k.name, k.target",
        )
        .sql("read the kept secrets")?;
    let rows = select
        .query_map([], |row| {
            Ok(KeptSecret {
                scope: Scope {
                    domain: row.get(0)?,
                    product: row.get(1)?,
                    channel: row.get(2)?,
                },
                name: row.get(3)?,
                target: row.get(4)?,
                origin: row.get(5)?,
                at: row.get(6)?,
                file: row.get(7)?,
            })
        })
        .sql("read the kept secrets")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the kept secrets")
}

/// Lets a value count, in the place of any before, and returns the file of that one.
///
/// # Errors
///
/// `E-STATE no-release` when no release of the scope is here; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put(transaction: &Transaction<'_>, kept: &KeptSecret) -> Result<Option<String>> {
    let before = remove(transaction, &kept.scope, &kept.name, kept.target)?;
    let (scope, origin) = (&kept.scope, kept.origin.as_str());
    let inserted = transaction
        .execute(
            "INSERT INTO kept_secret (scope, name, target, origin, at, file)
             SELECT id, ?4, ?5, ?6, ?7, ?8 FROM scope WHERE domain = ?1 AND product = ?2 AND channel = ?3",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                kept.name,
                kept.target,
                origin,
                kept.at,
                kept.file
            ],
        )
        .sql("record a secret")?;
    if inserted == 0 {
        return Err(Error::new(
            Class::State,
            "no-release",
            format!("no release of {scope} was imported here"),
        ));
    }
    Ok(before)
}

/// Lets a value be used no more, and keeps its file.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn forget(
    transaction: &Transaction<'_>,
    scope: &Scope,
    (name, target): (&SecretName, Option<Uuid>),
    now: Timestamp,
) -> Result<()> {
    transaction
        .execute(
            "UPDATE kept_secret SET origin = 'forgotten', at = ?6 WHERE name = ?4 AND target IS ?5
               AND scope = (SELECT id FROM scope WHERE domain = ?1 AND product = ?2 AND channel = ?3)",
            params![scope.domain, scope.product, scope.channel, name, target, now],
        )
        .map(drop)
        .sql("forget a secret")
}

/// Removes a value, and returns its file; nothing where there was none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn remove(
    transaction: &Transaction<'_>,
    scope: &Scope,
    name: &SecretName,
    target: Option<Uuid>,
) -> Result<Option<String>> {
    transaction
        .query_row(
            "DELETE FROM kept_secret WHERE name = ?4 AND target IS ?5
               AND scope = (SELECT id FROM scope WHERE domain = ?1 AND product = ?2 AND channel = ?3) RETURNING file",
            params![scope.domain, scope.product, scope.channel, name, target],
            |row| row.get(0),
        )
        .optional()
        .sql("forget a secret")
}

impl Origin {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Generated => "generated",
            Self::Forgotten => "forgotten",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromSql for Origin {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "entered" => Ok(Self::Entered),
            "generated" => Ok(Self::Generated),
            "forgotten" => Ok(Self::Forgotten),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

//! Targets made here, each of which follows one of a release and counts as that one's product's.

use rusqlite::{Connection, Transaction, params};

use super::owners;
use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Result, Timestamp, Uuid};

/// A target made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTarget {
    /// Its random UUID.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// The target of a release that it follows.
    pub template: Uuid,
}

/// Returns the targets that were made here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<LocalTarget>> {
    let mut select = connection
        .prepare_cached("SELECT target, name, template FROM local_target ORDER BY name")
        .sql("read the local targets")?;
    let rows = select
        .query_map([], |row| {
            Ok(LocalTarget {
                id: row.get(0)?,
                name: row.get(1)?,
                template: row.get(2)?,
            })
        })
        .sql("read the local targets")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the local targets")
}

/// Keeps a new local target, which counts as that product's which has its template.
///
/// # Errors
///
/// `E-STATE no-target` when that is nobody's any more; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn add(transaction: &Transaction<'_>, target: &LocalTarget, at: Timestamp) -> Result<()> {
    if !owners::add_local(transaction, &target.id, &target.template)? {
        return Err(Error::new(
            Class::State,
            "no-target",
            format!("the target {} is not here any more", target.template),
        ));
    }
    transaction
        .execute(
            "INSERT INTO local_target (target, name, template, created_at) VALUES (?, ?, ?, ?)",
            params![target.id, target.name, target.template, at],
        )
        .sql("record the local target")?;
    Ok(())
}

/// Forgets a local target, with its secret. Its UUID stays its product's, and its tokens are dead.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn forget(transaction: &Transaction<'_>, target: &Uuid) -> Result<()> {
    for statement in [
        "DELETE FROM local_target WHERE target = ?",
        "DELETE FROM target_secret WHERE target = ?",
    ] {
        transaction
            .execute(statement, [target])
            .sql("forget the local target")?;
    }
    owners::end_tokens(transaction, target)
}

//! Targets and deployments that were taken away here: of one product, whatever its releases say.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, params};

use super::owner::Owner;
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp, Uuid};

/// All of them, by product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalRemovals(BTreeMap<Owner, BTreeSet<Uuid>>);

impl LocalRemovals {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read(connection: &Connection) -> Result<Self> {
        let mut select = connection
            .prepare_cached("SELECT domain, product, id FROM local_removal")
            .sql("read the local removals")?;
        let mut rows = select.query([]).sql("read the local removals")?;
        let mut all: BTreeMap<Owner, BTreeSet<Uuid>> = BTreeMap::new();
        while let Some(row) = rows.next().sql("read the local removals")? {
            let owner = Owner {
                domain: row.get(0).sql("read the local removals")?,
                product: row.get(1).sql("read the local removals")?,
            };
            let id = row.get(2).sql("read the local removals")?;
            all.entry(owner).or_default().insert(id);
        }
        Ok(Self(all))
    }

    /// Whether something of a product was taken away.
    pub fn contains(&self, owner: &Owner, id: &Uuid) -> bool {
        self.0.get(owner).is_some_and(|ids| ids.contains(id))
    }

    /// Returns what was taken away of a product.
    pub fn of(mut self, owner: &Owner) -> BTreeSet<Uuid> {
        self.0.remove(owner).unwrap_or_default()
    }
}

/// Returns when each target or deployment of a product was taken away.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn times(connection: &Connection, owner: &Owner) -> Result<BTreeMap<Uuid, Timestamp>> {
    let mut select = connection
        .prepare_cached("SELECT id, at FROM local_removal WHERE domain = ? AND product = ?")
        .sql("read the local removals")?;
    let rows = select
        .query_map(params![owner.domain, owner.product], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .sql("read the local removals")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the local removals")
}

/// Whether something of a product was taken away.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn contains(connection: &Connection, owner: &Owner, id: &Uuid) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM local_removal WHERE domain = ? AND product = ? AND id = ?)")
        .and_then(|mut select| select.query_row(params![owner.domain, owner.product, id], |row| row.get(0)))
        .sql("look for a local removal")
}

/// Takes a target or deployment of a product away, or takes that back; says whether anything changed.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn set(transaction: &Transaction<'_>, owner: &Owner, id: &Uuid, removed: bool, at: Timestamp) -> Result<bool> {
    let changed = if removed {
        transaction.execute(
            "INSERT INTO local_removal (domain, product, id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![owner.domain, owner.product, id, at],
        )
    } else {
        transaction.execute(
            "DELETE FROM local_removal WHERE domain = ? AND product = ? AND id = ?",
            params![owner.domain, owner.product, id],
        )
    };
    Ok(changed.sql("record the local removal")? > 0)
}

//! Which numbers of a site's streams were told: intervals of each instance's own numbers, joined where they touch.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::instances::{Lineage, Numbered, Owned};
use crate::db::SqlResult as _;
use crate::domain::Result;

/// Adds numbers to what was told of an instance.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn cover(transaction: &Transaction<'_>, kind: Numbered, owned: Owned) -> Result<()> {
    let kind = kind as u8;
    let (mut first, mut last) = (owned.first, owned.last);
    let touching: Vec<(u64, u64)> = {
        let mut select = transaction
            .prepare_cached(
                "SELECT first, last FROM coverage WHERE instance = ?1 AND kind = ?2 AND first <= ?4 + 1 AND last >= ?3 - 1",
            )
            .sql("read what was told")?;
        let rows = select
            .query_map(params![owned.instance, kind, first, last], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .sql("read what was told")?;
        rows.collect::<rusqlite::Result<_>>().sql("read what was told")?
    };
    for (start, end) in touching {
        first = first.min(start);
        last = last.max(end);
        transaction
            .prepare_cached("DELETE FROM coverage WHERE instance = ? AND kind = ? AND first = ?")
            .and_then(|mut delete| delete.execute(params![owned.instance, kind, start]))
            .sql("join what was told")?;
    }
    transaction
        .prepare_cached("INSERT INTO coverage (instance, kind, first, last) VALUES (?, ?, ?, ?)")
        .and_then(|mut insert| insert.execute(params![owned.instance, kind, first, last]))
        .sql("record what was told")?;
    Ok(())
}

/// Returns up to which number everything after `after` was told along a lineage, without a hole; `after` itself where the next is not.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn reach(connection: &Connection, lineage: &Lineage, kind: Numbered, after: u64) -> Result<u64> {
    let mut reached = after;
    for owned in lineage.split(kind, after.saturating_add(1), u64::MAX) {
        let next = reached.saturating_add(1);
        // What lies between two instances' own numbers does not exist: the next begins where this one's end.
        if owned.first != next {
            break;
        }
        let end: Option<u64> = connection
            .prepare_cached(
                "SELECT last FROM coverage WHERE instance = ?1 AND kind = ?2 AND first <= ?3 AND last >= ?3",
            )
            .and_then(|mut select| {
                select
                    .query_row(params![owned.instance, kind as u8, next], |row| row.get(0))
                    .optional()
            })
            .sql("read what was told")?;
        let Some(end) = end else {
            break;
        };
        reached = end.min(owned.last);
        if reached < owned.last {
            break;
        }
    }
    Ok(reached)
}

/// Returns the highest number of a kind that was told along a lineage; 0 where there is none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn highest(connection: &Connection, lineage: &Lineage, kind: Numbered) -> Result<u64> {
    let mut highest = 0;
    for owned in lineage.split(kind, 1, u64::MAX) {
        let last: Option<u64> = connection
            .prepare_cached("SELECT max(last) FROM coverage WHERE instance = ? AND kind = ?")
            .and_then(|mut select| select.query_row(params![owned.instance, kind as u8], |row| row.get(0)))
            .sql("read what was told")?;
        highest = highest.max(last.unwrap_or(0).min(owned.last));
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::ledger::instances::{self, shown};
    use crate::db::{Db, Schema};
    use crate::domain::SiteId;

    #[test]
    fn intervals_join_and_a_lineage_reaches_over_its_instances() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        db.write(|tx| {
            let sql = format!(
                "INSERT INTO site VALUES ('{site}', 'plant', x'', x'', x'', 0, NULL);
                 INSERT INTO instance VALUES (1, '{site}', '{:032x}', NULL, 1, 1, 1), (2, '{site}', '{:032x}', 1, 11, 3, 3);",
                1, 2
            );
            tx.execute_batch(&sql).sql("prepare")?;
            let line = shown(tx, &site)?.unwrap();
            assert_eq!(line.youngest().id, 2);
            let tell = |first, last| {
                for owned in line.split(Numbered::Records, first, last) {
                    cover(tx, Numbered::Records, owned).unwrap();
                }
                (reach(tx, &line, Numbered::Records, 0).unwrap(), highest(tx, &line, Numbered::Records).unwrap())
            };
            assert_eq!(tell(1, 4), (4, 4));
            assert_eq!(tell(9, 12), (4, 12));
            assert_eq!(tell(5, 5), (5, 12));
            assert_eq!(tell(5, 8), (12, 12));
            assert_eq!(tell(2, 20), (20, 20));
            assert_eq!(reach(tx, &line, Numbered::Records, 30)?, 30);
            assert_eq!(reach(tx, &line, Numbered::Audit, 0)?, 0);
            let rows: i64 = tx.query_row("SELECT count(*) FROM coverage", [], |row| row.get(0)).sql("count")?;
            assert_eq!(rows, 2);
            assert_eq!(instances::instances(tx, &site)?.len(), 2);
            Ok(())
        })
        .unwrap();
    }
}

//! Numbers of the shown line that no package told of.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::super::instances::{Lineage, Numbered};
use crate::db::SqlResult as _;
use crate::domain::Result;

/// Numbers that are missing here, while later ones are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// What is numbered.
    pub kind: Numbered,
    /// First of them.
    pub first: u64,
    /// Last of them.
    pub last: u64,
}

/// Returns the holes of one kind, ascending.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn holes(connection: &Connection, line: &Lineage, kind: Numbered) -> Result<Vec<Hole>> {
    let mut all = BTreeMap::new();
    for instance in line.instances() {
        all.insert((instance.id, kind as u64), told(connection, instance.id, kind)?);
    }
    Ok(Told(all).holes(line, kind))
}

/// What was told of every instance: first and last numbers by instance and kind, ascending.
#[derive(Debug)]
pub struct Told(BTreeMap<(u64, u64), Vec<(u64, u64)>>);

impl Told {
    /// Reads it of all sites at once.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read(connection: &Connection) -> Result<Self> {
        let what = "read what was told";
        let mut select = connection
            .prepare_cached("SELECT instance, kind, first, last FROM coverage ORDER BY instance, kind, first")
            .sql(what)?;
        let rows = select
            .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))))
            .sql(what)?;
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for row in rows {
            let (whose, range) = row.sql(what)?;
            all.entry(whose).or_default().push(range);
        }
        Ok(Self(all))
    }

    fn of(&self, instance: u64, kind: Numbered) -> &[(u64, u64)] {
        self.0.get(&(instance, kind as u64)).map_or(&[], Vec::as_slice)
    }

    /// The highest number of a kind that was told along a line; 0 where there is none.
    fn highest(&self, line: &Lineage, kind: Numbered) -> u64 {
        let lasts = line.split(kind, 1, u64::MAX).into_iter().filter_map(|owned| {
            let (_, last) = self.of(owned.instance, kind).last()?;
            Some((*last).min(owned.last))
        });
        lasts.max().unwrap_or(0)
    }

    /// Up to which number everything of a line was told.
    pub fn reach(&self, line: &Lineage, kind: Numbered) -> u64 {
        match self.holes(line, kind).first() {
            Some(hole) => hole.first.saturating_sub(1),
            None => self.highest(line, kind),
        }
    }

    /// As [`holes`].
    pub fn holes(&self, line: &Lineage, kind: Numbered) -> Vec<Hole> {
        let end = self.highest(line, kind);
        let mut found: Vec<Hole> = Vec::new();
        let mut next = 1;
        for owned in line.split(kind, 1, end) {
            for &(first, last) in self.of(owned.instance, kind) {
                // What lies above where the next instance begins was lost with this one.
                let (first, last) = (first.max(owned.first), last.min(owned.last));
                if first > last {
                    continue;
                }
                if first > next {
                    found.push(Hole {
                        kind,
                        first: next,
                        last: first.saturating_sub(1),
                    });
                }
                next = next.max(last.saturating_add(1));
            }
        }
        found
    }
}

/// Returns what was told of an instance, whether it is shown or not: intervals, ascending.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn told(connection: &Connection, instance: u64, kind: Numbered) -> Result<Vec<(u64, u64)>> {
    let what = "read what was told";
    let mut select = connection
        .prepare_cached("SELECT first, last FROM coverage WHERE instance = ? AND kind = ? ORDER BY first")
        .sql(what)?;
    let rows = select
        .query_map(params![instance, kind as u8], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

#[cfg(test)]
mod tests {
    use super::super::super::coverage::cover;
    use super::super::super::instances::{Owned, shown};
    use super::*;
    use crate::db::{Db, Schema};
    use crate::domain::SiteId;

    #[test]
    fn a_hole_goes_over_the_end_of_an_instance_and_what_was_lost_fills_none() {
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
            let tell = |instance, first, last| {
                let owned = Owned { instance, first, last };
                cover(tx, Numbered::Records, owned).unwrap();
                let holes = holes(tx, &line, Numbered::Records).unwrap();
                let all = Told::read(tx).unwrap();
                assert_eq!(all.holes(&line, Numbered::Records), holes);
                let reached = super::super::super::coverage::reach(tx, &line, Numbered::Records, 0).unwrap();
                assert_eq!(all.reach(&line, Numbered::Records), reached);
                holes.iter().map(|hole| (hole.first, hole.last)).collect::<Vec<_>>()
            };
            assert_eq!(tell(1, 3, 5), [(1, 2)]);
            assert_eq!(tell(1, 8, 20), [(1, 2), (6, 7)]);
            assert_eq!(tell(2, 15, 16), [(1, 2), (6, 7), (11, 14)]);
            assert_eq!(tell(1, 1, 7), [(11, 14)]);
            assert_eq!(tell(2, 11, 14), []);
            Ok(())
        })
        .unwrap();
    }
}

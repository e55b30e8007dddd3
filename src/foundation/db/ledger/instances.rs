//! Lives of a site's state folder, and which of them is shown (M-82, M-83; SPEC section 16).
//!
//! Every instance says which one it goes on from. A number belongs to the last instance of a lineage that begins at or below it. Where
//! instances report beside one another, the youngest is shown: one from which no other goes on, by lineages and by what the site's log
//! says; of several the one first seen last. Never by the site's clock, nor by the length of a lineage: a folder that was restored from an
//! old copy has a short one, and one of which nothing was acknowledged is in none.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, Row, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{InstanceId, Result, SiteId};

/// What is numbered in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Numbered {
    /// Records and gap records.
    Records = 1,
    /// Receipts.
    Receipts = 2,
    /// Rows of the stream log.
    Audit = 3,
}

/// An instance that the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Row id: grows in the order in which instances were first seen.
    pub id: u64,
    /// The instance.
    pub instance: InstanceId,
    /// Row id of the one that it goes on from.
    pub parent: Option<u64>,
    /// Its first record.
    pub records: u64,
    /// Its first receipt.
    pub receipts: u64,
    /// Its first row of the stream log.
    pub audit: u64,
}

impl Instance {
    /// Returns its first number of a kind.
    pub fn first(&self, kind: Numbered) -> u64 {
        match kind {
            Numbered::Records => self.records,
            Numbered::Receipts => self.receipts,
            Numbered::Audit => self.audit,
        }
    }

    /// Returns where it begins.
    pub fn begins(&self) -> Begins {
        Begins {
            records: self.records,
            receipts: self.receipts,
            audit: self.audit,
        }
    }
}

/// Where an instance begins: its first number of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begins {
    /// First record.
    pub records: u64,
    /// First receipt.
    pub receipts: u64,
    /// First row of the stream log.
    pub audit: u64,
}

impl Begins {
    /// Where the first one of a stream begins.
    pub const AT_ONE: Self = Self {
        records: 1,
        receipts: 1,
        audit: 1,
    };
}

/// An instance with those it goes on from, oldest first. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage(Vec<Instance>);

/// Numbers `first..=last` of one instance's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// Row id of the instance.
    pub instance: u64,
    /// First of them.
    pub first: u64,
    /// Last of them.
    pub last: u64,
}

impl Lineage {
    /// Returns the instances, oldest first.
    pub fn instances(&self) -> &[Instance] {
        &self.0
    }

    /// Returns the instance whose lineage it is.
    pub fn youngest(&self) -> &Instance {
        self.0.last().expect("a lineage has its own instance")
    }

    /// Returns the instance that a number belongs to.
    pub fn owner(&self, kind: Numbered, number: u64) -> Option<&Instance> {
        self.0.iter().rev().find(|instance| instance.first(kind) <= number)
    }

    /// Splits the numbers `first..=last` by the instances they belong to, ascending; an empty range has none.
    pub fn split(&self, kind: Numbered, first: u64, last: u64) -> Vec<Owned> {
        let ends = self.0.iter().skip(1).map(|next| next.first(kind).saturating_sub(1));
        let owned = self.0.iter().zip(ends.chain([u64::MAX])).map(|(instance, end)| Owned {
            instance: instance.id,
            first: first.max(instance.first(kind)),
            last: last.min(end),
        });
        owned.filter(|owned| owned.first <= owned.last).collect()
    }
}

/// Returns the instances of a site in the order in which they were first seen.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn instances(connection: &Connection, site: &SiteId) -> Result<Vec<Instance>> {
    let mut select = connection
        .prepare_cached(
            "SELECT id, instance, parent, records, receipts, audit FROM instance WHERE site = ? ORDER BY id",
        )
        .sql("read the instances")?;
    let rows = select.query_map([site], read).sql("read the instances")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the instances")
}

/// Records an instance that was not known, behind the one that it goes on from, and returns its row id.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_instance(
    transaction: &Transaction<'_>,
    site: &SiteId,
    instance: &InstanceId,
    parent: Option<u64>,
    begins: Begins,
) -> Result<u64> {
    transaction
        .prepare_cached(
            "INSERT INTO instance (site, instance, parent, records, receipts, audit) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .and_then(|mut insert| {
            insert.query_row(
                params![site, instance, parent, begins.records, begins.receipts, begins.audit],
                |row| row.get(0),
            )
        })
        .sql("record the instance")
}

/// Records from which instance another one goes on, as the site's log says; what was said first stands.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_said_parent(
    transaction: &Transaction<'_>,
    site: &SiteId,
    instance: &InstanceId,
    parent: &InstanceId,
) -> Result<()> {
    transaction
        .prepare_cached("INSERT INTO said_parent (site, instance, parent) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .and_then(|mut insert| insert.execute(params![site, instance, parent]))
        .map(|_| ())
        .sql("record the instance")
}

/// Returns the lineage that is shown of a site; none where nothing of it was ever taken in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn shown(connection: &Connection, site: &SiteId) -> Result<Option<Lineage>> {
    Ok(living(&instances(connection, site)?, &said_parents(connection, site)?))
}

/// Returns the lineages that are shown of all sites of which anything was ever taken in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn shown_of_all(connection: &Connection) -> Result<BTreeMap<SiteId, Lineage>> {
    let what = "read the instances";
    let mut select = connection
        .prepare_cached("SELECT id, instance, parent, records, receipts, audit, site FROM instance ORDER BY site, id")
        .sql(what)?;
    let rows = select
        .query_map([], |row| Ok((row.get::<_, SiteId>(6)?, read(row)?)))
        .sql(what)?;
    let mut by_site = BTreeMap::<SiteId, Vec<Instance>>::new();
    for row in rows {
        let (site, instance) = row.sql(what)?;
        by_site.entry(site).or_default().push(instance);
    }
    let mut said = HashMap::<SiteId, HashMap<InstanceId, InstanceId>>::new();
    let mut select = connection
        .prepare_cached("SELECT instance, parent, site FROM said_parent")
        .sql(what)?;
    let rows = select
        .query_map([], |row| Ok((row.get::<_, SiteId>(2)?, (row.get(0)?, row.get(1)?))))
        .sql(what)?;
    for row in rows {
        let (site, (instance, parent)) = row.sql(what)?;
        said.entry(site).or_default().insert(instance, parent);
    }
    let none = HashMap::new();
    let lines = by_site
        .into_iter()
        .filter_map(|(site, all)| Some((site.clone(), living(&all, said.get(&site).unwrap_or(&none))?)));
    Ok(lines.collect())
}

/// Returns the lineage of the life that was seen first last, of those from which no other goes on.
fn living(all: &[Instance], said: &HashMap<InstanceId, InstanceId>) -> Option<Lineage> {
    let over = over(all, said);
    let living = all.iter().rev().find(|instance| !over.contains(&instance.instance));
    // A site whose lives go on from one another in a circle has lied.
    living.or(all.last()).map(|instance| lineage(all, instance))
}

/// Returns the instances from which one that is known goes on.
fn over<'a>(all: &'a [Instance], said: &'a HashMap<InstanceId, InstanceId>) -> HashSet<&'a InstanceId> {
    let parents: HashSet<u64> = all.iter().filter_map(|instance| instance.parent).collect();
    let of_lineages = all.iter().filter(|instance| parents.contains(&instance.id));
    let mut over: HashSet<&InstanceId> = of_lineages.map(|instance| &instance.instance).collect();
    for instance in all {
        let mut next = said.get(&instance.instance);
        // Where one is over already, so are those before it.
        while let Some(parent) = next.filter(|parent| over.insert(parent)) {
            next = said.get(parent);
        }
    }
    over
}

fn said_parents(connection: &Connection, site: &SiteId) -> Result<HashMap<InstanceId, InstanceId>> {
    let mut select = connection
        .prepare_cached("SELECT instance, parent FROM said_parent WHERE site = ?")
        .sql("read the instances")?;
    let rows = select
        .query_map([site], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql("read the instances")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the instances")
}

/// Returns the lineage of one of a site's instances.
pub fn lineage(all: &[Instance], of: &Instance) -> Lineage {
    let by_id: HashMap<u64, &Instance> = all.iter().map(|instance| (instance.id, instance)).collect();
    let mut line = vec![of.clone()];
    let mut next = of.parent;
    // Every instance is written after its parent, so this ends; damage must not make it turn in a circle.
    while let Some(parent) = next.and_then(|id| by_id.get(&id)).filter(|_| line.len() <= all.len()) {
        line.push((*parent).clone());
        next = parent.parent;
    }
    line.reverse();
    Lineage(line)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: row.get(0)?,
        instance: row.get(1)?,
        parent: row.get(2)?,
        records: row.get(3)?,
        receipts: row.get(4)?,
        audit: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Schema};

    fn instance(id: u64, parent: Option<u64>, begins: u64) -> Instance {
        Instance {
            id,
            instance: format!("{id:032x}").parse().unwrap(),
            parent,
            records: begins,
            receipts: begins,
            audit: begins,
        }
    }

    #[test]
    fn a_number_belongs_to_the_last_that_began_at_or_below_it() {
        let all = [
            instance(1, None, 1),
            instance(2, Some(1), 10),
            instance(3, Some(2), 10),
            instance(4, Some(1), 5),
        ];
        let line = lineage(&all, &all[2]);
        assert_eq!(line.instances().iter().map(|i| i.id).collect::<Vec<_>>(), [1, 2, 3]);
        let owner = |number| line.owner(Numbered::Records, number).map(|i| i.id);
        assert_eq!(
            (owner(0), owner(1), owner(9), owner(10), owner(u64::MAX)),
            (None, Some(1), Some(1), Some(3), Some(3))
        );
        let split = |first, last| {
            let owned = line.split(Numbered::Records, first, last);
            owned.iter().map(|o| (o.instance, o.first, o.last)).collect::<Vec<_>>()
        };
        assert_eq!(split(3, 12), [(1, 3, 9), (3, 10, 12)]);
        assert_eq!(split(10, 9), []);
        assert_eq!(split(1, 2), [(1, 1, 2)]);
    }

    /// Of two lives that go on from one, that which was seen last is shown, however long the line of the other is: of one site as of all.
    #[test]
    fn one_site_is_shown_as_all_are() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let name = |id: u64| format!("{id:032x}").parse::<InstanceId>().unwrap();
        db.write(|tx| {
            tx.execute("INSERT INTO site VALUES (?1, 'plant', x'', x'', x'', 0, NULL)", [&site])
                .sql("prepare")?;
            for (id, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1))] {
                let begins = Begins {
                    records: 1,
                    receipts: 1,
                    audit: 1,
                };
                assert_eq!(record_instance(tx, &site, &name(id), parent, begins)?, id);
                let one = shown(tx, &site)?;
                assert_eq!(one.as_ref().map(|line| line.youngest().id), Some(id));
                assert_eq!(shown_of_all(tx)?.get(&site), one.as_ref());
            }
            // A package that was only seen says that another life goes on from the last.
            record_said_parent(tx, &site, &name(9), &name(4))?;
            let one = shown(tx, &site)?;
            assert_eq!(one.as_ref().map(|line| line.youngest().id), Some(4));
            assert_eq!(shown_of_all(tx)?.get(&site), one.as_ref());
            Ok(())
        })
        .unwrap();
    }
}

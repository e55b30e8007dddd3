//! What was made for a vendor and how far it is: every package that has a row, of each life of the state folder.

use std::collections::BTreeMap;

use super::facts::own_head;
use crate::appliance::state::Appliance;
use crate::db::site::packages::{self, PackageRow};
use crate::domain::{Hash, InstanceId, Result, Timestamp};
use crate::package::Head;

/// A package that was made here.
#[derive(Debug)]
pub struct Listed {
    /// How far it is.
    pub row: PackageRow,
    /// What it states.
    pub head: Head,
    /// The life of the state folder that made it is the one that goes on.
    pub is_of_this_life: bool,
    /// The vendor acknowledged all that it covers.
    pub is_acknowledged: bool,
    /// Its file is in the outbox, so that it can leave once more.
    pub has_file: bool,
}

impl Appliance {
    /// Returns the packages for a vendor: earlier lives of the state folder first, the present one last, each by number.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` when a row is damaged; `E-STATE planted`, `E-STATE` and `E-IO`.
    pub fn list_packages(&self, domain: Hash) -> Result<Vec<Listed>> {
        let life = self.instance()?;
        let rows = self.db.read(|connection| packages::list(connection, domain))?;
        // The names of lives say nothing of their order; their first packages do.
        let mut begun: BTreeMap<InstanceId, Timestamp> = BTreeMap::new();
        for row in &rows {
            let first = begun.entry(row.instance.clone()).or_insert(row.made_at);
            *first = row.made_at.min(*first);
        }
        let listed = rows.into_iter().map(|row| {
            Ok(Listed {
                is_of_this_life: row.instance == life,
                is_acknowledged: self.is_acknowledged(&row)?,
                has_file: self.open_package(row.head)?.is_some(),
                head: own_head(&row.bytes)?,
                row,
            })
        });
        let mut listed: Vec<Listed> = listed.collect::<Result<_>>()?;
        listed.sort_by_key(|one| {
            let begun = begun.get(&one.row.instance).copied();
            (one.is_of_this_life, begun, one.row.instance.clone(), one.row.number)
        });
        Ok(listed)
    }
}

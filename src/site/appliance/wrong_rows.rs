//! Whether the database says of each release what its signed index says: pages, blobs, names. A row that was changed past airlock would
//! answer a tag with other content of the same vendor; every byte of that is signed, and still it is not what was meant.

use super::damage::import_again;
use super::release_rows::Rows;
use super::state::Appliance;
use crate::bundle::Head;
use crate::db::Reads;
use crate::db::site::release::{self, ReleaseRow};
use crate::db::site::rows;
use crate::domain::{Class, Error, Result, counted};
use crate::store::Store;

/// A release of which the database says something else.
#[derive(Debug)]
pub struct WrongRows {
    /// The release.
    pub release: ReleaseRow,
    /// Rows that are missing, or there and not as signed.
    pub rows: u64,
}

impl WrongRows {
    /// Says so, with what mends it.
    pub fn error(&self) -> Error {
        let release = &self.release;
        Error::new(
            Class::State,
            "release-rows",
            format!(
                "the database says something else than was signed of release {} ({}) of {}: {} missing or changed",
                release.counter,
                release.version,
                release.scope,
                match self.rows {
                    1 => "1 row is".to_owned(),
                    rows => format!("{} are", counted(rows, "row")),
                }
            ),
        )
        .expected("what its signed index says")
        .remedy(import_again(release))
    }
}

impl Appliance {
    /// Compares what the database says of every release with its signed index, which is read anew.
    ///
    /// # Errors
    ///
    /// Those of the database; `E-IO`. A release whose documents are damaged is passed over: that is told of the store.
    pub fn wrong_rows(&self) -> Result<Vec<WrongRows>> {
        look(&self.db, &self.store)
    }
}

/// As [`Appliance::wrong_rows`], of a state folder that was not opened.
///
/// # Errors
///
/// As there.
pub(super) fn look(db: &impl Reads, store: &Store) -> Result<Vec<WrongRows>> {
    let mut wrong = Vec::new();
    for release in db.read(release::list)? {
        let signed = db.read(|connection| release::signed(connection, release.id));
        let made = signed.and_then(|signed| Rows::of_kept(&Head::parse(&signed.head)?, store));
        let named = match made {
            Ok(named) => named,
            Err(error) if error.class() == Class::Io => return Err(error),
            Err(_) => continue,
        };
        let count = db.read(|connection| {
            // Let go meanwhile, it has no rows.
            let is_here = release::find(connection, release.head)?.is_some_and(|found| found.id == release.id);
            if is_here {
                rows::count_wrong(connection, release.id, &named.expected())
            } else {
                Ok(0)
            }
        })?;
        if count > 0 {
            wrong.push(WrongRows { release, rows: count });
        }
    }
    Ok(wrong)
}

//! What was acknowledged goes: `status.db` learns of it, and files of packages end (M-109).

use std::io::ErrorKind;
use std::path::Path;

use crate::appliance::folder::OUTBOX;
use crate::appliance::state::Appliance;
use crate::appliance::status;
use crate::db::site::acknowledgements::{self, Freed};
use crate::domain::{Error, Hash, Result};
use crate::stream::sync_folder;

/// Packages of an instance whose files stay, whatever was acknowledged.
const KEPT: u64 = 2;

/// What followed.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Files of packages that went.
    pub(super) packages: u64,
    /// Bytes that they had.
    pub(super) bytes: u64,
    /// What could not be done yet.
    pub(super) undone: Vec<Error>,
}

/// Lets everything follow what `airlock.db` says was acknowledged of a stream. May be called at any time.
pub(super) fn follow(appliance: &Appliance, domain: Hash) -> Followed {
    let mut followed = Followed::default();
    let freed = appliance.db.read(acknowledgements::freed);
    let freed = freed.map(|freed| freed.into_iter().find(|freed| freed.domain == domain));
    let done = freed.map(|freed| {
        let Some(freed) = freed else { return };
        let done = [records(appliance, &freed), files(appliance, &freed, &mut followed)];
        followed.undone.extend(done.into_iter().filter_map(Result::err));
    });
    followed.undone.extend(done.err());
    followed
}

fn records(appliance: &Appliance, freed: &Freed) -> Result<()> {
    let path = appliance.status_database();
    let is_there = path.try_exists().map_err(|error| Error::io("look at", &path, error))?;
    if !is_there {
        return Ok(());
    }
    status::acknowledge(appliance, &freed.domain, freed.records, freed.covered_at)
}

fn files(appliance: &Appliance, freed: &Freed, followed: &mut Followed) -> Result<()> {
    let heads = appliance
        .db
        .read(|connection| acknowledgements::freed_packages(connection, freed, KEPT))?;
    for head in heads {
        if let Some(bytes) = remove(&appliance.package_path(head))? {
            followed.packages = followed.packages.saturating_add(1);
            followed.bytes = followed.bytes.saturating_add(bytes);
        }
    }
    if followed.packages > 0 {
        sync_folder(&appliance.folder().join(OUTBOX))?;
    }
    Ok(())
}

/// Removes a file; says how many bytes it had, where it was there.
fn remove(path: &Path) -> Result<Option<u64>> {
    let looked = std::fs::symlink_metadata(path).map_or(0, |found| found.len());
    match std::fs::remove_file(path) {
        Ok(()) => Ok(Some(looked)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("remove", path, error)),
    }
}

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

/// Lets everything follow what `airlock.db` says was acknowledged of a stream; returns what could not. May be called at any time.
pub(super) fn follow(appliance: &Appliance, domain: Hash) -> Vec<Error> {
    let freed = match appliance.db.read(acknowledgements::freed) {
        Ok(freed) => freed.into_iter().find(|freed| freed.domain == domain),
        Err(error) => return vec![error],
    };
    let Some(freed) = freed else { return Vec::new() };
    [records(appliance, &freed), files(appliance, &freed)]
        .into_iter()
        .filter_map(Result::err)
        .collect()
}

fn records(appliance: &Appliance, freed: &Freed) -> Result<()> {
    let path = appliance.status_database();
    let is_there = path.try_exists().map_err(|error| Error::io("look at", &path, error))?;
    if !is_there {
        return Ok(());
    }
    status::acknowledge(appliance, &freed.domain, freed.records, freed.covered_at)
}

fn files(appliance: &Appliance, freed: &Freed) -> Result<()> {
    let heads = appliance
        .db
        .read(|connection| acknowledgements::freed_packages(connection, freed, KEPT))?;
    let mut gone = false;
    for head in heads {
        gone |= remove(&appliance.package_path(head))?;
    }
    if gone {
        sync_folder(&appliance.folder().join(OUTBOX))?;
    }
    Ok(())
}

/// Removes a file; says whether it was there.
fn remove(path: &Path) -> Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path, error)),
    }
}

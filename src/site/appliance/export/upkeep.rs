//! Files of signed packages that the outbox keeps: until they are acknowledged, the newest two of each stream always, and as long as there is
//! room (M-87).

use std::fs;
use std::io;

use serde_json::json;

use super::facts::{numbers, own_head};
use super::outbox::ExportLock;
use crate::appliance::folder::OUTBOX;
use crate::appliance::state::Appliance;
use crate::db::site::packages::{self, PackageRow, State};
use crate::db::site::{acknowledgements, audit, stream_log};
use crate::domain::{Error, Hash, Result};
use crate::package::Numbers;
use crate::stream::sync_folder;

/// Files that each stream keeps, whatever they take.
const KEPT: usize = 2;

/// A file that may go.
struct Candidate {
    row: PackageRow,
    is_acknowledged: bool,
    size: u64,
}

/// Takes files of packages away until the rest takes no more than so many bytes: the oldest that is acknowledged first, then the oldest
/// that is not, whose loss is a row of the log. Returns these.
///
/// # Errors
///
/// `E-IO`; those of the database.
pub(super) fn drop_above(appliance: &Appliance, _lock: &ExportLock, limit: u64) -> Result<Vec<PackageRow>> {
    let (mut taken, mut candidates) = (0_u64, Vec::new());
    for domain in appliance.db.read(stream_log::domains)? {
        let (files, acknowledged) = files(appliance, domain)?;
        taken = files.iter().map(|(_, size)| *size).fold(taken, u64::saturating_add);
        let may_go = files.len().saturating_sub(KEPT);
        for (row, size) in files.into_iter().take(may_go) {
            let lasts = own_head(&row.bytes)?.lasts();
            candidates.push(Candidate {
                is_acknowledged: lasts.are_within(&acknowledged),
                row,
                size,
            });
        }
    }
    candidates.sort_by_key(|one| (!one.is_acknowledged, one.row.made_at, one.row.number));
    let mut lost = Vec::new();
    let mut removed = false;
    for Candidate {
        row,
        is_acknowledged,
        size,
    } in candidates
    {
        if taken <= limit {
            break;
        }
        if !is_acknowledged {
            appliance.db.write(|transaction| {
                let detail = json!({"domain": row.domain, "head": row.head, "number": row.number});
                audit::append(transaction, appliance.clock.now(), "status-drop", &detail, &[])
            })?;
        }
        let path = appliance.package_path(row.head);
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
        (taken, removed) = (taken.saturating_sub(size), true);
        if !is_acknowledged {
            lost.push(row);
        }
    }
    if removed {
        sync_folder(&appliance.folder().join(OUTBOX))?;
    }
    Ok(lost)
}

/// Returns the signed packages of a stream whose files are here, oldest first, with their bytes, and what was acknowledged.
fn files(appliance: &Appliance, domain: Hash) -> Result<(Vec<(PackageRow, u64)>, Numbers)> {
    let (rows, reached) = appliance.db.read(|connection| {
        Ok((
            packages::list(connection, domain)?,
            acknowledgements::reached(connection, domain)?,
        ))
    })?;
    let mut files = Vec::new();
    for row in rows.into_iter().filter(|row| row.state != State::Draft) {
        let path = appliance.package_path(row.head);
        match path.symlink_metadata() {
            Ok(found) => files.push((row, found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("look at", &path, error)),
        }
    }
    Ok((files, numbers(&reached)))
}

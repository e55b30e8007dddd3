//! Which releases agents report running, or were told to run: content of theirs may be pulled again at any time, whatever is live.

use std::collections::{BTreeMap, BTreeSet};

use crate::appliance::Appliance;
use crate::appliance::fleet::local_revision;
use crate::appliance::status::{Running, overview};
use crate::db::Connection;
use crate::db::site::release::ReleaseId;
use crate::db::site::removal::release_of_revision;
use crate::db::site::site_revisions::SiteRevisions;
use crate::db::site::{local_targets, targets};
use crate::domain::{Result, Timestamp, Uuid};

/// Returns the releases whose revisions run, as far as they are here, with the names of the targets on which they do.
///
/// # Errors
///
/// `E-STATE` when the status database cannot be read: then it is not known what runs; `E-IO`.
pub(super) fn running(appliance: &Appliance, now: Timestamp) -> Result<BTreeMap<ReleaseId, BTreeSet<String>>> {
    let statuses = overview(appliance, now, &|_| None)?;
    appliance.db.read(|connection| {
        let revisions = SiteRevisions::read(connection)?;
        let templates: BTreeMap<Uuid, Uuid> = local_targets::list(connection)?
            .into_iter()
            .map(|local| (local.id, local.template))
            .collect();
        let mut running = BTreeMap::<ReleaseId, BTreeSet<String>>::new();
        for target in statuses {
            for status in &target.deployments {
                let reported = match status.runs {
                    Running::Revision(revision) => Some(revision),
                    Running::Nothing | Running::Unknown(_) => None,
                };
                let latest = status.latest.as_ref().map(|latest| latest.revision);
                let told = status.told.and_then(|told| told.revision);
                for revision in [reported, latest, told].into_iter().flatten() {
                    let stated = revisions.stated(&status.deployment, &revision);
                    let release = match templates.get(&target.target) {
                        None => release_of_revision(connection, &status.deployment, &stated)?,
                        Some(template) => of_template(connection, template, &target.target, &stated)?,
                    };
                    if let Some(release) = release {
                        running.entry(release).or_default().insert(target.name.clone());
                    }
                }
            }
        }
        Ok(running)
    })
}

/// What a target made here runs is a revision of the one that it follows, under another id.
fn of_template(connection: &Connection, template: &Uuid, target: &Uuid, revision: &Uuid) -> Result<Option<ReleaseId>> {
    let known = targets::known_revisions(connection, template)?;
    let known = known
        .iter()
        .find(|known| local_revision(target, &known.revision) == *revision);
    match known {
        Some(known) => release_of_revision(connection, &known.deployment, &known.revision),
        None => Ok(None),
    }
}

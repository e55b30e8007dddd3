//! Which releases agents report running, or were told to run: content of theirs may be pulled again at any time, whatever is live.
//!
//! Where it cannot be known what a target runs (an apply that failed, an agent that said nothing since its buffer was lost), every release that
//! it was ever told to run may be it.

use std::collections::{BTreeMap, BTreeSet};

use crate::appliance::Appliance;
use crate::appliance::fleet::local_revision;
use crate::appliance::status::{Running, overview};
use crate::db::Connection;
use crate::db::site::release::ReleaseId;
use crate::db::site::removal::release_of_revision;
use crate::db::site::site_revisions::SiteRevisions;
use crate::db::site::{local_targets, target_secrets, targets};
use crate::domain::{Result, Timestamp, Uuid};

/// Targets by the releases that they run.
pub(super) type OnTargets = BTreeMap<ReleaseId, BTreeSet<String>>;

/// What is known of what runs, as far as it is here.
#[derive(Debug, Default)]
pub(super) struct RunningReleases {
    /// What agents report, or were told to run.
    pub(super) runs: OnTargets,
    /// What may run where that is not known.
    pub(super) may_run: OnTargets,
}

/// Returns the releases whose revisions run or may run, with the names of the targets on which they do.
///
/// # Errors
///
/// `E-STATE` when the status database cannot be read: then it is not known what runs; `E-IO`.
pub(super) fn running(appliance: &Appliance, now: Timestamp) -> Result<RunningReleases> {
    let statuses = overview(appliance, now, &|_| None)?;
    appliance.db.read(|connection| {
        let revisions = SiteRevisions::read(connection)?;
        let templates: BTreeMap<Uuid, Uuid> = local_targets::list(connection)?
            .into_iter()
            .map(|local| (local.id, local.template))
            .collect();
        let mut running = RunningReleases::default();
        let mut silent: BTreeSet<Uuid> = target_secrets::list(connection)?
            .into_iter()
            .map(|row| row.target)
            .collect();
        for target in statuses {
            silent.remove(&target.target);
            for status in &target.deployments {
                if matches!(status.runs, Running::Unknown(_)) {
                    let stated = templates.get(&target.target).unwrap_or(&target.target);
                    may_run(connection, stated, &target.name, &mut running.may_run)?;
                }
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
                        running.runs.entry(release).or_default().insert(target.name.clone());
                    }
                }
            }
        }
        for target in silent {
            let stated = templates.get(&target).unwrap_or(&target);
            may_run(connection, stated, &target.to_string(), &mut running.may_run)?;
        }
        Ok(running)
    })
}

/// Adds every release that had a target live once.
fn may_run(connection: &Connection, stated: &Uuid, name: &str, found: &mut OnTargets) -> Result<()> {
    for known in targets::known_revisions(connection, stated)? {
        if let Some(release) = release_of_revision(connection, &known.deployment, &known.revision)? {
            found.entry(release).or_default().insert(name.to_owned());
        }
    }
    Ok(())
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

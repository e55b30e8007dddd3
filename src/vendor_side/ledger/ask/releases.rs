//! What was signed, and at how many sites it is.

use std::collections::BTreeMap;

use crate::Workspace;
use crate::db::ledger::questions::{SignedHeadRow, audience, fixes, held_by_sites, releases};
use crate::domain::{FixId, Hash, Result};

/// A release that was signed.
#[derive(Debug, Clone)]
pub struct ReleaseAnswer {
    /// What it is.
    pub release: SignedHeadRow,
    /// What it fixes.
    pub fixes: Vec<FixId>,
    /// How many sites it is for; none for every site.
    pub sites: Option<u64>,
    /// At how many sites it is live, as their newest packages say.
    pub active: u64,
    /// At how many sites it is, and not live yet.
    pub available: u64,
    /// At how many sites it was live.
    pub retired: u64,
}

/// Returns every release, by scope, the newest first. Sites that were withdrawn are not counted.
///
/// # Errors
///
/// Those of the ledger.
pub fn signed_releases(workspace: &Workspace) -> Result<Vec<ReleaseAnswer>> {
    workspace.ledger()?.read(|connection| {
        let mut held = BTreeMap::<(Hash, String), u64>::new();
        for (head, state, sites) in held_by_sites(connection)? {
            held.insert((head, state), sites);
        }
        let count = |head: Hash, state: &str| held.get(&(head, state.to_owned())).copied().unwrap_or(0);
        let mut answers = Vec::new();
        for release in releases(connection)? {
            let (fixes, audience) = match release.id {
                Some(id) => (fixes(connection, id)?, audience(connection, id)?),
                None => (Vec::new(), Vec::new()),
            };
            let is_any = audience.iter().any(String::is_empty);
            answers.push(ReleaseAnswer {
                fixes,
                sites: (!is_any).then_some(audience.len() as u64),
                active: count(release.head, "active"),
                available: count(release.head, "available"),
                retired: count(release.head, "retired"),
                release,
            });
        }
        Ok(answers)
    })
}

//! What earlier releases of a scope told targets to run: nothing disappears and no UUID changes unless the author says so.
//!
//! Appliances refuse such a release too (D11); here it is refused before it is signed. Removals are repeated in every later
//! release, because a site may skip the one that said it first.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::Ids;
use crate::bundle::desired::{DesiredState, Target};
use crate::domain::{Audience, Class, Error, Result, Uuid};
use crate::release_file::{Located, ReleaseFile};
use crate::suggest::nearest;

/// What names a thing that only releases before the last one had.
const OLDER: &str = "what only an older release had is removed by its UUID, which `airlock bundle inspect BUNDLE --trust ROOT.JSON --list` \
    shows";

/// The state after the newest release before this one.
#[derive(Debug, Default)]
pub(in super::super) struct EarlierRelease {
    before: Option<DesiredState>,
}

/// What a release removes, and what is to be remembered after it.
#[derive(Debug)]
pub(in super::super) struct Removals {
    /// For the desired state of the bundle.
    pub(in super::super) removed: Vec<Uuid>,
    /// What it was called, where the release before or the release file says that.
    pub(in super::super) names: BTreeMap<Uuid, String>,
    /// What the ledger keeps.
    pub(in super::super) remembered: DesiredState,
    /// Names that no earlier release here had.
    pub(in super::super) warnings: Vec<String>,
}

impl EarlierRelease {
    /// Reads what the ledger kept; nothing when no release was signed yet.
    ///
    /// # Errors
    ///
    /// `E-STATE ledger` when it does not parse.
    pub(in super::super) fn parse(bytes: Option<&[u8]>) -> Result<Self> {
        let before = bytes.map(DesiredState::parse).transpose().map_err(|error| {
            Error::new(
                Class::State,
                "ledger",
                format!("the ledger's desired state is damaged: {error}"),
            )
            .remedy("put the workspace back from your backup")
        })?;
        Ok(Self { before })
    }

    /// Adds what it called those of `ids` that have no name yet; whether any is still without one.
    pub(in super::super) fn name(&self, ids: &[Uuid], names: &mut BTreeMap<Uuid, String>) -> bool {
        for (id, name) in self.before.iter().flat_map(|state| names_of(&state.targets)) {
            if ids.contains(&id) {
                names.entry(id).or_insert(name);
            }
        }
        ids.iter().any(|id| !names.contains_key(id))
    }

    /// Compares a new state of the whole fleet with the one before.
    ///
    /// # Errors
    ///
    /// `E-POLICY undeploy` with the list of what would disappear without an instruction; `E-POLICY identity` for a UUID, kind or
    /// site that changed; `E-USAGE value` with the place for a removal that makes no sense.
    pub(in super::super) fn compare(
        &self,
        new: &DesiredState,
        audience: &Audience,
        file: &ReleaseFile,
        ids: &Ids<'_>,
    ) -> Result<Removals> {
        let nothing = DesiredState::default();
        let before = self.before.as_ref().unwrap_or(&nothing);
        let mut warnings = Vec::new();
        for agent in &new.agents {
            let old = before.agents.iter().find(|old| old.id == agent.id);
            if old.is_some_and(|old| !old.images().eq(agent.images())) {
                warnings.push(format!(
                    "agent version {} has other images than before and the same UUID: agents that run do not change over to them",
                    agent.name
                ));
            }
        }
        let present: BTreeSet<Uuid> = ids_of(&new.targets).collect();
        let mut removed: BTreeSet<Uuid> = BTreeSet::new();
        let mut names: BTreeMap<Uuid, String> = names_of(&before.targets).collect();
        for entry in &file.removed {
            let id = self.removal(entry, new, before, file, ids, &mut warnings)?;
            if present.contains(&id) {
                return Err(file
                    .mistake(
                        entry.place,
                        format!("{:?} is removed and listed under targets too", entry.value),
                    )
                    .expected("one of both"));
            }
            removed.insert(id);
            if entry.value != id.to_string() {
                names.insert(id, entry.value.clone());
            }
        }
        let given = removed.clone();
        removed.extend(before.removed.iter().filter(|id| !present.contains(id)));
        let lost = |target: &Target| {
            // Sites beyond the audience do not see this release.
            target.site.as_ref().is_none_or(|site| audience.includes(site)) && !given.contains(&target.id)
        };
        let mut dropped = Vec::new();
        for old in before.targets.iter().filter(|target| lost(target)) {
            if let Some(renewed) = new
                .targets
                .iter()
                .find(|target| target.name == old.name && target.id != old.id)
            {
                return Err(identity(
                    format!(
                        "target {:?} had the UUID {} and now has {}",
                        old.name, old.id, renewed.id
                    ),
                    &format!("id: {}", old.id),
                    &old.id,
                ));
            }
            let Some(same) = new.targets.iter().find(|target| target.id == old.id) else {
                dropped.push(format!("target {:?} ({})", old.name, old.id));
                continue;
            };
            if same.kind != old.kind || (same.site != old.site && same.site.is_some()) {
                return Err(identity(
                    format!("target {:?} ({}) changes its kind or its site", old.name, old.id),
                    "the kind and site that it had",
                    &old.id,
                ));
            }
            for deployment in old
                .deployments
                .iter()
                .filter(|deployment| !given.contains(&deployment.id))
            {
                let place = format!("{}/{}", old.name, deployment.application);
                if same.deployments.iter().any(|kept| kept.id == deployment.id) {
                    continue;
                }
                if let Some(renewed) = same
                    .deployments
                    .iter()
                    .find(|kept| kept.application == deployment.application)
                {
                    return Err(identity(
                        format!(
                            "deployment {place:?} had the UUID {} and now has {}",
                            deployment.id, renewed.id
                        ),
                        &format!("id: {}", deployment.id),
                        &deployment.id,
                    ));
                }
                dropped.push(format!("deployment {place:?} ({})", deployment.id));
            }
        }
        if !dropped.is_empty() {
            return Err(Error::listing(
                Class::Policy,
                "undeploy",
                "the release before had what this one drops:",
                &dropped,
            )
            .expected("everything that runs at sites, or an instruction to remove it")
            .remedy(if file.is_listed {
                "build it from a release file with -f, which names targets again or under removed:; or release the images in another channel \
                 with --channel"
                    .to_owned()
            } else {
                format!("add it again, or name it under removed:{}", renamed(new, before))
            }));
        }
        let gone = |target: &&Target| given.contains(&target.id);
        if before.targets.iter().any(|target| gone(&target)) {
            let renamed = renamed(new, before);
            if let Some(text) = renamed.strip_prefix("; ") {
                warnings.push(text.to_owned());
            }
        }
        let removed: Vec<Uuid> = removed.into_iter().collect();
        let remembered = remember(new, before, &removed);
        names.retain(|id, _| removed.contains(id));
        Ok(Removals {
            removed,
            names,
            remembered,
            warnings,
        })
    }

    /// Finds the UUID that an entry of `removed` means.
    fn removal(
        &self,
        entry: &Located<String>,
        new: &DesiredState,
        before: &DesiredState,
        file: &ReleaseFile,
        ids: &Ids<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Uuid> {
        if let Ok(id) = entry.value.parse::<Uuid>() {
            return Ok(id);
        }
        let (name, application) = match entry.value.split_once('/') {
            Some((name, application)) => (name, Some(application)),
            None => (entry.value.as_str(), None),
        };
        let by_name = |state: &DesiredState| state.targets.iter().find(|target| target.name == name).cloned();
        let old = by_name(before);
        let target = old
            .as_ref()
            .map(|target| target.id)
            .or_else(|| by_name(new).map(|target| target.id));
        let id = match application {
            None => target.unwrap_or_else(|| ids.target(name)),
            Some(application) => {
                let application = application
                    .parse()
                    .map_err(|error| file.mistake(entry.place, format!("{error}")))?;
                let target = target.unwrap_or_else(|| ids.target(name));
                old.iter()
                    .flat_map(|target| &target.deployments)
                    .find(|deployment| deployment.application == application)
                    .map_or_else(|| Ids::deployment(target, &application), |deployment| deployment.id)
            }
        };
        let known = ids_of(&before.targets)
            .chain(before.removed.iter().copied())
            .any(|known| known == id);
        let listed = ids_of(&new.targets).any(|known| known == id);
        if known || listed {
            return Ok(id);
        }
        if self.before.is_none() {
            warnings.push(format!(
                "no earlier release is known here: {:?} is removed by the UUID {id} that follows from its name",
                entry.value
            ));
            return Ok(id);
        }
        let names: Vec<String> = names_of(&before.targets).map(|(_, name)| name).collect();
        let error = file
            .mistake(
                entry.place,
                format!("the release before this one did not have {:?}", entry.value),
            )
            .expected("a target, TARGET/APPLICATION, or a UUID");
        Err(match nearest(&entry.value, names.iter().map(String::as_str)) {
            Some(meant) => error.remedy(format!("did you mean {meant}? {OLDER}")),
            None => error.remedy(OLDER),
        })
    }
}

/// What to think of where targets go and others come: nothing when none comes.
fn renamed(new: &DesiredState, before: &DesiredState) -> String {
    let names: Vec<String> = new
        .targets
        .iter()
        .filter(|target| !before.targets.iter().any(|old| old.id == target.id))
        .map(|target| format!("{:?}", target.name))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "; a target that is renamed, or moved here from another product or channel, is another target with another UUID, and \
         its agents are connected again: new here {} {}",
        if names.len() == 1 { "is" } else { "are" },
        names.join(", ")
    )
}

/// The new state, and what the audience does not see of the one before.
fn remember(new: &DesiredState, before: &DesiredState, removed: &[Uuid]) -> DesiredState {
    let present: BTreeSet<Uuid> = ids_of(&new.targets).collect();
    let mut state = new.clone();
    for old in &before.targets {
        let named = state.targets.iter().any(|target| target.name == old.name);
        if !present.contains(&old.id) && !removed.contains(&old.id) && !named {
            state.targets.push(old.clone());
        }
    }
    for old in &before.agents {
        let needed = state.targets.iter().any(|target| target.agent == old.id);
        if needed && !state.agents.iter().any(|agent| agent.id == old.id) {
            state.agents.push(old.clone());
        }
    }
    state.agents.sort_by_key(|agent| agent.id);
    state.targets.sort_by_key(|target| target.id);
    state.removed = removed.to_vec();
    state
}

fn ids_of(targets: &[Target]) -> impl Iterator<Item = Uuid> {
    targets
        .iter()
        .flat_map(|target| std::iter::once(target.id).chain(target.deployments.iter().map(|deployment| deployment.id)))
}

/// What targets and deployments are called by people.
fn names_of(targets: &[Target]) -> impl Iterator<Item = (Uuid, String)> {
    targets.iter().flat_map(|target| {
        let below = target.deployments.iter();
        let below = below.map(|deployment| (deployment.id, format!("{}/{}", target.name, deployment.application)));
        std::iter::once((target.id, target.name.clone())).chain(below)
    })
}

fn identity(found: String, expected: &str, old: &Uuid) -> Error {
    Error::new(Class::Policy, "identity", found)
        .expected(expected)
        .remedy(format!(
            "keep it, or name {old} under removed: and give the new one another id"
        ))
}

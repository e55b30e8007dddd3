//! What two releases tell targets to run, compared: applications by their versions, targets by what changes for their agents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ui::escape;
use crate::bundle::desired::{Deployment, DesiredState, Target};
use crate::domain::Uuid;

/// The differences.
pub(super) struct DesiredDiff {
    /// By application: its versions in either release.
    applications: BTreeMap<String, [BTreeSet<String>; 2]>,
    added: Vec<(Uuid, String)>,
    removed: Vec<(Uuid, String)>,
    /// Targets in both, with what changes.
    changed: Vec<(Uuid, String, Vec<Change>)>,
    same: usize,
}

/// What changes for a target.
struct Change {
    what: String,
    json: Value,
}

/// Compares two desired states; a release without one states no target.
pub(super) fn compare_desired(a: Option<&DesiredState>, b: Option<&DesiredState>) -> DesiredDiff {
    let by_id = |state: Option<&DesiredState>| -> BTreeMap<Uuid, Target> {
        let targets = state.iter().flat_map(|state| &state.targets);
        targets.map(|target| (target.id, target.clone())).collect()
    };
    let (of_a, of_b) = (by_id(a), by_id(b));
    let mut applications: BTreeMap<String, [BTreeSet<String>; 2]> = BTreeMap::new();
    for (side, targets) in [&of_a, &of_b].into_iter().enumerate() {
        for deployment in targets.values().flat_map(|target| &target.deployments) {
            let versions = applications.entry(deployment.application.to_string()).or_default();
            if let Some(versions) = versions.get_mut(side) {
                versions.insert(deployment.version.clone());
            }
        }
    }
    let only = |of: &BTreeMap<Uuid, Target>, other: &BTreeMap<Uuid, Target>| -> Vec<(Uuid, String)> {
        let left = of.values().filter(|target| !other.contains_key(&target.id));
        left.map(|target| (target.id, target.name.clone())).collect()
    };
    let (mut changed, mut same) = (Vec::new(), 0);
    for (id, after) in &of_b {
        let Some(before) = of_a.get(id) else { continue };
        let changes = changes((before, agent(a, before)), (after, agent(b, after)));
        if changes.is_empty() {
            same += 1;
        } else {
            changed.push((*id, after.name.clone(), changes));
        }
    }
    DesiredDiff {
        applications,
        added: only(&of_b, &of_a),
        removed: only(&of_a, &of_b),
        changed,
        same,
    }
}

/// Returns the version of a target's agent.
fn agent(state: Option<&DesiredState>, target: &Target) -> String {
    let agents = state.map_or(&[][..], |state| &state.agents);
    let agent = agents.iter().find(|agent| agent.id == target.agent);
    agent.map(|agent| agent.name.clone()).unwrap_or_default()
}

fn changes((before, old_agent): (&Target, String), (after, new_agent): (&Target, String)) -> Vec<Change> {
    let mut found = Vec::new();
    let mut note = |what: String, json: Value| found.push(Change { what, json });
    if before.name != after.name {
        note(
            format!("name {} -> {}", escape(&before.name), escape(&after.name)),
            json!({"name": [before.name, after.name]}),
        );
    }
    if before.agent != after.agent {
        note(
            format!("agent {} -> {}", escape(&old_agent), escape(&new_agent)),
            json!({"agent": [old_agent, new_agent]}),
        );
    }
    let find = |target: &'_ Target, id: &Uuid| -> Option<Deployment> {
        target
            .deployments
            .iter()
            .find(|deployment| deployment.id == *id)
            .cloned()
    };
    for new in &after.deployments {
        let application = &new.application;
        let Some(old) = find(before, &new.id) else {
            note(
                format!("+ {application} {}", escape(&new.version)),
                json!({"deployed": {"application": application, "deployment": new.id, "version": new.version}}),
            );
            continue;
        };
        if old.revision != new.revision {
            let versions = if old.version == new.version {
                format!("{} applied again", escape(&new.version))
            } else {
                format!("{} -> {}", escape(&old.version), escape(&new.version))
            };
            note(
                format!("~ {application} {versions}"),
                json!({"revised": {"application": application, "deployment": new.id, "version": [old.version, new.version],
                                   "revision": [old.revision, new.revision]}}),
            );
        }
    }
    for old in &before.deployments {
        if find(after, &old.id).is_none() {
            note(
                format!("- {} {}", old.application, escape(&old.version)),
                json!({"undeployed": {"application": old.application, "deployment": old.id, "version": old.version}}),
            );
        }
    }
    found
}

impl DesiredDiff {
    fn changed_applications(&self) -> impl Iterator<Item = (&String, &[BTreeSet<String>; 2])> {
        let applications = self.applications.iter();
        applications.filter(|(_, [before, after])| before != after)
    }

    /// Returns applications whose versions differ, for machines.
    pub(super) fn applications_json(&self) -> Value {
        let changed = self.changed_applications();
        changed
            .map(|(name, [before, after])| json!({"application": name, "from": before, "to": after}))
            .collect()
    }

    /// Returns targets that differ, for machines.
    pub(super) fn targets_json(&self) -> Value {
        let named = |list: &[(Uuid, String)]| -> Vec<Value> {
            let each = list.iter().map(|(id, name)| json!({"id": id, "name": name}));
            each.collect()
        };
        let changed: Vec<Value> = self
            .changed
            .iter()
            .map(|(id, name, changes)| {
                let changes: Vec<&Value> = changes.iter().map(|change| &change.json).collect();
                json!({"id": id, "name": name, "changes": changes})
            })
            .collect();
        json!({"added": named(&self.added), "removed": named(&self.removed), "changed": changed, "same": self.same})
    }

    /// Returns lines for people; none where neither release states a target.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.applications.is_empty() && self.added.is_empty() && self.removed.is_empty() && self.same == 0 {
            return lines;
        }
        let count = |is: fn(&[BTreeSet<String>; 2]) -> bool| {
            let applications = self.applications.values();
            applications.filter(|versions| is(versions)).count()
        };
        lines.push(format!(
            "applications {} changed, {} added, {} no longer stated, {} the same",
            count(|[before, after]| before != after && !before.is_empty() && !after.is_empty()),
            count(|[before, _]| before.is_empty()),
            count(|[_, after]| after.is_empty()),
            count(|[before, after]| before == after),
        ));
        let versions = |versions: &BTreeSet<String>| {
            let each: Vec<String> = versions.iter().map(|version| escape(version)).collect();
            each.join(", ")
        };
        for (name, [before, after]) in self.changed_applications() {
            let (from, to) = (versions(before), versions(after));
            lines.push(match (before.is_empty(), after.is_empty()) {
                (true, _) => format!("  + {name} {to}"),
                (_, true) => format!("  - {name} {from}"),
                _ => format!("  ~ {name} {from} -> {to}"),
            });
        }
        lines.push(format!(
            "targets      {} changed, {} added, {} no longer stated, {} the same",
            self.changed.len(),
            self.added.len(),
            self.removed.len(),
            self.same
        ));
        for (id, name, changes) in &self.changed {
            let changes: Vec<&str> = changes.iter().map(|change| change.what.as_str()).collect();
            lines.push(format!("  ~ {} ({id}): {}", escape(name), changes.join("; ")));
        }
        for (sign, list) in [("+", &self.added), ("-", &self.removed)] {
            for (id, name) in list {
                lines.push(format!("  {sign} {} ({id})", escape(name)));
            }
        }
        lines
    }
}

//! What agents delete, in words: the same wherever something is taken away from them.

use serde_json::json;

use super::advice::quoted;
use super::ui::escape;
use crate::appliance::fleet::{DeploymentView, Leaving, TargetView};

/// What an agent deletes with a deployment, and what it keeps, as unmodified agents do it (distr-protocol 2.3).
pub(super) fn deleted(engine: &str) -> [&'static str; 2] {
    match engine {
        "helm" => [
            "deleted: everything that its chart made in the cluster, volume claims of the chart with their data among it (helm uninstall)",
            "kept: claims that a StatefulSet made from its templates, and what the chart says to keep",
        ],
        "swarm" => [
            "deleted: the services, networks, configs and secrets of its stack, and its images",
            "kept: its volumes, on the nodes where they are",
        ],
        _ => [
            "deleted: its containers and networks, its VOLUMES with all data in them (docker compose down --volumes), and its images",
            "kept: nothing but bind mounts and volumes that the compose file calls external",
        ],
    }
}

/// The first line of a plan: which deployment goes from which target.
pub(super) fn headline(target: &TargetView, deployment: &DeploymentView) -> String {
    format!(
        "{} {} goes from target {} at its agent's next look",
        deployment.application,
        escape(&deployment.version),
        escape(&target.name)
    )
}

/// What goes with a deployment, what stays of it, and what its target keeps.
pub(super) fn what_goes(target: &TargetView, deployment: &DeploymentView) -> Vec<String> {
    let others: Vec<&str> = target
        .deployments
        .iter()
        .filter(|other| other.id != deployment.id && !other.removed)
        .map(|other| other.application.as_str())
        .collect();
    let mut lines = deleted(deployment.engine).map(ToOwned::to_owned).to_vec();
    if !others.is_empty() {
        lines.push(format!("untouched on this target: {}", others.join(", ")));
    }
    lines
}

/// What an agent that is refused leaves as it is. `word` names the target on the command line that lets it delete that first, where
/// there is time for that.
pub(super) fn left_behind(target: &TargetView, word: Option<&str>) -> Vec<String> {
    let mut lines = vec![
        "nothing is deleted on its host: containers and volumes stay, what runs goes on running, and nobody looks after it".to_owned(),
    ];
    let runs = target.deployments.iter().filter(|deployment| !deployment.removed);
    lines.extend(runs.map(|deployment| {
        let (application, version) = (&deployment.application, escape(&deployment.version));
        let before = word.map_or_else(String::new, |word| {
            let word = quoted(&escape(word));
            format!("; `airlock target undeploy {word} {application}` first lets the agent delete it")
        });
        format!("left behind: {application} {version}{before}")
    }));
    lines
}

/// What goes with a release that goes live.
#[derive(Debug, Default)]
pub(super) struct Removals(pub(super) Vec<Leaving>);

impl Removals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines of it, below each of the things that go.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for one in &self.0 {
            let (headline, plan) = worded(one);
            lines.push(format!("{headline}:"));
            lines.extend(plan.iter().map(|line| format!("  {line}")));
        }
        lines
    }

    /// Everything, for machines.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let all = self.0.iter().map(|one| {
            let (target, deployment) = match one {
                Leaving::Deployment(target, deployment) => (target, Some(deployment)),
                Leaving::Target(target) | Leaving::Unknown(target) => (target, None),
            };
            json!({
                "target": target.id, "name": target.name, "deployment": deployment.map(|one| one.id),
                "application": deployment.map(|one| &one.application), "plan": worded(one).1,
            })
        });
        all.collect()
    }
}

fn worded(one: &Leaving) -> (String, Vec<String>) {
    match one {
        Leaving::Deployment(target, deployment) => (headline(target, deployment), what_goes(target, deployment)),
        Leaving::Target(target) => (
            format!("target {} goes: its agent is refused", escape(&target.name)),
            left_behind(target, None),
        ),
        Leaving::Unknown(target) => (
            format!("target {}: what its agent deletes is not known", escape(&target.name)),
            target.fault.iter().map(|fault| escape(fault)).collect(),
        ),
    }
}

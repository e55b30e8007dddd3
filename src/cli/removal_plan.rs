//! What agents delete, in words: the same wherever something is taken away from them.

use crate::appliance::fleet::{DeploymentView, TargetView};

use super::confirm::quoted;
use super::ui::escape;

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

/// What an agent that is refused leaves as it is, and the way to let it delete that first. `word` names the target on a command line.
pub(super) fn left_behind(target: &TargetView, word: &str) -> Vec<String> {
    let word = quoted(&escape(word));
    let mut lines = vec![
        "nothing is deleted on its host: containers and volumes stay, what runs goes on running, and nobody looks after it".to_owned(),
    ];
    let runs = target.deployments.iter().filter(|deployment| !deployment.removed);
    lines.extend(runs.map(|deployment| {
        format!(
            "left behind: {} {}; `airlock target undeploy {word} {}` first lets the agent delete it",
            deployment.application,
            escape(&deployment.version),
            deployment.application
        )
    }));
    lines
}

//! `airlock target undeploy|deploy|remove`: what an agent will delete, and what it leaves behind, is said before it is done.

use serde_json::json;

use super::Ui;
use super::confirm::{confirm, quoted};
use super::target_find::{find, report_target};
use super::ui::escape;
use crate::appliance::fleet::{DeploymentView, Hub, Removal, TargetView};
use crate::domain::{Class, Error, Result, nearest};

/// Takes an application away from a target.
///
/// # Errors
///
/// `E-USAGE` for names and an answer that is no; those of the hub.
pub(super) fn undeploy(hub: &Hub, target: &str, application: &str, yes: bool, ui: &mut Ui) -> Result<()> {
    let target = find(hub, target)?;
    let deployment = deployment(&target, application)?;
    if deployment.removed {
        return already(&target, deployment, ui);
    }
    let plan = what_goes(&target, deployment);
    ui.say(format_args!(
        "{} {} goes from target {} at its agent's next look:",
        deployment.application,
        escape(&deployment.version),
        escape(&target.name)
    ));
    for line in &plan {
        ui.say(format_args!("  {line}"));
    }
    let again = format!(
        "airlock target undeploy {} {}",
        quoted(&escape(&target.name)),
        quoted(application)
    );
    confirm(ui, yes, &again)?;
    if !hub.undeploy(&target.id, deployment, Removal::Remove)? {
        return already(&target, deployment, ui);
    }
    ui.say(format_args!(
        "`airlock target list` says when it is gone; `airlock target deploy {} {}` gives it back, without its data",
        quoted(&escape(&target.name)),
        quoted(application)
    ));
    ui.result(
        &json!({"result": "undeployed", "target": target.id, "deployment": deployment.id, "plan": plan}),
        format!(
            "{} goes from target {} at its agent's next look",
            deployment.application,
            escape(&target.name)
        ),
    )
}

/// Gives an application back.
///
/// # Errors
///
/// As [`undeploy`].
pub(super) fn deploy(hub: &Hub, target: &str, application: &str, ui: &mut Ui) -> Result<()> {
    let target = find(hub, target)?;
    let deployment = deployment(&target, application)?;
    if !hub.undeploy(&target.id, deployment, Removal::Restore)? {
        return already(&target, deployment, ui);
    }
    ui.result(
        &json!({"result": "deployed", "target": target.id, "deployment": deployment.id}),
        format!(
            "{} comes back to target {}",
            deployment.application,
            escape(&target.name)
        ),
    )
}

/// Takes a target away.
///
/// # Errors
///
/// As [`undeploy`].
pub(super) fn remove(hub: &Hub, target: &str, yes: bool, ui: &mut Ui) -> Result<()> {
    let orphan = hub.orphans().into_iter().find(|(_, name)| name == target);
    let (id, name, known) = match orphan {
        Some((id, name)) => (id, name, None),
        None => find(hub, target).map(|target| (target.id, target.name.clone(), Some(target)))?,
    };
    let made_here = known.as_ref().is_none_or(|target| target.template.is_some());
    let plan = what_stays(known.as_ref(), made_here, &name);
    ui.say(format_args!("target {} goes:", escape(&name)));
    for line in &plan {
        ui.say(format_args!("  {line}"));
    }
    confirm(ui, yes, &format!("airlock target remove {}", quoted(target)))?;
    let changed = hub.remove_target(&id, Removal::Remove)?;
    report_target(
        &id,
        &name,
        changed,
        "removed",
        "is gone: its agent is refused from now on",
        ui,
    )
}

/// What an agent deletes, as unmodified agents do it (distr-protocol 2.3).
fn what_goes(target: &TargetView, deployment: &DeploymentView) -> Vec<String> {
    let deletes = match deployment.engine {
        "helm" => vec![
            "deleted: everything that its chart made in the cluster, volume claims of the chart with their data among it (helm uninstall)",
            "kept: claims that a StatefulSet made from its templates, and what the chart says to keep",
        ],
        "swarm" => vec![
            "deleted: the services, networks, configs and secrets of its stack, and its images",
            "kept: its volumes, on the nodes where they are",
        ],
        _ => vec![
            "deleted: its containers and networks, its VOLUMES with all data in them (docker compose down --volumes), and its images",
            "kept: nothing but bind mounts and volumes that the compose file calls external",
        ],
    };
    let others: Vec<&str> = target
        .deployments
        .iter()
        .filter(|other| other.id != deployment.id && !other.removed)
        .map(|other| other.application.as_str())
        .collect();
    let mut lines: Vec<String> = deletes.into_iter().map(ToOwned::to_owned).collect();
    if !others.is_empty() {
        lines.push(format!("untouched on this target: {}", others.join(", ")));
    }
    lines
}

/// What becomes of a target that is taken away: its agent gets nothing any more, so it deletes nothing.
fn what_stays(target: Option<&TargetView>, made_here: bool, name: &str) -> Vec<String> {
    let name = quoted(&escape(name));
    let mut lines = vec![
        "its agent is refused from now on, its tokens are dead for good".to_owned(),
        "nothing is deleted on its host: containers and volumes stay, what runs goes on running, and nobody looks after it".to_owned(),
    ];
    let here = target.iter().flat_map(|target| &target.deployments);
    for deployment in here.filter(|deployment| !deployment.removed) {
        lines.push(format!(
            "left behind: {} {}; `airlock target undeploy {name} {}` first lets the agent delete it",
            deployment.application,
            escape(&deployment.version),
            deployment.application
        ));
    }
    lines.push(if made_here {
        "it was made here and is gone for good: `airlock target add` makes another one, under another UUID".to_owned()
    } else {
        format!("`airlock target restore {name}` brings it back, and its secret counts again")
    });
    lines
}

fn already(target: &TargetView, deployment: &DeploymentView, ui: &mut Ui) -> Result<()> {
    ui.result(
        &json!({"result": "already", "target": target.id, "deployment": deployment.id}),
        "nothing to do: it is so already",
    )
}

fn deployment<'a>(target: &'a TargetView, application: &str) -> Result<&'a DeploymentView> {
    let mut found = target
        .deployments
        .iter()
        .filter(|deployment| deployment.application == application || deployment.id.to_string() == application);
    match (found.next(), found.next()) {
        (Some(deployment), None) => Ok(deployment),
        (Some(_), Some(_)) => Err(Error::new(
            Class::Usage,
            "application",
            format!("target {:?} has {application} more than once", target.name),
        )
        .remedy("name the deployment by its UUID: `airlock target list --format json`")),
        (None, _) => {
            let known: Vec<&str> = target
                .deployments
                .iter()
                .map(|deployment| deployment.application.as_str())
                .collect();
            let error = Error::new(
                Class::Usage,
                "application",
                format!("target {:?} has no application {application:?}", target.name),
            )
            .expected(format!("one of: {}", known.join(", ")));
            Err(match nearest(application, known.iter().copied()) {
                Some(meant) => error.remedy(format!("did you mean {meant:?}?")),
                None => error,
            })
        }
    }
}

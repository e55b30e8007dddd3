//! `airlock target undeploy|deploy|remove`: what an agent will delete, and what it leaves behind, is said before it is done.

use serde_json::json;

use super::Ui;
use super::advice::quoted;
use super::confirm::confirm;
use super::removal_plan::{headline, left_behind, what_goes};
use super::target_find::{find, report_target};
use super::ui::escape;
use crate::appliance::fleet::{DeploymentView, Hub, Removal, TargetView};
use crate::domain::{Class, Error, Result, nearest};

/// Takes an application away from a target.
///
/// # Errors
///
/// `E-USAGE` for names and an answer that is no; those of the hub.
pub(super) fn undeploy(hub: &Hub, word: &str, application: &str, yes: bool, ui: &mut Ui) -> Result<()> {
    let target = find(hub, word)?;
    let deployment = deployment(&target, application)?;
    if deployment.removed {
        return already(&target, deployment, "was taken away already from", ui);
    }
    let plan = what_goes(&target, deployment);
    ui.say(format_args!("{}:", headline(&target, deployment)));
    for line in &plan {
        ui.say(format_args!("  {line}"));
    }
    // By the word that was typed: several products may have a target of one name.
    let (named, application) = (quoted(&escape(word)), quoted(&escape(application)));
    confirm(ui, yes, &format!("airlock target undeploy {named} {application}"))?;
    if !hub.undeploy(&target.id, deployment, Removal::Remove)? {
        return already(&target, deployment, "was taken away already from", ui);
    }
    ui.say(format_args!(
        "`airlock target list` says when it is gone; `airlock target deploy {named} {application}` gives it back, without its data"
    ));
    ui.result(
        &json!({"result": "undeployed", "target": target.id, "deployment": deployment.id, "plan": plan}),
        headline(&target, deployment),
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
        return already(&target, deployment, "was not taken away from", ui);
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
pub(super) fn remove(hub: &Hub, word: &str, yes: bool, ui: &mut Ui) -> Result<()> {
    let orphan = hub
        .orphans()
        .into_iter()
        .find(|(id, name)| name == word || id.to_string() == word);
    let (id, name, known) = match orphan {
        Some((id, name)) => (id, name, None),
        None => find(hub, word).map(|target| (target.id, target.name.clone(), Some(target)))?,
    };
    hub.check_removable(&id)?;
    let made_here = known.as_ref().is_none_or(|target| target.template.is_some());
    // What comes back is looked for among what was taken away, where others may have the name.
    let is_shared = hub.removed()?.iter().any(|one| one.target.name == name);
    let back = if is_shared { id.to_string() } else { word.to_owned() };
    let plan = what_stays(known.as_ref(), made_here, [word, &back]);
    ui.say(format_args!("target {} goes:", escape(&name)));
    for line in &plan {
        ui.say(format_args!("  {line}"));
    }
    confirm(ui, yes, &format!("airlock target remove {}", quoted(&escape(word))))?;
    let changed = hub.remove_target(&id, Removal::Remove)?;
    report_target(
        &id,
        &name,
        changed,
        "removed",
        ["is gone: its agent is refused from now on", "was taken away before"],
        ui,
    )
}

/// What becomes of a target that is taken away: its agent gets nothing any more, so it deletes nothing.
fn what_stays(target: Option<&TargetView>, made_here: bool, [word, back]: [&str; 2]) -> Vec<String> {
    let mut lines = vec!["its agent is refused from now on, its tokens are dead for good".to_owned()];
    match target {
        Some(target) => lines.extend(left_behind(target, Some(word))),
        None => lines
            .push("nothing is deleted on its host: what runs goes on running, and nobody looks after it".to_owned()),
    }
    lines.push(if made_here {
        "it was made here and is gone for good: `airlock target add NAME --like TARGET` makes another one, under another UUID".to_owned()
    } else {
        let back = quoted(&escape(back));
        format!("`airlock target restore {back}` brings it back, and its secret counts again")
    });
    lines
}

fn already(target: &TargetView, deployment: &DeploymentView, how: &str, ui: &mut Ui) -> Result<()> {
    ui.result(
        &json!({"result": "already", "target": target.id, "deployment": deployment.id}),
        format!(
            "nothing to do: {} {how} target {}",
            deployment.application,
            escape(&target.name)
        ),
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

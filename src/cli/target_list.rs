//! The list of targets, as a table or as JSON: what each shall run, how it is, and what was taken away here.

use serde_json::json;

use super::Ui;
use super::advice::quoted;
use super::damage_view::DamageView;
use super::deployment_state::DeploymentState;
use super::scope_names::ScopeNames;
use super::table::table;
use super::target_state::{self, TargetState};
use super::ui::escape;
use super::waiting_view::WaitingView;
use crate::appliance::fleet::{Hub, RemovedTarget, SecretView, TargetView};
use crate::db::site::release::ReleaseRow;
use crate::domain::{Hash, Result, Timestamp};

/// Columns of the table.
const COLUMNS: [&str; 10] = [
    "TARGET",
    "KIND",
    "PRODUCT",
    "RELEASE",
    "AGENT",
    "ADVERTISED",
    "AGENT SECRET",
    "STATE",
    "SEEN",
    "SHALL RUN",
];

/// Prints targets to stdout. That their status cannot be read hides nothing else of them.
pub(super) fn print(hub: &Hub, ui: &mut Ui) -> Result<()> {
    let (now, targets) = match target_state::read(hub) {
        Ok((now, targets)) => (now, targets),
        Err(error) => {
            ui.warn(format_args!("what agents report cannot be read: {error}"));
            let targets = hub.targets().into_iter().map(TargetState::without_status);
            (hub.live().appliance().clock.now(), targets.collect())
        }
    };
    let removed = hub.removed()?;
    let names = ScopeNames::read(hub.live().appliance(), [])?;
    let human = if targets.is_empty() && removed.is_empty() {
        "no live release has targets for this site".to_owned()
    } else {
        listed(now, &targets, &removed, &names)
    };
    let damage = DamageView::read(hub.live().appliance())?;
    let waiting = WaitingView::read(hub.live().appliance())?;
    let releases = hub.live().appliance().releases()?;
    let head = |view: &TargetView| {
        let stated = |release: &&ReleaseRow| release.scope == view.scope && release.counter == view.counter;
        releases.iter().find(stated).map(|release| release.head)
    };
    ui.result(
        &json!({
            "targets": targets.iter().map(|target| to_json(target, head(&target.view))).collect::<Vec<_>>(),
            "removed": removed.iter().map(removed_json).collect::<Vec<_>>(),
            "damage": damage.to_json(),
            "waiting": waiting.to_json(),
        }),
        human + &damage.lines(&names) + &waiting.lines(&names),
    )
}

fn listed(now: Timestamp, targets: &[TargetState], removed: &[RemovedTarget], names: &ScopeNames) -> String {
    let mut rows = Vec::new();
    for state in targets {
        let target = &state.view;
        let mut runs: Vec<String> = if state.deployments.is_empty() {
            target
                .deployments
                .iter()
                .map(|deployment| {
                    let gone = if deployment.removed { " (taken away here)" } else { "" };
                    format!("{} {}{gone}", deployment.application, escape(&deployment.version))
                })
                .collect()
        } else {
            state.deployments.iter().map(DeploymentState::wanted).collect()
        };
        runs.extend(target.fault.as_ref().map(|fault| format!("unknown: {}", escape(fault))));
        let made_here = target.template.map(|_| "(made here)".to_owned());
        let runs: Vec<String> = Some(runs.join(", "))
            .filter(|runs| !runs.is_empty())
            .into_iter()
            .chain(made_here)
            .collect();
        let agent = state.agent().map_or_else(|| "–".to_owned(), escape);
        let last = [agent, state.phrase(), state.seen(now), runs.join(" ")];
        rows.push(row(target, names, last));
    }
    for one in removed {
        let state = if one.freed { "let go here" } else { "removed here" };
        let dash = || "–".to_owned();
        rows.push(row(
            &one.target,
            names,
            [dash(), state.to_owned(), dash(), way_back(one, removed)],
        ));
    }
    table(COLUMNS, rows)
}

fn row(target: &TargetView, names: &ScopeNames, [agent, state, seen, runs]: [String; 4]) -> [String; 10] {
    [
        escape(&target.name),
        target.kind.to_owned(),
        names.of(&target.scope),
        format!("{} ({})", target.counter, escape(&target.release_version)),
        agent,
        target.agent.as_deref().map_or_else(|| "–".to_owned(), escape),
        agent_secret(target.secret).0.to_owned(),
        state,
        seen,
        runs,
    ]
}

/// How a target that was taken away comes back.
fn way_back(one: &RemovedTarget, all: &[RemovedTarget]) -> String {
    let command = restore_command(one, all);
    if one.freed {
        format!(
            "nothing: it is nobody's, and the next release that states it has it; `{command}` gives it back until then"
        )
    } else {
        format!("nothing: `{command}` brings it back")
    }
}

/// By its name, unless several that were taken away have that.
fn restore_command(one: &RemovedTarget, all: &[RemovedTarget]) -> String {
    let name = &one.target.name;
    let is_one_of_several = all.iter().filter(|other| other.target.name == *name).nth(1).is_some();
    let word = if is_one_of_several {
        one.target.id.to_string()
    } else {
        quoted(&escape(name))
    };
    format!("airlock target restore {word}")
}

fn removed_json(one: &RemovedTarget) -> serde_json::Value {
    let target = &one.target;
    json!({
        "id": target.id, "name": target.name, "kind": target.kind, "product": target.scope.product,
        "channel": target.scope.channel, "domain": target.scope.domain, "state": if one.freed { "freed" } else { "removed" },
        "restore": format!("airlock target restore {}", target.id),
    })
}

fn to_json(state: &TargetState, head: Option<Hash>) -> serde_json::Value {
    let target = &state.view;
    let (word, at) = agent_secret(target.secret);
    let mut value = json!({
        "kind": target.kind, "product": target.scope.product,
        "channel": target.scope.channel, "domain": target.scope.domain, "epoch": target.counter.epoch,
        "sequence": target.counter.sequence, "release": target.release_version, "head": head, "agent": target.agent,
        "like": target.template, "agent_secret": word, "agent_secret_at": at, "fault": target.fault,
    });
    if let (Some(members), serde_json::Value::Object(reported)) = (value.as_object_mut(), state.to_json()) {
        members.extend(reported);
        if state.deployments.is_empty() {
            let known = target.deployments.iter().map(|deployment| {
                json!({
                    "id": deployment.id, "application": deployment.application, "version": deployment.version,
                    "revision": deployment.revision, "engine": deployment.engine, "undeployed_here": deployment.removed,
                })
            });
            members.insert("deployments".into(), known.collect());
        }
    }
    value
}

/// Returns the stable word for what its agent logs in with, and since when. Secrets of applications are another thing.
fn agent_secret(view: SecretView) -> (&'static str, Option<Timestamp>) {
    match view {
        SecretView::None => ("none", None),
        SecretView::Issued(at) => ("issued", Some(at)),
        SecretView::Adopted(at) => ("hub-used", Some(at)),
        SecretView::Hub => ("hub", None),
    }
}

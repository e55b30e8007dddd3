//! The list of targets, as a table or as JSON.

use serde_json::json;

use super::Ui;
use super::damage_view::DamageView;
use super::target_state::{self, TargetState};
use super::ui::escape;
use crate::appliance::fleet::{Hub, SecretView};
use crate::domain::{Result, Timestamp};

/// Prints targets to stdout. That their status cannot be read hides nothing else of them.
pub(super) fn print(hub: &Hub, ui: &mut Ui) -> Result<()> {
    let (now, targets) = match target_state::read(hub) {
        Ok((now, targets)) => (now, targets),
        Err(error) => {
            ui.warn(format_args!("what agents report cannot be read: {error}"));
            let alone = |view| TargetState {
                view,
                status: None,
                deployments: Vec::new(),
            };
            (
                hub.live().appliance().clock.now(),
                hub.targets().into_iter().map(alone).collect(),
            )
        }
    };
    let human = if targets.is_empty() {
        "no live release has targets for this site".to_owned()
    } else {
        table(now, &targets)
    };
    let damage = DamageView::read(hub.live().appliance())?;
    ui.result(
        &json!({"targets": targets.iter().map(to_json).collect::<Vec<_>>(), "damage": damage.to_json()}),
        human + &damage.lines(),
    )
}

fn table(now: Timestamp, targets: &[TargetState]) -> String {
    let mut rows = vec![
        [
            "TARGET",
            "KIND",
            "PRODUCT",
            "RELEASE",
            "AGENT",
            "SECRET",
            "STATE",
            "SEEN",
            "SHALL RUN",
        ]
        .map(ToOwned::to_owned),
    ];
    for state in targets {
        let target = &state.view;
        let mut runs: Vec<String> = target
            .deployments
            .iter()
            .map(|deployment| {
                let gone = if deployment.removed { " (undeployed here)" } else { "" };
                format!("{} {}{gone}", deployment.application, escape(&deployment.version))
            })
            .collect();
        runs.extend(target.fault.as_ref().map(|fault| format!("unknown: {}", escape(fault))));
        if target.template.is_some() {
            runs.push("(made here)".to_owned());
        }
        rows.push([
            escape(&target.name),
            target.kind.to_owned(),
            target.scope.to_string(),
            format!("{} ({})", target.counter, escape(&target.release_version)),
            target.agent.clone().unwrap_or_else(|| "-".to_owned()),
            secret(target.secret).0.to_owned(),
            state.word().to_owned(),
            state.seen(now),
            runs.join(", "),
        ]);
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..9).map(width).collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

fn to_json(state: &TargetState) -> serde_json::Value {
    let target = &state.view;
    let (word, at) = secret(target.secret);
    let deployments: Vec<_> = target
        .deployments
        .iter()
        .map(|deployment| {
            let known = state.deployments.iter().find(|known| known.view.id == deployment.id);
            json!({
                "id": deployment.id, "application": deployment.application, "version": deployment.version,
                "revision": deployment.revision, "undeployed_here": deployment.removed,
                "state": known.map(|known| known.dot.as_str()), "runs": known.map(|known| &known.runs_text),
                "runs_revision": known.and_then(|known| known.runs),
            })
        })
        .collect();
    json!({
        "id": target.id, "name": target.name, "kind": target.kind, "product": target.scope.product,
        "channel": target.scope.channel, "domain": target.scope.domain, "epoch": target.counter.epoch,
        "sequence": target.counter.sequence, "release": target.release_version, "agent": target.agent,
        "like": target.template, "secret": word, "secret_at": at, "deployments": deployments, "fault": target.fault,
        "state": state.word(), "connected": state.status.is_some(), "agent_reported": state.agent(),
        "last_contact": state.status.as_ref().map(|status| status.last_contact),
    })
}

/// Returns the stable word, and since when.
fn secret(view: SecretView) -> (&'static str, Option<Timestamp>) {
    match view {
        SecretView::None => ("none", None),
        SecretView::Issued(at) => ("issued", Some(at)),
        SecretView::Adopted(at) => ("hub-used", Some(at)),
        SecretView::Hub => ("hub", None),
    }
}

//! The list of targets, as a table or as JSON.

use serde_json::json;

use super::Ui;
use super::ui::escape;
use crate::appliance::hub::{SecretView, TargetView};
use crate::domain::Result;

/// Prints targets to stdout.
pub(super) fn print(targets: &[TargetView], ui: &mut Ui) -> Result<()> {
    let human = if targets.is_empty() {
        "no live release has targets for this site".to_owned()
    } else {
        table(targets)
    };
    ui.result(
        &json!({"targets": targets.iter().map(to_json).collect::<Vec<_>>()}),
        human,
    )
}

fn table(targets: &[TargetView]) -> String {
    let mut rows = vec![["TARGET", "KIND", "PRODUCT", "RELEASE", "AGENT", "SECRET", "RUNS"].map(ToOwned::to_owned)];
    for target in targets {
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
            runs.join(", "),
        ]);
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
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

fn to_json(target: &TargetView) -> serde_json::Value {
    let (word, at) = secret(target.secret);
    let deployments: Vec<_> = target
        .deployments
        .iter()
        .map(|deployment| {
            json!({
                "id": deployment.id, "application": deployment.application, "version": deployment.version,
                "revision": deployment.revision, "undeployed_here": deployment.removed,
            })
        })
        .collect();
    json!({
        "id": target.id, "name": target.name, "kind": target.kind, "product": target.scope.product,
        "channel": target.scope.channel, "domain": target.scope.domain, "epoch": target.counter.epoch,
        "sequence": target.counter.sequence, "release": target.release_version, "agent": target.agent,
        "like": target.template, "secret": word, "secret_at": at, "deployments": deployments, "fault": target.fault,
    })
}

/// Returns the stable word, and since when.
fn secret(view: SecretView) -> (&'static str, Option<crate::domain::Timestamp>) {
    match view {
        SecretView::None => ("none", None),
        SecretView::Issued(at) => ("issued", Some(at)),
        SecretView::Adopted(at) => ("hub-used", Some(at)),
        SecretView::Hub => ("hub", None),
    }
}

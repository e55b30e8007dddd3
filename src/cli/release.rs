//! `airlock release list|show|activate`: what is here, what is live.

use clap::Subcommand;
use serde_json::json;

use super::Ui;
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::db::site::release::{Activated, ReleaseRow};
use crate::db::site::targets::{DeploymentRow, TargetSet, Undeploy};
use crate::domain::{Clock as _, Result, SystemClock, Uuid};

/// Look at releases and choose which one is live
#[derive(Debug, Subcommand)]
pub(super) enum ReleaseCommand {
    /// List every imported release
    List {
        #[command(flatten)]
        state: StateArgs,
    },
    /// Show one release: names, blobs, bytes
    Show {
        /// Head digest (or its first 8 digits or more), number, or version label
        release: String,
        /// Product or PRODUCT/CHANNEL, where several match
        #[arg(long)]
        product: Option<String>,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Make an imported release live, also an earlier one
    ///
    /// A local, audited act. Running servers notice it at once; what was live stays readable by digest for a while, so that
    /// pulls under way end well. Importing something older stays impossible.
    ///
    /// Agents remove what their target no longer has, volumes included. So a release that lacks targets or deployments of the
    /// live one, without naming them as removed, goes live only with --undeploy.
    #[command(after_help = "Examples:\n  airlock release activate 1.4.2\n  airlock release activate 1.4.2 --undeploy")]
    Activate {
        /// Head digest (or its first 8 digits or more), number, or version label
        release: String,
        /// Product or PRODUCT/CHANNEL, where several match
        #[arg(long)]
        product: Option<String>,
        /// Let agents remove what the live release has and this one lacks
        #[arg(long)]
        undeploy: bool,
        #[command(flatten)]
        state: StateArgs,
    },
}

pub(super) fn run(command: &ReleaseCommand, ui: &mut Ui) -> Result<()> {
    match command {
        ReleaseCommand::List { state } => {
            let releases = state.open()?.releases()?;
            let lines: Vec<String> = releases.iter().map(line).collect();
            let human = if lines.is_empty() {
                "no release was imported yet".to_owned()
            } else {
                lines.join("\n")
            };
            ui.result(
                &json!({"releases": releases.iter().map(to_json).collect::<Vec<_>>()}),
                human,
            )
        }
        ReleaseCommand::Show {
            release,
            product,
            state,
        } => {
            let appliance = state.open()?;
            let release = appliance.find_release(release, product.as_deref())?;
            let content = appliance.release_content(&release)?;
            let mut value = to_json(&release);
            if let Some(members) = value.as_object_mut() {
                members.insert("blobs".into(), content.blobs.into());
                members.insert("bytes".into(), content.bytes.into());
                members.insert("names".into(), json!(content.names));
                members.insert("targets".into(), targets_json(&content.targets));
                members.insert("removed".into(), json!(content.targets.removed));
            }
            let human = format!(
                "{}\nhead         {}\nroot         {}\nimported     {}\ncontent      {} in {} blobs\n{}{}",
                line(&release),
                release.head,
                release.root_version,
                release.imported_at,
                super::ui::bytes(content.bytes),
                content.blobs,
                content.names.join("\n"),
                targets_human(&content.targets),
            );
            ui.result(&value, human)
        }
        ReleaseCommand::Activate {
            release,
            product,
            undeploy,
            state,
        } => {
            let appliance = state.open()?;
            let release = appliance.find_release(release, product.as_deref())?;
            let undeploy = if *undeploy {
                Undeploy::Everything
            } else {
                Undeploy::AsSigned
            };
            let activated = appliance.activate(release.head, undeploy, SystemClock.now())?;
            let name = format!(
                "release {} ({}) of {}",
                release.counter,
                escape(&release.version),
                release.scope
            );
            let (word, human) = match activated {
                Activated::Already => ("already", format!("{name} is live already")),
                Activated::Now { .. } => ("activated", format!("{name} is live now")),
            };
            ui.result(&json!({"result": word, "head": release.head}), human)
        }
    }
}

fn line(release: &ReleaseRow) -> String {
    format!(
        "{:<9}  {}  {}  {}  {}",
        release.state,
        release.scope,
        release.counter,
        escape(&release.version),
        release.head.to_hex().get(..16).unwrap_or_default(),
    )
}

/// One line for each target of this site, with what it runs.
fn targets_human(set: &TargetSet) -> String {
    let mut out = String::new();
    for target in &set.targets {
        let runs: Vec<String> = runs_on(set, target.id)
            .map(|deployment| format!("{} {}", deployment.application, escape(&deployment.version)))
            .collect();
        out += &format!("\ntarget {}: {}", escape(&target.name), runs.join(", "));
    }
    if !set.removed.is_empty() {
        out += &format!(
            "\nremoves {} targets and deployments of earlier releases",
            set.removed.len()
        );
    }
    out
}

fn targets_json(set: &TargetSet) -> serde_json::Value {
    let targets = set.targets.iter().map(|target| {
        let deployments: Vec<_> = runs_on(set, target.id)
            .map(|deployment| {
                json!({
                    "id": deployment.id, "application": deployment.application, "version": deployment.version,
                    "revision": deployment.revision,
                })
            })
            .collect();
        json!({"id": target.id, "name": target.name, "kind": target.kind, "deployments": deployments})
    });
    targets.collect()
}

fn runs_on(set: &TargetSet, target: Uuid) -> impl Iterator<Item = &DeploymentRow> {
    set.deployments
        .iter()
        .filter(move |deployment| deployment.target == target)
}

fn to_json(release: &ReleaseRow) -> serde_json::Value {
    json!({
        "state": release.state.as_str(), "product": release.scope.product, "channel": release.scope.channel,
        "domain": release.scope.domain, "epoch": release.counter.epoch, "sequence": release.counter.sequence,
        "version": release.version, "head": release.head, "root_version": release.root_version,
        "imported_at": release.imported_at, "activated_at": release.activated_at, "retired_at": release.retired_at,
    })
}

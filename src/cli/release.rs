//! `airlock release list|show|activate|remove`: what is here, what is live.

use clap::Subcommand;
use serde_json::json;

use super::damage_view::{self, DamageView};
use super::release_activate::{self, ActivateArgs};
use super::release_remove::{self, RemoveArgs};
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::waiting_view::{self, WaitingView};
use super::{Ui, hidden};
use crate::appliance::acknowledgement::Standing;
use crate::appliance::secret::{MissingSecret, lacks};
use crate::appliance::{Hidden, ReleaseContent, ReleaseDamage};
use crate::db::site::release::{ReleaseRow, State};
use crate::db::site::targets::{DeploymentRow, TargetSet};
use crate::domain::{Digest, Result, Uuid, counted, natural};

/// Look at releases and choose which one is live
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum ReleaseCommand {
    /// List every imported release
    #[command(after_help = "Example:\n  airlock release list")]
    List {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Show one release: names, blobs, bytes
    #[command(after_help = "Example:\n  airlock release show 1.4.2")]
    Show {
        /// Head digest (or its first 8 digits or more), number, or version label
        release: String,
        /// Product or PRODUCT/CHANNEL, where several match
        #[arg(long)]
        product: Option<String>,
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Make an imported release live, also an earlier one
    ///
    /// A local, audited act. Running servers notice it at once; what was live stays readable by digest for a while, so that
    /// pulls under way end well. Importing something older stays impossible.
    ///
    /// Agents remove deployments that their target no longer has, volumes included; of a target that the release lacks as a whole nothing is
    /// deleted, and its agent is refused. So a release that lacks targets or deployments of the live one, without naming them as removed,
    /// goes live only with --undeploy. What changes is said first, and by --dry-run without anything else: what agents
    /// start, update in place and delete, names, and which secrets get another value, an older one where it goes back, are made, or are used
    /// by nothing any more. On a terminal it is asked where it goes back, takes something away or changes secrets; with --undeploy it is
    /// always asked, and where nobody is there, --yes is the answer. One that waits for secrets, or that is too large for agents with the values that
    /// were entered here, is refused with the command for each.
    #[command(
        after_help = "Examples:\n  airlock release activate 1.4.2 --dry-run\n  airlock release activate 1.4.2 --undeploy"
    )]
    Activate(ActivateArgs),
    /// Let a release go that is not live, with all content that only it has
    ///
    /// Said first, and asked. One that its vendor may build on is told to go, and goes with `airlock gc` once the vendor knows: `airlock gc
    /// --help` says when that is. --at-once does not wait.
    #[command(after_help = "Examples:\n  airlock release remove 1.2.0 --dry-run\n  airlock release remove 1.2.0 --yes")]
    Remove(RemoveArgs),
}

pub(super) fn run(command: &ReleaseCommand, ui: &mut Ui) -> Result<()> {
    match command {
        ReleaseCommand::Activate(args) => release_activate::run(args, ui),
        ReleaseCommand::Remove(args) => release_remove::run(args, ui),
        ReleaseCommand::List { config, state } => {
            let appliance = state.open_as(&config.read()?, ui)?;
            let names = ScopeNames::read(&appliance, [])?;
            let damage = DamageView::read(&appliance)?;
            let waiting = WaitingView::read(&appliance)?;
            for line in appliance.alarms()?.iter().flat_map(Standing::lines) {
                ui.warn(escape(&line));
            }
            let (mut lines, mut notes, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for release in appliance.releases()? {
                // Nothing of one that was replaced has a name any more.
                let hidden = match release.state {
                    State::Retired => Ok(Hidden::default()),
                    _ => appliance.hidden(&release),
                };
                let hidden = match hidden {
                    // `gc` let it go a moment ago.
                    Err(_) if appliance.is_gone(&release)? => continue,
                    hidden => hidden?,
                };
                let is_damaged = damage.of(&release).map_or("", |_| "  DAMAGED");
                let is_leaving = if release.leaving.is_some() { "  LEAVING" } else { "" };
                notes.push(is_damaged.to_owned() + is_leaving + &hidden::word(&hidden) + &waiting.word(&release));
                lines.push(cells(&release, &names));
                values.push(to_json(&release, &hidden, damage.of(&release), waiting.of(&release)));
            }
            let human = if lines.is_empty() {
                "no release was imported yet".to_owned()
            } else {
                table(&lines, &notes) + &damage.lines(&names) + &waiting.lines(&names)
            };
            ui.result(&json!({ "releases": values, "damage": damage.to_json() }), human)
        }
        ReleaseCommand::Show {
            release,
            product,
            config,
            state,
        } => {
            let appliance = state.open_as(&config.read()?, ui)?;
            let release = appliance.find_release(release, product.as_deref())?;
            let (content, hidden) = appliance.while_here(&release, || {
                Ok((appliance.release_content(&release)?, appliance.hidden(&release)?))
            })?;
            let damage = DamageView::read(&appliance)?;
            let damage = damage.of(&release);
            let names = ScopeNames::read(&appliance, [])?;
            let waiting = WaitingView::read(&appliance)?;
            let missing = waiting.of(&release);
            let mut value = to_json(&release, &hidden, damage, missing);
            if let Some(members) = value.as_object_mut() {
                members.insert("blobs".into(), content.blobs.into());
                members.insert("bytes".into(), content.bytes.into());
                let names = content
                    .names
                    .iter()
                    .map(|(name, digest)| json!({"name": name, "digest": digest}));
                members.insert("names".into(), names.collect());
                members.insert("targets".into(), targets_json(&content.targets));
                members.insert("removed".into(), json!(content.targets.removed));
                members.insert("removed_named".into(), json!(content.removed));
            }
            let human = format!(
                "{}\nhead         {}\nroot         {}\nimported     {}\ncontent      {} in {}\n{}{}{}{}{}",
                cells(&release, &names).join("  "),
                release.head,
                release.root_version,
                release.imported_at,
                super::ui::bytes(content.bytes),
                counted(content.blobs, "blob"),
                named(&content.names),
                targets_human(&content),
                hidden::lines(&hidden),
                damage.map_or_else(String::new, |damage| damage_view::line(damage, &names)),
                waiting_line(missing),
            );
            ui.result(&value, human)
        }
    }
}

/// Names of the columns of a list.
const HEADER: [&str; 5] = ["STATE", "PRODUCT", "NUMBER", "VERSION", "HEAD"];

fn cells(release: &ReleaseRow, names: &ScopeNames) -> [String; 5] {
    [
        release.state.to_string(),
        names.of(&release.scope),
        release.counter.to_string(),
        escape(&release.version),
        release.head.to_hex().get(..16).unwrap_or_default().to_owned(),
    ]
}

/// Returns the rows below their header, in columns, each with its notes.
fn table(rows: &[[String; 5]], notes: &[String]) -> String {
    let rows: Vec<[String; 5]> = std::iter::once(HEADER.map(ToOwned::to_owned))
        .chain(rows.iter().cloned())
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let notes = std::iter::once("").chain(notes.iter().map(String::as_str));
    let lines = rows.iter().zip(notes).map(|(row, note)| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + note
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One line for each name, with the digest behind it.
fn named(names: &[(String, Digest)]) -> String {
    let lines = names.iter().map(|(name, digest)| format!("{name}  {digest}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// One line for each target of this site, with what it runs.
fn targets_human(content: &ReleaseContent) -> String {
    let set = &content.targets;
    let mut out = String::new();
    let mut targets: Vec<_> = set.targets.iter().collect();
    targets.sort_by(|a, b| natural(&a.name, &b.name).then_with(|| a.id.cmp(&b.id)));
    for target in targets {
        let runs: Vec<String> = runs_on(set, target.id)
            .map(|deployment| {
                let version = escape(&deployment.version);
                format!("{} {version} ({})", deployment.application, deployment.id)
            })
            .collect();
        out += &format!("\ntarget {} ({}): {}", escape(&target.name), target.id, runs.join(", "));
    }
    for one in &content.removed {
        out += &format!("\nremoves {}", escape(one));
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

/// Says what a release lacks, and how each of it is entered.
fn waiting_line(missing: &[MissingSecret]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    format!("\n{}{}", escape(&lacks(missing)), waiting_view::commands(missing))
}

fn to_json(
    release: &ReleaseRow,
    hidden: &Hidden,
    damage: Option<&ReleaseDamage>,
    missing: &[MissingSecret],
) -> serde_json::Value {
    json!({
        "state": release.state.as_str(), "product": release.scope.product, "channel": release.scope.channel,
        "domain": release.scope.domain, "epoch": release.counter.epoch, "sequence": release.counter.sequence,
        "version": release.version, "head": release.head, "root_version": release.root_version,
        "imported_at": release.imported_at, "activated_at": release.activated_at, "retired_at": release.retired_at,
        "hidden": hidden::to_json(hidden), "damage": damage.map(ReleaseDamage::to_json),
        "waits_for": waiting_view::missing_json(missing), "leaving": release.leaving.is_some(),
    })
}

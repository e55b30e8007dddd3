//! `airlock release list|show|activate|remove`: what is here, what is live.

use std::io::{self, IsTerminal as _};

use clap::Subcommand;
use serde_json::json;

use super::advice::quoted;
use super::confirm::confirm;
use super::damage_view::{self, DamageView};
use super::release_remove::{self, RemoveArgs};
use super::removal_plan::ReleasePlan;
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::waiting_view::{self, WaitingView};
use super::{Ui, gone_names, hidden, secret_plan};
use crate::appliance::acknowledgement::Standing;
use crate::appliance::fleet::targets_now;
use crate::appliance::secret::{MissingSecret, lacks};
use crate::appliance::{Appliance, Hidden, ReleaseContent, ReleaseDamage};
use crate::db::site::release::{Activated, ReleaseRow, State};
use crate::db::site::targets::{DeploymentRow, TargetSet, Undeploy};
use crate::domain::{Clock as _, Digest, Result, SystemClock, Uuid, counted, natural};

/// Look at releases and choose which one is live
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum ReleaseCommand {
    /// List every imported release
    List {
        #[command(flatten)]
        config: ConfigArgs,
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
    /// goes live only with --undeploy. What goes is said first, and with --undeploy asked; where
    /// nobody is there to be asked, --yes is the answer. Which secrets get another value with it, an older one where it goes back, which are
    /// made and which nothing uses any more is said first too, and asked on a terminal. One that waits for secrets, or that is too large for agents with the values that
    /// were entered here, is refused with the command for each.
    #[command(after_help = "Examples:\n  airlock release activate 1.4.2\n  airlock release activate 1.4.2 --undeploy")]
    Activate {
        /// Head digest (or its first 8 digits or more), number, or version label
        release: String,
        /// Product or PRODUCT/CHANNEL, where several match
        #[arg(long)]
        product: Option<String>,
        /// Go on where this release lacks what the live one has: a deployment is deleted by its agent, a target is refused and keeps what runs
        #[arg(long)]
        undeploy: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Let a release go that is not live, with all content that only it has
    ///
    /// Said first, and asked. One that its vendor may build on is told to go, and goes with `airlock gc` once the vendor knows: `airlock gc
    /// --help` says when that is. --at-once does not wait.
    #[command(after_help = "Examples:\n  airlock release remove 1.2.0 --dry-run\n  airlock release remove 1.2.0 --yes")]
    Remove(RemoveArgs),
}

pub(super) fn run(command: &ReleaseCommand, ui: &mut Ui) -> Result<()> {
    match command {
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
        ReleaseCommand::Activate {
            release,
            product,
            undeploy,
            yes,
            config,
            state,
        } => {
            let appliance = state.open_as_to_change(&config.read()?, "release activate", ui)?;
            let named = release;
            let release = appliance.find_release(named, product.as_deref())?;
            let (next, gone, secrets) = appliance.while_here(&release, || {
                let next = appliance.release_content(&release)?.targets;
                Ok((
                    next,
                    appliance.gone_names_of(&release)?,
                    appliance.secret_plan(&release)?,
                ))
            })?;
            let plan = ReleasePlan::new(&targets_now(&appliance), &release.scope, &next, ui);
            let told = secret_plan::lines(&secrets, &secrets.made);
            let step = step(&appliance, &release)?;
            let is_back = step.as_ref().is_some_and(|(_, is_back)| *is_back);
            let step = step.map(|(line, _)| line);
            for line in step
                .iter()
                .chain(&plan.lines())
                .chain(&gone_names::lines(&gone, ""))
                .chain(&told)
            {
                ui.say(line);
            }
            let is_asked = (is_back || !told.is_empty()) && io::stdin().is_terminal();
            if is_asked || (*undeploy && !plan.is_empty()) {
                let product = product.as_ref().map_or(String::new(), |product| {
                    format!(" --product {}", quoted(&escape(product)))
                });
                let undeploy = if *undeploy { " --undeploy" } else { "" };
                let again = format!("airlock release activate {}{product}{undeploy}", quoted(&escape(named)));
                confirm(ui, *yes, &again)?;
            }
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
                ScopeNames::read(&appliance, [])?.of(&release.scope)
            );
            let (word, human) = match activated {
                Activated::Already => ("already", format!("{name} is live already")),
                Activated::Now { .. } => ("activated", format!("{name} is live now{}", made(&secrets.made))),
            };
            let hidden = appliance.hidden(&release)?;
            let value = json!({"result": word, "head": release.head, "hidden": hidden::to_json(&hidden), "removes": plan.to_json(), "gone_names": gone, "secrets": secret_plan::to_json(&secrets)});
            ui.result(&value, human + &hidden::lines(&hidden))
        }
    }
}

/// From which release it goes to which, and whether that is back; nothing where none is live, or this one.
fn step(appliance: &Appliance, release: &ReleaseRow) -> Result<Option<(String, bool)>> {
    let releases = appliance.releases()?;
    let live = releases
        .iter()
        .find(|other| other.state == State::Active && other.scope == release.scope);
    let Some(live) = live.filter(|live| live.head != release.head) else {
        return Ok(None);
    };
    let is_back = live.counter > release.counter;
    let line = format!(
        "{} goes {} from release {} ({}) to {} ({})",
        ScopeNames::read(appliance, [])?.of(&release.scope),
        if is_back { "back" } else { "on" },
        live.counter,
        escape(&live.version),
        release.counter,
        escape(&release.version)
    );
    Ok(Some((line, is_back)))
}

/// Says which secrets were made.
fn made(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("; made anew, for nothing was here: {}", escape(&names.join(", ")))
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

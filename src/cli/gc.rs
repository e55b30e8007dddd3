//! `airlock gc`: what nobody needs any more goes, and what goes is said before.

use clap::Args;
use serde_json::{Value, json};

use super::Ui;
use super::confirm::confirm;
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::{bytes, escape};
use crate::appliance::care::{Collected, GcPlan, Policy, Reason, Standing};
use crate::db::site::release::ReleaseRow;
use crate::domain::{Clock as _, Result, SystemClock, counted};

/// Let go of releases that nobody needs, and of content that no release has
///
/// What stays: the live release of each product and channel, newer ones, the last ones that were live before (as many as [care] of the
/// configuration says, or --keep), what was replaced within the grace period, what agents report running or were told to run, and what a
/// vendor may build on: what the newest status package lists that it may have. Such a release is told to go first, and goes once the vendor
/// has acknowledged a package that lists it no more; where it never acknowledged any, once such a package was written out.
///
/// What goes is said first, and asked; --yes is the answer where nobody is there. Servers go on serving, and whoever is reading content reads
/// it to its end. A bundle that is imported once more brings its release back only where it is the newest that was ever imported.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  airlock gc --dry-run\n  airlock gc --yes --keep 3")]
pub(super) struct GcArgs {
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Releases of a product and channel that were live before and stay [default: as the configuration says]
    #[arg(long, value_name = "N")]
    keep: Option<u64>,
    /// Let imports that were stopped not go on: what they left goes too
    #[arg(long)]
    abandon_imports: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &GcArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    let policy = Policy {
        keep: args.keep.unwrap_or(config.retention.keep),
        ..config.retention
    };
    let appliance = if args.dry_run {
        args.state.open_as(&config, ui)?
    } else {
        args.state.open_as_to_change(&config, "gc", ui)?
    };
    let plan = appliance.gc_plan(policy, args.abandon_imports, SystemClock.now())?;
    let names = ScopeNames::read(&appliance, [])?;
    let lines = lines(&plan, &names);
    if args.dry_run || (plan.is_empty() && !args.abandon_imports) {
        return ui.result(&to_json(&plan, None), lines.join("\n"));
    }
    for line in &lines {
        ui.say(line);
    }
    if !plan.goes.is_empty() || !plan.leaves.is_empty() || args.abandon_imports {
        confirm(ui, args.yes, &command(args))?;
    }
    let mut progress = |done, total| ui.steps("gc", done, total);
    let collected = appliance.gc(policy, args.abandon_imports, &plan, SystemClock.now(), &mut progress)?;
    ui.result(&to_json(&plan, Some(&collected)), said(&collected))
}

/// When a release goes that was told to.
pub(super) const KNOWN: &str =
    "once its vendor has acknowledged a status package without it (where it never acknowledges: once one was exported)";

/// The same command again.
fn command(args: &GcArgs) -> String {
    let keep = args.keep.map_or_else(String::new, |keep| format!(" --keep {keep}"));
    let abandon = if args.abandon_imports { " --abandon-imports" } else { "" };
    format!("airlock gc{keep}{abandon}")
}

/// Says what went.
pub(super) fn said(collected: &Collected) -> String {
    let mut text = format!(
        "{} gone, with {} in {}",
        counted(collected.releases, "release"),
        bytes(collected.bytes),
        counted(collected.blobs, "blob")
    );
    if collected.told > 0 {
        text += &format!(
            "; {} told to go: gone {KNOWN}, and `airlock gc` has run after it",
            counted(collected.told, "release")
        );
    }
    text
}

fn named(release: &ReleaseRow, names: &ScopeNames) -> String {
    format!(
        "{} {} ({})",
        names.of(&release.scope),
        release.counter,
        escape(&release.version)
    )
}

fn lines(plan: &GcPlan, names: &ScopeNames) -> Vec<String> {
    let mut lines = Vec::new();
    for Standing {
        release,
        reasons,
        listed,
    } in &plan.standings
    {
        let name = named(release, names);
        let reasons: Vec<String> = reasons.iter().map(|reason| escape(&reason.to_string())).collect();
        lines.push(match (reasons.is_empty(), listed) {
            (false, _) => format!("stays  {name}: {}", reasons.join("; ")),
            (true, false) => format!("goes   {name}"),
            (true, true) => format!("later  {name}: its vendor may build on it; it is told to go, and goes {KNOWN}"),
        });
    }
    lines.extend(visible_lines(&plan.visible));
    lines.push(format!(
        "{} would go, with {} in {}",
        counted(plan.goes.len() as u64, "release"),
        bytes(plan.bytes),
        counted(plan.blobs, "blob")
    ));
    let left = plan.leftovers;
    if left.blobs > 0 {
        lines.push(format!(
            "no release has {} in {}: these go too",
            bytes(left.bytes),
            counted(left.blobs, "blob")
        ));
    }
    if left.imports > 0 {
        lines.push(format!(
            "{} stopped and may go on: what no release has stays for as long (--abandon-imports lets it go)",
            counted(left.imports, "import")
        ));
    }
    lines
}

/// Names that others see once something is gone.
pub(super) fn visible_lines(visible: &[String]) -> Vec<String> {
    let lines = visible.iter();
    lines.map(|name| format!("others see then: {}", escape(name))).collect()
}

/// A release with what speaks for it, for machines.
pub(super) fn standing_json(standing: &Standing) -> Value {
    let release = &standing.release;
    let reasons: Vec<Value> = standing
        .reasons
        .iter()
        .map(|reason| match reason {
            Reason::Grace(until) => json!({"reason": reason.as_str(), "until": until}),
            Reason::Runs(targets) | Reason::MayRun(targets) => json!({"reason": reason.as_str(), "targets": targets}),
            _ => json!({"reason": reason.as_str()}),
        })
        .collect();
    json!({
        "domain": release.scope.domain, "product": release.scope.product, "channel": release.scope.channel,
        "epoch": release.counter.epoch, "sequence": release.counter.sequence, "version": release.version,
        "head": release.head, "state": release.state.as_str(), "reasons": reasons, "listed": standing.listed,
        "told": release.leaving.is_some(),
    })
}

fn to_json(plan: &GcPlan, collected: Option<&Collected>) -> Value {
    let heads = |list: &[ReleaseRow]| list.iter().map(|release| release.head).collect::<Vec<_>>();
    json!({
        "result": if collected.is_some() { "collected" } else { "planned" },
        "releases": plan.standings.iter().map(standing_json).collect::<Vec<_>>(),
        "goes": heads(&plan.goes), "leaves": heads(&plan.leaves), "blobs": plan.blobs, "bytes": plan.bytes,
        "unnamed": {"blobs": plan.leftovers.blobs, "bytes": plan.leftovers.bytes}, "stopped_imports": plan.leftovers.imports,
        "visible": plan.visible,
        "collected": collected.map(|it| json!({
            "releases": it.releases, "told": it.told, "blobs": it.blobs, "bytes": it.bytes,
        })),
    })
}

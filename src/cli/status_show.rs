//! `airlock status show`: all sites in a table, one site in full, or facts for other tools.

use clap::Args;
use serde_json::json;

use super::instant::{LimitArgs, aged, day, minute};
use super::table::table;
use super::ui::{Format, Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use super::{status_site, status_stream};
use crate::db::ledger::questions::label;
use crate::domain::{Result, counted};
use crate::vendor_side::ledger::ask::{FleetAnswer, FleetRow, Limits, facts, fleet};

/// What a line says that a summary told, and no package yet.
const BY_SUMMARY: &str = "by a summary";

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name or id of a site; without it all sites
    site: Option<String>,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// How many records of each deployment, days of each target and lines of each container are shown of a site, the newest; `all`
    #[arg(long, value_name = "N", value_parser = last, default_value = "3")]
    last: u64,
    /// Read the lines of containers and agents from the package files too
    #[arg(long)]
    logs: bool,
    // The option that every command has, with two formats more: clap gives what stands here to the common one.
    /// How results are written: for people, as one JSON document, or as facts for other tools, a line each
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

fn last(text: &str) -> Result<u64, String> {
    match text {
        "all" => Ok(u64::MAX),
        _ => text
            .parse()
            .map_err(|_| format!("{text:?} is neither a number nor `all`")),
    }
}

pub(super) fn run(args: &ShowArgs, ui: &mut Ui) -> Result<()> {
    let workspace = args.workspace.open()?;
    let limits = args.limits.limits();
    match (ui.format(), &args.site) {
        (Format::JsonLines | Format::Csv, site) => {
            status_stream::run(&workspace, site.as_deref(), args.logs, &limits, ui)
        }
        (_, Some(site)) => status_site::run(&workspace, site, args.last, args.logs, &limits, ui),
        (_, None) => all(&fleet(&workspace, &limits)?, &limits, ui),
    }
}

fn all(answer: &FleetAnswer, limits: &Limits, ui: &mut Ui) -> Result<()> {
    if answer.sites.is_empty() {
        return ui.result(&json!({"sites": []}), "no site is enrolled");
    }
    let rows = answer.sites.iter().flat_map(|row| site_rows(row, limits)).collect();
    let mut text = table(
        ["SITE", "PRODUCT", "RUNS", "SINCE", "DEPLOYMENTS", "AS OF", "NOTE"],
        rows,
    );
    let failing = |row: &&FleetRow| !row.failing.is_empty() || !row.refusals.is_empty();
    let widths = answer
        .sites
        .iter()
        .filter(failing)
        .map(|row| escape(&row.site.name).chars().count());
    let width = widths.max().unwrap_or(0);
    let failed: Vec<String> = answer.sites.iter().flat_map(|row| failures(row, width)).collect();
    if !failed.is_empty() {
        text += &format!("\n\nfailed:\n{}", failed.join("\n"));
    }
    let stale = answer
        .sites
        .iter()
        .filter(|row| row.is_stale && row.site.withdrawn_at.is_none());
    let (stale, silent): (Vec<_>, Vec<_>) = stale.partition(|row| row.as_of.is_some());
    let silent = match silent.len() {
        0 => String::new(),
        some => format!(", {some} that never reported"),
    };
    text += &format!(
        "\n\n{}, {} stale (older than {}){silent}; every line is as of its own time",
        counted(answer.sites.len(), "site"),
        stale.len(),
        aged(limits.as_of)
    );
    let list: Vec<_> = answer.sites.iter().map(|row| to_json(row, limits)).collect();
    ui.result(&json!({"as_of": limits.now, "sites": list}), text)
}

fn site_rows(row: &FleetRow, limits: &Limits) -> Vec<[String; 7]> {
    let as_of = row.as_of.map_or("never".to_owned(), |as_of| minute(as_of.at()));
    let first = |product: String, runs: String, since: String| {
        [
            escape(&row.site.name),
            product,
            runs,
            since,
            deployments(row),
            as_of.clone(),
            note(row, limits),
        ]
    };
    let mut rows: Vec<[String; 7]> = Vec::new();
    for held in &row.live {
        let version = held.version.as_deref().map_or("not signed here".to_owned(), escape);
        let mut cells = first(held.product.to_string(), label(held.counter, &version), day(held.since));
        if !rows.is_empty() {
            (cells[4], cells[6]) = (String::new(), String::new());
        }
        if let Some(at) = held.as_of.filter(|_| held.by_summary) {
            let [.., as_of, note] = &mut cells;
            *as_of = minute(at);
            let rest = std::mem::take(note);
            *note = [BY_SUMMARY.to_owned(), rest]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(", ");
        }
        rows.push(cells);
    }
    if rows.is_empty() {
        let dash = || "–".to_owned();
        rows.push(first(dash(), dash(), dash()));
    }
    rows
}

fn deployments(row: &FleetRow) -> String {
    let tally = &row.tally;
    let counts = [
        (tally.healthy, "healthy"),
        (tally.running, "running"),
        (tally.progressing, "progressing"),
        (tally.failed, "failed"),
        (tally.silent, "without status"),
        (tally.removed, "taken away"),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if counts.is_empty() {
        "–".to_owned()
    } else {
        counts.join(", ")
    }
}

fn note(row: &FleetRow, limits: &Limits) -> String {
    let mut notes = Vec::new();
    if row.site.withdrawn_at.is_some() {
        notes.push("withdrawn".to_owned());
    } else if let Some(as_of) = row.as_of.filter(|_| row.is_stale) {
        notes.push(format!("stale: {} old", aged(limits.age(as_of.at()))));
    }
    let tally = &row.tally;
    let counts = [
        (tally.doubt, format!("{} in doubt", tally.doubt)),
        (tally.behind, format!("{} not as wanted", tally.behind)),
        (tally.unseen, format!("{} not heard", counted(tally.unseen, "target"))),
        (row.findings, counted(row.findings, "finding")),
    ];
    notes.extend(counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, what)| what));
    notes.join(", ")
}

fn failures(row: &FleetRow, width: usize) -> Vec<String> {
    let site = format!("{:width$}", escape(&row.site.name));
    let mut lines = Vec::new();
    for (now, named, target) in &row.failing {
        let what = status_site::deployment_name(now.deployment, named, target.as_ref());
        lines.push(format!("  {site}  {what}: {}", status_site::failure(now)));
    }
    for refusal in &row.refusals {
        lines.push(format!("  {site}  {}", status_site::refusal(refusal)));
    }
    lines
}

fn to_json(row: &FleetRow, limits: &Limits) -> serde_json::Value {
    let mut value = facts::site(&row.site, row.as_of, limits);
    let tally = &row.tally;
    if let Some(members) = value.as_object_mut() {
        members.remove("fact");
        let more = json!({
            "live": row.live.iter().map(|held| facts::release(&row.site, held)).collect::<Vec<_>>(),
            "deployments": {
                "all": tally.deployments, "healthy": tally.healthy, "running": tally.running, "progressing": tally.progressing,
                "failed": tally.failed, "without_status": tally.silent, "in_doubt": tally.doubt, "not_as_wanted": tally.behind,
                "removed": tally.removed,
            },
            "targets": {"all": tally.targets, "not_heard": tally.unseen},
            "findings": row.findings,
            "failed": row.failing.iter().map(|(now, named, target)| json!({
                "target": now.target, "target_name": target.as_ref().map(|target| &target.name), "deployment": now.deployment,
                "application": named.deployment.as_ref().map(|named| &named.application), "state": now.state, "signal": now.signal,
                "first": now.first, "last": now.last, "count": now.count, "release": named.runs.as_ref().map(facts::running),
                "doubt": now.doubt,
            })).collect::<Vec<_>>(),
            "refused": row.refusals.iter().map(|refusal| facts::receipt(&row.site, refusal)).collect::<Vec<_>>(),
        });
        if let serde_json::Value::Object(more) = more {
            members.extend(more);
        }
    }
    value
}

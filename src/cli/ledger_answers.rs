//! `airlock vendor ledger show|sites|findings|end|who-lacks`: what was signed, whose packages are here, what is to be looked at, and who
//! lacks a fix.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::json;

use super::instant::{age, aged, day, limits, minute, usual_limits};
use super::table::table;
use super::ui::{Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::crypto::PublicKey;
use crate::db::ledger::findings::{self, Finding, FindingId};
use crate::db::ledger::questions::ended;
use crate::db::ledger::{self};
use crate::domain::{Clock as _, Result, SiteId, SystemClock, Timestamp, counted};
use crate::vendor_side::ledger::ask::{
    AsOf, ReleaseAnswer, SiteRow, WhoLacks, WhoLacksRow, facts, finding_advice, signed_releases, sites, who_lacks,
};

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

#[derive(Debug, Args)]
pub(super) struct FindingsArgs {
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Those that ended too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct EndArgs {
    /// Name of the finding, such as F7 or R12
    finding: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

#[derive(Debug, Args)]
pub(super) struct WhoLacksArgs {
    /// What a release fixes, such as CVE-2026-41234, or a release's version, or its number such as 0.8
    #[arg(value_name = "FIX|RELEASE")]
    what: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// Age above which a site's newest package says nothing any more, such as 14d (units: m, h, d, w)
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    as_of_max: i64,
}

/// What was signed, and at how many sites it is.
pub(super) fn show(args: &AskArgs, ui: &mut Ui) -> Result<()> {
    let answers = signed_releases(&args.workspace.open()?)?;
    let text = if answers.is_empty() {
        "no release was signed here".to_owned()
    } else {
        let columns = ["PRODUCT", "RELEASE", "FOR", "LIVE", "WAITS", "RETIRED", "HEAD", "FIXES"];
        table(columns, answers.iter().map(release_row).collect())
    };
    let list: Vec<_> = answers.iter().map(release_json).collect();
    ui.result(&json!({"releases": list}), text)
}

fn release_row(answer: &ReleaseAnswer) -> [String; 8] {
    let release = &answer.release;
    let fixes: Vec<String> = answer.fixes.iter().map(ToString::to_string).collect();
    [
        format!("{}/{}", release.product, release.channel),
        escape(&release.label()),
        answer.sites.map_or("any".to_owned(), |sites| counted(sites, "site")),
        answer.active.to_string(),
        answer.available.to_string(),
        answer.retired.to_string(),
        release.head.to_string(),
        fixes.join(", "),
    ]
}

fn release_json(answer: &ReleaseAnswer) -> serde_json::Value {
    let mut value = facts::running(&answer.release);
    if let Some(members) = value.as_object_mut() {
        members.insert("recorded_at".into(), json!(answer.release.created_at));
        members.insert("fixes".into(), json!(answer.fixes));
        members.insert(
            "audience".into(),
            answer.sites.map_or(json!("any"), |sites| json!(sites)),
        );
        let count = json!({"active": answer.active, "available": answer.available, "retired": answer.retired});
        members.insert("sites".into(), count);
    }
    value
}

/// Whose packages are here, up to where.
pub(super) fn list_sites(args: &AskArgs, ui: &mut Ui) -> Result<()> {
    let rows = sites(&args.workspace.open()?)?;
    let text = if rows.is_empty() {
        "no site is enrolled".to_owned()
    } else {
        let columns = ["SITE", "ID", "AS OF", "PACKAGE", "RECORDS", "RECEIPTS", "AUDIT", "NOTE"];
        table(columns, rows.iter().map(site_row).collect())
    };
    let list = rows.iter().map(site_json).collect::<Result<Vec<_>>>()?;
    ui.result(&json!({"sites": list}), text)
}

fn site_row(row: &SiteRow) -> [String; 8] {
    let [records, receipts, audit] = row.reach.map(|reached| reached.to_string());
    let mut notes = Vec::new();
    notes.extend(row.site.withdrawn_at.map(|at| format!("withdrawn {}", day(Some(at)))));
    let (holes, lost) = (row.holes.len() as u64, row.lost.len() as u64);
    let counts = [
        (holes, counted(holes, "hole")),
        (lost, format!("{} on lost branches", counted(lost, "range"))),
        (row.findings, counted(row.findings, "finding")),
    ];
    notes.extend(counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, what)| what));
    [
        escape(&row.site.name),
        row.site.site.to_string(),
        row.as_of.map_or("never".to_owned(), |as_of| minute(as_of.at())),
        row.as_of
            .map_or("–".to_owned(), |as_of| as_of.package.number.to_string()),
        records,
        receipts,
        audit,
        notes.join(", "),
    ]
}

fn site_json(row: &SiteRow) -> Result<serde_json::Value> {
    let mut value = facts::site(&row.site, row.as_of, &usual_limits());
    if let Some(members) = value.as_object_mut() {
        for member in ["fact", "stale"] {
            members.remove(member);
        }
        let [records, receipts, audit] = row.reach;
        let lineage = row.line.as_ref().map(|line| {
            let entry = |instance: &ledger::Instance| {
                json!({
                    "instance": instance.instance, "records": instance.records, "receipts": instance.receipts,
                    "audit": instance.audit,
                })
            };
            line.instances().iter().map(entry).collect::<Vec<_>>()
        });
        let keys = row
            .earlier_keys
            .iter()
            .map(|(key, until)| {
                Ok(json!({"status_key": PublicKey::from_bytes(&key.0)?.id(), "public_key": key, "until": until}))
            })
            .collect::<Result<Vec<_>>>()?;
        let more = json!({
            "status_key": row.site.status_key_id()?, "public_key": row.site.status, "earlier_keys": keys, "packages": row.packages, "lineage": lineage,
            "reach": {"records": records, "receipts": receipts, "audit": audit},
            "holes": row.holes.iter().map(|hole| facts::hole(&row.site, hole)).collect::<Vec<_>>(),
            "lost": row.lost.iter().map(|lost| facts::lost(&row.site, lost)).collect::<Vec<_>>(),
            "findings": row.findings,
        });
        if let serde_json::Value::Object(more) = more {
            members.extend(more);
        }
    }
    Ok(value)
}

/// What is to be looked at.
pub(super) fn list_findings(args: &FindingsArgs, ui: &mut Ui) -> Result<()> {
    let db = args.workspace.open()?.ledger()?;
    let (names, mut found) = db.read(|connection| {
        let mut found = findings::open(connection, None)?;
        if args.all {
            found.extend(ended(connection, None)?);
        }
        let names: BTreeMap<SiteId, String> = ledger::sites(connection)?
            .into_iter()
            .map(|site| (site.site, site.name))
            .collect();
        Ok((names, found))
    })?;
    let name = |site: &SiteId| names.get(site).map_or_else(|| site.to_string(), Clone::clone);
    found.sort_by_key(|finding| finding.ended_at.is_some());
    let text = if found.is_empty() {
        "nothing is to be looked at".to_owned()
    } else {
        let row = |finding: &Finding| {
            let ended = finding
                .ended_at
                .map_or(String::new(), |at| format!(" (ended {})", minute(at)));
            [
                finding.id.to_string(),
                escape(&name(&finding.site)),
                escape(&finding.code),
                finding.count.to_string(),
                minute(finding.at),
                escape(&finding.detail) + &ended,
            ]
        };
        let columns = ["FINDING", "SITE", "CODE", "COUNT", "SINCE", "WHAT"];
        table(columns, found.iter().map(row).collect()) + &advice(&found)
    };
    let list: Vec<_> = found
        .iter()
        .map(|finding| {
            let mut value = facts::finding(&name(&finding.site), finding);
            if let Some(members) = value.as_object_mut() {
                members.insert("remedy".into(), finding_advice(&finding.code).into());
            }
            value
        })
        .collect();
    ui.result(&json!({"findings": list}), text)
}

/// What to do about findings that are open, once for each code.
fn advice(found: &[Finding]) -> String {
    let open = found.iter().filter(|finding| finding.ended_at.is_none());
    let codes: BTreeSet<&str> = open.map(|finding| finding.code.as_str()).collect();
    if codes.is_empty() {
        return String::new();
    }
    let lines = codes
        .into_iter()
        .map(|code| format!("\n  {}: {}", escape(code), finding_advice(code)));
    "\n\nwhat to do; what was looked at ends with `airlock vendor ledger end FINDING`:".to_owned()
        + &lines.collect::<String>()
}

/// Ends a finding that somebody looked at.
pub(super) fn end(args: &EndArgs, ui: &mut Ui) -> Result<()> {
    let db = args.workspace.open_to_write(ui)?.ledger()?;
    let id: FindingId = args.finding.parse()?;
    let ended = db.write(|transaction| findings::end(transaction, id, SystemClock.now()))?;
    ui.result(
        &json!({
            "result": "ended", "id": id.to_string(), "site": ended.site, "code": ended.code, "count": ended.count,
            "ended_at": ended.ended_at,
        }),
        format_args!("ended {id}: {} of site {}", escape(&ended.code), ended.site),
    )
}

/// Who lacks a fix or a version.
pub(super) fn lacks(args: &WhoLacksArgs, ui: &mut Ui) -> Result<()> {
    let limits = limits(args.as_of_max, i64::MAX);
    let answer = who_lacks(&args.workspace.open()?, &args.what, &limits)?;
    let columns = ["SITE", "PRODUCT", "RUNS", "SINCE", "STATE", "AS OF", "FIX"];
    let rows = answer.rows.iter().map(|row| lacks_row(row, &answer)).collect();
    ui.result(&lacks_json(&answer, &args.what), table(columns, rows))?;
    for bar in &answer.bars {
        let line = format!(
            "{}/{} has it from {} on",
            bar.product,
            bar.channel,
            escape(&bar.label())
        );
        ui.say(line);
    }
    ui.say(format_args!(
        "a package older than {} says nothing any more",
        aged(args.as_of_max)
    ));
    Ok(())
}

fn lacks_row(row: &WhoLacksRow, answer: &WhoLacks) -> [String; 7] {
    let dash = || "–".to_owned();
    let of_product = answer.bars.iter().filter(|bar| bar.product == row.bar.product).count();
    let product = if of_product > 1 {
        format!("{}/{}", row.bar.product, row.bar.channel)
    } else {
        row.bar.product.to_string()
    };
    let runs = match (&row.runs, &row.doubt) {
        (_, Some(doubt)) => format!("in doubt: {}", escape(doubt)),
        (Some(runs), None) => match row.unchanged_in() {
            Some(bar) => format!("{}, unchanged in {}", escape(&runs.label()), escape(&bar.label())),
            None => escape(&runs.label()),
        },
        (None, None) if row.runs_unknown => "unknown".to_owned(),
        (None, None) => dash(),
    };
    [
        escape(&row.site.name),
        product,
        runs,
        day(row.since),
        row.state.as_deref().map_or_else(dash, escape),
        told_at(row).map_or("never".to_owned(), minute),
        row.verdict.as_str().to_owned(),
    ]
}

/// As of when what decides is so.
fn told_at(row: &WhoLacksRow) -> Option<Timestamp> {
    row.by_summary.or(row.as_of.map(AsOf::at))
}

fn lacks_json(answer: &WhoLacks, what: &str) -> serde_json::Value {
    let rows = answer.rows.iter().map(|row| {
        json!({
            "site": row.site.site, "name": row.site.name, "product": row.bar.product, "channel": row.bar.channel,
            "fix": row.verdict.as_str(), "why": row.why, "deployments": row.deployments, "lacking": row.lacking,
            "runs": row.runs.as_ref().map(facts::running), "unchanged_in": row.unchanged_in().map(facts::running), "since": row.since, "state": row.state, "doubt": row.doubt,
            "as_of": told_at(row), "source": facts::source(row.by_summary.is_some()),
        })
    });
    json!({
        "what": what, "bars": answer.bars.iter().map(facts::running).collect::<Vec<_>>(), "sites": rows.collect::<Vec<_>>(),
    })
}

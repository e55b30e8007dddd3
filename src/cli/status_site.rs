//! One site in full: what runs since when, what failed, its history, metrics and logs, and what is not known of it.

use serde_json::{Value, json};

use super::instant::{ago, minute};
use super::table::table;
use super::ui::{Ui, escape};
use crate::db::ledger::Numbered;
use crate::db::ledger::questions::{DeploymentNow, NamedTarget, ReceiptRow, label};
use crate::domain::{Result, Timestamp, Uuid, counted};
use crate::vendor_side::Workspace;
use crate::vendor_side::ledger::ask::{
    DeploymentAnswer, Limits, LogFacts, Named, SiteAnswer, TargetAnswer, facts, log_lines, site,
};

/// Prints a site.
pub(super) fn run(
    workspace: &Workspace,
    name: &str,
    last: u64,
    logs: bool,
    limits: &Limits,
    ui: &mut Ui,
) -> Result<()> {
    let answer = site(workspace, name, last)?;
    let logs = if logs {
        let mut read = |done, total| ui.progress("read packages", done, total);
        Some(log_lines(workspace, name, last, &mut read)?)
    } else {
        None
    };
    let text = human(&answer, logs.as_ref(), limits);
    ui.result(&to_json(&answer, logs.as_ref(), limits), text)
}

/// Returns what a deployment is called: `web on berlin`, or `unknown` and its UUID.
pub(super) fn deployment_name(id: Uuid, named: &Named, target: Option<&NamedTarget>) -> String {
    match (&named.deployment, target) {
        (Some(named), Some(target)) => format!("{} on {}", named.application, escape(&target.name)),
        (Some(named), None) => named.application.to_string(),
        (None, _) => format!("unknown {id}"),
    }
}

/// Returns how a deployment failed, since when.
pub(super) fn failure(now: &DeploymentNow) -> String {
    let word = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), escape);
    let since = now
        .first
        .map_or(String::new(), |first| format!(" since {}", minute(first)));
    let count = now
        .count
        .map_or(String::new(), |count| format!(", reported {}", counted(count, "time")));
    format!("{} ({}){since}{count}", word(&now.state), word(&now.signal))
}

/// Returns what was refused, when, and why.
pub(super) fn refusal(receipt: &ReceiptRow) -> String {
    let word = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), escape);
    format!(
        "release {} of {}/{} refused {}: {} {} (receipt {})",
        receipt.counter,
        receipt.product,
        receipt.channel,
        minute(receipt.at),
        word(&receipt.class),
        word(&receipt.code),
        receipt.number
    )
}

fn human(answer: &SiteAnswer, logs: Option<&LogFacts>, limits: &Limits) -> String {
    let mut text = format!("{} (site {})\n", escape(&answer.site.name), answer.site.site);
    if let Some(at) = answer.site.withdrawn_at {
        text += &format!("withdrawn    {at}: nothing of it counts any more\n");
    }
    text += &match answer.as_of {
        None => "as of        never: no package was taken in\n".to_owned(),
        Some(as_of) => format!(
            "as of        {}, {}{}\npackage      {} ({})\n",
            as_of.at(),
            ago(limits.age(as_of.at())),
            if limits.is_stale(as_of) { ": stale" } else { "" },
            as_of.package.number,
            as_of.package.head
        ),
    };
    if let Some((number, at)) = answer.summary {
        text += &format!(
            "summary      of package {number}, as of {}, {}: what it says of releases and deployments is marked\n",
            at,
            ago(limits.age(at))
        );
    }
    if let Some((number, at)) = answer.summary_apart {
        text += &format!(
            "kept         a summary of package {number}, as of {at}, {}: no package told of its instance yet, so nothing is concluded from it\n",
            ago(limits.age(at))
        );
    }
    for held in &answer.releases {
        let version = held.version.as_deref().map_or("not signed here".to_owned(), escape);
        let since = held
            .since
            .map_or(String::new(), |since| format!(" since {}", minute(since)));
        let agrees = if held.agrees == Some(false) {
            ", not as it was signed here"
        } else {
            ""
        };
        let source = by_summary(held.by_summary, held.as_of);
        text += &format!(
            "release      {}/{} {} {}{since}{agrees}{source}\n",
            held.product,
            held.channel,
            label(held.counter, &version),
            escape(&held.state)
        );
    }
    if answer.damaged > 0 {
        text += &format!("damaged      {}\n", counted(answer.damaged, "blob"));
    }
    if !answer.targets.is_empty() {
        text += &format!("\n{}\n", deployments(answer, limits));
    }
    section(&mut text, "failed", &failed(answer));
    section(
        &mut text,
        "to look at (`airlock vendor ledger findings`)",
        &findings(answer),
    );
    section(&mut text, "history, the newest first", &history(answer));
    section(&mut text, "metrics a day: least / mean / greatest", &metrics(answer));
    if let Some(logs) = logs {
        section(&mut text, "logs", &log_text(answer, logs));
    }
    text.trim_end().to_owned()
}

/// Says that something is told by a summary, as of its own time; nothing where a package says it.
fn by_summary(is: bool, as_of: Option<Timestamp>) -> String {
    match as_of.filter(|_| is) {
        Some(at) => format!(", by a summary as of {}", minute(at)),
        None => String::new(),
    }
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        *text += &format!("\n{title}:\n  {}\n", lines.join("\n  "));
    }
}

fn deployments(answer: &SiteAnswer, limits: &Limits) -> String {
    let mut rows = Vec::new();
    for target in &answer.targets {
        let name = target_name(target);
        if target.deployments.is_empty() {
            let dash = || "–".to_owned();
            rows.push([
                name.clone(),
                dash(),
                dash(),
                dash(),
                dash(),
                seen(target, limits),
                target_note(target),
            ]);
        }
        for one in &target.deployments {
            rows.push([
                name.clone(),
                application(one),
                runs(one),
                one.now.first.map_or("–".to_owned(), minute),
                one.now.state.as_deref().map_or("–".to_owned(), escape),
                seen(target, limits),
                deployment_note(target, one),
            ]);
        }
    }
    table(
        ["TARGET", "APPLICATION", "RUNS", "SINCE", "STATE", "SEEN", "NOTE"],
        rows,
    )
}

fn target_name(target: &TargetAnswer) -> String {
    let now = &target.now;
    let named = target.named.as_ref().map(|named| escape(&named.name));
    match (now.follows, named, &now.name) {
        (None, Some(name), _) => name,
        (Some(_), Some(name), Some(local)) => format!("{:?} (made there like {name})", escape(local)),
        (Some(_), Some(name), None) => format!("unknown {} (made there like {name})", now.target),
        _ => format!("unknown {}", now.target),
    }
}

fn application(one: &DeploymentAnswer) -> String {
    let named = one.named.deployment.as_ref();
    named.map_or_else(
        || format!("unknown {}", one.now.deployment),
        |named| named.application.to_string(),
    )
}

fn runs(one: &DeploymentAnswer) -> String {
    match (&one.named.runs, one.now.runs, &one.now.doubt) {
        (_, _, Some(doubt)) => format!("in doubt: {}", escape(doubt)),
        (Some(runs), ..) => label(runs.counter, &escape(&runs.version)),
        (None, Some(revision), None) => format!("unknown {revision}"),
        (None, None, None) => "nothing".to_owned(),
    }
}

fn seen(target: &TargetAnswer, limits: &Limits) -> String {
    let Some(seen) = target.now.seen else {
        return "never".to_owned();
    };
    let is_unseen = limits.is_unseen(Some(seen), target.as_of.unwrap_or(limits.now));
    let stale = if is_unseen { ": stale" } else { "" };
    format!("{}{stale}", minute(seen))
}

fn target_note(target: &TargetAnswer) -> String {
    target
        .now
        .removed
        .map_or(String::new(), |at| format!("target taken away {}", minute(at)))
}

fn deployment_note(target: &TargetAnswer, one: &DeploymentAnswer) -> String {
    let now = &one.now;
    let mut notes: Vec<String> = Some(target_note(target))
        .filter(|note| !note.is_empty())
        .into_iter()
        .collect();
    notes.extend(now.removed.map(|at| format!("taken away {}", minute(at))));
    if now.runs.is_some() && now.wanted.is_some() && now.runs != now.wanted {
        notes.push("not the revision that is wanted".to_owned());
    }
    if let Some(at) = one.as_of.filter(|_| one.by_summary) {
        notes.push(format!("by a summary as of {}", minute(at)));
    }
    notes.join(", ")
}

fn failed(answer: &SiteAnswer) -> Vec<String> {
    let failing = answer.targets.iter().flat_map(|target| {
        let failing = target.deployments.iter().filter(|one| one.is_failing());
        failing.map(|one| {
            let name = deployment_name(one.now.deployment, &one.named, target.named.as_ref());
            format!("{name}: {}", failure(&one.now))
        })
    });
    failing.chain(answer.open_refusals.iter().map(refusal)).collect()
}

fn findings(answer: &SiteAnswer) -> Vec<String> {
    let mut lines: Vec<String> = answer
        .findings
        .iter()
        .map(|finding| format!("{} {}: {}", finding.id, escape(&finding.code), escape(&finding.detail)))
        .collect();
    lines.extend(answer.holes.iter().map(|hole| {
        let range = facts::range(hole.kind, hole.first, hole.last);
        let verb = if hole.first == hole.last { "was" } else { "were" };
        format!("{range} {verb} never told here")
    }));
    lines.extend(answer.lost.iter().map(|lost| {
        let range = facts::range(lost.kind, lost.first, lost.last);
        let (stand, do_not) = if lost.first == lost.last {
            ("stands", "does not")
        } else {
            ("stand", "do not")
        };
        format!(
            "{range} {stand} on a lost branch, instance {}, and {do_not} count",
            lost.instance
        )
    }));
    lines
}

fn history(answer: &SiteAnswer) -> Vec<String> {
    let mut lines = Vec::new();
    for target in &answer.targets {
        for one in &target.deployments {
            if !one.history.is_empty() {
                lines.push(deployment_name(one.now.deployment, &one.named, target.named.as_ref()));
            }
            lines.extend(one.history.iter().map(|row| {
                let until = if row.count > 1 {
                    format!(" to {} ({} times)", minute(row.last), row.count)
                } else {
                    String::new()
                };
                let text = row
                    .text
                    .as_deref()
                    .map_or(String::new(), |text| format!(": {}", escape(text)));
                let goes_on = row.of.map_or(String::new(), |of| format!(", goes on from {of}"));
                format!(
                    "  #{} {}{until} {} ({}){goes_on}{text}",
                    row.number,
                    minute(row.at),
                    escape(&row.state),
                    escape(&row.signal)
                )
            }));
        }
    }
    lines
}

fn metrics(answer: &SiteAnswer) -> Vec<String> {
    let name = |id: Uuid| {
        let target = answer.targets.iter().find(|target| target.now.target == id);
        target.map_or_else(|| format!("unknown {id}"), target_name)
    };
    let percent = |text: &str| {
        let parts: Vec<u64> = serde_json::from_str(text).unwrap_or_default();
        let parts: Vec<String> = parts.iter().map(|part| format!("{} %", part / 10_000)).collect();
        parts.join(" / ")
    };
    let line = |day: &crate::db::ledger::questions::Day| {
        let disk = day
            .disk
            .map_or(String::new(), |disk| format!(", fullest disk {} %", disk / 10_000));
        let date = day.day.to_string().chars().take(10).collect::<String>();
        format!(
            "{} {date}: cpu {}, memory {}{disk}",
            name(day.target),
            percent(&day.cpu),
            percent(&day.memory)
        )
    };
    answer.days.iter().map(line).collect()
}

fn log_text(answer: &SiteAnswer, logs: &LogFacts) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &logs.missing {
        let range = file.range.map_or(String::new(), |(first, last)| {
            format!(", {}", facts::range(Numbered::Records, first, last))
        });
        lines.push(format!(
            "package {} of {}{range}: {}",
            file.number,
            minute(file.made_at),
            escape(&file.why())
        ));
    }
    for ((target_id, deployment, resource), kept) in &logs.lines {
        let target = answer.targets.iter().find(|target| target.now.target == *target_id);
        let one = answer.deployments().find(|one| Some(one.now.deployment) == *deployment);
        let whose = match (deployment, one) {
            (None, _) => target.map_or_else(|| format!("unknown {target_id}"), target_name) + " agent",
            (Some(_), Some(one)) => deployment_name(
                one.now.deployment,
                &one.named,
                target.and_then(|target| target.named.as_ref()),
            ),
            (Some(id), None) => format!("unknown {id}"),
        };
        let resource = resource
            .as_deref()
            .map_or(String::new(), |resource| format!(", {}", escape(resource)));
        lines.push(format!("{whose}{resource}"));
        lines.extend(kept.iter().map(|line| {
            format!(
                "  #{} {} {} {}",
                line.number,
                line.time,
                escape(&line.severity),
                escape(&line.text)
            )
        }));
    }
    if lines.is_empty() {
        lines.push("the packages carry none".to_owned());
    }
    lines
}

fn to_json(answer: &SiteAnswer, logs: Option<&LogFacts>, limits: &Limits) -> Value {
    let site = &answer.site;
    let deployments: Vec<Value> = answer
        .targets
        .iter()
        .flat_map(|target| target.deployments.iter().map(move |one| (target, one)))
        .map(|(target, one)| {
            let mut value = facts::deployment(site, target.named.as_ref(), one);
            if let Some(members) = value.as_object_mut() {
                let history: Vec<Value> = one.history.iter().map(|row| facts::record(site, row)).collect();
                members.insert("history".into(), history.into());
            }
            value
        })
        .collect();
    let list = |values: &mut dyn Iterator<Item = Value>| values.collect::<Vec<Value>>();
    json!({
        "site": facts::site(site, answer.as_of, limits),
        "summary": answer.summary.map(|(number, as_of)| json!({"number": number, "as_of": as_of})),
        "summary_apart": answer.summary_apart.map(|(number, as_of)| json!({"number": number, "as_of": as_of})),
        "releases": list(&mut answer.releases.iter().map(|held| facts::release(site, held))),
        "damaged": answer.damaged,
        "targets": list(&mut answer.targets.iter().map(|target| facts::target(site, target, limits))),
        "deployments": deployments,
        "receipts": list(&mut answer.receipts.iter().map(|row| facts::receipt(site, row))),
        "refused": list(&mut answer.open_refusals.iter().map(|row| facts::receipt(site, row))),
        "metrics": list(&mut answer.days.iter().map(|row| facts::day(site, row))),
        "findings": list(&mut answer.findings.iter().map(|row| facts::finding(&site.name, row))),
        "holes": list(&mut answer.holes.iter().map(|row| facts::hole(site, row))),
        "lost": list(&mut answer.lost.iter().map(|row| facts::lost(site, row))),
        "logs": logs.map(|logs| list(&mut logs.lines.values().flatten().map(|line| facts::log(site, line)))),
        "files_missing": logs.map(|logs| list(&mut logs.missing.iter().map(|file| facts::file_missing(site, file)))),
    })
}

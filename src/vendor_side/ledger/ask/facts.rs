//! What is known, each fact as one JSON object: the same in documents, in JSON lines and, by its members, in CSV.
//!
//! `fact` says what it is, `site` and `name` whose. Texts stand as they travelled, quoted (M-94): nothing of them is lost, and none of
//! them breaks a line.

use serde_json::{Map, Value, json};

use super::limits::{AsOf, Limits};
use super::log_lines::{FileMissing, LogLine};
use super::lost::Lost;
use super::site_answer::{DeploymentAnswer, TargetAnswer};
use crate::db::ledger::findings::Finding;
use crate::db::ledger::questions::{Day, GapRow, Held, Hole, NamedTarget, ReceiptRow, RecordRow, SignedHeadRow};
use crate::db::ledger::{Numbered, Site};

/// Returns what is known of a site as such.
pub fn site(site: &Site, as_of: Option<AsOf>, limits: &Limits) -> Value {
    let package = as_of.map(|as_of| as_of.package);
    with(
        "site",
        site,
        json!({
            "as_of": as_of.map(AsOf::at), "age_seconds": as_of.map(|as_of| limits.age(as_of.at())),
            "stale": as_of.is_none_or(|as_of| limits.is_stale(as_of)), "package": package.map(|package| package.head),
            "number": package.map(|package| package.number), "made_at": package.map(|package| package.made_at),
            "ingested_at": package.map(|package| package.ingested_at), "enrolled_at": site.enrolled_at,
            "withdrawn_at": site.withdrawn_at,
        }),
    )
}

/// Returns a release that a site holds.
pub fn release(site: &Site, held: &Held) -> Value {
    with(
        "release",
        site,
        json!({
            "head": held.head, "product": held.product, "channel": held.channel, "epoch": held.counter.epoch,
            "sequence": held.counter.sequence, "version": held.version, "state": held.state, "imported_at": held.imported_at,
            "since": held.since, "agrees": held.agrees, "as_of": held.as_of, "source": source(held.by_summary),
        }),
    )
}

/// Returns a target.
pub fn target(site: &Site, answer: &TargetAnswer, limits: &Limits) -> Value {
    let now = &answer.now;
    let metrics = now
        .metrics
        .as_deref()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let is_unseen = now.removed.is_none() && limits.is_unseen(now.seen, answer.as_of.unwrap_or(limits.now));
    with(
        "target",
        site,
        json!({
            "target": now.target, "target_name": answer.named.as_ref().map(|named| &named.name),
            "product": answer.named.as_ref().map(|named| &named.product), "channel": answer.named.as_ref().map(|named| &named.channel),
            "follows": now.follows, "local_name": now.name, "seen": now.seen,
            "seen_age_seconds": now.seen.map(|seen| limits.age(seen)), "stale": is_unseen, "since": now.since, "agent": now.agent,
            "metrics": metrics, "removed": now.removed, "as_of": answer.as_of, "source": source(false),
        }),
    )
}

/// Returns a deployment.
pub fn deployment(site: &Site, target: Option<&NamedTarget>, answer: &DeploymentAnswer) -> Value {
    let now = &answer.now;
    let named = answer.named.deployment.as_ref();
    with(
        "deployment",
        site,
        json!({
            "target": now.target, "target_name": target.map(|named| &named.name), "deployment": now.deployment,
            "application": named.map(|named| &named.application), "product": named.map(|named| &named.product),
            "channel": named.map(|named| &named.channel), "known": named.is_some(), "wanted": now.wanted, "revision": now.revision,
            "runs": now.runs, "release": answer.named.runs.as_ref().map(running), "doubt": now.doubt, "state": now.state,
            "signal": now.signal, "failed": answer.is_failing(), "first": now.first, "last": now.last, "count": now.count,
            "removed": now.removed, "as_of": answer.as_of, "source": source(answer.by_summary),
        }),
    )
}

/// Returns a release as what runs.
pub fn running(release: &SignedHeadRow) -> Value {
    json!({
        "head": release.head, "product": release.product, "channel": release.channel, "epoch": release.counter.epoch,
        "sequence": release.counter.sequence, "version": release.version,
    })
}

/// Returns a record.
pub fn record(site: &Site, row: &RecordRow) -> Value {
    let class = match row.class {
        1 => "transition",
        2 => "continued",
        _ => "status",
    };
    with(
        "record",
        site,
        json!({
            "number": row.number, "class": class, "at": row.at, "last": row.last, "count": row.count, "entered": row.entered,
            "of": row.of, "target": row.target, "deployment": row.deployment, "revision": row.revision, "state": row.state,
            "signal": row.signal, "text": row.text,
        }),
    )
}

/// Returns records that were not kept at the site.
pub fn gap(site: &Site, row: &GapRow) -> Value {
    with(
        "gap",
        site,
        json!({
            "number": row.number, "target": row.target, "class": row.class, "reason": row.reason, "count": row.count,
            "exact": row.exact, "first_number": row.range.map(|range| range.0), "last_number": row.range.map(|range| range.1),
            "first": row.since, "last": row.until,
        }),
    )
}

/// Returns a receipt.
pub fn receipt(site: &Site, row: &ReceiptRow) -> Value {
    with(
        "receipt",
        site,
        json!({
            "number": row.number, "at": row.at, "result": row.result, "head": row.head, "product": row.product,
            "channel": row.channel, "epoch": row.counter.epoch, "sequence": row.counter.sequence, "error_class": row.class,
            "error_code": row.code, "matched": row.matched,
        }),
    )
}

/// Returns a day of metrics.
pub fn day(site: &Site, row: &Day) -> Value {
    let list = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let day = row.day.to_string();
    with(
        "metrics-day",
        site,
        json!({
            "target": row.target, "day": day.split('T').next(), "samples": row.samples, "cpu": list(&row.cpu),
            "memory": list(&row.memory), "disk": row.disk,
        }),
    )
}

/// Returns a finding; `name` is the site's.
pub fn finding(name: &str, finding: &Finding) -> Value {
    json!({
        "fact": "finding", "site": finding.site, "name": name, "id": finding.id.to_string(), "code": finding.code,
        "detail": finding.detail, "count": finding.count, "package": finding.package, "at": finding.at, "ended_at": finding.ended_at,
    })
}

/// Returns numbers that no package told of.
pub fn hole(site: &Site, hole: &Hole) -> Value {
    with(
        "hole",
        site,
        json!({"class": kind(hole.kind), "first_number": hole.first, "last_number": hole.last}),
    )
}

/// Returns numbers that only a lost branch has.
pub fn lost(site: &Site, lost: &Lost) -> Value {
    with(
        "lost",
        site,
        json!({
            "instance": lost.instance, "class": kind(lost.kind), "first_number": lost.first, "last_number": lost.last,
            "made_at": lost.made_at,
        }),
    )
}

/// Returns a line of a container or an agent.
pub fn log(site: &Site, line: &LogLine) -> Value {
    with(
        "log",
        site,
        json!({
            "number": line.number, "at": line.at, "time": line.time, "target": line.target, "deployment": line.deployment,
            "revision": line.revision, "resource": line.resource, "severity": line.severity, "text": line.text,
        }),
    )
}

/// Returns that the lines of a package cannot be told, and which records it covers.
pub fn file_missing(site: &Site, file: &FileMissing) -> Value {
    with(
        "file-missing",
        site,
        json!({
            "number": file.number, "made_at": file.made_at, "first_number": file.range.map(|range| range.0),
            "last_number": file.range.map(|range| range.1), "text": file.why(),
        }),
    )
}

/// Returns the word for what says so.
pub fn source(by_summary: bool) -> &'static str {
    if by_summary { "summary" } else { "package" }
}

/// Returns the word for what is numbered.
pub fn kind(kind: Numbered) -> &'static str {
    match kind {
        Numbered::Records => "records",
        Numbered::Receipts => "receipts",
        Numbered::Audit => "audit",
    }
}

/// Returns a range of numbers for people: `record 7`, `receipts 3 to 5`.
pub fn range(numbered: Numbered, first: u64, last: u64) -> String {
    let (one, many) = match numbered {
        Numbered::Records => ("record", "records"),
        Numbered::Receipts => ("receipt", "receipts"),
        Numbered::Audit => ("audit row", "audit rows"),
    };
    if first == last {
        format!("{one} {first}")
    } else {
        format!("{many} {first} to {last}")
    }
}

/// Puts the members of whose it is, and what, with others.
fn with(fact: &str, site: &Site, members: Value) -> Value {
    let mut object = Map::new();
    object.insert("fact".into(), fact.into());
    object.insert("site".into(), site.site.to_string().into());
    object.insert("name".into(), site.name.clone().into());
    if let Value::Object(members) = members {
        object.extend(members);
    }
    Value::Object(object)
}

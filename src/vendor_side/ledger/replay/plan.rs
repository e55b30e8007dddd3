//! What is to be sent of a site, from the ledger: whose targets, the last status of each revision, the newest samples.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::{metrics_item, status_item};
use super::report::{Left, Undelivered};
use super::texts;
use crate::crypto::PublicKey;
use crate::db::Connection;
use crate::db::ledger::told::{self, LastStatus, ShownTarget, StoredPackage};
use crate::db::ledger::{self, Lineage, Site, replay};
use crate::domain::{Class, Error, Result, SiteId, StatusKind, Timestamp, Uuid};
use crate::package::TargetMetrics;
use crate::protocol::distr::{DiskMetrics, Metrics, StatusReport};

/// What is to be sent of a site.
#[derive(Debug)]
pub(super) struct SitePlan {
    pub(super) site: Site,
    pub(super) lineage: Lineage,
    pub(super) packages: Vec<StoredPackage>,
    /// The status key in force, and those before it.
    pub(super) keys: Vec<PublicKey>,
    /// How new the newest of it is at most.
    pub(super) told: Timestamp,
    pub(super) targets: Vec<TargetPlan>,
    /// Targets that the site may not report for.
    pub(super) refused: Vec<(Uuid, Left)>,
    pub(super) undelivered: Vec<Undelivered>,
}

/// What is to be sent of a target, but for its lines.
#[derive(Debug)]
pub(super) struct TargetPlan {
    pub(super) target: Uuid,
    /// Version that its agent is called by.
    pub(super) version: String,
    /// Whether the target becomes the site's by this.
    pub(super) is_claimed: bool,
    /// Deployment by deployment, revisions oldest first.
    pub(super) statuses: Vec<PlannedStatus>,
    pub(super) metrics: Option<PlannedMetrics>,
}

/// A status.
#[derive(Debug)]
pub(super) struct PlannedStatus {
    pub(super) item: String,
    pub(super) deployment: Uuid,
    pub(super) bracket: String,
    pub(super) body: Vec<u8>,
}

/// A sample.
#[derive(Debug)]
pub(super) struct PlannedMetrics {
    pub(super) item: String,
    pub(super) body: Vec<u8>,
}

/// Counts of what is not sent.
#[derive(Debug, Default)]
struct Apart {
    unsigned: u64,
    local: u64,
    nameless: u64,
    unknown: u64,
}

/// Plans a site; nothing where nothing of it was ever taken in. `is_named`: a person named it, for targets that stand at every site.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn plan(connection: &Connection, hub: &str, site: Site, is_named: bool) -> Result<Option<SitePlan>> {
    let Some(lineage) = ledger::shown(connection, &site.site)? else {
        return Ok(None);
    };
    let packages = told::stored_packages(connection, &lineage)?;
    let told = packages
        .iter()
        .map(|package| package.made_at.min(package.ingested_at))
        .max()
        .unwrap_or(Timestamp::EPOCH);
    let mut by_target: BTreeMap<Uuid, Vec<LastStatus>> = BTreeMap::new();
    for status in told::last_statuses(connection, &lineage)? {
        by_target.entry(status.target).or_default().push(status);
    }
    let shown: BTreeMap<Uuid, ShownTarget> = told::shown_targets(connection, &site.site)?
        .into_iter()
        .map(|target| (target.target, target))
        .collect();
    let all: BTreeSet<Uuid> = by_target.keys().chain(shown.keys()).copied().collect();
    let mut apart = Apart::default();
    let (mut targets, mut refused) = (Vec::new(), Vec::new());
    for target in all {
        let here = shown.get(&target);
        if here.is_some_and(|here| here.is_local) {
            apart.local = apart.local.saturating_add(1);
            continue;
        }
        match may_speak(connection, hub, &site.site, target, is_named)? {
            May::Yes { version, is_claimed } => {
                let statuses = by_target.remove(&target).unwrap_or_default();
                targets.push(TargetPlan {
                    target,
                    version: here
                        .and_then(|here| texts::version(here.agent.as_deref()?))
                        .or_else(|| Some(version).filter(|version| !version.is_empty()))
                        .unwrap_or_else(|| "unknown".to_owned()),
                    is_claimed,
                    statuses: statuses_of(connection, &site.site, statuses, &mut apart)?,
                    metrics: here.and_then(metrics_of),
                });
            }
            May::Unsigned => apart.unsigned = apart.unsigned.saturating_add(1),
            May::Nameless => apart.nameless = apart.nameless.saturating_add(1),
            May::No(left) => refused.push((target, left)),
        }
    }
    let mut keys = vec![PublicKey::from_bytes(&site.status.0)?];
    for (key, _) in ledger::earlier_keys(connection, &site.site)? {
        keys.push(PublicKey::from_bytes(&key.0)?);
    }
    let amounts = told::amounts(connection, &site.site, &lineage)?;
    let undelivered = undelivered(&targets, &apart, &amounts);
    Ok(Some(SitePlan {
        site,
        lineage,
        packages,
        keys,
        told,
        targets,
        refused,
        undelivered,
    }))
}

/// Whether a site may report for a target of a hub.
enum May {
    Yes {
        version: String,
        is_claimed: bool,
    },
    /// No signed release states it.
    Unsigned,
    /// It stands at every site of its release, and nobody named this one.
    Nameless,
    No(Left),
}

fn may_speak(connection: &Connection, hub: &str, site: &SiteId, target: Uuid, is_named: bool) -> Result<May> {
    let Some(stands) = ledger::stands(connection, site, target)? else {
        return Ok(May::Unsigned);
    };
    match &stands.only_at {
        Some(other) if other != site => {
            return Ok(May::No(Left::policy(
                "other-site",
                format!("it stands at the site {other}"),
            )));
        }
        _ if !stands.is_for_site => {
            return Ok(May::No(Left::policy(
                "other-site",
                "no release that states it is for this site",
            )));
        }
        None if !is_named => return Ok(May::Nameless),
        _ => {}
    }
    match replay::speaking_site(connection, hub, target)? {
        Some(other) if other != *site => Ok(May::No(Left::policy(
            "other-site",
            format!("at this hub the site {other} reports for it, for good"),
        ))),
        _ => Ok(May::Yes {
            version: stands.version,
            is_claimed: stands.only_at.is_none(),
        }),
    }
}

/// The statuses of a target in the order in which the hub shall get them.
fn statuses_of(
    connection: &Connection,
    site: &SiteId,
    statuses: Vec<LastStatus>,
    apart: &mut Apart,
) -> Result<Vec<PlannedStatus>> {
    let mut ordered = Vec::new();
    for status in statuses {
        let order = told::signed_order(connection, site, status.deployment, status.revision)?;
        match (order, status.state.parse::<StatusKind>()) {
            (Some(order), Ok(state)) => ordered.push(((status.deployment, order), status, state)),
            _ => apart.unknown = apart.unknown.saturating_add(1),
        }
    }
    ordered.sort_by_key(|(order, ..)| *order);
    ordered
        .into_iter()
        .map(|(_, status, state)| {
            let bracket = texts::bracket(site, &status);
            let report = StatusReport {
                revision: Some(status.revision),
                kind: state.as_str().to_owned(),
                message: texts::message(&bracket, status.text.as_deref()),
            };
            Ok(PlannedStatus {
                item: status_item(&status.instance, status.number),
                deployment: status.deployment,
                bracket,
                body: json(&report)?,
            })
        })
        .collect()
}

/// The newest sample of a target.
fn metrics_of(target: &ShownTarget) -> Option<PlannedMetrics> {
    let (instance, number) = target.package.as_ref()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a text of our own ledger, which was checked when it was taken in"
    )]
    let sample: TargetMetrics = serde_json::from_slice(target.metrics.as_deref()?.as_bytes()).ok()?;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let fraction = |parts: u64| f64::from(u32::try_from(parts).unwrap_or(u32::MAX)) / 1e6;
    let disks = (1_u32..).zip(&sample.disks).map(|(number, [total, used])| DiskMetrics {
        device: format!("disk-{number}"),
        path: format!("disk-{number}"),
        fs_type: String::new(),
        bytes_total: whole(total.0),
        bytes_used: whole(used.0),
    });
    let metrics = Metrics {
        cpu_cores_millis: whole(sample.cores),
        cpu_usage: fraction(sample.cpu),
        memory_bytes: whole(sample.memory),
        memory_usage: fraction(used_part(sample.memory, sample.memory_used)),
        disk_metrics: disks.collect(),
    };
    Some(PlannedMetrics {
        item: metrics_item(instance, *number),
        body: json(&metrics).ok()?,
    })
}

/// How much of a whole is used, in parts per million.
fn used_part(total: u64, used: u64) -> u64 {
    let parts = u128::from(used)
        .saturating_mul(1_000_000)
        .checked_div(u128::from(total));
    parts.and_then(|parts| u64::try_from(parts).ok()).unwrap_or(0)
}

/// Writes a report as the hub reads it.
///
/// # Errors
///
/// `E-INTERNAL json`.
pub(super) fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| Error::new(Class::Internal, "json", format!("a report has no JSON form: {error}")))
}

fn undelivered(targets: &[TargetPlan], apart: &Apart, amounts: &told::Amounts) -> Vec<Undelivered> {
    let statuses = targets
        .iter()
        .map(|target| target.statuses.len() as u64)
        .fold(0, u64::saturating_add);
    let samples = targets.iter().filter(|target| target.metrics.is_some()).count() as u64;
    let all = [
        (
            "times",
            statuses.saturating_add(samples),
            "the hub gives statuses and metrics the time when it gets them; the site's times of a status stand in its text",
        ),
        (
            "older-states",
            amounts.records.saturating_sub(statuses),
            "records of states: the hub gets the last one of each revision",
        ),
        (
            "counts",
            amounts.reports.saturating_sub(amounts.records),
            "repeats of statuses: how often stands in the text of the last one",
        ),
        ("gaps", amounts.gaps, "the hub has no word for what a site lost"),
        (
            "receipts",
            amounts.receipts,
            "the hub has no word for what a site imported, activated or refused",
        ),
        (
            "metrics-days",
            amounts.days,
            "the hub keeps samples alone, and shows the newest",
        ),
        (
            "site-targets",
            apart.local,
            "targets made at the site, which the hub does not know",
        ),
        (
            "unknown-targets",
            apart.unsigned,
            "targets that no signed release states",
        ),
        (
            "unknown-revisions",
            apart.unknown,
            "revisions that no release signed for this site states, so the hub does not know them either",
        ),
        (
            "unnamed-targets",
            apart.nameless,
            "targets that stand at every site of their release: --site SITE says that this one reports for them, for good",
        ),
    ];
    all.into_iter()
        .filter(|(_, count, _)| *count > 0)
        .map(|(what, count, why)| Undelivered { what, count, why })
        .collect()
}

//! Everything that is known of one site.

use std::cmp::Ordering;

use super::limits::{AsOf, Limits};
use super::lost::{Lost, lost};
use super::names::{Named, SiteNames};
use crate::Workspace;
use crate::db::Connection;
use crate::db::ledger::findings::{self, Finding};
use crate::db::ledger::questions::{
    self, Day, DeploymentNow, Held, Hole, NamedTarget, ReceiptRow, RecordRow, TargetNow, damaged, deployments_now,
    held, holes, newest, newest_summary, open_refusals, receipts, summary_apart, summary_time, targets_now,
};
use crate::db::ledger::{Lineage, Numbered, Site, shown};
use crate::domain::{Hash, Result, Timestamp, natural};
use crate::enrol::find_site;

/// What is known of a site.
#[derive(Debug)]
pub struct SiteAnswer {
    /// The site.
    pub site: Site,
    /// As of when; nothing for one that never sent a package.
    pub as_of: Option<AsOf>,
    /// Number of the summary that says more than the newest package, and as of when.
    pub summary: Option<(u64, Timestamp)>,
    /// Number of the newest summary of an instance that no package told of, and as of when: it is kept, and nothing is concluded from it.
    pub summary_apart: Option<(u64, Timestamp)>,
    /// Its shown line.
    pub line: Option<Lineage>,
    /// Releases that it holds.
    pub releases: Vec<Held>,
    /// How many pieces of content it cannot serve.
    pub damaged: u64,
    /// Its targets, with their deployments.
    pub targets: Vec<TargetAnswer>,
    /// Refusals after which nothing as new came in.
    pub open_refusals: Vec<ReceiptRow>,
    /// Receipts, the newest first.
    pub receipts: Vec<ReceiptRow>,
    /// Days of metrics, the newest of each target first.
    pub days: Vec<Day>,
    /// What is to be looked at.
    pub findings: Vec<Finding>,
    /// Numbers of its shown line that no package told of.
    pub holes: Vec<Hole>,
    /// What lost branches told.
    pub lost: Vec<Lost>,
}

/// A target of a site.
#[derive(Debug)]
pub struct TargetAnswer {
    /// What the package says.
    pub now: TargetNow,
    /// What a signed release calls it; of one that was made there, the one that it follows.
    pub named: Option<NamedTarget>,
    /// As of when.
    pub as_of: Option<Timestamp>,
    /// Its deployments.
    pub deployments: Vec<DeploymentAnswer>,
}

impl TargetAnswer {
    /// By name, as people count; those without one behind.
    fn by_name(&self, other: &Self) -> Ordering {
        let name = |answer: &Self| {
            answer
                .now
                .name
                .clone()
                .or(answer.named.as_ref().map(|named| named.name.clone()))
        };
        let by_name = match (name(self), name(other)) {
            (Some(one), Some(other)) => natural(&one, &other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        };
        by_name.then_with(|| self.now.target.cmp(&other.now.target))
    }
}

/// A deployment of a site.
#[derive(Debug)]
pub struct DeploymentAnswer {
    /// What the package says.
    pub now: DeploymentNow,
    /// What signed releases say of it.
    pub named: Named,
    /// As of when.
    pub as_of: Option<Timestamp>,
    /// Whether a summary says so, and no package yet.
    pub by_summary: bool,
    /// Its newest records, the newest first.
    pub history: Vec<RecordRow>,
}

impl DeploymentAnswer {
    /// Whether its last status says that something failed.
    pub fn is_failing(&self) -> bool {
        is_failing(&self.now)
    }
}

/// Whether the last status of a deployment says that something failed. What was taken away there fails no more.
pub(super) fn is_failing(now: &DeploymentNow) -> bool {
    now.removed.is_none()
        && (now.state.as_deref() == Some("error") || matches!(now.signal.as_deref(), Some("failed" | "rolled-back")))
}

impl SiteAnswer {
    /// Returns the deployments, by target.
    pub fn deployments(&self) -> impl Iterator<Item = &DeploymentAnswer> {
        self.targets.iter().flat_map(|target| &target.deployments)
    }

    /// Whether what is known is too old, or nothing is.
    pub fn is_stale(&self, limits: &Limits) -> bool {
        self.as_of.is_none_or(|as_of| limits.is_stale(as_of))
    }
}

/// Answers what is known of a site, named by id or local name, with the newest `last` records of each deployment, days of each target,
/// and receipts.
///
/// # Errors
///
/// `E-USAGE no-site`; those of the ledger.
pub fn site(workspace: &Workspace, name: &str, last: u64) -> Result<SiteAnswer> {
    workspace.ledger()?.read(|connection| {
        let site = find_site(connection, name)?;
        answer(connection, site, last, true)
    })
}

/// As [`site`], within a transaction, and with the records of deployments or without.
pub(super) fn answer(connection: &Connection, site: Site, last: u64, with_history: bool) -> Result<SiteAnswer> {
    let id = &site.site;
    let line = shown(connection, id)?;
    let package = match &line {
        Some(line) => newest(connection, line.youngest().id)?,
        None => None,
    };
    let as_of = package.map(|package| AsOf { package });
    let times = Times { connection, as_of };
    let releases = held(connection, id)?;
    let live = releases.iter().filter(|release| release.state == "active");
    let live: Vec<Hash> = live.map(|release| release.head).collect();
    let now = targets_now(connection, id)?;
    let names = SiteNames::read(connection, id, &now, live)?;
    let mut targets = Vec::with_capacity(now.len());
    for now in now {
        targets.push(TargetAnswer {
            named: names.target(now.follows.unwrap_or(now.target))?,
            as_of: times.of(now.package)?,
            deployments: Vec::new(),
            now,
        });
    }
    for now in deployments_now(connection, id)? {
        let history = match &line {
            Some(line) if with_history => questions::history(connection, line, now.deployment, last)?,
            _ => Vec::new(),
        };
        let as_of = times.of(now.package)?;
        let answer = DeploymentAnswer {
            named: names.named(now.deployment, now.runs)?,
            by_summary: as_of.is_some() && !times.is_package(now.package),
            as_of,
            history,
            now,
        };
        // A package lists a deployment behind its target; the rows of the ledger hold that too.
        let at = targets.partition_point(|target| target.now.target < answer.now.target);
        if let Some(target) = targets
            .get_mut(at)
            .filter(|target| target.now.target == answer.now.target)
        {
            target.deployments.push(answer);
        }
    }
    targets.sort_by(TargetAnswer::by_name);
    let mut missing = Vec::new();
    if let Some(line) = &line {
        for kind in [Numbered::Records, Numbered::Receipts, Numbered::Audit] {
            missing.extend(holes(connection, line, kind)?);
        }
    }
    let of_line = |read: &dyn Fn(&Lineage) -> Result<Vec<ReceiptRow>>| line.as_ref().map_or(Ok(Vec::new()), read);
    let summary = match &line {
        Some(line) => newest_summary(connection, id, line)?,
        None => None,
    };
    Ok(SiteAnswer {
        as_of,
        summary,
        summary_apart: summary_apart(connection, id)?,
        damaged: damaged(connection, id)?,
        open_refusals: of_line(&|line| open_refusals(connection, line))?,
        receipts: of_line(&|line| receipts(connection, line, last))?,
        days: if last > 0 {
            questions::days(connection, id, last)?
        } else {
            Vec::new()
        },
        findings: findings::open(connection, Some(id))?,
        holes: missing,
        lost: line
            .as_ref()
            .map_or(Ok(Vec::new()), |line| lost(connection, id, line))?,
        releases,
        targets,
        line,
        site,
    })
}

/// As of when rows are known, by the package or summary that they are from.
pub(super) struct Times<'a> {
    pub(super) connection: &'a Connection,
    pub(super) as_of: Option<AsOf>,
}

impl Times<'_> {
    /// Returns it; nothing for a row whose package is not here.
    pub(super) fn of(&self, package: Hash) -> Result<Option<Timestamp>> {
        match self.as_of {
            Some(as_of) if self.is_package(package) => Ok(Some(as_of.at())),
            _ => summary_time(self.connection, package),
        }
    }

    /// Whether this is the newest package, and no summary.
    fn is_package(&self, source: Hash) -> bool {
        self.as_of.is_some_and(|as_of| as_of.package.head == source)
    }
}

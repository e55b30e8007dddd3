//! What a site is now, by a package that says so: the highest number of the instance that is shown.

use std::collections::BTreeMap;

use super::facts::word;
use super::release_line::{Compared, compare};
use super::verdict::{FailedDeployment, HeldRelease, LISTED};
use crate::crypto::canonical;
use crate::db::Transaction;
use crate::db::ledger::questions::{named_deployment, named_target};
use crate::db::ledger::snapshot::{self as rows, DeploymentRow, HeldRow, MetricsDayRow, TargetRow};
use crate::domain::{Class, Counter, Doubt, Error, Hash, Result, Signal, SiteId, StatusKind, Uuid};
use crate::package::{Deployment, Line, MetricsDay, Quoted, Release, Target};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// The state of a site on its way into the ledger, in place of the one that was known.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    transaction: &'a Transaction<'a>,
    site: &'a SiteId,
    package: Hash,
    held_before: BTreeMap<Hash, Option<bool>>,
    failed_before: Vec<Uuid>,
    news: News,
}

/// Releases that the site did not hold before, and deployments that did not fail before: how many, and the first of them.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) new_releases: u64,
    pub(super) releases: Vec<HeldRelease>,
    /// What differs from what was signed under its head, and did not before: a sentence each.
    pub(super) differing: Vec<String>,
    /// Heads that were not signed here, and were not held before.
    pub(super) unsigned: Vec<Hash>,
    pub(super) new_failures: u64,
    pub(super) failed: Vec<FailedDeployment>,
}

impl<'a> Snapshot<'a> {
    /// Forgets what the site was.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) fn begin(transaction: &'a Transaction<'a>, site: &'a SiteId, package: Hash) -> Result<Self> {
        let snapshot = Self {
            transaction,
            site,
            package,
            held_before: rows::held_heads(transaction, site)?,
            failed_before: rows::failed_deployments(transaction, site)?,
            news: News::default(),
        };
        rows::clear(transaction, site)?;
        Ok(snapshot)
    }

    /// Returns what was not so before.
    pub(super) fn news(self) -> News {
        self.news
    }

    /// Takes a line of a snapshot; others are passed over.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) fn take(&mut self, line: &Line) -> Result<()> {
        match line {
            Line::Release(release) => self.release(release),
            Line::Damaged(damaged) => rows::put_damaged(self.transaction, self.site, damaged.digest),
            Line::Target(target) => self.target(target),
            Line::Deployment(deployment) => self.deployment(deployment),
            Line::Metrics(day) => self.day(day),
            _ => Ok(()),
        }
    }

    fn release(&mut self, release: &Release) -> Result<()> {
        let state = word(&release.state)?;
        let compared = compare(self.transaction, release)?;
        let agrees = compared.agrees();
        let before = self.held_before.get(&release.head).copied();
        let counter = Counter {
            epoch: release.epoch,
            sequence: release.sequence,
        };
        rows::put_held(
            self.transaction,
            self.site,
            self.package,
            &HeldRow {
                head: release.head,
                product: &release.product,
                channel: &release.channel,
                counter,
                state: &state,
                imported_at: release.imported_at,
                since: release.since,
                agrees,
            },
        )?;
        match compared {
            Compared::Differs(how) if before != Some(Some(false)) => self.news.differing.push(how),
            Compared::NotSigned if before.is_none() => self.news.unsigned.push(release.head),
            _ => {}
        }
        if before.is_some() {
            return Ok(());
        }
        self.news.new_releases = self.news.new_releases.saturating_add(1);
        if self.news.releases.len() < LISTED {
            self.news.releases.push(HeldRelease {
                head: release.head,
                product: release.product.to_string(),
                channel: release.channel.to_string(),
                epoch: release.epoch,
                sequence: release.sequence,
                state,
                agrees,
            });
        }
        Ok(())
    }

    fn target(&self, target: &Target) -> Result<()> {
        let metrics = target.metrics.as_ref().map(json).transpose()?;
        rows::put_target(
            self.transaction,
            self.site,
            self.package,
            &TargetRow {
                target: target.target,
                seen: target.seen,
                since: target.since,
                agent: target.agent.as_ref().map(Quoted::as_str),
                follows: target.follows,
                name: target.name.as_ref().map(Quoted::as_str),
                removed: target.removed,
                metrics: metrics.as_deref(),
            },
        )
    }

    fn deployment(&mut self, line: &Deployment) -> Result<()> {
        let row = DeploymentRow {
            deployment: line.deployment,
            target: line.target,
            wanted: line.wanted,
            revision: line.revision,
            runs: line.runs,
            doubt: line.doubt.map(Doubt::as_str),
            state: line.state.map(StatusKind::as_str),
            signal: line.signal.map(Signal::as_str),
            first: line.first,
            last: line.last,
            count: line.count,
            removed: line.removed,
        };
        rows::put_deployment(self.transaction, self.site, self.package, &row)?;
        if let (Some(state), Some(signal), Some(first)) = (row.state, row.signal, row.first)
            && row.fails()
            && self.failed_before.binary_search(&line.deployment).is_err()
        {
            self.news.new_failures = self.news.new_failures.saturating_add(1);
            if self.news.failed.len() < LISTED {
                let application = named_deployment(self.transaction, self.site, line.deployment)?;
                let target = named_target(self.transaction, self.site, line.target)?;
                self.news.failed.push(FailedDeployment {
                    deployment: line.deployment,
                    application: application.map(|named| named.application.to_string()),
                    target: line.target,
                    target_name: target.map(|named| named.name),
                    state,
                    signal,
                    first,
                });
            }
        }
        Ok(())
    }

    fn day(&self, day: &MetricsDay) -> Result<()> {
        rows::put_metrics_day(
            self.transaction,
            self.site,
            &MetricsDayRow {
                target: day.target,
                day: day.day.start().unix().div_euclid(DAY),
                samples: day.samples,
                cpu: &json(&day.cpu)?,
                memory: &json(&day.memory)?,
                disk: day.disk,
            },
        )
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    String::from_utf8(canonical::to_vec(value))
        .map_err(|e| Error::new(Class::Internal, "json", "canonical JSON is no UTF-8").with_source(e))
}

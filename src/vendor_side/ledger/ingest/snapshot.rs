//! What a site is now, by a package that says so: the highest number of the instance that is shown.

use super::facts::word;
use super::verdict::{FailedDeployment, HeldRelease};
use crate::crypto::canonical;
use crate::db::Transaction;
use crate::db::ledger;
use crate::db::ledger::snapshot::{self as rows, DeploymentRow, HeldRow, MetricsDayRow, TargetRow};
use crate::domain::{Class, Counter, Error, Hash, Result, SiteId, Uuid};
use crate::package::{Deployment, Line, MetricsDay, Release, Target};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// The state of a site on its way into the ledger, in place of the one that was known.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    transaction: &'a Transaction<'a>,
    site: &'a SiteId,
    package: Hash,
    held_before: Vec<Hash>,
    failed_before: Vec<Uuid>,
    releases: Vec<HeldRelease>,
    failed: Vec<FailedDeployment>,
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
            releases: Vec::new(),
            failed: Vec::new(),
        };
        rows::clear(transaction, site)?;
        Ok(snapshot)
    }

    /// Returns releases that the site did not hold before, and deployments that did not fail before.
    pub(super) fn news(self) -> (Vec<HeldRelease>, Vec<FailedDeployment>) {
        (self.releases, self.failed)
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
        let signed = ledger::contents_of(self.transaction, release.head)?;
        let agrees = signed == Some((release.blobs, release.content));
        let counter = Counter {
            epoch: release.epoch,
            sequence: release.sequence,
        };
        rows::put_held(
            self.transaction,
            self.site,
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
        if !self.held_before.contains(&release.head) {
            self.releases.push(HeldRelease {
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
                agent: target.agent.as_ref().map(|agent| agent.as_str()),
                follows: target.follows,
                name: target.name.as_ref().map(|name| name.as_str()),
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
            doubt: line.doubt.map(|doubt| doubt.as_str()),
            state: line.state.map(|state| state.as_str()),
            signal: line.signal.map(|signal| signal.as_str()),
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
            self.failed.push(FailedDeployment {
                deployment: line.deployment,
                target: line.target,
                state,
                signal,
                first,
            });
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

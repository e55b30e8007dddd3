//! What a site looks like: every target and its deployments as Distr's own console shows them, and what really runs.

use super::runs::{Doubt, Running};
use super::working_set::{Deployment, WorkingSet};
use crate::appliance::Appliance;
use crate::db::status::{self};
use crate::db::{Connection, Reader, Schema};
use crate::domain::{Result, StatusKind, Timestamp, Uuid};

/// After this many seconds without a status a deployment is stale; a status from so far ahead is stale too, as in Distr's console.
const STALE_SECONDS: u64 = 60;

/// A target as its agent reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatus {
    /// Its UUID.
    pub target: Uuid,
    /// Its name.
    pub name: String,
    /// Version that the agent stated last.
    pub agent: Option<String>,
    /// First contact.
    pub since: Timestamp,
    /// Last contact; may lag by a minute for a target without deployments.
    pub last_contact: Timestamp,
    /// Its deployments that ever reported.
    pub deployments: Vec<DeploymentStatus>,
}

/// A deployment as its agent reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// Its UUID.
    pub deployment: Uuid,
    /// What the console shows.
    pub dot: Dot,
    /// Latest status of the newest revision that has one.
    pub latest: Option<LatestStatus>,
    /// What really runs.
    pub runs: Running,
}

/// A status that came, perhaps many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestStatus {
    /// Number of its record.
    pub number: u64,
    /// The revision that it speaks of.
    pub revision: Uuid,
    /// The state.
    pub kind: StatusKind,
    /// In the agent's words; never to be shown without escaping.
    pub message: String,
    /// First time, by the appliance's clock.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
}

/// What Distr's console shows for a deployment, by precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dot {
    /// Nothing was reported.
    NoStatus,
    /// An error; it never becomes stale.
    Error,
    /// No status for a minute, or one from the future.
    Stale,
    /// Under way.
    Progressing,
    /// Running.
    Running,
    /// Healthy.
    Healthy,
}

impl Dot {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoStatus => "no status",
            Self::Error => "error",
            Self::Stale => "stale",
            Self::Progressing => "progressing",
            Self::Running => "running",
            Self::Healthy => "healthy",
        }
    }

    pub(super) fn of(status: Option<(StatusKind, Timestamp)>, now: Timestamp) -> Self {
        match status {
            None => Self::NoStatus,
            Some((StatusKind::Error, _)) => Self::Error,
            Some((_, last)) if now.unix().abs_diff(last.unix()) > STALE_SECONDS => Self::Stale,
            Some((StatusKind::Progressing, _)) => Self::Progressing,
            Some((StatusKind::Running, _)) => Self::Running,
            Some((StatusKind::Healthy, _)) => Self::Healthy,
        }
    }
}

/// Reads the overview of an appliance, also while another process serves; nothing is changed.
///
/// `desired` names the revision that a deployment shall run, where that is known: it is the newest one then, also after an earlier
/// release went live again.
///
/// # Errors
///
/// `E-STATE` when there is no status database or it is damaged; `E-IO`.
pub fn overview(
    appliance: &Appliance,
    now: Timestamp,
    desired: &dyn Fn(&Uuid) -> Option<Uuid>,
) -> Result<Vec<TargetStatus>> {
    let reader = Reader::open(&appliance.status_database(), &Schema::STATUS)?;
    reader.read(|connection| read(connection, now, desired))
}

pub(super) fn read(
    connection: &Connection,
    now: Timestamp,
    desired: &dyn Fn(&Uuid) -> Option<Uuid>,
) -> Result<Vec<TargetStatus>> {
    let working_set = WorkingSet::load(connection)?;
    let mut targets = Vec::with_capacity(working_set.targets.len());
    for (id, target) in &working_set.targets {
        let mut deployments = Vec::with_capacity(target.deployments.len());
        for (deployment, source) in &target.deployments {
            let known = working_set.deployments.get(source);
            deployments.push(view(connection, *deployment, known, now, desired(deployment))?);
        }
        targets.push(TargetStatus {
            target: *id,
            name: target.name.clone(),
            agent: target.agent.clone(),
            since: target.since,
            last_contact: target.last,
            deployments,
        });
    }
    Ok(targets)
}

fn view(
    connection: &Connection,
    id: Uuid,
    known: Option<&Deployment>,
    now: Timestamp,
    desired: Option<Uuid>,
) -> Result<DeploymentStatus> {
    let status = known.and_then(|known| {
        let of = |revision: Option<Uuid>| {
            let revision = revision?;
            known.statuses.iter().find(|status| status.revision == revision)
        };
        of(desired).or_else(|| of(known.newest))
    });
    let latest = match status {
        None => None,
        Some(status) => Some(LatestStatus {
            number: status.number,
            revision: status.revision,
            kind: status.kind,
            message: status::get(connection, status.number)?.map_or_else(String::new, |record| record.text),
            first: status.first,
            last: status.last,
            count: status.count,
        }),
    };
    Ok(DeploymentStatus {
        deployment: id,
        dot: Dot::of(status.map(|status| (status.kind, status.last)), now),
        latest,
        runs: known.map_or(Running::Unknown(Doubt::NoStatus), |known| known.runs.running()),
    })
}

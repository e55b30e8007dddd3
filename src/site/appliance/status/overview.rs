//! What a site looks like: every target and its deployments as Distr's own console shows them, and what really runs.

use std::collections::BTreeMap;

use super::deployment::Deployment;
use super::owner::Owner;
use super::runs::{self, Doubt, Running};
use super::working_set::WorkingSet;
use crate::appliance::Appliance;
use crate::db::status::{self, Advertised};
use crate::db::{Connection, Reader, Schema};
use crate::domain::{Result, Signal, StatusKind, Timestamp, Uuid};

/// After this many seconds without a status a deployment is stale; a status from so far ahead is stale too, as in Distr's console.
pub const STALE_SECONDS: u64 = 60;

/// A target as its agent reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatus {
    /// Its UUID.
    pub target: Uuid,
    /// Whose it was then.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// Version that the agent stated last.
    pub agent: Option<String>,
    /// First contact.
    pub since: Timestamp,
    /// Last contact; may lag by a minute for a target without deployments.
    pub last_contact: Timestamp,
    /// Its deployments that its agent was told of, or ever reported.
    pub deployments: Vec<DeploymentStatus>,
}

/// A deployment as its agent reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// Its UUID.
    pub deployment: Uuid,
    /// What the console shows.
    pub dot: Dot,
    /// Latest status of the newest revision that has one; only of what came since its agent was told what it shall run.
    pub latest: Option<LatestStatus>,
    /// What really runs.
    pub runs: Running,
    /// What its agent was told last; none where it did not ask yet.
    pub told: Option<Told>,
}

/// What an agent was told of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The revision that it shall run; none when the deployment is gone.
    pub revision: Option<Uuid>,
    /// The revision before, of one that is gone and where that is known.
    pub former: Option<Uuid>,
    /// When it was told first.
    pub at: Timestamp,
    /// Of one that is gone: when the agent asked again, having done what it was told before.
    pub confirmed: Option<Timestamp>,
}

/// A status that came, perhaps many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestStatus {
    /// Number of its record in the stream of the target's vendor.
    pub number: u64,
    /// The revision that it speaks of.
    pub revision: Uuid,
    /// The state.
    pub kind: StatusKind,
    /// What it says of the apply.
    pub signal: Signal,
    /// In the agent's words, as they came last; never to be shown without escaping.
    pub message: String,
    /// First time, by the appliance's clock; also where it stands in a later record by now, because the first one left.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
    /// How often since then.
    pub count: u64,
    /// How often the deployment came into this state, as far as that record knows.
    pub entered: u64,
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
    /// It was taken away, and its agent has not confirmed that yet.
    Undeploying,
    /// Its agent has not asked, or not reported, since it shall run what it shall run now.
    Waiting,
    /// Under way.
    Progressing,
    /// Running.
    Running,
    /// Healthy.
    Healthy,
    /// It was taken away, and its agent is done with that.
    Undeployed,
}

impl Dot {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoStatus => "no status",
            Self::Error => "error",
            Self::Stale => "stale",
            Self::Undeploying => "undeploying",
            Self::Waiting => "waiting",
            Self::Progressing => "progressing",
            Self::Running => "running",
            Self::Healthy => "healthy",
            Self::Undeployed => "undeployed",
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

/// Returns when the agent of each target was heard last, and its name.
///
/// # Errors
///
/// As [`overview`].
pub(in crate::appliance) fn last_contacts(connection: &Connection) -> Result<BTreeMap<Uuid, (String, Timestamp)>> {
    let targets = WorkingSet::load(connection)?.targets;
    let contacts = targets.into_iter().map(|(id, target)| (id, (target.name, target.last)));
    Ok(contacts.collect())
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
            deployments.push(view(
                connection,
                &working_set,
                *deployment,
                known,
                now,
                desired(deployment),
            )?);
        }
        targets.push(TargetStatus {
            target: *id,
            owner: target.owner,
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
    working_set: &WorkingSet,
    id: Uuid,
    known: Option<&Deployment>,
    now: Timestamp,
    desired: Option<Uuid>,
) -> Result<DeploymentStatus> {
    let told = known.and_then(|known| known.advertised);
    let status = known.and_then(|known| {
        let mut current = known.statuses.iter().filter(|status| status.number >= known.floor());
        let mut of = |revision: Option<Uuid>| {
            let revision = revision?;
            current.find(|status| status.revision == revision)
        };
        match told {
            None => {
                let latest = |revision: Uuid| known.statuses.iter().find(|status| status.revision == revision);
                desired.and_then(latest).or_else(|| known.newest.and_then(latest))
            }
            Some(told) if told.gone => of(known.open),
            Some(told) => of(told.revision),
        }
    });
    let (standing, wanted) = (
        Standing::of(status.is_some(), told),
        told.is_none_or(|told| is_wanted(&told, desired)),
    );
    let latest = match status {
        None => None,
        Some(status) => {
            let record = status::get(connection, status.number)?;
            let text = record.as_ref().map_or("", |record| &record.text);
            let signal = record.as_ref().and_then(|record| record.signal);
            Some(LatestStatus {
                number: status.position,
                revision: status.revision,
                kind: status.kind,
                signal: signal.unwrap_or_else(|| runs::signal(status.kind, text)),
                message: last_words(connection, working_set, status.number)?.unwrap_or_else(|| text.to_owned()),
                first: status.first,
                last: status.last,
                count: status.earlier.saturating_add(status.count),
                entered: status.entered,
            })
        }
    };
    let runs = known.map_or(Running::Unknown(Doubt::NoStatus), |known| known.runs.running());
    let (dot, runs) = match standing {
        Standing::Reported => (Dot::of(status.map(|status| (status.kind, status.last)), now), runs),
        Standing::Silent => (Dot::Waiting, Running::Unknown(Doubt::Waiting)),
        Standing::Removing => (Dot::Undeploying, Running::Unknown(Doubt::Removing)),
        Standing::StillReported => (Dot::Undeploying, runs),
        Standing::Gone => (Dot::Undeployed, Running::Nothing),
    };
    // Its agent has not asked since it shall run something else: what it says is about what it was told before.
    let dot = if wanted { dot } else { Dot::Waiting };
    Ok(DeploymentStatus {
        deployment: id,
        dot,
        latest,
        runs,
        told: told.map(|told| Told {
            revision: told.revision.filter(|_| !told.gone),
            former: told.revision.filter(|_| told.gone),
            at: told.at,
            confirmed: told.confirmed,
        }),
    })
}

/// What a deployment's statuses are worth, by what its agent was told.
enum Standing {
    /// They are about what it shall run.
    Reported,
    /// There is none since it was told.
    Silent,
    /// It was told that the deployment is gone, and has not asked again.
    Removing,
    /// It was told that the deployment is gone, and reports it all the same.
    StillReported,
    /// It was told that the deployment is gone, and asked again.
    Gone,
}

impl Standing {
    /// `heard` says whether there is a status since it was told.
    fn of(heard: bool, told: Option<Advertised>) -> Self {
        match told {
            None => Self::Reported,
            Some(told) if told.gone && heard => Self::StillReported,
            Some(told) if told.gone && told.confirmed.is_some() => Self::Gone,
            Some(told) if told.gone => Self::Removing,
            Some(_) if heard => Self::Reported,
            Some(_) => Self::Silent,
        }
    }
}

/// Whether an agent was told what is desired now, as far as that is known.
fn is_wanted(told: &Advertised, desired: Option<Uuid>) -> bool {
    match desired {
        Some(desired) => !told.gone && told.revision == Some(desired),
        None => true,
    }
}

/// The text of a status as it came last, where that is not the record's.
fn last_words(connection: &Connection, working_set: &WorkingSet, number: u64) -> Result<Option<String>> {
    let fresh = working_set
        .dirty
        .repeats
        .get(&number)
        .and_then(|repeat| repeat.text.clone());
    match fresh {
        Some(text) => Ok(Some(text)),
        None => Ok(status::repeat_of(connection, number)?.and_then(|repeat| repeat.text)),
    }
}

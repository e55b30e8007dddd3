//! Which releases stay, and why: what is live, what clients may still read, what a site may want to go back to, what runs, and what vendors
//! build on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::running::running;
use crate::appliance::Appliance;
use crate::appliance::export::own_head;
use crate::db::Connection;
use crate::db::site::packages;
use crate::db::site::release::{self, ReleaseId, ReleaseRow, State};
use crate::domain::{Hash, Result, Timestamp};

/// Beyond the grace period: a running server may notice a little later that it is over.
const MARGIN: i64 = 60;

/// What the site wants to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Releases of a product and channel that were live before, beside the live one.
    pub keep: u64,
    /// How long content of a replaced release can be read by digest.
    pub grace: Duration,
}

/// Why a release stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is live.
    Live,
    /// It was imported behind the live one, and may go live still.
    Next,
    /// It was replaced a moment ago: clients may be reading it.
    Grace(Timestamp),
    /// It is one of the last that were live before.
    Recent,
    /// Agents of these targets report it, or were told to run it.
    Runs(BTreeSet<String>),
    /// It is not known what these targets run, and it may be this.
    MayRun(BTreeSet<String>),
    /// An import that was stopped and may go on may build on it.
    Import,
}

/// A release, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The release.
    pub release: ReleaseRow,
    /// Why it stays; nothing: it may go.
    pub reasons: Vec<Reason>,
    /// Whether the newest signed package of its vendor lists it, or may, or a draft that may be signed: it goes once a newer one does not.
    pub listed: bool,
}

impl Reason {
    /// Returns the stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Next => "next",
            Self::Grace(_) => "grace",
            Self::Recent => "recent",
            Self::Runs(_) => "runs",
            Self::MayRun(_) => "may-run",
            Self::Import => "import",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("it is live"),
            Self::Next => f.write_str("it is newer than the live one"),
            Self::Grace(until) => write!(f, "it can be read by digest until {until}"),
            Self::Recent => f.write_str("it is one of the last that were live"),
            Self::Runs(targets) => write!(f, "it runs on {}", listed(targets)),
            Self::MayRun(targets) => write!(f, "it may run on {}: what does is not known", listed(targets)),
            Self::Import => {
                f.write_str("an import that was stopped may build on it (--abandon-imports says that none goes on)")
            }
        }
    }
}

fn listed(targets: &BTreeSet<String>) -> String {
    targets.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Returns every release, by scope and newest first, with what speaks for it.
///
/// # Errors
///
/// Those of [`running`] and of the database.
pub(super) fn standings(appliance: &Appliance, policy: Policy, now: Timestamp) -> Result<Vec<Standing>> {
    let running = running(appliance, now)?;
    appliance.db.read(|connection| {
        let releases = release::list(connection)?;
        let recent = recent(&releases, policy.keep);
        let mut newest = BTreeMap::new();
        let mut standings = Vec::with_capacity(releases.len());
        for release in &releases {
            let live = releases
                .iter()
                .find(|other| other.scope == release.scope && other.state == State::Active);
            let mut reasons = Vec::new();
            if release.state == State::Active {
                reasons.push(Reason::Live);
            }
            if release.state == State::Available && live.is_none_or(|live| live.counter < release.counter) {
                reasons.push(Reason::Next);
            }
            reasons.extend(grace(release, policy.grace, now));
            if recent.contains(&release.id) {
                reasons.push(Reason::Recent);
            }
            let runs = running.runs.get(&release.id);
            reasons.extend(runs.cloned().map(Reason::Runs));
            let may_run = running.may_run.get(&release.id).filter(|_| runs.is_none());
            reasons.extend(may_run.cloned().map(Reason::MayRun));
            let domain = release.scope.domain;
            let told = match newest.get(&domain) {
                Some(told) => *told,
                None => *newest.entry(domain).or_insert(told(connection, domain)?),
            };
            standings.push(Standing {
                release: release.clone(),
                reasons,
                listed: told.is_some_and(|told| release.leaving.is_none_or(|row| told < row)),
            });
        }
        Ok(standings)
    })
}

/// Up to which row of the stream log what a vendor builds on tells: the newest signed package, or a draft, which may be signed as it is.
/// Nothing where there is neither.
fn told(connection: &Connection, domain: Hash) -> Result<Option<u64>> {
    let signed = packages::newest_signed_of_any(connection, domain)?;
    let draft = packages::draft(connection, domain)?;
    let rows = signed
        .iter()
        .chain(&draft)
        .map(|row| Ok(own_head(&row.bytes)?.lasts().audit));
    Ok(rows.collect::<Result<Vec<_>>>()?.into_iter().min())
}

fn grace(release: &ReleaseRow, grace: Duration, now: Timestamp) -> Option<Reason> {
    let retired = release.retired_at.filter(|_| release.state == State::Retired)?;
    let seconds = i64::try_from(grace.as_secs())
        .unwrap_or(i64::MAX)
        .saturating_add(MARGIN);
    let until = retired.plus_seconds(seconds);
    // A clock that was set back says nothing about how long ago that was.
    (until > now).then_some(Reason::Grace(until))
}

/// The last of each scope that were live before, by when they last went live.
fn recent(releases: &[ReleaseRow], keep: u64) -> BTreeSet<ReleaseId> {
    let mut retired: Vec<&ReleaseRow> = releases
        .iter()
        .filter(|release| release.state == State::Retired)
        .collect();
    retired.sort_by_key(|release| std::cmp::Reverse((release.retired_at, release.counter)));
    let mut kept: BTreeMap<_, u64> = BTreeMap::new();
    let mut recent = BTreeSet::new();
    for release in retired {
        let count = kept.entry(release.scope_id).or_default();
        if *count < keep {
            *count = count.saturating_add(1);
            recent.insert(release.id);
        }
    }
    recent
}

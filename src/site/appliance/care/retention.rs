//! Which releases stay, and why: what is live, what clients may still read, what a site may want to go back to, what runs, and what vendors
//! build on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::running::running;
use crate::appliance::Appliance;
use crate::appliance::export::own_head;
use crate::db::Connection;
use crate::db::site::release::{self, ReleaseId, ReleaseRow, State};
use crate::db::site::{acknowledgements, packages, stream_log};
use crate::domain::{Hash, Result, Timestamp};

/// Seconds beyond the grace period: a running server may notice a little later that it is over.
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
    /// It was replaced a moment ago: clients may be reading it until then.
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
    /// Whether a package lists it that its vendor may know as the newest: it goes once none does.
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
            Self::Grace(until) => write!(
                f,
                "it was replaced, is read by digest until {until}, and stays a minute longer"
            ),
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
        let mut known = BTreeMap::new();
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
            let known = match known.entry(domain) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(Known::read(connection, domain)?),
            };
            standings.push(Standing {
                listed: known.lists(release),
                release: release.clone(),
                reasons,
            });
        }
        Ok(standings)
    })
}

/// What a vendor may build on (SPEC M-102).
struct Known {
    /// Up to which rows of the stream log those packages tell that it may know as the newest.
    packages: Vec<u64>,
    /// In which row it was told that a release was imported.
    imports: BTreeMap<Hash, u64>,
}

impl Known {
    /// Where a vendor has ever acknowledged anything, it knows what it acknowledged, and may know what was signed since. Before that, what was
    /// written out whole counts as arrived. What did not get out, and a draft, may still come to it.
    fn read(connection: &Connection, domain: Hash) -> Result<Self> {
        let reached = acknowledgements::reached(connection, domain)?.audit;
        let mut rows = Vec::new();
        for package in packages::list(connection, domain)?.iter().rev() {
            let last = own_head(&package.bytes)?.lasts().audit;
            if reached > 0 && package.state != packages::State::Draft && last < reached {
                break;
            }
            rows.push(last);
            if reached == 0 && package.state == packages::State::Exported {
                break;
            }
        }
        rows.extend((reached > 0).then_some(reached));
        Ok(Self {
            packages: rows,
            imports: stream_log::imports(connection, domain)?,
        })
    }

    /// Whether one of these packages lists a release: it was here then, and was not told to go.
    fn lists(&self, release: &ReleaseRow) -> bool {
        let imported = self.imports.get(&release.head).copied().unwrap_or(0);
        let lists = |last: &u64| imported <= *last && release.leaving.is_none_or(|told| *last < told);
        self.packages.iter().any(lists)
    }
}

fn grace(release: &ReleaseRow, grace: Duration, now: Timestamp) -> Option<Reason> {
    let retired = release.retired_at.filter(|_| release.state == State::Retired)?;
    let seconds = i64::try_from(grace.as_secs()).unwrap_or(i64::MAX);
    let until = retired.plus_seconds(seconds);
    // A clock that was set back says nothing about how long ago that was.
    (until.plus_seconds(MARGIN) > now).then_some(Reason::Grace(until))
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

//! What a summary says, from the lines of its package: the vendor knows the rest from what it signed.

use std::collections::{BTreeMap, HashMap};

use crate::appliance::status::STALE_SECONDS;
use crate::crypto::{Receipt, ReceiptResult};
use crate::db::Connection;
use crate::db::site::release;
use crate::db::site::targets::of_release;
use crate::domain::{Hash, Result, StatusKind, Timestamp, Uuid};
use crate::package::{
    Age, Deployment, GapReason, Head, Line, LocalState, Release, ReleaseState, Summary, SummaryDeployments,
    SummaryLive, SummaryRelease, SummaryRuns, SummaryState,
};

/// Above that many deployments of a release they are counted.
const EACH: usize = 2000;
/// Bytes of deployments that sixteen codes surely hold beside everything else.
const ROOM: usize = 5000;

/// What was read of a package.
#[derive(Debug, Default)]
pub(super) struct Content {
    releases: Vec<Release>,
    deployments: HashMap<Uuid, Deployment>,
    /// Targets made here, by the target whose template they follow.
    local: HashMap<Uuid, Uuid>,
    lost: u64,
    damaged: u64,
    refused: u64,
}

impl Content {
    /// Takes the next line of the package.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` for a receipt that is none.
    pub(super) fn take(&mut self, line: &Line) -> Result<()> {
        let add = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        match line {
            Line::Release(release) => self.releases.push(release.clone()),
            Line::Damaged(_) => add(&mut self.damaged, 1),
            Line::Target(target) => {
                if let Some(follows) = target.follows {
                    self.local.insert(target.target, follows);
                }
            }
            Line::Deployment(deployment) => {
                self.deployments.insert(deployment.deployment, (**deployment).clone());
            }
            Line::Receipt(receipt) => {
                let is_refusal = Receipt::parse(&receipt.envelope.payload)?.result == ReceiptResult::Refused;
                add(&mut self.refused, u64::from(is_refusal));
            }
            Line::Gap(gap) if gap.reason != GapReason::Folded => add(&mut self.lost, gap.count),
            _ => {}
        }
        Ok(())
    }

    /// Puts a summary together.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn summary(mut self, connection: &Connection, head: &Head, head_digest: Hash) -> Result<Summary> {
        let mut releases = Vec::new();
        for release in self.told() {
            let live = match release.state {
                ReleaseState::Active => Some(self.live(connection, &release, head.made_at)?),
                ReleaseState::Available | ReleaseState::Retired => None,
            };
            let since = match live {
                Some(_) => release.since.unwrap_or(release.imported_at),
                None => release.imported_at,
            };
            releases.push(SummaryRelease {
                head: first(&release.head.0),
                age: Age::between(since.unix(), head.made_at.unix()),
                live,
            });
        }
        fit(&mut releases);
        Ok(Summary {
            site: first(&head.site.to_bytes()),
            instance: first(&head.instance.to_bytes()),
            number: head.number,
            head: first(&head_digest.0),
            made_at: head.made_at,
            records: head.records.last,
            receipts: head.receipts.last,
            audit: head.audit.last,
            seal: first(&head.audit.hash.0),
            lost: self.lost,
            damaged: self.damaged,
            refused: self.refused,
            releases,
        })
    }

    /// Returns, by product and channel, the live releases and those that are newer and wait.
    fn told(&mut self) -> Vec<Release> {
        let all = std::mem::take(&mut self.releases);
        let live: BTreeMap<_, _> = all
            .iter()
            .filter(|release| release.state == ReleaseState::Active)
            .map(|release| {
                (
                    (release.product.clone(), release.channel.clone()),
                    (release.epoch, release.sequence),
                )
            })
            .collect();
        // The lines come by product, channel, epoch and sequence.
        all.into_iter()
            .filter(|release| match release.state {
                ReleaseState::Active => true,
                ReleaseState::Available => live
                    .get(&(release.product.clone(), release.channel.clone()))
                    .is_none_or(|live| *live < (release.epoch, release.sequence)),
                ReleaseState::Retired => false,
            })
            .collect()
    }

    fn live(&self, connection: &Connection, release: &Release, made_at: Timestamp) -> Result<SummaryLive> {
        let row = release::find(connection, release.head)?;
        let stated = row
            .map(|row| of_release(connection, row.id))
            .transpose()?
            .unwrap_or_default();
        let mut ids: Vec<(Uuid, Uuid)> = stated.deployments.iter().map(|row| (row.target, row.id)).collect();
        ids.sort_unstable();
        let states: Vec<SummaryState> = ids
            .iter()
            .map(|(_, id)| state(self.deployments.get(id), made_at))
            .collect();
        let is_here = |target: &Uuid| {
            self.local
                .get(target)
                .is_some_and(|follows| ids.iter().any(|(id, _)| id == follows))
        };
        let mut local: Vec<&Deployment> = self.deployments.values().filter(|line| is_here(&line.target)).collect();
        local.sort_unstable_by_key(|line| (line.target, line.deployment));
        Ok(SummaryLive {
            deployments: if states.len() > EACH {
                counted(&states)
            } else {
                SummaryDeployments::Each(states)
            },
            local: local
                .into_iter()
                .map(|line| LocalState {
                    deployment: first(line.deployment.as_bytes()),
                    state: state(Some(line), made_at),
                })
                .collect(),
        })
    }
}

/// Counts the deployments of the largest releases where all of them do not fit into sixteen codes.
fn fit(releases: &mut [SummaryRelease]) {
    let each = |release: &SummaryRelease| match &release.live {
        Some(SummaryLive {
            deployments: SummaryDeployments::Each(states),
            ..
        }) => states.len(),
        _ => 0,
    };
    while releases
        .iter()
        .map(each)
        .fold(0_usize, usize::saturating_add)
        .saturating_mul(2)
        > ROOM
    {
        let Some(largest) = releases.iter_mut().max_by_key(|release| each(release)) else {
            return;
        };
        let Some(live) = &mut largest.live else { return };
        if let SummaryDeployments::Each(states) = &live.deployments {
            live.deployments = counted(states);
        }
    }
}

fn counted(states: &[SummaryState]) -> SummaryDeployments {
    let mut by_state = [0_u64; 6];
    let mut not_wanted = 0_u64;
    for state in states {
        if let Some(count) = by_state.get_mut(usize::from(state.state)) {
            *count = count.saturating_add(1);
        }
        not_wanted = not_wanted.saturating_add(u64::from(state.runs != SummaryRuns::Wanted));
    }
    SummaryDeployments::Counted { by_state, not_wanted }
}

fn state(line: Option<&Deployment>, made_at: Timestamp) -> SummaryState {
    let Some(line) = line else {
        return SummaryState {
            state: 0,
            runs: SummaryRuns::Unknown,
            removed: false,
            age: Age::of_minutes(0),
        };
    };
    let is_stale = line
        .last
        .is_some_and(|last| made_at.unix().abs_diff(last.unix()) > STALE_SECONDS);
    let state = match line.state {
        None => 0,
        Some(StatusKind::Error) => 1,
        Some(_) if is_stale => 2,
        Some(StatusKind::Progressing) => 3,
        Some(StatusKind::Running) => 4,
        Some(StatusKind::Healthy) => 5,
    };
    let runs = match (line.runs, line.doubt) {
        (_, Some(_)) => SummaryRuns::Unknown,
        // Where nothing is wanted and nothing runs, that is so.
        (runs, None) if runs == line.wanted => SummaryRuns::Wanted,
        _ => SummaryRuns::Another,
    };
    SummaryState {
        state,
        runs,
        removed: line.removed.is_some(),
        age: line
            .first
            .map_or(Age::of_minutes(0), |first| Age::between(first.unix(), made_at.unix())),
    }
}

/// Returns the first bytes of an id, which has more.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

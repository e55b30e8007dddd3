//! Takes in a summary: what a site told by codes or over the telephone, until its package comes (M-118).
//!
//! It says what the deployments of the shown instance do now, as far as no package of the same or a higher number said so. It moves no
//! coverage, is not acknowledged, and nothing is built on what it says is held.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::site_clock;
use crate::Workspace;
use crate::bundle::desired::DesiredState;
use crate::crypto::PublicKey;
use crate::db::ledger::findings::{Found, REFUSE, raise};
use crate::db::ledger::snapshot::{DeploymentRow, put_deployment};
use crate::db::ledger::summaries::{self, HeldBySummary, NamedPackage, SignedBeginning, SummaryRow};
use crate::db::ledger::{self, Site};
use crate::db::{Transaction, sealed_log};
use crate::domain::{Class, Error, Hash, InstanceId, Result, SiteId, Timestamp, Uuid};
use crate::package::{
    Age, Sealer, SignedSummary, Summary, SummaryDeployments, SummaryRelease, SummaryRuns, SummaryState, advice,
    received,
};

/// Action of a row of the log: a summary was taken in.
const SUMMARY: &str = "summary";

/// What a summary came to.
#[derive(Debug, Clone, Serialize)]
pub struct SummaryTaken {
    /// Local name of the site.
    pub name: String,
    /// The site.
    pub site: SiteId,
    /// Number of the package that it is of.
    pub number: u64,
    /// The first 16 bytes of its head digest, in hex digits.
    pub head: String,
    /// By the site's clock.
    pub made_at: Timestamp,
    /// Records that are lost, blobs that are damaged, receipts that are refused, since the acknowledgement.
    pub lost: u64,
    /// Blobs that cannot be served there.
    pub damaged: u64,
    /// Refused receipts.
    pub refused: u64,
    /// The releases that are live or wait.
    pub releases: Vec<ReleaseTold>,
    /// Deployments made there that no package has listed yet.
    pub unknown_local: u64,
    /// Whether it was known already.
    pub known: bool,
    /// Whether what the site is now is known from it.
    pub is_newest: bool,
    /// Whether a package has told of its instance.
    pub instance_known: bool,
    /// How far the site's clock is ahead of the clock here, as a sentence; none where that is a day or less.
    pub clock_ahead: Option<String>,
}

/// How many deployments are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ByState {
    pub no_status: u64,
    pub error: u64,
    pub stale: u64,
    pub progressing: u64,
    pub running: u64,
    pub healthy: u64,
}

impl From<[u64; 6]> for ByState {
    /// In the order of [`SummaryState::STATES`].
    fn from([no_status, error, stale, progressing, running, healthy]: [u64; 6]) -> Self {
        Self {
            no_status,
            error,
            stale,
            progressing,
            running,
            healthy,
        }
    }
}

/// A release of a summary.
#[derive(Debug, Clone, Serialize)]
pub struct ReleaseTold {
    /// Head digest.
    pub head: Hash,
    /// Product and channel.
    pub scope: String,
    /// Epoch and sequence.
    pub counter: String,
    /// Whether it is live; else it waits.
    pub live: bool,
    /// Deployments by state.
    pub by_state: ByState,
    /// How many do not run what is wanted.
    pub not_wanted: u64,
}

/// Judges a summary and takes it in; what it is refused for stands in the log.
///
/// `data` is what came of it: texts of QR codes one a line, dictated lines, or the bytes.
///
/// # Errors
///
/// Those of [`received`] and [`SignedSummary::verify`]; `E-TRUST withdrawn-site`; `E-CONTENT summary-release`; `E-EQUIVOCATION
/// package-number`; those of the ledger.
pub fn take_summary(workspace: &Workspace, data: &[u8], now: Timestamp) -> Result<SummaryTaken> {
    let ledger = workspace.ledger()?;
    let domain = workspace.chain().domain();
    let (mut site, mut digest) = (None, None);
    let taken = ledger.write(|transaction| {
        let bytes = received(data)?;
        digest = Some(digest_of(&bytes));
        let sites = ledger::sites(transaction)?;
        let signed = SignedSummary::verify(&bytes, &sealers(&sites, domain)?)?;
        site = Some(signed.site.clone());
        let known = sites
            .iter()
            .find(|known| known.site == signed.site)
            .ok_or_else(unknown)?;
        take(transaction, known, &signed, now)
    });
    let taken = taken.map_err(advice::of_summary);
    if let Err(error) = &taken {
        let mut detail = json!({"class": error.class().name(), "code": error.code(), "found": error.found()});
        if let Some(members) = detail.as_object_mut() {
            members.extend(site.map(|site: SiteId| ("site".to_owned(), site.as_str().into())));
            members.extend(digest.map(|digest| ("summary".to_owned(), digest.to_string().into())));
        }
        ledger.write(|transaction| sealed_log::append(transaction, now, REFUSE, &detail))?;
    }
    taken
}

/// Concludes from a summary that was kept, once a package told of its instance: it says what runs as far as no later package does. One that
/// the site's present key did not sign stays as it is.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn take_up(
    transaction: &Transaction<'_>,
    domain: Hash,
    site: &Site,
    instance: &InstanceId,
    number: u64,
    now: Timestamp,
) -> Result<()> {
    let hex = summaries::beginning(instance);
    let Some(bytes) = summaries::newest_behind(transaction, &site.site, &hex, number)? else {
        return Ok(());
    };
    let taken = SignedSummary::verify(&bytes, &sealers(std::slice::from_ref(site), domain)?)
        .and_then(|signed| take(transaction, site, &signed, now));
    match taken {
        Err(error) if !matches!(error.class(), Class::Signature | Class::Content | Class::Equivocation) => Err(error),
        _ => Ok(()),
    }
}

/// What tells a summary from others, however it was written down.
fn digest_of(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

fn sealers(sites: &[Site], domain: Hash) -> Result<Vec<Sealer>> {
    let sealer = |site: &Site| {
        Ok(Sealer {
            domain,
            site: site.site.clone(),
            key: PublicKey::from_bytes(&site.status.0)?,
        })
    };
    sites.iter().map(sealer).collect()
}

fn take(transaction: &Transaction<'_>, site: &Site, signed: &SignedSummary, now: Timestamp) -> Result<SummaryTaken> {
    if site.withdrawn_at.is_some() {
        return Err(ledger::withdrawn(&site.site));
    }
    let summary = &signed.summary;
    let told: Vec<(SignedBeginning, &SummaryRelease, Option<DesiredState>)> = summary
        .releases
        .iter()
        .map(|release| known_release(transaction, signed, release))
        .collect::<Result<_>>()?;
    let hex = summaries::beginning(&InstanceId::from_bytes(widen(summary.instance)));
    let shown = ledger::shown(transaction, &site.site)?;
    let instances = ledger::instances(transaction, &site.site)?;
    let instance = instances.iter().find(|known| known.instance.as_str().starts_with(&hex));
    let (newest, head) = match instance {
        Some(instance) => summaries::packages_of(transaction, instance.id, summary.number)?,
        None => (0, None),
    };
    let digest = digest_of(&signed.bytes);
    let row = SummaryRow {
        digest,
        site: &site.site,
        instance: &hex,
        number: summary.number,
        head: summary.head,
        made_at: summary.made_at,
        taken_at: now,
        bytes: &signed.bytes,
    };
    let named = NamedPackage {
        site: &site.site,
        instance: &hex,
        number: summary.number,
        head: summary.head,
    };
    if head.is_some_and(|head| !head.0.starts_with(&summary.head)) || summaries::names_another(transaction, named)? {
        return Err(Error::new(
            Class::Equivocation,
            "package-number",
            format!(
                "site {} tells of another package {} than is known",
                site.site, summary.number
            ),
        )
        .expected("one package of a number and instance")
        .remedy("ask the site whether its state was copied or turned back: there `airlock recover --as restored` (or cloned) begins a new instance, whose packages are taken"));
    }
    let is_new = summaries::put(transaction, &row)?;
    let is_shown = match (&shown, instance) {
        (Some(shown), Some(instance)) => shown.youngest().id == instance.id,
        _ => false,
    };
    let is_newest = is_shown
        && newest < summary.number
        && summaries::newest_number(transaction, &site.site, &hex)? <= summary.number;
    let mut unknown_local = 0;
    // Also of one that was kept before a package told of its instance, and is given again.
    if is_newest {
        unknown_local = put_now(transaction, site, summary, digest, &told)?;
    }
    let number = summary.number;
    let untold = instance
        .is_none()
        .then(|| format!("a summary of package {number} is of an instance that no package told of, {hex}"));
    let clock_ahead =
        site_clock::ahead(summary.made_at, now).map(|said| format!("a summary of package {number} {said}"));
    if is_new {
        for (code, detail) in [(summaries::UNTOLD, &untold), ("clock-ahead", &clock_ahead)] {
            let Some(detail) = detail else { continue };
            let found = Found {
                site: &site.site,
                code,
                detail,
                package: None,
                at: now,
            };
            raise(transaction, &found)?;
        }
        let detail = json!({"digest": digest, "number": summary.number, "site": site.site});
        sealed_log::append(transaction, now, SUMMARY, &detail)?;
    }
    Ok(SummaryTaken {
        name: site.name.clone(),
        site: site.site.clone(),
        number: summary.number,
        head: data_encoding::HEXLOWER.encode(&summary.head),
        made_at: summary.made_at,
        lost: summary.lost,
        damaged: summary.damaged,
        refused: summary.refused,
        releases: told
            .iter()
            .map(|(signed, release, _)| release_told(signed, release))
            .collect(),
        unknown_local,
        known: !is_new,
        is_newest,
        instance_known: instance.is_some(),
        clock_ahead,
    })
}

/// Finds the release that was signed here for what a summary says, and what its deployments are at the site.
fn known_release<'a>(
    transaction: &Transaction<'_>,
    signed: &SignedSummary,
    release: &'a SummaryRelease,
) -> Result<(SignedBeginning, &'a SummaryRelease, Option<DesiredState>)> {
    let beginning = data_encoding::HEXLOWER.encode(&release.head);
    let mut found = summaries::signed_beginning(transaction, signed.domain, release.head)?;
    let (Some(known), None) = (found.pop(), found.pop()) else {
        return Err(Error::new(
            Class::Content,
            "summary-release",
            format!("the summary names a release whose head begins with {beginning}, which was not signed here"),
        )
        .expected("a release that this workspace signed or learned")
        .remedy(
            "learn the release from its bundle with `airlock vendor ledger learn FILE`, then give the summary again",
        ));
    };
    let fleet = known.fleet.as_deref().map(DesiredState::parse).transpose()?;
    // What a release that was learned told its targets is not kept: then the states are told, and nobody's.
    if let (Some(live), Some(fleet)) = (&release.live, &fleet)
        && let SummaryDeployments::Each(states) = &live.deployments
    {
        let stated = here(fleet, &signed.site).count();
        if stated != states.len() {
            return Err(Error::new(
                Class::Content,
                "summary-release",
                format!(
                    "the summary lists {} deployments of the release {beginning}",
                    states.len()
                ),
            )
            .expected(format!("{stated}, as it was signed for this site"))
            .remedy("ask the site for the status package itself"));
        }
    }
    Ok((known, release, fleet))
}

/// What a release states for a site, by target and deployment: target, deployment, revision.
fn here<'a>(fleet: &'a DesiredState, site: &'a SiteId) -> impl Iterator<Item = (Uuid, Uuid, Uuid)> + 'a {
    // Targets, and the deployments of each, ascend by UUID.
    fleet
        .deployments()
        .filter(move |(target, _)| target.site.as_ref().is_none_or(|for_site| for_site == site))
        .map(|(target, deployment)| (target.id, deployment.id, deployment.revision))
}

/// Writes what the site is now, and returns how many deployments made there nobody knows.
fn put_now(
    transaction: &Transaction<'_>,
    site: &Site,
    summary: &Summary,
    digest: Hash,
    told: &[(SignedBeginning, &SummaryRelease, Option<DesiredState>)],
) -> Result<u64> {
    let held: Vec<HeldBySummary<'_>> = told
        .iter()
        .map(|(signed, release, _)| HeldBySummary {
            signed,
            state: if release.live.is_some() { "active" } else { "available" },
            since: before(summary.made_at, release.age),
        })
        .collect();
    summaries::put_held(transaction, &site.site, digest, &held)?;
    let put = |(target, deployment, wanted): (Uuid, Uuid, Option<Uuid>), state: SummaryState| {
        put_deployment(
            transaction,
            &site.site,
            digest,
            &row(summary, (target, deployment, wanted), state),
        )
    };
    let mut unknown = BTreeSet::new();
    for (_, release, fleet) in told {
        let Some(live) = &release.live else { continue };
        if let (SummaryDeployments::Each(states), Some(fleet)) = (&live.deployments, fleet) {
            for ((target, deployment, revision), state) in here(fleet, &site.site).zip(states) {
                put((target, deployment, (!state.removed).then_some(revision)), *state)?;
            }
        }
        for local in &live.local {
            match summaries::made_there(transaction, &site.site, local.deployment)?[..] {
                [(deployment, target, wanted)] => put((target, deployment, wanted), local.state)?,
                _ => {
                    unknown.insert(local.deployment);
                }
            }
        }
    }
    Ok(unknown.len() as u64)
}

fn row(
    summary: &Summary,
    (target, deployment, wanted): (Uuid, Uuid, Option<Uuid>),
    told: SummaryState,
) -> DeploymentRow<'static> {
    let first = before(summary.made_at, told.age);
    let reported = told.state != 0;
    DeploymentRow {
        deployment,
        target,
        wanted,
        revision: None,
        runs: wanted.filter(|_| told.runs == SummaryRuns::Wanted),
        doubt: match told.runs {
            SummaryRuns::Wanted => None,
            SummaryRuns::Another => Some("another revision, as a summary says"),
            SummaryRuns::Unknown => Some("not known, as a summary says"),
        },
        state: SummaryState::STATES
            .get(usize::from(told.state))
            .copied()
            .filter(|_| reported),
        signal: None,
        first: reported.then_some(first),
        last: (reported && told.state != 2).then_some(summary.made_at),
        count: None,
        removed: told.removed.then_some(first),
    }
}

/// The latest time that an age leaves open.
fn before(made_at: Timestamp, age: Age) -> Timestamp {
    let minutes = i64::try_from(age.least_minutes()).unwrap_or(i64::MAX);
    made_at.plus_seconds(minutes.saturating_mul(-60))
}

fn release_told(signed: &SignedBeginning, release: &SummaryRelease) -> ReleaseTold {
    let (mut by_state, mut not_wanted) = ([0_u64; 6], 0_u64);
    if let Some(live) = &release.live {
        let mut count = |state: SummaryState| {
            if let Some(count) = by_state.get_mut(usize::from(state.state)) {
                *count = count.saturating_add(1);
            }
            not_wanted = not_wanted.saturating_add(u64::from(state.runs != SummaryRuns::Wanted));
        };
        live.local.iter().for_each(|local| count(local.state));
        match &live.deployments {
            SummaryDeployments::Each(states) => states.iter().for_each(|state| count(*state)),
            SummaryDeployments::Counted {
                by_state: counted,
                not_wanted: others,
            } => {
                for (sum, more) in by_state.iter_mut().zip(counted) {
                    *sum = sum.saturating_add(*more);
                }
                not_wanted = not_wanted.saturating_add(*others);
            }
        }
    }
    ReleaseTold {
        head: signed.head,
        scope: signed.scope.to_string(),
        counter: signed.counter.to_string(),
        live: release.live.is_some(),
        by_state: by_state.into(),
        not_wanted,
    }
}

fn widen(beginning: [u8; 8]) -> [u8; 16] {
    (u128::from(u64::from_be_bytes(beginning)) << 64).to_be_bytes()
}

fn unknown() -> Error {
    Error::new(
        Class::Internal,
        "summary",
        "a summary was verified for a site that is not there",
    )
}

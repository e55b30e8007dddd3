//! One generation: what is live and readable, what was signed about targets, and what this site decided about them, read in one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::document::{self, DesiredDocument};
use super::head::Heads;
use crate::appliance::Appliance;
use crate::db::Connection;
use crate::db::site::access::{self, AccessRow};
use crate::db::site::appliance;
use crate::db::site::damage;
use crate::db::site::kept_secrets::{self, KeptSecret};
use crate::db::site::local_targets::{self, LocalTarget};
use crate::db::site::name_claims::{self, HomeRow};
use crate::db::site::owners::Owners;
use crate::db::site::release::{self, ReleaseId, ReleaseRow, State};
use crate::db::site::site_revisions::SiteRevisions;
use crate::db::site::target_secrets::{self, SecretRow};
use crate::db::site::targets::{self, TargetSet};
use crate::domain::{Class, Code, Error, Hash, Result, Scope, Timestamp, Uuid};

/// One generation. What is wrong with one release is kept with it: whoever makes something of it decides what that means.
#[derive(Debug)]
pub(in crate::appliance) struct Generation {
    pub(in crate::appliance) mark: Mark,
    /// How long content of a replaced release stays readable.
    pub(in crate::appliance) grace_seconds: i64,
    /// Live releases, and those that were replaced less than a grace period ago.
    pub(in crate::appliance) readable: Vec<ReadableRelease>,
    /// Whether targets were read: what follows speaks of them. Else all of it is empty, and the next generation has it.
    pub(in crate::appliance) is_whole: bool,
    /// Home hosts of the live releases, in the order in which their scopes first had them live.
    pub(in crate::appliance) homes: Vec<HomeRow>,
    /// The domains that hosts belong to; hosts on which many publish are not among them.
    pub(in crate::appliance) host_owners: BTreeMap<String, Hash>,
    /// The release that speaks for each scope: the live one, or the newest where none is live yet.
    pub(in crate::appliance) governing: Vec<GoverningRelease>,
    pub(in crate::appliance) local: LocalDecisions,
    /// Heads of these releases whose signatures hold: they are not checked again for the next generation.
    signed: HashSet<Hash>,
}

/// What tells one generation from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::appliance) struct Mark {
    /// Counts activations.
    pub(in crate::appliance) number: u64,
    /// Counts what this site decides about targets.
    pub(in crate::appliance) edition: u64,
    /// Counts ends of damage.
    pub(in crate::appliance) repairs: u64,
}

/// Code of what cannot be said of a generation because another one came meanwhile.
pub(in crate::appliance) const SUPERSEDED: Code = Code::new("superseded");

/// Makes the error of that.
pub(in crate::appliance) fn superseded() -> Error {
    Error::new(
        Class::State,
        SUPERSEDED,
        "what targets shall run has changed in between",
    )
}

/// A release whose content may be read.
#[derive(Debug)]
pub(in crate::appliance) struct ReadableRelease {
    pub(in crate::appliance) release: Arc<ReleaseRow>,
    /// Whether its head is the signed one, and its names are known.
    pub(in crate::appliance) head: Result<(), Arc<Error>>,
}

/// A release that says what targets shall run.
#[derive(Debug)]
pub(in crate::appliance) struct GoverningRelease {
    pub(in crate::appliance) release: Arc<ReleaseRow>,
    /// What the database says of its targets where the document cannot be used; else nothing.
    pub(in crate::appliance) rows: TargetSet,
    /// Its signed document, where it has one.
    pub(in crate::appliance) desired: Result<Option<Arc<DesiredDocument>>, Arc<Error>>,
}

/// What this site decided about targets.
#[derive(Debug, Default)]
pub(in crate::appliance) struct LocalDecisions {
    /// Who may read beside agents.
    pub(in crate::appliance) access: Vec<AccessRow>,
    /// Targets of its own.
    pub(in crate::appliance) targets: Vec<LocalTarget>,
    /// What lets agents in.
    pub(in crate::appliance) secrets: HashMap<Uuid, SecretRow>,
    /// Whose targets and deployments are, and which were taken away.
    pub(in crate::appliance) owners: Owners,
    /// Values of secrets that are kept here, without the values.
    pub(in crate::appliance) kept_secrets: Vec<KeptSecret>,
    /// What agents were told in place of stated revisions.
    pub(in crate::appliance) site_revisions: SiteRevisions,
}

impl LocalDecisions {
    fn read(connection: &Connection) -> Result<Self> {
        Ok(Self {
            access: access::list(connection)?,
            targets: local_targets::list(connection)?,
            secrets: target_secrets::list(connection)?
                .into_iter()
                .map(|row| (row.target, row))
                .collect(),
            owners: Owners::read(connection)?,
            kept_secrets: kept_secrets::list(connection)?,
            site_revisions: SiteRevisions::read(connection)?,
        })
    }
}

impl Mark {
    /// Reads the present one.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::appliance) fn read(connection: &Connection) -> Result<Self> {
        Ok(Self {
            number: appliance::generation(connection)?,
            edition: targets::edition(connection)?,
            repairs: damage::repairs(connection)?,
        })
    }
}

impl Generation {
    /// Loads the present generation; documents that the one before has parsed, and that are the same files still, are not parsed
    /// again.
    ///
    /// # Errors
    ///
    /// Those of the database and of the folder of pins. What is wrong with one pin is kept with the releases of its vendor.
    pub(super) fn load(appliance: &Appliance, grace_seconds: i64, before: Option<&Self>) -> Result<Self> {
        Self::read(appliance, grace_seconds, before, true)
    }

    /// Loads what content is answered from, and leaves out what is said of targets: that takes as long as there are targets.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub(super) fn begin(appliance: &Appliance, grace_seconds: i64) -> Result<Self> {
        Self::read(appliance, grace_seconds, None, false)
    }

    fn read(appliance: &Appliance, grace_seconds: i64, before: Option<&Self>, is_whole: bool) -> Result<Self> {
        // Another vendor may have been pinned since the generation before.
        let pins = appliance.good_pins()?;
        let nothing = HashSet::new();
        let known = before.map_or(&nothing, |before| &before.signed);
        let retired_after = appliance.clock.now().plus_seconds(grace_seconds.saturating_neg());
        let (mark, readable, homes, host_owners, governing, local, heads) = appliance.db.read(|connection| {
            let readable: Vec<Arc<ReleaseRow>> = release::readable(connection, retired_after)?
                .into_iter()
                .map(Arc::new)
                .collect();
            let homes = name_claims::homes(connection)?;
            let host_owners = appliance.host_owners(connection)?;
            let governing = if is_whole { governing(connection)? } else { Vec::new() };
            let mut reader = Heads::new(&pins, known);
            let mut heads: HashMap<ReleaseId, Result<Vec<u8>, Arc<Error>>> = HashMap::new();
            for release in readable.iter().chain(governing.iter().map(|(release, _)| release)) {
                heads
                    .entry(release.id)
                    .or_insert_with(|| reader.signed_head(connection, release));
            }
            let local = if is_whole {
                LocalDecisions::read(connection)?
            } else {
                LocalDecisions::default()
            };
            let mark = Mark::read(connection)?;
            Ok((mark, readable, homes, host_owners, governing, local, heads))
        })?;
        let known = before.map_or(&[] as &[_], |before| &before.governing);
        let known = || {
            known
                .iter()
                .filter_map(|release| release.desired.as_ref().ok()?.as_ref())
        };
        let head = |release: &ReleaseRow| heads.get(&release.id).map_or(Ok(&[] as &[u8]), found);
        let desired = |release: &ReleaseRow| {
            let head = head(release)?;
            document::load(head, release, &appliance.store, known()).map_err(Arc::new)
        };
        let signed = readable.iter().chain(governing.iter().map(|(release, _)| release));
        let signed = signed
            .filter(|release| head(release).is_ok())
            .map(|release| release.head);
        Ok(Self {
            signed: signed.collect(),
            mark,
            grace_seconds,
            is_whole,
            readable: readable
                .into_iter()
                .map(|release| ReadableRelease {
                    head: head(&release).and_then(|_| appliance.check_named(release.id)),
                    release,
                })
                .collect(),
            homes,
            host_owners,
            governing: governing
                .into_iter()
                .map(|(release, rows)| {
                    let desired = desired(&release);
                    GoverningRelease {
                        rows: if desired.is_ok() { TargetSet::default() } else { rows },
                        desired,
                        release,
                    }
                })
                .collect(),
            local,
        })
    }

    /// Returns when the first of the replaced releases can no longer be read.
    pub(super) fn shrinks_at(&self) -> Option<Timestamp> {
        self.readable
            .iter()
            .map(|readable| &readable.release)
            .filter(|release| release.state == State::Retired)
            .filter_map(|release| Some(release.retired_at?.plus_seconds(self.grace_seconds)))
            .min()
    }

    /// Returns every release that is answered from.
    pub(super) fn releases(&self) -> Vec<ReleaseId> {
        let readable = self.readable.iter().map(|readable| readable.release.id);
        let governing = self.governing.iter().map(|governing| governing.release.id);
        let all: BTreeSet<ReleaseId> = readable.chain(governing).collect();
        all.into_iter().collect()
    }

    /// Returns the live releases.
    pub(super) fn live(&self) -> impl Iterator<Item = &ReleaseRow> {
        self.readable
            .iter()
            .map(|readable| &*readable.release)
            .filter(|release| release.state == State::Active)
    }
}

fn found(head: &Result<Vec<u8>, Arc<Error>>) -> Result<&[u8], Arc<Error>> {
    head.as_deref().map_err(Clone::clone)
}

fn governing(connection: &Connection) -> Result<Vec<(Arc<ReleaseRow>, TargetSet)>> {
    let all = release::list(connection)?;
    let live: HashSet<&Scope> = all
        .iter()
        .filter(|release| release.state == State::Active)
        .map(|release| &release.scope)
        .collect();
    let mut seen = HashSet::new();
    let mut chosen: Vec<&ReleaseRow> = all
        .iter()
        .filter(|release| release.state == State::Active || !live.contains(&release.scope))
        .filter(|release| seen.insert(&release.scope))
        .collect();
    chosen.sort_by_key(|release| (release.state != State::Active, release.id));
    chosen
        .into_iter()
        .map(|release| Ok((Arc::new(release.clone()), targets::of_release(connection, release.id)?)))
        .collect()
}

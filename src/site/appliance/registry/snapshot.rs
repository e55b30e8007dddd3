//! One generation: which releases answer, and what was already looked up in them.
//!
//! Rows of a published release never change, so an answer stays right for as long as the snapshot lives, and is kept in
//! memory up to a bound. Only names that exist are kept: asking for others fills nothing.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::content::Found;
use super::homes::Homes;
use super::names::Asked;
use super::omission::Omission;
use super::public::PublicImages;
use super::signed_charts::Charts;
use crate::appliance::access::Grant;
use crate::appliance::last_generation::NAMELESS;
use crate::appliance::live::{Generation, ReadableRelease};
use crate::db::Connection;
use crate::db::site::names::{self, Candidates, Moment};
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Digest, Error, RepositoryPattern, Result, Scope, Tag};

/// Answers kept per generation: about 10 MiB when full.
const ANSWERS: usize = 1 << 16;

/// The releases that answer requests, as one activation left them.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    /// Counts ends of damage: what could not be read may be readable.
    repairs: u64,
    /// Whether targets were known: without them nothing is public, and there are no charts.
    knows_targets: bool,
    releases: Vec<Arc<ReleaseRow>>,
    pub(super) moment: Moment,
    pub(super) homes: Homes,
    /// Whether this is what a scope sees of its own.
    is_view: bool,
    /// What everybody may read; views have none, as it is the same for all.
    pub(super) public: PublicImages,
    /// What classic chart repositories serve; views have none.
    pub(super) charts: Charts,
    /// Releases that would answer and must not; views have none.
    unsigned: Option<Unsigned>,
    /// What holders of credentials see of it, by their scope.
    views: RwLock<HashMap<Scope, Arc<Self>>>,
    /// The same for those who may read some repositories of it.
    granted: RwLock<HashMap<GrantKey, Arc<Self>>>,
    /// What its live releases leave out, once somebody has asked for such a thing.
    pub(super) left_out: OnceLock<HashMap<Digest, Omission>>,
    repositories: RwLock<HashMap<Box<str>, Arc<Repository>>>,
    kept: AtomicUsize,
}

/// Whose releases, and which of their repositories.
type GrantKey = (Scope, Arc<[RepositoryPattern]>);

/// Releases that would answer, were their kept heads the signed ones.
#[derive(Debug)]
struct Unsigned {
    moment: Moment,
    releases: Vec<(Arc<ReleaseRow>, Arc<Error>)>,
}

/// What a name stands for in this generation, and the answers found under it.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) names: Candidates,
    content: RwLock<HashMap<Digest, Found>>,
    /// A tag keeps the media type of the release that answers it.
    tags: RwLock<HashMap<Tag, Found>>,
}

impl Snapshot {
    /// Makes the registry's form of a generation: the one before, where the same releases answer.
    ///
    /// A release whose kept head is not the signed one does not begin to answer, and what asks for its content is told so; the others
    /// are answered. One that answered before goes on.
    pub(super) fn of(generation: &Generation, before: Option<&Arc<Self>>) -> Arc<Self> {
        let known = before.map_or(&[] as &[_], |before| &before.releases);
        let is_good = |readable: &&ReadableRelease| {
            readable.head.is_ok() || known.iter().any(|known| known.head == readable.release.head)
        };
        let releases = || {
            generation
                .readable
                .iter()
                .filter(is_good)
                .map(|readable| &readable.release)
        };
        if let Some(before) = before
            && before.generation == generation.mark.number
            && before.repairs == generation.mark.repairs
            && before.knows_targets == generation.is_whole
            && releases()
                .map(|release| release.id)
                .eq(known.iter().map(|known| known.id))
        {
            return before.clone();
        }
        let homes = Homes::new(generation.homes.clone(), generation.host_owners.clone(), None);
        let known = before.map(|before| &before.public);
        let public = PublicImages::of(generation, &homes, known);
        let charts = Charts::of(generation, &homes);
        let mut snapshot = Self::new(generation.mark.number, releases().cloned().collect(), homes, false);
        (snapshot.public, snapshot.charts) = (public, charts);
        (snapshot.repairs, snapshot.knows_targets) = (generation.mark.repairs, generation.is_whole);
        let bad = generation.readable.iter().filter(|readable| !is_good(readable));
        let bad = bad.filter_map(|readable| Some((readable.release.clone(), readable.head.as_ref().err()?.clone())));
        snapshot.unsigned = Unsigned::of(bad.collect(), &snapshot);
        Arc::new(snapshot)
    }

    fn new(generation: u64, releases: Vec<Arc<ReleaseRow>>, homes: Homes, is_view: bool) -> Self {
        let live = releases.iter().filter(|release| release.state == State::Active);
        Self {
            generation,
            repairs: 0,
            knows_targets: false,
            moment: Moment::new(
                generation,
                live.map(|release| release.id),
                releases.iter().map(|release| release.id),
                homes.owners(),
            ),
            releases,
            homes,
            is_view,
            public: PublicImages::default(),
            charts: Charts::default(),
            unsigned: None,
            views: RwLock::default(),
            granted: RwLock::default(),
            left_out: OnceLock::new(),
            repositories: RwLock::default(),
            kept: AtomicUsize::new(0),
        }
    }

    /// Returns what a holder of credentials sees: the releases of its scope alone, their home hosts, their tags (D18).
    pub fn view(&self, scope: &Scope) -> Arc<Self> {
        if let Some(view) = read(&self.views).get(scope) {
            return view.clone();
        }
        match self.made_view(scope, None) {
            Ok(view) => write(&self.views).entry(scope.clone()).or_insert(view).clone(),
            Err(nothing) => nothing,
        }
    }

    /// As [`Self::view`], for somebody who may read some of the repositories alone.
    pub fn granted(&self, grant: &Grant) -> Arc<Self> {
        let key = (grant.scope.clone(), grant.repositories.clone());
        if let Some(view) = read(&self.granted).get(&key) {
            return view.clone();
        }
        match self.made_view(&grant.scope, Some(&grant.repositories)) {
            // As many as there are credentials.
            Ok(view) => write(&self.granted).entry(key).or_insert(view).clone(),
            Err(nothing) => nothing,
        }
    }

    /// Makes a view; as an error one of nothing, which is not to be kept: else views would be as many as names that somebody thinks of.
    fn made_view(&self, scope: &Scope, only: Option<&Arc<[RepositoryPattern]>>) -> Result<Arc<Self>, Arc<Self>> {
        let narrowed = |homes: Homes| match only {
            Some(repositories) => homes.only(repositories.clone()),
            None => homes,
        };
        let releases: Vec<Arc<ReleaseRow>> = self
            .releases
            .iter()
            .filter(|release| release.scope == *scope)
            .cloned()
            .collect();
        let unsigned = |release: &&(Arc<ReleaseRow>, Arc<Error>)| release.0.scope == *scope;
        let unsigned: Vec<_> = self
            .unsigned
            .iter()
            .flat_map(|all| all.releases.iter().filter(unsigned))
            .collect();
        let first = releases.first().or(unsigned.first().map(|(release, _)| release));
        let Some(id) = first.map(|release| release.scope_id) else {
            let homes = narrowed(Homes::new(Vec::new(), BTreeMap::new(), None));
            return Err(Arc::new(Self::new(self.generation, releases, homes, true)));
        };
        let homes = narrowed(self.homes.of_scope(id));
        let mut view = Self::new(self.generation, releases, homes, true);
        view.unsigned = Unsigned::of(unsigned.into_iter().cloned().collect(), &view);
        Ok(Arc::new(view))
    }

    /// Whether everything here may be told to who asks, and not only what is its own.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_view
    }

    /// Returns the number of the generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the live releases.
    pub fn active(&self) -> impl Iterator<Item = &ReleaseRow> {
        let releases = self.releases.iter().map(AsRef::as_ref);
        releases.filter(|release: &&ReleaseRow| release.state == State::Active)
    }

    /// Refuses names that a release has which must not answer: nobody is told that there is no such thing when it only cannot be answered
    /// for now (D11).
    ///
    /// # Errors
    ///
    /// `E-STATE release-damaged`; those of the database.
    pub(super) fn check_signed(&self, connection: &Connection, names: &Candidates) -> Result<()> {
        let Some(Unsigned { moment, releases }) = &self.unsigned else {
            return Ok(());
        };
        // Where names cannot be known, each may be one.
        let nameless = releases.iter().find(|(_, error)| error.is(NAMELESS));
        match nameless.or(releases.first()) {
            Some((_, error)) if nameless.is_some() || names::is_known(connection, moment, names)? => Err(again(error)),
            _ => Ok(()),
        }
    }

    /// Returns what is wrong with a release that would be live, were its kept head the signed one.
    pub fn unsigned(&self) -> Option<Error> {
        let (_, error) = self.unsigned.as_ref()?.releases.first()?;
        Some(again(error))
    }

    pub(super) fn repository(&self, asked: &Asked) -> Option<Arc<Repository>> {
        read(&self.repositories).get(key(asked).as_ref()).cloned()
    }

    /// Returns the repository and keeps it, when it is known to exist; otherwise the caller's own is as good.
    pub(super) fn keep_repository(&self, asked: &Asked, names: Candidates) -> Arc<Repository> {
        let repository = Arc::new(Repository {
            names,
            content: RwLock::default(),
            tags: RwLock::default(),
        });
        if !self.take_room() {
            return repository;
        }
        write(&self.repositories)
            .entry(key(asked).into())
            .or_insert(repository)
            .clone()
    }

    pub(super) fn keep_content(&self, repository: &Repository, found: &Found) {
        self.keep(&repository.content, found.digest, found.clone());
    }

    pub(super) fn keep_tag(&self, repository: &Repository, tag: &Tag, found: &Found) {
        self.keep(&repository.tags, tag.clone(), found.clone());
    }

    fn keep<K: Eq + Hash, V>(&self, map: &RwLock<HashMap<K, V>>, key: K, value: V) {
        if self.take_room() {
            write(map).insert(key, value);
        }
    }

    /// When the room is used up, what was found first stays: no work is spent on choosing, and nobody can push others out.
    fn take_room(&self) -> bool {
        self.kept.load(Ordering::Relaxed) < ANSWERS && self.kept.fetch_add(1, Ordering::Relaxed) < ANSWERS
    }
}

impl Repository {
    pub(super) fn content(&self, digest: &Digest) -> Option<Found> {
        read(&self.content).get(digest).cloned()
    }

    pub(super) fn tag(&self, tag: &Tag) -> Option<Found> {
        read(&self.tags).get(tag).cloned()
    }
}

impl Unsigned {
    fn of(releases: Vec<(Arc<ReleaseRow>, Arc<Error>)>, snapshot: &Snapshot) -> Option<Self> {
        if releases.is_empty() {
            return None;
        }
        let ids = || releases.iter().map(|(release, _)| release.id);
        let moment = Moment::new(snapshot.generation, ids(), ids(), snapshot.homes.owners());
        Some(Self { moment, releases })
    }
}

/// The error of a check, for one more who meets it.
pub(super) fn again(error: &Error) -> Error {
    let mut repeated = Error::new(error.class(), error.code(), error.found());
    if let Some(expected) = error.expectation() {
        repeated = repeated.expected(expected);
    }
    match error.advice() {
        Some(remedy) => repeated.remedy(remedy),
        None => repeated,
    }
}

/// NUL stands in neither part, so no two requests share a key.
fn key(asked: &Asked) -> std::borrow::Cow<'_, str> {
    match &asked.namespace {
        None => asked.name.as_str().into(),
        Some(namespace) => format!("{namespace}\0{}", asked.name).into(),
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

//! One generation: which releases answer, and what was already looked up in them.
//!
//! Rows of a published release never change, so an answer stays right for as long as the snapshot lives, and is kept in
//! memory up to a bound. Only names that exist are kept: asking for others fills nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::service::{Found, Missing};
use crate::db::site::names::{ReleaseSet, RepositorySet};
use crate::db::site::release::{ReleaseId, ReleaseRow, State};
use crate::domain::{Digest, Scope, Tag, Timestamp};

/// Answers kept per generation: about 10 MiB when full.
const ANSWERS: usize = 1 << 16;

/// A repository as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name in the path.
    pub name: String,
    /// The host of `?ns=`.
    pub namespace: Option<String>,
}

/// The releases that answer requests, as one activation left them.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) generation: u64,
    pub(super) releases: Vec<ReleaseRow>,
    pub(super) live: ReleaseSet,
    pub(super) readable: ReleaseSet,
    pub(super) homes: Vec<String>,
    /// Home hosts by the live release that states them.
    stated_homes: Vec<(ReleaseId, String)>,
    grace_seconds: i64,
    /// What holders of credentials see of it, by their scope.
    views: RwLock<HashMap<Scope, Arc<Self>>>,
    /// When the first of the replaced releases can no longer be read.
    pub(super) shrinks_at: Option<Timestamp>,
    repositories: RwLock<HashMap<Box<str>, Arc<Repository>>>,
    kept: AtomicUsize,
}

/// What a name stands for in this generation, and the answers found under it.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) names: RepositorySet,
    content: RwLock<HashMap<Digest, Found>>,
    tags: RwLock<HashMap<Tag, Digest>>,
}

impl Snapshot {
    /// Takes releases, and the home hosts of the live ones among them.
    pub(super) fn new(
        generation: u64,
        releases: Vec<ReleaseRow>,
        stated_homes: Vec<(ReleaseId, String)>,
        grace_seconds: i64,
    ) -> Self {
        let mut homes: Vec<String> = stated_homes.iter().map(|(_, host)| host.clone()).collect();
        homes.sort();
        homes.dedup();
        Self {
            generation,
            live: releases
                .iter()
                .filter(|release| release.state == State::Active)
                .map(|release| release.id)
                .collect(),
            readable: releases.iter().map(|release| release.id).collect(),
            shrinks_at: releases
                .iter()
                .filter(|release| release.state == State::Retired)
                .filter_map(|release| Some(release.retired_at?.plus_seconds(grace_seconds)))
                .min(),
            releases,
            homes,
            stated_homes,
            grace_seconds,
            views: RwLock::default(),
            repositories: RwLock::default(),
            kept: AtomicUsize::new(0),
        }
    }

    /// Returns what a holder of credentials sees: the releases of its scope alone, their home hosts, their tags (D18).
    pub fn view(&self, scope: &Scope) -> Arc<Self> {
        if let Some(view) = read(&self.views).get(scope) {
            return view.clone();
        }
        let releases: Vec<ReleaseRow> = self
            .releases
            .iter()
            .filter(|release| release.scope == *scope)
            .cloned()
            .collect();
        let homes = self
            .stated_homes
            .iter()
            .filter(|(id, _)| releases.iter().any(|release| release.id == *id))
            .cloned()
            .collect();
        let known = !releases.is_empty();
        let view = Arc::new(Self::new(self.generation, releases, homes, self.grace_seconds));
        if !known {
            // Scopes without a release are never kept, so that views are as many as products.
            return view;
        }
        write(&self.views).entry(scope.clone()).or_insert(view).clone()
    }

    /// Returns the number of the generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the live releases.
    pub fn active(&self) -> impl Iterator<Item = &ReleaseRow> {
        self.releases.iter().filter(|release| release.state == State::Active)
    }

    pub(super) fn repository(&self, asked: &Asked) -> Option<Arc<Repository>> {
        read(&self.repositories).get(key(asked).as_ref()).cloned()
    }

    /// Returns the repository and keeps it, when it is known to exist; otherwise the caller's own is as good.
    pub(super) fn keep_repository(&self, asked: &Asked, names: RepositorySet) -> Arc<Repository> {
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

    pub(super) fn keep_tag(&self, repository: &Repository, tag: &Tag, digest: Digest) {
        self.keep(&repository.tags, tag.clone(), digest);
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

    pub(super) fn tag(&self, tag: &Tag) -> Option<Digest> {
        read(&self.tags).get(tag).copied()
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

/// What a question about content came to.
pub(super) type Answer = Result<Found, Missing>;

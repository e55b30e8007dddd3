//! One generation: which releases answer, and what was already looked up in them.
//!
//! Rows of a published release never change, so an answer stays right for as long as the snapshot lives, and is kept in
//! memory up to a bound. Only names that exist are kept: asking for others fills nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::service::{Found, Missing};
use crate::db::names::{ReleaseSet, RepositorySet};
use crate::db::release::{Release, State};
use crate::domain::{Digest, Tag, Timestamp};

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
    pub(super) releases: Vec<Release>,
    pub(super) live: ReleaseSet,
    pub(super) readable: ReleaseSet,
    pub(super) homes: Vec<String>,
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
    pub(super) fn new(generation: u64, releases: Vec<Release>, homes: Vec<String>, grace_seconds: i64) -> Self {
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
            repositories: RwLock::default(),
            kept: AtomicUsize::new(0),
        }
    }

    /// Returns the number of the generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the live releases.
    pub fn active(&self) -> impl Iterator<Item = &Release> {
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

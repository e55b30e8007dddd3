//! What the writer and those who ask it share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::owner::Owner;
use super::queue::Queue;
use super::quota::Quota;
use crate::appliance::Appliance;
use crate::appliance::place::Place;
use crate::db::Db;
use crate::domain::{Class, Clock, Error, Problem, SiteId, Uuid};

/// What the writer and those who ask share.
pub(super) struct Shared {
    pub(super) state: PathBuf,
    pub(super) path: PathBuf,
    /// The state folder as it was opened.
    pub(super) place: Arc<Place>,
    pub(super) site: SiteId,
    /// What says which records their vendors have.
    pub(super) security: Arc<Db>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) quota: Quota,
    /// How long batches are collected.
    pub(super) window: Duration,
    /// Whether a commit waits for company after that.
    pub(super) sociable: bool,
    pub(super) queue: Queue,
    /// None while it cannot be opened. Whoever reads holds the lock, so that no connection outlives a file that is set aside.
    pub(super) db: RwLock<Option<Db>>,
    pub(super) contacts: Mutex<HashMap<Uuid, Contact>>,
    /// Somebody who reads met damage: in the database of this number (those that were set aside, and one); 0 for nobody.
    pub(super) suspect: AtomicU64,
    pub(super) set_aside: AtomicU64,
    /// Whether it was tried to open the database; how that ended is in `trouble`.
    pub(super) tried: watch::Sender<bool>,
    /// What keeps statuses from being written.
    pub(super) trouble: Mutex<Option<Problem>>,
    /// Why not every page was read since the start, if that check did not come to its end.
    pub(super) unchecked: Mutex<Option<Problem>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// When somebody was heard last.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard {
    At(Instant),
    /// And the log says that it is silent since.
    Silent(Instant),
}

/// Somebody was there.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) owner: Owner,
    pub(super) name: String,
    pub(super) agent: Option<String>,
    /// Never written down like this.
    pub(super) fresh: bool,
    /// Seen since the last fold.
    pub(super) seen: bool,
    pub(super) heard: Heard,
    /// What it was told last, where that was handed to the writer.
    pub(super) told: Option<Arc<[(Uuid, Uuid)]>>,
    /// It asked again since.
    pub(super) settled: bool,
}

impl Contact {
    pub(super) fn forget_told(&mut self) {
        self.told = None;
        self.settled = false;
    }
}

impl Shared {
    /// Nothing is open yet.
    pub(super) fn of(appliance: &Appliance, quota: Quota, window: Duration, sociable: bool) -> Self {
        Self {
            state: appliance.folder().to_owned(),
            path: appliance.status_database(),
            place: appliance.place().clone(),
            site: appliance.site().clone(),
            security: appliance.db.clone(),
            clock: appliance.clock.clone(),
            quota,
            window,
            sociable,
            queue: Queue::default(),
            db: RwLock::new(None),
            contacts: Mutex::new(HashMap::new()),
            suspect: AtomicU64::new(0),
            set_aside: AtomicU64::new(0),
            tried: watch::Sender::new(false),
            trouble: Mutex::new(None),
            unchecked: Mutex::new(None),
        }
    }

    /// Number of the database that is open; read it under the lock of that.
    pub(super) fn generation(&self) -> u64 {
        self.set_aside.load(Ordering::SeqCst).saturating_add(1)
    }

    /// Says that the database of a number is damaged.
    pub(super) fn suspect(&self, generation: u64) {
        self.suspect.store(generation, Ordering::SeqCst);
        self.queue.nudge();
    }

    pub(super) fn trouble(&self) -> MutexGuard<'_, Option<Problem>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what agents were told be handed in again when they ask next: of one target, or of all.
    pub(super) fn forget_told(&self, target: Option<&Uuid>) {
        let mut contacts = self.contacts();
        match target {
            Some(target) => contacts.get_mut(target).into_iter().for_each(Contact::forget_told),
            None => contacts.values_mut().for_each(Contact::forget_told),
        }
    }

    pub(super) fn unchecked(&self) -> MutexGuard<'_, Option<Problem>> {
        self.unchecked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contacts(&self) -> MutexGuard<'_, HashMap<Uuid, Contact>> {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing can be read or written at present.
pub(super) fn closed() -> Error {
    Error::new(Class::Io, "status-closed", "the status database is not open")
        .remedy("see the log; it is tried again by itself")
}

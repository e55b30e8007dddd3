//! The one thread that writes: group commits, folds, and what is done about damage and full disks.
//!
//! A first batch opens a window; what comes within it is committed in one transaction, and only then is everybody answered
//! (P21). A commit that fails answers everybody with its error, and what is known is read again from the database: nothing half done is
//! left in memory.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::batch::{Accepted, Batch, What};
use super::group_commit::{GroupCommit, Missing};
use super::queue::{Job, Queue, Woken};
use super::quota::Quota;
use super::working_set::WorkingSet;
use super::{damage, mark};
use crate::db::status::{self, Reason};
use crate::db::{DAMAGED, Db};
use crate::domain::{Class, Clock, Error, Hash, Problem, Result, SiteId, Timestamp, Uuid, shown};
use crate::panics::{self, caught};

/// How often repeats and contacts are folded in.
const FOLD: Duration = Duration::from_secs(60);
/// How soon a first contact is written down.
const CONTACT: Duration = Duration::from_secs(1);
/// Records after which a fold does not wait: what a reader has to replay.
const FOLD_RECORDS: u64 = 20_000;
/// The same for bytes of the journal.
const FOLD_BYTES: usize = 4 << 20;
/// How often a database that cannot be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the writer and those who ask share.
pub(super) struct Shared {
    pub(super) state: PathBuf,
    pub(super) path: PathBuf,
    pub(super) site: SiteId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) quota: Quota,
    /// How long batches are collected.
    pub(super) window: Duration,
    pub(super) queue: Queue,
    /// None while it cannot be opened. Whoever reads holds the lock, so that no connection outlives a file that is set aside.
    pub(super) db: RwLock<Option<Db>>,
    pub(super) contacts: Mutex<HashMap<Uuid, Contact>>,
    /// Somebody who reads met damage: in the database of this number (those that were set aside, and one); 0 for nobody.
    pub(super) suspect: AtomicU64,
    pub(super) set_aside: AtomicU64,
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

/// Somebody was there.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) owner: Hash,
    pub(super) name: String,
    pub(super) agent: Option<String>,
    /// Never written down like this.
    pub(super) fresh: bool,
    /// Seen since the last fold.
    pub(super) seen: bool,
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

/// The thread's own things.
pub(super) struct Writer {
    shared: Arc<Shared>,
    working_set: WorkingSet,
    /// Numbers below this one may be given.
    mark: u64,
    folded: Instant,
    folded_next: u64,
    contact_due: Option<Instant>,
}

impl Shared {
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

impl Writer {
    /// Opens the database, setting a damaged one aside. That it cannot be opened at all is no error: it is tried again.
    pub(super) fn open(shared: Arc<Shared>) -> Self {
        let mut writer = Self {
            shared,
            working_set: WorkingSet::default(),
            mark: 0,
            folded: Instant::now(),
            folded_next: 0,
            contact_due: None,
        };
        if let Err(error) = writer.reopen() {
            writer.report(&error);
        }
        writer
    }

    /// Works until the queue is closed; also after a panic, which answers those who wait with an error.
    pub(super) fn run(mut self) {
        loop {
            match caught("status", || self.turn()) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.broke_off(&error);
                    if self.shared.queue.is_closed() {
                        return;
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    /// One round of work; whether there is another one.
    fn turn(&mut self) -> bool {
        match self.shared.queue.wait(self.patience()) {
            Woken::Jobs => {
                std::thread::sleep(self.shared.window);
                panics::point("status");
                let jobs = self.shared.queue.take();
                self.serve(jobs);
            }
            Woken::Time => {}
            Woken::Closed => {
                self.maintain(true);
                return false;
            }
        }
        self.maintain(false);
        true
    }

    /// A round ended by a panic: its transaction was rolled back, its own batches went with it, and what is in memory may be ahead of
    /// the database. Only opening that anew tells; until then nobody waits in vain.
    fn broke_off(&mut self, error: &Error) {
        self.close();
        self.report(error);
        for job in self.shared.queue.take_all() {
            job.answer.send(Err(closed())).ok();
        }
    }

    fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        let fold = (!self.working_set.dirty.is_empty()).then(|| FOLD.saturating_sub(now.duration_since(self.folded)));
        let contact = self.contact_due.map(|due| due.saturating_duration_since(now));
        let closed = self.is_closed().then_some(RETRY);
        [fold, contact, closed].into_iter().flatten().min()
    }

    fn is_closed(&self) -> bool {
        self.shared.db.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        let result = self.commit(&jobs);
        match result {
            Ok(accepted) => {
                for (job, accepted) in jobs.into_iter().zip(accepted) {
                    // Whoever went away meanwhile has lost nothing but the answer.
                    job.answer.send(Ok(accepted)).ok();
                }
            }
            Err(error) => {
                for job in jobs {
                    if matches!(job.batch.what, What::Advertised(_)) {
                        self.shared.forget_told(Some(&job.batch.target));
                    }
                    job.answer.send(Err(again(&error))).ok();
                }
            }
        }
    }

    /// Commits, and once more on a new database when the old one turns out to be damaged.
    fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Accepted>> {
        match self.try_commit(jobs) {
            Err(error) if damage::is_damage(&error) => {
                self.replace(&error)?;
                self.try_commit(jobs)
            }
            other => other,
        }
    }

    fn try_commit(&mut self, jobs: &[Job]) -> Result<Vec<Accepted>> {
        if self.is_closed() {
            self.reopen()?;
        }
        let batches: Vec<&Batch> = jobs.iter().map(|job| &job.batch).collect();
        self.transact(&batches, false)
    }

    /// One transaction: batches, what must go for them, and a fold when it is due.
    fn transact(&mut self, batches: &[&Batch], fold: bool) -> Result<Vec<Accepted>> {
        let shared = self.shared.clone();
        let now = shared.clock.now();
        let records: usize = batches.iter().map(|batch| batch.what.records()).sum();
        self.raise_mark(records)?;
        let fold = fold
            || self.working_set.next.saturating_sub(self.folded_next) > FOLD_RECORDS
            || self.working_set.dirty.journal_bytes > FOLD_BYTES;
        let (result, reloaded) = {
            let db = shared.db.read().unwrap_or_else(PoisonError::into_inner);
            let Some(db) = db.as_ref() else {
                return Err(closed());
            };
            let working_set = &mut self.working_set;
            let result = db.write(|tx| {
                let mut commit = GroupCommit::new(tx, working_set, shared.quota, now);
                let accepted = batches
                    .iter()
                    .map(|batch| commit.take(batch))
                    .collect::<Result<Vec<_>>>()?;
                commit.shed()?;
                commit.finish()?;
                if fold {
                    write_fold(tx, working_set)?;
                }
                Ok(accepted)
            });
            // After a failure the working set is ahead of the database.
            let reloaded = result.is_err().then(|| db.read(WorkingSet::load));
            (result, reloaded)
        };
        match (result, reloaded) {
            (Ok(accepted), _) => {
                if fold {
                    self.working_set.dirty = super::working_set::Dirty::default();
                    self.folded = Instant::now();
                    self.folded_next = self.working_set.next;
                }
                self.shared.trouble().take();
                Ok(accepted)
            }
            (Err(error), reloaded) => {
                // After a failed sync nobody knows what of the file is on the disk: only opening it anew tells (F04).
                match reloaded {
                    Some(Ok(working_set)) if error.class() != Class::Io => self.working_set = working_set,
                    Some(Err(second)) if second.class() == Class::State => return Err(second),
                    _ => self.close(),
                }
                // Damage is no trouble unless setting the file aside fails.
                if !damage::is_damage(&error) {
                    self.report(&error);
                }
                Err(error)
            }
        }
    }

    /// Sees to it that the numbers of a commit lie below the mark.
    fn raise_mark(&mut self, records: usize) -> Result<()> {
        // Every record may drop others, and those take a gap record at most.
        let most = self
            .working_set
            .next
            .saturating_add((records as u64).saturating_mul(2))
            .saturating_add(16_384);
        if most >= self.mark {
            let mark = most.saturating_add(mark::BLOCK);
            mark::write(&self.shared.state, mark)?;
            self.mark = mark;
        }
        Ok(())
    }

    /// Folds, writes contacts, and opens what could not be opened before.
    fn maintain(&mut self, last: bool) {
        // What was replaced meanwhile is no concern any more.
        if self.shared.suspect.swap(0, Ordering::SeqCst) == self.shared.generation() {
            let error = Error::new(Class::State, DAMAGED, "a reader met damage in the status database");
            self.replace(&error).ok();
        }
        if self.is_closed()
            && let Err(error) = self.reopen()
        {
            self.report(&error);
            return;
        }
        let fresh = self.shared.contacts().values().any(|contact| contact.fresh);
        if fresh && self.contact_due.is_none() {
            self.contact_due = Some(Instant::now() + CONTACT);
        }
        let contact = self.contact_due.is_some_and(|due| due <= Instant::now());
        let due = !self.working_set.dirty.is_empty() && self.folded.elapsed() >= FOLD;
        if !(contact || due || last) {
            return;
        }
        self.contact_due = None;
        let contacts: Vec<Batch> = self
            .shared
            .contacts()
            .iter_mut()
            .filter(|(_, contact)| contact.seen)
            .map(|(target, contact)| {
                contact.fresh = false;
                contact.seen = false;
                Batch {
                    target: *target,
                    owner: contact.owner,
                    target_name: contact.name.clone(),
                    agent: contact.agent.clone(),
                    what: What::Contact,
                }
            })
            .collect();
        if contacts.is_empty() && self.working_set.dirty.is_empty() {
            return;
        }
        let result = self.transact(&contacts.iter().collect::<Vec<_>>(), true);
        if let Err(error) = result
            && damage::is_damage(&error)
        {
            self.replace(&error).ok();
        }
    }

    /// Sets the database aside and begins anew; that this fails is reported.
    fn replace(&mut self, why: &Error) -> Result<()> {
        let replaced = self.begin_anew(why);
        match &replaced {
            Ok(()) => drop(self.shared.trouble().take()),
            Err(error) => self.report(error),
        }
        replaced
    }

    fn begin_anew(&mut self, why: &Error) -> Result<()> {
        let mut db = self.shared.db.write().unwrap_or_else(PoisonError::into_inner);
        // Moved before its connections close: the last one would take the side files away, and by their names.
        let aside = damage::set_aside(&self.shared.path)?;
        drop(db.take());
        tracing::error!(
            class = why.class().name(),
            code = why.code(),
            aside = %aside.display(),
            "the status database is damaged and was set aside; a new one begins, and a gap record in it says what is missing. Nothing is to be restored: look at the disk, then examine what was set aside or delete it. Found: {}",
            shown(why.found())
        );
        let new = damage::begin_anew(
            &self.shared.state,
            &self.shared.path,
            &self.shared.site,
            self.shared.clock.now(),
        )?;
        self.working_set = new.read(WorkingSet::load)?;
        self.mark = mark::read(&self.shared.state).unwrap_or(0);
        self.folded_next = self.working_set.next;
        self.shared.set_aside.fetch_add(1, Ordering::SeqCst);
        *db = Some(new);
        drop(db);
        self.shared.trouble().take();
        self.shared.forget_told(None);
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        let opened = damage::open(&self.shared.path, &self.shared.site).and_then(|db| {
            let working_set = db.read(WorkingSet::load)?;
            Ok((db, working_set))
        });
        let (db, working_set) = match opened {
            Err(error) if damage::is_damage(&error) => {
                self.replace(&error)?;
                return Ok(());
            }
            opened => opened?,
        };
        self.working_set = working_set;
        self.folded_next = self.working_set.next;
        self.folded = Instant::now();
        let mark = mark::read(&self.shared.state);
        self.mark = mark.unwrap_or(0);
        if let Some(mark) = mark.filter(|mark| *mark > self.working_set.next.saturating_add(2 * mark::BLOCK + 100_000))
        {
            self.skip(&db, mark)?;
        }
        *self.shared.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        self.shared.trouble().take();
        Ok(())
    }

    /// The file is an older copy of itself: the numbers that it does not know were given.
    fn skip(&mut self, db: &Db, mark: u64) -> Result<()> {
        let now = self.shared.clock.now();
        let first = self.working_set.next;
        tracing::error!(
            first,
            mark,
            "the status database is older than its mark; a gap record says so"
        );
        mark::write(&self.shared.state, mark.saturating_add(mark::BLOCK))?;
        self.mark = mark.saturating_add(mark::BLOCK);
        self.working_set.next = mark;
        let (working_set, quota) = (&mut self.working_set, self.shared.quota);
        db.write(|tx| {
            let missing = Missing {
                count: mark.saturating_sub(first),
                bytes: 0,
                first,
                last: mark.saturating_sub(1),
                since: Timestamp::EPOCH,
                until: now,
            };
            GroupCommit::new(tx, working_set, quota, now).note(0, Reason::Restored, None, &missing)
        })
    }

    fn close(&self) {
        self.shared.db.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn report(&self, error: &Error) {
        let problem = Problem::of("status", error);
        let mut trouble = self.shared.trouble();
        if trouble.as_ref().is_none_or(|before| before.error != problem.error) {
            tracing::error!(
                class = error.class().name(),
                code = error.code(),
                "status cannot be written: {error}"
            );
        }
        *trouble = Some(problem);
    }
}

fn write_fold(tx: &crate::db::Transaction<'_>, working_set: &WorkingSet) -> Result<()> {
    for (number, repeat) in &working_set.dirty.repeats {
        status::put_repeat(tx, *number, repeat)?;
    }
    for source in &working_set.dirty.latest {
        if let Some(deployment) = working_set.deployments.get(source) {
            let state = serde_json::to_string(deployment).map_err(|error| {
                Error::new(
                    Class::Internal,
                    "json",
                    format!("a deployment has no JSON form: {error}"),
                )
            })?;
            status::put_latest(tx, *source, &state)?;
        }
    }
    for (source, class) in &working_set.dirty.used {
        status::put_usage(tx, *source, *class, working_set.used_by(*source, *class))?;
    }
    for target in &working_set.dirty.contacts {
        if let Some(target) = working_set.targets.get(target) {
            status::put_contact(tx, target.source, target.last)?;
        }
    }
    status::clear(tx)?;
    status::clear_recounts(tx)?;
    status::put_fold(tx, working_set.next)
}

/// The same refusal for the next one who waits.
fn again(error: &Error) -> Error {
    let copy = Error::new(error.class(), error.code(), error.found());
    match error.advice() {
        Some(advice) => copy.remedy(advice),
        None => copy,
    }
}

pub(super) fn closed() -> Error {
    Error::new(Class::Io, "status-closed", "the status database is not open")
        .remedy("see the log; it is tried again by itself")
}

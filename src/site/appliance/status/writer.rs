//! The one thread that writes: group commits, folds, and what is done about damage and full disks.
//!
//! A first batch opens a window; what comes within it is committed in one transaction, and only then is everybody answered
//! (P21). Where few report, the window is longer ([`super::company`]). A commit that fails answers everybody with its error, and what is known is read again from the database: nothing half done is
//! left in memory.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{Accepted, Batch, What};
use super::company::Lately;
use super::group_commit::GroupCommit;
use super::lock::{self, WriterLock};
use super::mark::Marks;
use super::queue::{Job, Woken};
use super::shared::{Shared, closed};
use super::silence::Silence;
use super::working_set::WorkingSet;
use super::{damage, fold, follow};
use crate::appliance::place::{Identity, identity_of};
use crate::db::status::{self, Stream};
use crate::db::{DAMAGED, Db};
use crate::domain::{Class, Error, Hash, Problem, Result, shown};
use crate::panics::{self, caught};

/// How often repeats and contacts are folded in.
const FOLD: Duration = Duration::from_secs(60);
/// How soon a first contact is written down.
const CONTACT: Duration = Duration::from_secs(1);
/// Records after which a fold does not wait: what a reader has to replay.
const FOLD_RECORDS: u64 = 20_000;
/// The same for bytes of the journal.
const FOLD_BYTES: usize = 4 << 20;
/// How long the start waits for another process that writes.
const OTHERS: Duration = Duration::from_secs(2);
/// How often requests of other processes are looked for where nothing else is to be done.
const LOOK: Duration = Duration::from_millis(200);
/// How often a database that cannot be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The thread's own things.
pub(super) struct Writer {
    shared: Arc<Shared>,
    working_set: WorkingSet,
    /// Positions below these may be given.
    marks: Marks,
    /// Whether the marks were raised since the database was opened.
    raised: bool,
    folded: Instant,
    folded_next: u64,
    contact_due: Option<Instant>,
    looked: Instant,
    silence: Silence,
    /// Whom a commit waits for.
    lately: Lately,
    /// What stands under the name of the database, as this process left it there.
    file: Option<Identity>,
    /// Held from the first opening on.
    lock: Option<WriterLock>,
    /// How long the first opening waits for it: a command may be about to end.
    patience: Duration,
}

impl Writer {
    /// Opens the database, setting a damaged one aside. That it cannot be opened at all is no error: it is tried again.
    pub(super) fn open(shared: Arc<Shared>, lock: Option<WriterLock>) -> Self {
        let mut writer = Self::new(shared, lock);
        writer.try_open();
        writer
    }

    /// Nothing is open yet.
    pub(super) fn new(shared: Arc<Shared>, lock: Option<WriterLock>) -> Self {
        Self {
            shared,
            working_set: WorkingSet::default(),
            marks: Marks::default(),
            raised: false,
            folded: Instant::now(),
            folded_next: 0,
            contact_due: None,
            looked: Instant::now(),
            silence: Silence::default(),
            lately: Lately::default(),
            file: None,
            lock,
            patience: OTHERS,
        }
    }

    /// Opens the database as [`Self::open`] does; on the writer's own thread, where a panic is an error as any other.
    pub(super) fn begin(&mut self) {
        if let Err(error) = caught("status", || self.try_open()) {
            self.broke_off(&error);
        }
    }

    /// Tells those who wait that it was tried to open the database.
    pub(super) fn was_tried(&self) {
        self.shared.tried.send_replace(true);
    }

    fn try_open(&mut self) {
        if let Err(error) = self.reopen() {
            self.report(&error);
        }
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
                if self.shared.sociable {
                    self.shared
                        .queue
                        .wait_for_company(|waiting| self.lately.expects(waiting));
                }
                panics::point("status");
                let jobs = self.shared.queue.take();
                self.lately.note_all(jobs.iter().map(|job| job.batch.target));
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
        let look = (!self.is_closed()).then(|| LOOK.saturating_sub(now.duration_since(self.looked)));
        [fold, contact, closed, look].into_iter().flatten().min()
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
                    job.answer.send(Err(error.again())).ok();
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
        self.check_place()?;
        if let Err(error) = self.raise_marks(batches) {
            if error.class() == Class::Io {
                self.close();
            }
            self.report(&error);
            return Err(error);
        }
        let fold = fold
            || self.working_set.next.saturating_sub(self.folded_next) > FOLD_RECORDS
            || self.working_set.dirty.journal_bytes > FOLD_BYTES;
        let freed = if fold {
            follow::freed(&shared.security)
        } else {
            Vec::new()
        };
        let (result, reloaded) = {
            let db = shared.db.read().unwrap_or_else(PoisonError::into_inner);
            let Some(db) = db.as_ref() else {
                return Err(closed());
            };
            let working_set = &mut self.working_set;
            let marks = &self.marks;
            let result = db.write(|tx| {
                follow::write(tx, &freed)?;
                for stream in working_set.streams.look(tx)? {
                    working_set.freed.remove(&stream);
                }
                let mut commit = GroupCommit::new(tx, working_set, shared.quota, now);
                let accepted = batches
                    .iter()
                    .map(|batch| commit.take(batch))
                    .collect::<Result<Vec<_>>>()?;
                commit.shed()?;
                if fold {
                    commit.free_old()?;
                }
                let wanted = commit.wanted(marks)?;
                commit.finish()?;
                let fold = fold || !wanted.is_empty();
                if fold {
                    fold::write_fold(tx, working_set)?;
                }
                for stream in wanted {
                    working_set.streams.freeze(tx, stream, now)?;
                }
                Ok((accepted, fold))
            });
            // After a failure the working set is ahead of the database.
            let reloaded = result.is_err().then(|| db.read(WorkingSet::load));
            (result, reloaded)
        };
        match (result, reloaded) {
            (Ok((accepted, fold)), _) => {
                // What went into a file that is nobody's any more is not accepted: whoever reports keeps it.
                self.check_place()?;
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

    /// Looks whether database and folder are those that were opened. Where they are not, nothing is written any more: what has their names
    /// now is somebody else's work.
    fn check_place(&mut self) -> Result<()> {
        let checked = self.shared.place.look().and_then(|()| match self.file {
            None => Ok(()),
            file => self.shared.place.compare(&self.shared.path, file),
        });
        if let Err(error) = &checked {
            self.close();
            self.report(error);
        }
        checked
    }

    /// Sees to it that the positions of a commit lie below the marks of their streams.
    fn raise_marks(&mut self, batches: &[&Batch]) -> Result<()> {
        let records: usize = batches.iter().map(|batch| batch.what.records()).sum();
        // Every record may drop others, whoever's they are, and those take a gap record at most.
        let room = (records as u64).saturating_mul(2).saturating_add(16_384);
        let streams = &self.working_set.streams;
        let mut most: BTreeMap<Hash, u64> = streams
            .iter()
            .map(|stream| (stream.domain, stream.next.max(streams.start()).saturating_add(room)))
            .collect();
        for batch in batches {
            most.entry(batch.owner.domain)
                .or_insert(streams.start().saturating_add(room));
        }
        if self.raised && most.iter().all(|(domain, next)| self.marks.covers(domain, *next)) {
            return Ok(());
        }
        let mut marks = self.marks.clone();
        let known = self.on_db(|db| db.read(status::raises))?;
        marks.raises = marks.raises.max(known).saturating_add(1);
        for (domain, next) in most {
            marks.raise(domain, next);
        }
        // First the database: what it does not know of was raised for a later copy of it.
        self.on_db(|db| db.write(|tx| status::put_raises(tx, marks.raises)))?;
        marks.write(&self.shared.state)?;
        (self.marks, self.raised) = (marks, true);
        Ok(())
    }

    fn on_db<T>(&self, act: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        let db = self.shared.db.read().unwrap_or_else(PoisonError::into_inner);
        db.as_ref().ok_or_else(closed).and_then(act)
    }

    /// Folds, writes contacts, and opens what could not be opened before.
    fn maintain(&mut self, last: bool) {
        if self.check_place().is_err() {
            return;
        }
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
        if let Err(error) = self.look(last) {
            self.report(&error);
        }
        self.silence.look(&self.shared);
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

    /// Looks now and then whether a stream is to be frozen, and does it.
    fn look(&mut self, last: bool) -> Result<()> {
        if self.looked.elapsed() < LOOK && !last {
            return Ok(());
        }
        self.looked = Instant::now();
        self.freeze_wanted().or_else(|error| {
            if damage::is_damage(&error) {
                return self.replace(&error);
            }
            Err(error)
        })
    }

    fn freeze_wanted(&mut self) -> Result<()> {
        // One that was not known before begins in the first round.
        for _ in 0..2 {
            let streams = self.on_db(|db| db.read(status::streams))?;
            if !streams.iter().any(|stream| stream.wanted) {
                return Ok(());
            }
            self.transact(&[], true)?;
        }
        Ok(())
    }

    /// Freezes the stream of a domain, where this process alone writes; returns how it stands then.
    ///
    /// # Errors
    ///
    /// Those of the opening that failed; `E-IO`, `E-SPACE`, `E-STATE`.
    pub(super) fn freeze(mut self, domain: &Hash) -> Result<Stream> {
        if self.is_closed() {
            self.reopen()?;
        }
        self.on_db(|db| db.write(|tx| status::want(tx, domain)))?;
        self.freeze_wanted()?;
        let stream = self.on_db(|db| db.read(|connection| status::stream_of(connection, domain)))?;
        stream.ok_or_else(closed)
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
        self.check_place()?;
        let shared = self.shared.clone();
        let mut db = shared.db.write().unwrap_or_else(PoisonError::into_inner);
        // Moved before its connections close: the last one would take the side files away, and by their names.
        let aside = damage::set_aside(&self.shared.path)?;
        drop(db.take());
        self.file = None;
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
        self.file = identity_of(&self.shared.path)?;
        self.working_set = new.read(WorkingSet::load)?;
        self.marks = Marks::read(&self.shared.state).unwrap_or_default();
        self.raised = true;
        self.folded_next = self.working_set.next;
        self.shared.set_aside.fetch_add(1, Ordering::SeqCst);
        *db = Some(new);
        drop(db);
        self.shared.trouble().take();
        self.shared.forget_told(None);
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        self.check_place()?;
        if self.lock.is_none() {
            self.lock = lock::take_within(&self.shared.state, std::mem::take(&mut self.patience))?;
        }
        if self.lock.is_none() {
            return Err(Error::new(
                Class::Busy,
                "status-writer",
                "another process writes the status database",
            )
            .remedy("wait for it to end: it is tried again by itself"));
        }
        let file = identity_of(&self.shared.path)?;
        let opened = damage::open(&self.shared.path, &self.shared.site).and_then(|db| {
            let freed = follow::freed(&self.shared.security);
            db.write(|tx| follow::write(tx, &freed))?;
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
        self.file = file;
        self.working_set = working_set;
        self.folded_next = self.working_set.next;
        self.folded = Instant::now();
        self.marks = Marks::read(&self.shared.state).unwrap_or_default();
        self.raised = false;
        if self.marks.raises > db.read(status::raises)? {
            self.skip(&db)?;
        }
        *self.shared.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        self.shared.trouble().take();
        Ok(())
    }

    /// The file is an older copy of itself: positions that it does not know of were given.
    fn skip(&mut self, db: &Db) -> Result<()> {
        let now = self.shared.clock.now();
        tracing::error!("the status database is older than its marks; gap records say so");
        let known = self.marks.clone();
        let mut raised = known.clone();
        raised.raises = known.raises.saturating_add(1);
        for (domain, below) in known.iter() {
            let stream = self.working_set.streams.of(domain);
            let again = stream.map_or(0, |stream| stream.next.saturating_sub(stream.frozen));
            raised.raise(*domain, below.saturating_add(again));
        }
        // First the file: what the database does not hold in the end is skipped once more.
        raised.write(&self.shared.state)?;
        let (working_set, quota) = (&mut self.working_set, self.shared.quota);
        db.write(|tx| {
            status::put_raises(tx, raised.raises)?;
            let mut commit = GroupCommit::new(tx, working_set, quota, now);
            for (domain, below) in known.iter() {
                commit.resume(domain, below)?;
            }
            commit.finish()?;
            fold::write_fold(tx, working_set)
        })?;
        self.working_set.dirty = super::working_set::Dirty::default();
        self.folded_next = self.working_set.next;
        (self.marks, self.raised) = (raised, true);
        Ok(())
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

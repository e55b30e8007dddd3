//! The buffer as the rest of the appliance uses it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::{Accepted, Batch, What};
use super::company::patience;
use super::damage::is_damage;
use super::overview::{self, TargetStatus};
use super::owner::Owner;
use super::queue::Job;
use super::quota::Quota;
use super::shared::{Contact, Heard, Shared, closed};
use super::writer::Writer;
use crate::appliance::Appliance;
use crate::db::status::{self, Gap, Listed, Stream};
use crate::db::{Connection, Db, Interrupt};
use crate::domain::{Class, Error, Problem, Result, Uuid};
use crate::panics::{self, caught};

/// How long batches are collected.
const WINDOW: Duration = Duration::from_millis(10);

/// Where everything goes that agents report.
///
/// Dropping it commits what still waits.
pub struct StatusBuffer {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    check: Option<Check>,
}

/// The thread that reads every page once.
struct Check {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    running: Arc<Mutex<Option<Interrupt>>>,
}

/// When the database is opened.
#[derive(Debug, Clone, Copy)]
enum Opening {
    Now,
    /// By the writer's own thread.
    Later,
}

/// How the buffer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferHealth {
    /// Class and sub-code of what keeps statuses from being written; none while they are.
    pub trouble: Option<String>,
    /// What is wrong: that, and a check that did not come to its end.
    pub problems: Vec<Problem>,
    /// Databases that were found damaged and set aside since the start.
    pub set_aside: u64,
}

impl StatusBuffer {
    /// As [`Self::open_collecting`], with a window that a disk's sync is short beside; where few report, a commit waits for company too, 200 ms
    /// at most.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open_collecting`].
    pub fn open(appliance: &Appliance, quota: Quota) -> Result<Self> {
        Self::start(appliance, quota, WINDOW, true, Opening::Now)
    }

    /// As [`Self::open`], and returns before the database is open: what is handed in meanwhile waits, and what is asked has no answer yet.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open_collecting`].
    pub fn begin(appliance: &Appliance, quota: Quota) -> Result<Self> {
        Self::start(appliance, quota, WINDOW, true, Opening::Later)
    }

    /// Opens the buffer of an appliance and starts its writer, which collects for so long what goes into one commit.
    ///
    /// A status database that is missing, damaged or of another appliance is set aside, and a new one begins with a gap record. One that
    /// cannot be opened at all (disk full), or that another process writes, is tried again with every batch. One that a newer airlock wrote stays as it is: until that
    /// airlock is back, what agents report is refused and they keep it, [`Self::health`] says why, and everything else is served.
    ///
    /// # Errors
    ///
    /// `E-IO` when no thread can be started.
    pub fn open_collecting(appliance: &Appliance, quota: Quota, window: Duration) -> Result<Self> {
        Self::start(appliance, quota, window, false, Opening::Now)
    }

    fn start(appliance: &Appliance, quota: Quota, window: Duration, sociable: bool, opening: Opening) -> Result<Self> {
        let shared = Arc::new(Shared::of(appliance, quota, window, sociable));
        let mut writer = match opening {
            Opening::Now => Writer::open(shared.clone(), None),
            Opening::Later => Writer::new(shared.clone(), None),
        };
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("status".into())
            .spawn(move || {
                if matches!(opening, Opening::Later) {
                    writer.begin();
                }
                writer.was_tried();
                // Whoever waits for it may have ended.
                tell.send(()).ok();
                writer.run();
            })
            .map_err(|e| Error::new(Class::Io, "thread", format!("cannot start a thread: {e}")).with_source(e))?;
        Ok(Self {
            check: Some(Check::start(&shared, told)?),
            shared,
            writer: Some(thread),
        })
    }

    /// Hands a batch in. The answer comes when it is on the disk.
    ///
    /// The batch is queued when this is called, not when the future is first polled.
    ///
    /// # Errors
    ///
    /// `E-BUSY` when too much waits; `E-SPACE` when the disk is full; `E-IO`, `E-STATE`. Nothing is kept then.
    pub fn submit(&self, batch: Batch) -> impl Future<Output = Result<Accepted>> + Send + 'static {
        let waiting = if matches!(batch.what, What::Contact) {
            self.contact(batch.target, batch.owner, &batch.target_name, batch.agent.as_deref());
            Ok(None)
        } else {
            let deployments = match &batch.what {
                What::Status { deployment, .. } => self.hear(&batch.target, deployment),
                _ => 0,
            };
            let until = self.until(deployments);
            let (answer, receiver) = oneshot::channel();
            self.shared
                .queue
                .put(Job { batch, until, answer })
                .map(|()| Some(receiver))
        };
        async move {
            match waiting? {
                None => Ok(Accepted::default()),
                Some(receiver) => receiver.await.unwrap_or_else(|_| Err(closed())),
            }
        }
    }

    /// Notes that an agent asked what to run, and what it was told. Statuses that are handed in later are known to come after that.
    /// Cheap while it is told the same.
    pub fn told(&self, target: Uuid, owner: Owner, name: &str, agent: Option<&str>, stated: &Arc<[(Uuid, Uuid)]>) {
        self.contact(target, owner, name, agent);
        {
            let mut contacts = self.shared.contacts();
            let Some(contact) = contacts.get_mut(&target) else {
                return;
            };
            let same = contact.told.as_ref().is_some_and(|told| told == stated);
            if same && contact.settled {
                return;
            }
            contact.settled = same;
            contact.told = Some(stated.clone());
        }
        let batch = Batch {
            target,
            owner,
            target_name: name.to_owned(),
            agent: agent.map(ToOwned::to_owned),
            what: What::Advertised(stated.clone()),
        };
        // Nobody waits for it. When it could not be written, the writer lets it be handed in again; so does this.
        let (answer, _) = oneshot::channel();
        let until = self.until(0);
        if self.shared.queue.put(Job { batch, until, answer }).is_err() {
            self.shared.forget_told(Some(&target));
        }
    }

    /// Until when a batch may wait for others.
    fn until(&self, deployments: usize) -> Instant {
        Instant::now() + self.shared.window + patience(deployments)
    }

    /// Takes in that a status comes, and returns how many deployments its agent was told of. A status of something that it was told to remove:
    /// whether that is gone is asked anew.
    fn hear(&self, target: &Uuid, deployment: &Uuid) -> usize {
        let mut contacts = self.shared.contacts();
        let Some(contact) = contacts.get_mut(target) else {
            return 0;
        };
        let Some(told) = &contact.told else { return 0 };
        let count = told.len();
        if !told.iter().any(|(stated, _)| stated == deployment) {
            contact.forget_told();
        }
        count
    }

    /// Notes that a target's agent was there. Cheap: it is written down later, together with others.
    pub fn contact(&self, target: Uuid, owner: Owner, name: &str, agent: Option<&str>) {
        let mut contacts = self.shared.contacts();
        let (fresh, waiting) = match contacts.get_mut(&target) {
            Some(contact) if contact.owner == owner && (agent.is_none() || contact.agent.as_deref() == agent) => {
                let waiting = std::mem::replace(&mut contact.seen, true);
                let before = std::mem::replace(&mut contact.heard, Heard::At(Instant::now()));
                if let Heard::Silent(since) = before {
                    tracing::info!(%target, name, after = since.elapsed().as_secs(), "a target is heard again");
                }
                (contact.fresh, waiting)
            }
            known => {
                // Since this server began, or as another agent than before. What an agent says of itself is in no log.
                tracing::info!(%target, name, is_known = known.is_some(), "a target is heard");
                contacts.insert(
                    target,
                    Contact {
                        owner,
                        name: name.to_owned(),
                        agent: agent.map(ToOwned::to_owned),
                        fresh: true,
                        seen: true,
                        heard: Heard::At(Instant::now()),
                        told: None,
                        settled: false,
                    },
                );
                (true, false)
            }
        };
        drop(contacts);
        if fresh && !waiting {
            self.shared.queue.nudge();
        }
    }

    /// Returns every target that was ever seen, with its deployments.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn overview(&self) -> Result<Vec<TargetStatus>> {
        self.overview_of(&|_| None)
    }

    /// As [`Self::overview`], where `desired` names the revision that a deployment shall run.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn overview_of(&self, desired: &dyn Fn(&Uuid) -> Option<Uuid>) -> Result<Vec<TargetStatus>> {
        let now = self.shared.clock.now();
        self.read(|connection| overview::read(connection, now, desired))
    }

    /// Returns up to `limit` records with row ids above `above`, ascending, whoever's they are.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn tail(&self, above: u64, limit: usize) -> Result<Vec<Listed>> {
        self.read(|connection| status::tail(connection, above, limit))
    }

    /// Returns every gap record.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn gaps(&self) -> Result<Vec<Gap>> {
        self.read(status::gaps)
    }

    /// Returns every stream: how far each is.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn streams(&self) -> Result<Vec<Stream>> {
        self.read(status::streams)
    }

    /// Waits until it was tried to open the database.
    pub(crate) async fn tried(&self) {
        let mut tried = self.shared.tried.subscribe();
        // The sender is as old as the buffer.
        tried.wait_for(|tried| *tried).await.ok();
    }

    /// Says how the buffer is.
    pub fn health(&self) -> BufferHealth {
        let trouble = match self.shared.trouble().clone() {
            None if !*self.shared.tried.borrow() => Some(opening()),
            trouble => trouble,
        };
        BufferHealth {
            trouble: trouble.as_ref().map(|problem| problem.error.clone()),
            problems: trouble.into_iter().chain(self.shared.unchecked().clone()).collect(),
            set_aside: self.shared.set_aside.load(Ordering::SeqCst),
        }
    }

    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let (result, generation) = {
            let db = self.shared.db.read().unwrap_or_else(PoisonError::into_inner);
            let result = match db.as_ref() {
                Some(db) => db.read(query),
                None => Err(closed()),
            };
            (result, self.shared.generation())
        };
        if let Err(error) = &result
            && is_damage(error)
        {
            self.shared.suspect(generation);
        }
        result
    }
}

impl Check {
    /// Reads every page once: damage in old records shows up now, and not when they are exported. Nobody waits for it.
    fn start(shared: &Arc<Shared>, opened: mpsc::Receiver<()>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let running = Arc::new(Mutex::new(None));
        let (shared, stopped, handle) = (shared.clone(), stop.clone(), running.clone());
        let check = {
            let shared = shared.clone();
            move || {
                // An error says that there is no writer any more, and no database.
                opened.recv().ok();
                panics::point("status-check");
                // Opened under the lock and read without it: who sets the database aside would wait for it, and all readers for that one.
                let (checker, generation) = {
                    let db = shared.db.read().unwrap_or_else(PoisonError::into_inner);
                    (db.as_ref().map(Db::checker), shared.generation())
                };
                let result = match checker {
                    Some(Ok(checker)) => {
                        *handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(checker.interrupt());
                        if stopped.load(Ordering::SeqCst) {
                            return;
                        }
                        checker.check()
                    }
                    Some(Err(error)) => Err(error),
                    None => Ok(()),
                };
                if let Err(error) = result
                    && is_damage(&error)
                {
                    tracing::error!(
                        class = error.class().name(),
                        code = error.code(),
                        "the status database: {error}"
                    );
                    shared.suspect(generation);
                }
            }
        };
        let work = move || {
            if let Err(error) = caught("status-check", check) {
                *shared.unchecked() = Some(Problem::of("status-check", &error));
            }
        };
        let thread = std::thread::Builder::new()
            .name("status-check".into())
            .spawn(work)
            .map_err(|e| Error::new(Class::Io, "thread", format!("cannot start a thread: {e}")).with_source(e))?;
        Ok(Self { thread, stop, running })
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        while !self.thread.is_finished() {
            if let Some(running) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
                running.interrupt();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for StatusBuffer {
    fn drop(&mut self) {
        if let Some(check) = self.check.take() {
            check.end();
        }
        self.shared.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            panics::note("status");
        }
    }
}

impl fmt::Debug for StatusBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusBuffer")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}

/// What is told while the database is not open yet.
fn opening() -> Problem {
    Problem {
        part: "status",
        error: format!("{} opening", Class::Busy.name()),
        what: "the database of what agents report is being opened; what they report waits for it".to_owned(),
        remedy: "none is needed: it is over by itself".to_owned(),
    }
}

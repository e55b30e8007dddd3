//! A thread beside the server: switches to new generations, and checks in the background what the start left out.

use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::health::Check;
use super::service::Registry;
use crate::db::Watch;
use crate::db::site::{Page, release};
use crate::domain::{Class, Digest, Error, Hash, Result, limits};
use crate::stream::read_bounded;

/// How long an activation by another process may stay unseen.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks between two reads of the generation itself, should a commit go unnoticed or a grace period end.
const LOOKS: u32 = 10;

/// The threads; they end when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    bell: Condvar,
}

impl Watcher {
    /// Starts watching a registry.
    ///
    /// # Errors
    ///
    /// Those of the database, and `E-IO` when no thread can be started.
    pub fn start(registry: &Arc<Registry>) -> Result<Self> {
        let stop = Arc::new(Stop::default());
        let watch = registry.db().watch()?;
        let follow = {
            let (registry, stop) = (registry.clone(), stop.clone());
            spawn("generation", move || follow(&registry, watch, &stop))?
        };
        let check = {
            let (registry, stop) = (registry.clone(), stop.clone());
            spawn("check", move || check(&registry, &stop))?
        };
        Ok(Self {
            stop,
            threads: vec![follow, check],
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        *self.stop.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.bell.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread beside the registry ended by a panic");
            }
        }
    }
}

impl Stop {
    /// Waits, and says whether it is time to end.
    fn wait(&self, pause: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .bell
            .wait_timeout_while(stopped, pause, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(512 << 10)
        .spawn(body)
        .map_err(|e| Error::new(Class::Io, "thread", format!("cannot start a thread: {e}")).with_source(e))
}

fn follow(registry: &Registry, mut watch: Watch, stop: &Stop) {
    let mut looks = 0;
    while !stop.wait(PAUSE) {
        looks += 1;
        let changed = watch.changed();
        if matches!(changed, Ok(false)) && looks < LOOKS {
            continue;
        }
        looks = 0;
        match registry.refresh() {
            Ok(true) => {
                let generation = registry.snapshot().generation();
                tracing::info!(generation, "another generation answers now");
                registry.note(|health| &mut health.releases, Check::Good);
            }
            Ok(false) => {}
            Err(error) => {
                // Once per failure, not ten times a second.
                if registry.health().releases == Check::Good {
                    tracing::error!(%error, "the new generation does not hold; the one before goes on answering");
                }
                registry.note(|health| &mut health.releases, Err(error).into());
            }
        }
    }
}

fn check(registry: &Registry, stop: &Stop) {
    let pages = check_pages(registry, stop);
    if let Err(error) = &pages {
        tracing::error!(%error, "an index page is damaged");
    }
    registry.note(|health| &mut health.index, pages.into());
    if stop.wait(Duration::ZERO) {
        return;
    }
    let database = registry.db().quick_check();
    if let Err(error) = &database {
        tracing::error!(%error, "the database is damaged");
    }
    registry.note(|health| &mut health.database, database.into());
}

fn check_pages(registry: &Registry, stop: &Stop) -> Result<()> {
    for live in registry.snapshot().active() {
        for Page { sha256, size } in registry.db().read(|c| release::pages(c, live.id))? {
            if stop.wait(Duration::ZERO) {
                return Ok(());
            }
            let path = registry.page_path(Digest(sha256));
            let bytes = File::open(&path)
                .map_err(|e| Error::io("open", &path, e).into_class(Class::State))
                .and_then(|file| read_bounded(file, limits::PAGE_BYTES as u64, "an index page"))?;
            if bytes.len() as u64 != size || Hash(Sha256::digest(&bytes).into()) != sha256 {
                return Err(Error::new(
                    Class::State,
                    "page-damaged",
                    format!("index page {} is not what was imported", path.display()),
                )
                .remedy("restore the state folder"));
            }
        }
    }
    Ok(())
}

//! The threads beside a server: one switches to new generations, one checks in the background what the start left out.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::announce::announce;
use super::check::check;
use super::live_state::Live;
use crate::db::Watch;
use crate::domain::{Class, Error, Result};

/// How long a change by another process may stay unseen: an activation, a new secret, a target that was taken away.
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
    /// Starts watching.
    ///
    /// # Errors
    ///
    /// Those of the database, and `E-IO` when no thread can be started.
    pub fn start(live: &Arc<Live>) -> Result<Self> {
        let stop = Arc::new(Stop::default());
        let watch = live.appliance().db.watch()?;
        let follow = {
            let (live, stop) = (live.clone(), stop.clone());
            spawn("generation", move || follow(&live, watch, &stop))?
        };
        let check = {
            let (live, stop) = (live.clone(), stop.clone());
            spawn("check", move || check(&live, || stop.wait(Duration::ZERO)))?
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
                tracing::error!("a thread beside the server ended by a panic");
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
        .stack_size(1 << 20)
        .spawn(body)
        .map_err(|e| Error::new(Class::Io, "thread", format!("cannot start a thread: {e}")).with_source(e))
}

fn follow(live: &Live, mut watch: Watch, stop: &Stop) {
    let (mut looks, mut failing) = (0, false);
    while !stop.wait(PAUSE) {
        looks += 1;
        let changed = watch.changed();
        if matches!(changed, Ok(false)) && looks < LOOKS {
            continue;
        }
        looks = 0;
        // Heads are checked when something changed; what is damaged is looked at again until it is whole, whoever restores it.
        let due = !matches!(changed, Ok(false)) || !live.damage().is_empty();
        if due
            && let Err(error) = live.look_at_damage()
            && !failing
        {
            tracing::error!(%error, "what is damaged cannot be told");
        }
        let before = live.generation();
        let refreshed = live.refresh();
        if let Err(error) = &refreshed
            && !failing
        {
            // Once per failure, not ten times a second.
            tracing::error!(%error, "the new generation does not hold; the one before goes on answering");
        }
        if failing || !matches!(refreshed, Ok(false)) {
            failing = refreshed.is_err();
            live.note(|health| &mut health.releases, refreshed.map(|_| ()).into());
        }
        let now = live.generation();
        if now.mark.number != before.mark.number {
            announce(&before, &now);
            tracing::info!(generation = now.mark.number, "another generation answers now");
        }
    }
}

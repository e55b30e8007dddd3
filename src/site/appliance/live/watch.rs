//! The threads beside a server: one switches to new generations, one checks in the background what the start left out, and the audit log
//! from then on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::announce::announce;
use super::check::check;
use super::health::Check;
use super::kept_generation::KeptGeneration;
use super::live_state::Live;
use super::log_walk;
use crate::appliance::clock_steps::ClockSteps;
use crate::db::{DAMAGED, Schema, Watch};
use crate::domain::{Class, Error, Result};
use crate::panics::{self, caught};

/// How long a change by another process may stay unseen: an activation, a new secret, a target that was taken away.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks between two reads of the generation itself, should a commit go unnoticed or a grace period end.
const LOOKS: u32 = 10;
/// Of the time of a thread, a look at damage takes no more than one part in this and one.
const REST: u32 = 9;
/// The longest that damage is not looked at for that.
const REST_MAX: Duration = Duration::from_secs(60);
/// Pause after a look that ended by a panic. The generation before goes on answering, and `/readyz` says so.
const AFTER_PANIC: Duration = Duration::from_secs(1);

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
        let (watch, log_watch) = (live.appliance().db.watch()?, live.appliance().db.watch()?);
        let follow = {
            let (live, stop) = (live.clone(), stop.clone());
            spawn("generation", move || follow(&live, watch, &stop))?
        };
        let check = {
            let (live, stop) = (live.clone(), stop.clone());
            spawn("check", move || {
                let holds = check(&live, || stop.wait(Duration::ZERO));
                if live.appliance().unreadable().is_some() {
                    return;
                }
                log_walk::keep(&live, log_watch, !holds, |pause| stop.wait(pause));
            })?
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
                panics::note("watcher");
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
    let (mut follower, mut pause) = (Follower::default(), PAUSE);
    if !live.is_whole() {
        // The start left something out, and somebody may wait for it.
        (follower.looks, pause) = (LOOKS, Duration::ZERO);
    }
    follower.database_bytes = live.appliance().database_bytes();
    while !stop.wait(pause) {
        // Everything switches behind what may panic, and what is current is noted last: the next look does it all again.
        let looked = caught("generation", || {
            panics::point("generation");
            follower.look(live, &mut watch);
        });
        pause = match looked {
            Ok(()) => PAUSE,
            Err(error) => {
                follower.broke_off(live, &error);
                AFTER_PANIC
            }
        };
    }
}

/// What a look remembers for the next one.
#[derive(Default)]
struct Follower {
    looks: u32,
    failing: bool,
    /// Whether something changed since damage was looked at.
    changed: bool,
    /// When damage may be looked at next.
    rest_until: Option<Instant>,
    clock: ClockSteps,
    kept: KeptGeneration,
    /// Bytes of the database's file when it was looked at last. It never gets shorter by itself.
    database_bytes: u64,
    /// What was wrong with the parts of the state when they were looked at last.
    unsound: Vec<String>,
    /// Whether a step of the clock could not be written down the last time.
    is_clock_failing: bool,
}

impl Follower {
    fn look(&mut self, live: &Live, watch: &mut Watch) {
        let looked = live.appliance().place().look();
        let looked = looked.and_then(|()| live.appliance().look_for_whole_database());
        if let Err(error) = looked {
            // What is to be read now is another appliance's state, or half of one.
            live.note(|health| &mut health.state, Check::of("state", Some(&error)));
            live.note_partial();
            return;
        }
        self.looks += 1;
        let changed = watch.changed();
        if matches!(changed, Ok(false)) && self.looks < LOOKS {
            return;
        }
        self.looks = 0;
        let has_database = live.appliance().unreadable().is_none();
        if has_database {
            self.look_at_clock(live);
            self.look_at_parts(live);
            self.look_at_length(live);
        }
        let failed_before = self.failing;
        let before = live.generation();
        let refreshed = live.refresh();
        if refreshed.is_err() {
            live.note_partial();
        }
        if let Err(error) = &refreshed
            && !self.failing
        {
            // Once per failure, not ten times a second.
            tracing::error!(%error, "the new generation does not hold; the one before goes on answering");
        }
        if self.failing || !matches!(refreshed, Ok(false)) {
            self.failing = refreshed.is_err();
            let check = Check::of("releases", refreshed.as_ref().err());
            live.note(|health| &mut health.releases, check);
        }
        let now = live.generation();
        if now.mark.number != before.mark.number {
            announce(&before, &now);
            tracing::info!(generation = now.mark.number, "another generation answers now");
        }
        // After what is live has switched: however long this takes, no activation waits for it but once.
        self.changed |= !matches!(changed, Ok(false));
        self.look_at_damage(live, failed_before);
        if has_database {
            self.kept.look(live, Instant::now());
        }
    }

    fn look_at_parts(&mut self, live: &Live) {
        let found = live.appliance().unsound_parts();
        let said: Vec<String> = found.iter().map(|error| error.found().to_owned()).collect();
        if said != self.unsound {
            // Once for each, not once a second.
            for error in found
                .iter()
                .filter(|error| !self.unsound.iter().any(|said| said == error.found()))
            {
                tracing::error!(%error, "a part of the state does not hold: nothing is imported until it does");
            }
            self.unsound = said;
        }
        live.note(|health| &mut health.state, Check::of_all("state", &found));
    }

    /// A database that was cut off while it is open goes on answering from what is in memory.
    fn look_at_length(&mut self, live: &Live) {
        let bytes = live.appliance().database_bytes();
        if bytes < self.database_bytes {
            let error = Error::new(
                Class::State,
                DAMAGED,
                format!(
                    "the database was cut off: it has {bytes} bytes, and had {}",
                    self.database_bytes
                ),
            )
            .remedy(Schema::SITE.damaged);
            live.note(|health| &mut health.database, Check::of("database", Some(&error)));
        }
        self.database_bytes = self.database_bytes.max(bytes);
    }

    fn look_at_clock(&mut self, live: &Live) {
        let appliance = live.appliance();
        let looked = self.clock.look(appliance, Instant::now());
        if let Err(error) = &looked
            && !self.is_clock_failing
        {
            // Once per failure, not once a second.
            tracing::error!(%error, "the clock could not be compared with what is known, or a step of it not be written down");
        }
        self.is_clock_failing = looked.is_err();
    }

    /// Heads are checked when something changed; what is damaged is looked at again until it is whole, whoever restores it, and the more
    /// seldom the longer a look takes.
    fn look_at_damage(&mut self, live: &Live, is_told: bool) {
        let start = Instant::now();
        let is_due = self.changed || !live.damage().is_empty();
        if !is_due || self.rest_until.is_some_and(|until| start < until) {
            return;
        }
        self.changed = false;
        if let Err(error) = live.look_at_damage()
            && !is_told
        {
            tracing::error!(%error, "what is damaged cannot be told");
        }
        let rest = start.elapsed().saturating_mul(REST).min(REST_MAX);
        self.rest_until = Instant::now().checked_add(rest);
    }

    /// A look ended by a panic: the next one reads the generation whatever it is told, and only when that holds all is well again.
    fn broke_off(&mut self, live: &Live, error: &Error) {
        self.looks = LOOKS;
        self.failing = true;
        live.note_partial();
        live.note(|health| &mut health.releases, Check::of("releases", Some(error)));
    }
}

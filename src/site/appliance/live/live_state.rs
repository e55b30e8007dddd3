//! The owner of the generations: one is live at a time, and all that answer from it switch together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::generation::{Generation, Mark, SUPERSEDED, superseded};
use super::health::{Check, Health};
use super::projection::{Order, Project, Projection};
use crate::appliance::{Appliance, ReleaseDamage};
use crate::domain::Result;

/// How often a generation is read again at once because another one came meanwhile. The next look does it later anyway.
const RETRIES: u32 = 8;

/// What is live on an appliance.
///
/// Loading it reads heads and desired-state documents only, so it takes milliseconds, whatever the number of blobs; the rest of the
/// state is checked in the background ([`super::Watcher`]). A server begins with the heads alone ([`Live::begin`]): content is served from
/// the first answer on, and whoever asks about targets waits for a moment.
pub struct Live {
    appliance: Arc<Appliance>,
    grace_seconds: i64,
    current: RwLock<Arc<Generation>>,
    /// Whether the generation speaks of targets.
    whole: watch::Sender<Whole>,
    /// Held while a generation is loaded: an older one never takes the place of a newer one.
    projections: Mutex<Vec<(Order, Weak<dyn Project>)>>,
    health: Mutex<Health>,
    /// What of the releases is not whole, as far as it was met.
    damage: Mutex<Arc<[ReleaseDamage]>>,
}

/// Whether what a start leaves out was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    NotYet,
    /// It could not be, and is tried again.
    No,
    Yes,
}

impl Live {
    /// Loads the present generation of an appliance.
    ///
    /// `grace` is how long content of a replaced release stays readable by digest.
    ///
    /// # Errors
    ///
    /// `E-STATE` when the state is damaged, `E-IO`, `E-SPACE`.
    pub fn load(appliance: &Arc<Appliance>, grace: Duration) -> Result<Arc<Self>> {
        let grace_seconds = seconds(grace);
        let generation = Generation::load(appliance, grace_seconds, None)?;
        Self::of(appliance, grace_seconds, generation)
    }

    /// Loads what content is answered from, in a time that does not grow with targets. What is said of these is loaded with the first
    /// [`Live::refresh`], which a [`super::Watcher`] does at once; [`Live::whole`] waits for it.
    ///
    /// # Errors
    ///
    /// As [`Live::load`]; what is wrong with that which was left out is the refresh's.
    pub fn begin(appliance: &Arc<Appliance>, grace: Duration) -> Result<Arc<Self>> {
        let grace_seconds = seconds(grace);
        let generation = Generation::begin(appliance, grace_seconds)?;
        Self::of(appliance, grace_seconds, generation)
    }

    fn of(appliance: &Arc<Appliance>, grace_seconds: i64, generation: Generation) -> Result<Arc<Self>> {
        let whole = if generation.is_whole { Whole::Yes } else { Whole::NotYet };
        let health = match appliance.unreadable() {
            Some(why) => Health::without_database(why),
            None => Health::started(Check::of_all("state", &appliance.unsound_parts())),
        };
        Ok(Arc::new(Self {
            appliance: appliance.clone(),
            grace_seconds,
            whole: watch::Sender::new(whole),
            health: Mutex::new(health),
            // What is damaged is told from the first answer on.
            damage: Mutex::new(appliance.known_damage()?.into()),
            current: RwLock::new(Arc::new(generation)),
            projections: Mutex::default(),
        }))
    }

    /// Returns the appliance.
    pub fn appliance(&self) -> &Arc<Appliance> {
        &self.appliance
    }

    /// Looks whether another generation became live, this site decided something about its targets, or a grace period ended; then
    /// everything that answers from it switches, content before what is advertised of it. Waits for the disk.
    ///
    /// # Errors
    ///
    /// As [`Live::load`], and `E-STATE release-damaged` when content of the new generation must not be served; the generation before
    /// stays in use everywhere then.
    pub fn refresh(&self) -> Result<bool> {
        for _ in 0..RETRIES {
            match self.switch() {
                Err(error) if error.is(SUPERSEDED) => {}
                switched => return switched,
            }
        }
        self.switch()
    }

    fn switch(&self) -> Result<bool> {
        let mut projections = lock(&self.projections);
        let current = self.generation();
        let shrinks = current.shrinks_at().is_some_and(|at| at <= self.appliance.clock.now());
        if current.is_whole && self.appliance.db.read(Mark::read)? == current.mark && !shrinks {
            return Ok(false);
        }
        let next = Generation::load(&self.appliance, self.grace_seconds, Some(&current))?;
        projections.retain(|(_, projection)| projection.strong_count() > 0);
        let switches = projections
            .iter()
            .filter_map(|(_, projection)| projection.upgrade())
            .map(|projection| projection.prepare(&next))
            .collect::<Result<Vec<_>>>()?;
        for switch in switches {
            switch();
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        if !current.is_whole {
            self.whole.send_replace(Whole::Yes);
        }
        Ok(true)
    }

    /// Waits until targets are known, and whatever else a start leaves out; whether they are. Nobody is told before that what there is,
    /// or that something is not: an agent would take it for an order (D11).
    pub async fn whole(&self) -> bool {
        let mut whole = self.whole.subscribe();
        // It lives as long as this.
        whole.wait_for(|whole| *whole != Whole::NotYet).await.ok();
        *self.whole.borrow() == Whole::Yes
    }

    /// Whether targets are known. As cheap as it can be: every request asks.
    pub fn is_whole(&self) -> bool {
        *self.whole.borrow() == Whole::Yes
    }

    /// Says that targets cannot be read for now: nobody waits for them any longer, until they can.
    pub(super) fn note_partial(&self) {
        self.whole.send_if_modified(|whole| {
            let waited = *whole == Whole::NotYet;
            if waited {
                *whole = Whole::No;
            }
            waited
        });
    }

    /// Returns how the appliance is.
    pub fn health(&self) -> Health {
        let health = lock(&self.health).clone().with(&self.damage());
        let mut health = health.with_nameless(&self.appliance.nameless());
        // Whoever noticed it first.
        if let Err(error) = self.appliance.check_place() {
            health.state = Check::of("state", Some(&error));
        }
        health
    }

    /// Returns what of the releases is not whole, live or not, as far as anybody met it.
    pub fn damage(&self) -> Arc<[ReleaseDamage]> {
        lock(&self.damage).clone()
    }

    /// Looks again at what is damaged: what is whole by now is forgotten, whoever restored it. Waits for the disk, and holds nothing that
    /// requests wait for.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`, `E-SPACE`.
    pub(super) fn look_at_damage(&self) -> Result<()> {
        if !self.damage().is_empty() {
            self.appliance.settle_damage()?;
        }
        let damage = self.appliance.known_damage()?;
        *lock(&self.damage) = damage.into();
        Ok(())
    }

    /// Makes a form of the generation that follows it for as long as it is held.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub(in crate::appliance) fn project<T: Send + Sync + 'static>(
        &self,
        order: Order,
        make: impl Fn(&Generation, Option<&Arc<T>>) -> Result<Arc<T>> + Send + Sync + 'static,
    ) -> Result<Arc<Projection<T>>> {
        for _ in 0..=RETRIES {
            let mut projections = lock(&self.projections);
            match make(&self.generation(), None) {
                Err(error) if error.is(SUPERSEDED) => {
                    drop(projections);
                    self.refresh()?;
                }
                made => {
                    let projection = Arc::new(Projection::new(made?, Box::new(make)));
                    let held: Arc<dyn Project> = projection.clone();
                    projections.push((order, Arc::downgrade(&held)));
                    projections.sort_by_key(|(order, _)| *order);
                    return Ok(projection);
                }
            }
        }
        Err(superseded())
    }

    pub(super) fn generation(&self) -> Arc<Generation> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, check: impl FnOnce(&mut Health) -> &mut Check, state: Check) {
        *check(&mut lock(&self.health)) = state;
    }
}

fn seconds(grace: Duration) -> i64 {
    i64::try_from(grace.as_secs()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live")
            .field("appliance", &self.appliance)
            .field("mark", &self.generation().mark)
            .finish_non_exhaustive()
    }
}

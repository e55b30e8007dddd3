//! How long a registry is waited for, and what is said meanwhile: nobody sits before a screen that stands still and does not say why.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a registry is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection stands, TLS included.
    pub connection: Duration,
    /// Until an answer begins, and until more of it comes.
    pub answer: Duration,
    /// Until it is said what is waited for; it is said again as often.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connection: Duration::from_secs(20),
            answer: Duration::from_secs(90),
            // A little less than the two seconds that nothing may stay silent for.
            silence: Duration::from_millis(1800),
        }
    }
}

impl Patience {
    /// What a request came to that took too long; nothing for one that ended otherwise.
    pub(super) fn over(&self, error: &reqwest::Error) -> Option<String> {
        if !error.is_timeout() {
            return None;
        }
        Some(if error.is_connect() {
            format!(
                "no connection (TCP and TLS) came about within {}",
                time(self.connection)
            )
        } else if error.is_body() || error.is_decode() {
            format!("its answer stood still for {}", time(self.answer))
        } else {
            format!("it took the request and gave no answer within {}", time(self.answer))
        })
    }
}

/// Everything that is waited for at one time, of all registries: one line tells of it, not one for each.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) patience: Patience,
    told: Option<fn(&str)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many wait.
    waiting: usize,
    said: Option<Instant>,
}

impl Waits {
    pub(super) fn new(patience: Patience, told: Option<fn(&str)>) -> Self {
        Self {
            patience,
            told,
            state: Mutex::default(),
        }
    }

    /// Waits for a future, and says from time to time since when: `what` is told that.
    pub(super) async fn watch<T>(&self, what: &dyn Fn(&str) -> String, future: impl Future<Output = T>) -> T {
        let Some(told) = self.told else { return future.await };
        let _waiting = Waiting::of(self);
        let (began, mut future) = (Instant::now(), pin!(future));
        loop {
            match tokio::time::timeout(self.patience.silence, future.as_mut()).await {
                Ok(done) => return done,
                Err(_) => {
                    if let Some(others) = self.turn() {
                        let more = match others {
                            0 => String::new(),
                            others => format!("; {others} more requests wait"),
                        };
                        told(&format!("{}{more}", what(&time(began.elapsed()))));
                    }
                }
            }
        }
    }

    /// How many others wait, for the one whose turn it is to say so.
    fn turn(&self) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let half = self.patience.silence / 2;
        if state.said.is_some_and(|said| said.elapsed() < half) {
            return None;
        }
        state.said = Some(Instant::now());
        Some(state.waiting.saturating_sub(1))
    }
}

/// One that waits, until it is dropped.
struct Waiting<'a>(&'a Waits);

impl<'a> Waiting<'a> {
    fn of(waits: &'a Waits) -> Self {
        let mut state = waits.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting = state.waiting.saturating_add(1);
        Self(waits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting = state.waiting.saturating_sub(1);
    }
}

/// A time in words, as fine as it matters.
fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

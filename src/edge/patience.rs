//! How long the registry is waited for, and what for: whoever copies is told while nothing comes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the registry is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection stands, TLS included.
    pub connection: Duration,
    /// Until an answer begins, and until more of it comes.
    pub answer: Duration,
    /// Until it is told what is waited for.
    pub silence: Duration,
    /// Before the second try; doubled before each further one.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connection: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            // A little less than the two seconds that nothing may stay silent for.
            silence: Duration::from_millis(1800),
            pause: Duration::from_millis(200),
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

/// The requests that wait for an answer.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) patience: Patience,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    since: BTreeMap<u64, (Instant, String)>,
}

impl Waits {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            waiting: Mutex::default(),
        }
    }

    /// Says of a request that it waits, until what is returned is dropped.
    pub(super) fn begin(&self, what: String) -> Wait<'_> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next = number.wrapping_add(1);
        waiting.since.insert(number, (Instant::now(), what));
        Wait { waits: self, number }
    }

    /// What is waited for the longest, in words, where that is long enough to be told.
    pub(super) fn told(&self, host: &str) -> Option<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, what) = waiting.since.values().next()?;
        let waited = since.elapsed();
        if waited < self.patience.silence {
            return None;
        }
        let more = match waiting.since.len().saturating_sub(1) {
            0 => String::new(),
            others => format!("; {others} more requests wait"),
        };
        let (waited, limit) = (time(waited), time(self.patience.answer));
        Some(format!(
            "{host} has given no answer to {what} for {waited}, of {limit} at most{more}"
        ))
    }
}

/// A request that waits.
pub(super) struct Wait<'a> {
    waits: &'a Waits,
    number: u64,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waits.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.since.remove(&self.number);
    }
}

/// A time in words, as fine as it matters.
fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

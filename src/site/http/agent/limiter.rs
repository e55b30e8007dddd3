//! So many requests a minute for each key, in memory that does not grow with the number of keys asked about.
//!
//! Windows are whole minutes from the start of the process, as the hub counts them. When more keys were seen in one window than are
//! counted, further ones share one count: a flood of invented ids then costs others a wait, and never memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Length of a window.
const WINDOW: Duration = Duration::from_secs(60);
/// Keys counted in one window: about 5 MiB when full.
const KEYS: usize = 1 << 16;
/// What the keys that found no place may do together, in multiples of one key's budget.
const SHARED: u32 = 1000;

/// Counts requests by key.
#[derive(Debug)]
pub(super) struct Limiter<K> {
    budget: u32,
    started: Instant,
    counts: Mutex<Counts<K>>,
}

#[derive(Debug)]
struct Counts<K> {
    window: u64,
    by_key: HashMap<K, u32>,
    shared: u32,
}

/// What a limiter says of a request: the hub's `X-RateLimit-` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Whether it may pass.
    pub(super) passes: bool,
    /// Requests of a window.
    pub(super) limit: u32,
    /// Requests left in this window.
    pub(super) remaining: u32,
    /// Seconds until the next window, at least 1.
    pub(super) seconds: u32,
}

impl<K: Eq + Hash> Limiter<K> {
    /// Allows `budget` requests of one key in a minute.
    pub(super) fn new(budget: u32) -> Self {
        Self {
            budget,
            started: Instant::now(),
            counts: Mutex::new(Counts {
                window: 0,
                by_key: HashMap::new(),
                shared: 0,
            }),
        }
    }

    /// Counts a request.
    pub(super) fn take(&self, key: K) -> Allowance {
        self.count(key, true, self.started.elapsed())
    }

    /// Looks, and counts nothing.
    pub(super) fn look(&self, key: K) -> Allowance {
        self.count(key, false, self.started.elapsed())
    }

    fn count(&self, key: K, taken: bool, elapsed: Duration) -> Allowance {
        let window = elapsed.as_secs() / WINDOW.as_secs();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.window != window {
            // The room is given back too, after a flood.
            *counts = Counts {
                window,
                by_key: HashMap::new(),
                shared: 0,
            };
        }
        let full = counts.by_key.len() >= KEYS;
        let (used, budget) = match counts.by_key.get_mut(&key) {
            Some(used) => (used, self.budget),
            None if full => (&mut counts.shared, self.budget.saturating_mul(SHARED)),
            None if taken => (counts.by_key.entry(key).or_insert(0), self.budget),
            None => (&mut 0, self.budget),
        };
        let passes = *used < budget;
        if taken && passes {
            *used = used.saturating_add(1);
        }
        let left = WINDOW.as_secs().saturating_sub(elapsed.as_secs() % WINDOW.as_secs());
        Allowance {
            passes,
            limit: self.budget,
            remaining: budget.saturating_sub(*used).min(self.budget),
            seconds: u32::try_from(left).unwrap_or(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn each_key_has_its_budget_in_each_minute() {
        let limiter = Limiter::new(3);
        for remaining in [2, 1, 0] {
            let allowance = limiter.count("a", true, AT_ONCE);
            assert_eq!((allowance.passes, allowance.remaining), (true, remaining));
        }
        assert!(!limiter.count("a", true, AT_ONCE).passes && !limiter.count("a", false, AT_ONCE).passes);
        let other = limiter.count("b", false, AT_ONCE);
        assert_eq!((other.passes, other.remaining, other.seconds), (true, 3, 60));
        let late = limiter.count("a", true, Duration::from_secs(59));
        assert_eq!((late.passes, late.seconds), (false, 1));
        assert!(limiter.count("a", true, WINDOW).passes);
        assert!(limiter.take("c").passes && limiter.look("c").remaining == 2);
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_room() {
        let limiter = Limiter::new(5);
        for key in 0..KEYS + 10_000 {
            limiter.count(key, true, AT_ONCE);
        }
        assert_eq!(limiter.counts.lock().unwrap().by_key.len(), KEYS);
        // Who was there before keeps its own budget, and the others' is bounded.
        assert_eq!(limiter.count(0, true, AT_ONCE).remaining, 3);
        assert!(!limiter.count(KEYS * 3, false, AT_ONCE).passes);
        assert!(limiter.count(KEYS * 3, true, WINDOW).passes);
        assert_eq!(limiter.counts.lock().unwrap().by_key.len(), 1);
    }
}

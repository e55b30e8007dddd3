//! Permits to hold large bodies in memory: a bound in all, one for each trust domain, and one for each target
//! (threat model R12, A06).
//!
//! A body begins in a little memory of its own connection. When it needs more it takes a permit, and gives it back at its end. Where
//! none becomes free in time the request is answered as if it had been, and its logs become a gap record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::{Hash, Uuid};
use crate::http::turns::{FairTurns, Party, Turn};

/// Bytes that a body may hold without a permit.
pub(super) const SMALL_BYTES: usize = 24 << 10;
/// Permits in all; a body with one holds three times the longest text at most.
const PERMITS: usize = 40;
/// Permits of the targets of one trust domain: half, so that bodies which one vendor's agents leave half sent cost no other's logs.
const PERMITS_PER_DOMAIN: usize = PERMITS / 2;
/// Permits of one target.
const PERMITS_PER_TARGET: usize = 2;
/// How long a body waits for a permit; bodies with one end within milliseconds as a rule. Short, because an agent stands still while
/// its own log is being taken.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The permits.
#[derive(Debug, Clone)]
pub(super) struct BodyPermits {
    turns: FairTurns,
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
    timeout: Duration,
}

/// A permit; given back when dropped.
#[derive(Debug)]
pub(super) struct BodyPermit {
    _turn: Turn,
    _share: Share,
}

/// A part of what one target may have; given back when dropped.
#[derive(Debug)]
struct Share {
    permits: BodyPermits,
    target: Uuid,
}

impl BodyPermits {
    pub(super) fn new() -> Self {
        Self::with_timeout(PERMIT_TIMEOUT)
    }

    fn with_timeout(timeout: Duration) -> Self {
        Self {
            timeout,
            turns: FairTurns::new(PERMITS),
            taken: Arc::default(),
        }
    }

    /// Takes a permit; nothing when the target has its share, or none becomes free for its domain.
    pub(super) async fn take(&self, domain: Hash, target: Uuid) -> Option<BodyPermit> {
        {
            let mut taken = self.lock();
            let own = taken.entry(target).or_insert(0);
            if *own >= PERMITS_PER_TARGET {
                return None;
            }
            *own = own.saturating_add(1);
        }
        let share = Share {
            permits: self.clone(),
            target,
        };
        let turn = self.turns.take([(Party::Domain(Some(domain)), PERMITS_PER_DOMAIN)]);
        let turn = tokio::time::timeout(self.timeout, turn).await.ok()?;
        Some(BodyPermit {
            _turn: turn,
            _share: share,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.permits.lock();
        if let Some(own) = taken.get_mut(&self.target) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn permits_are_bounded_in_all_and_by_domain_and_by_target() {
        let permits = BodyPermits::with_timeout(Duration::from_millis(1));
        let target = |number: usize| Uuid::derived("test", &[&number.to_string()]);
        let [a, b, c] = [1, 2, 3].map(|byte| Hash([byte; 32]));
        let mut held = vec![
            permits.take(a, target(0)).await.unwrap(),
            permits.take(a, target(0)).await.unwrap(),
        ];
        assert!(permits.take(a, target(0)).await.is_none());
        for number in 1..=PERMITS_PER_DOMAIN - 2 {
            held.push(permits.take(a, target(number)).await.unwrap());
        }
        // This vendor has its half; the others have theirs.
        assert!(permits.take(a, target(98)).await.is_none());
        for number in 100..100 + PERMITS - PERMITS_PER_DOMAIN {
            held.push(permits.take(b, target(number)).await.unwrap());
        }
        // None is free: who waits in vain gives its share back too.
        assert!(permits.take(c, target(99)).await.is_none());
        assert!(!permits.lock().contains_key(&target(99)));
        drop(held);
        assert!(permits.take(a, target(0)).await.is_some());
        assert!(permits.lock().is_empty());
    }
}

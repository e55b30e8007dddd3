//! Permits to hold large bodies in memory: a bound in all, and one for each target (threat model R12, A06).
//!
//! A body begins in a little memory of its own connection. When it needs more it takes a permit, and gives it back at its end. Where
//! none becomes free in time the request is answered as if it had been, and its logs become a gap record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::Uuid;

/// Bytes that a body may hold without a permit.
pub(super) const SMALL_BYTES: usize = 24 << 10;
/// Permits in all; a body with one holds three times the longest text at most.
const PERMITS: usize = 40;
/// Permits of one target.
const PERMITS_PER_TARGET: usize = 2;
/// How long a body waits for a permit; bodies with one end within milliseconds as a rule. Short, because an agent stands still while
/// its own log is being taken.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The permits.
#[derive(Debug, Clone)]
pub(super) struct BodyPermits {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<Uuid, usize>>>,
    timeout: Duration,
}

/// A permit; given back when dropped.
#[derive(Debug)]
pub(super) struct BodyPermit {
    _permit: OwnedSemaphorePermit,
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
            free: Arc::new(Semaphore::new(PERMITS)),
            taken: Arc::default(),
        }
    }

    /// Takes a permit; nothing when the target has its share, or none becomes free.
    pub(super) async fn take(&self, target: Uuid) -> Option<BodyPermit> {
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
        let permit = tokio::time::timeout(self.timeout, self.free.clone().acquire_owned())
            .await
            .ok()?
            .ok()?;
        Some(BodyPermit {
            _permit: permit,
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
    async fn permits_are_bounded_in_all_and_by_target() {
        let permits = BodyPermits::with_timeout(Duration::from_millis(1));
        let target = |number: usize| Uuid::derived("test", &[&number.to_string()]);
        let mut held = vec![
            permits.take(target(0)).await.unwrap(),
            permits.take(target(0)).await.unwrap(),
        ];
        assert!(permits.take(target(0)).await.is_none());
        for number in 1..=PERMITS - 2 {
            held.push(permits.take(target(number)).await.unwrap());
        }
        // None is free: who waits in vain gives its share back too.
        assert!(permits.take(target(99)).await.is_none());
        assert!(!permits.lock().contains_key(&target(99)));
        drop(held);
        assert!(permits.take(target(0)).await.is_some());
        assert!(permits.lock().is_empty());
    }
}

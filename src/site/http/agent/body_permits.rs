//! Permits to hold large bodies in memory: a bound in all, one for each trust domain, and one for each target
//! (threat model R12, A06).
//!
//! A trust domain may have as many permits as are left when it takes one: alone half of all, beside others less, and what it has given
//! back is everybody's. So some are left whoever holds what they got, and bodies which the agents of some vendors leave half sent cost no
//! other's logs.
//!
//! A body begins in a little memory of its own connection. When it needs more it takes a permit, and gives it back at its end. Where
//! none becomes free in time the request is answered as if it had been, and its logs become a gap record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::{Hash, Uuid};

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
    held: Arc<Mutex<Held>>,
    given_back: Arc<Notify>,
    timeout: Duration,
}

/// Who holds how many; nobody stands here with none.
#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_domain: HashMap<Hash, usize>,
    /// With those that wait for one.
    by_target: HashMap<Uuid, usize>,
}

/// A permit; given back when dropped.
#[derive(Debug)]
pub(super) struct BodyPermit {
    domain: Hash,
    share: Share,
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
            held: Arc::default(),
            given_back: Arc::default(),
            timeout,
        }
    }

    /// Takes a permit; nothing when the target has its share, or none becomes free for its domain.
    pub(super) async fn take(&self, domain: Hash, target: Uuid) -> Option<BodyPermit> {
        let share = self.share(target)?;
        let taken = async {
            loop {
                // From before the look: what is given back after it is not missed.
                let given_back = self.given_back.notified();
                if self.lock().give(domain) {
                    return;
                }
                given_back.await;
            }
        };
        tokio::time::timeout(self.timeout, taken).await.ok()?;
        Some(BodyPermit { domain, share })
    }

    fn share(&self, target: Uuid) -> Option<Share> {
        let mut held = self.lock();
        let own = held.by_target.entry(target).or_insert(0);
        if *own >= PERMITS_PER_TARGET {
            return None;
        }
        *own = own.saturating_add(1);
        Some(Share {
            permits: self.clone(),
            target,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Gives a domain one more permit, where it has fewer than are left.
    fn give(&mut self, domain: Hash) -> bool {
        let own = self.by_domain.get(&domain).copied().unwrap_or(0);
        let gives = own < PERMITS.saturating_sub(self.all);
        if gives {
            self.all = self.all.saturating_add(1);
            self.by_domain.insert(domain, own.saturating_add(1));
        }
        gives
    }
}

/// Counts one less, and forgets who has none any more.
fn one_less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Drop for BodyPermit {
    fn drop(&mut self) {
        {
            let mut held = self.share.permits.lock();
            held.all = held.all.saturating_sub(1);
            one_less(&mut held.by_domain, &self.domain);
        }
        // All of them: the one that a single bell wakes may be of a domain that has too many still.
        self.share.permits.given_back.notify_waiters();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        one_less(&mut self.permits.lock().by_target, &self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn permits_are_bounded_in_all_and_by_domain_and_by_target() {
        let permits = BodyPermits::with_timeout(Duration::from_millis(1));
        let target = |number: usize| Uuid::derived("test", &[&number.to_string()]);
        let vendors = [1, 2, 3, 4, 5].map(|byte| Hash([byte; 32]));
        let a = vendors[0];
        let mut held = vec![
            permits.take(a, target(0)).await.unwrap(),
            permits.take(a, target(0)).await.unwrap(),
        ];
        assert!(permits.take(a, target(0)).await.is_none());
        // Alone it gets half, two others half of what is left, each as it comes; and something is left for whoever comes next.
        let mut number = 1;
        for (domain, most) in vendors.into_iter().zip([18, 10, 5, 3, 1]) {
            for _ in 0..most {
                held.push(permits.take(domain, target(number)).await.unwrap());
                number += 1;
            }
            // Who waits in vain gives its share back too.
            assert!(permits.take(domain, target(number)).await.is_none(), "{domain}");
            assert!(!permits.lock().by_target.contains_key(&target(number)));
        }
        // What one gives back another gets while it waits, and with it more than it had.
        let patient = BodyPermits {
            timeout: Duration::from_secs(60),
            ..permits.clone()
        };
        let given_back = async {
            tokio::task::yield_now().await;
            held.drain(..4);
        };
        let (one_more, ()) = tokio::join!(patient.take(vendors[4], target(number)), given_back);
        assert!(one_more.is_some());
        drop(one_more);
        drop(held);
        assert!(permits.take(a, target(0)).await.is_some());
        let held = permits.lock();
        assert!(held.all == 0 && held.by_domain.is_empty() && held.by_target.is_empty());
    }
}

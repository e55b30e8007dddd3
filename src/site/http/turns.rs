//! Turns at work that is bounded, so that no party makes others wait (threat model R14): how much is done at one time in all, and how
//! much of it for one party.
//!
//! Whoever wants a turn first stands in the queues of the parties it belongs to, each as wide as that party's share, and only then in
//! the queue that all share. So a party has no more than its share in that queue, however many requests it sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::Peer;
use crate::domain::{Hash, Uuid};

/// Who is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, std::hash::Hash)]
pub(super) enum Party {
    /// Who asks.
    Peer(Peer),
    /// The target of an agent.
    Target(Uuid),
    /// Whose content it is about; nothing where that is of several trust domains, or of none.
    Domain(Option<Hash>),
}

/// Turns.
#[derive(Debug, Clone)]
pub(super) struct FairTurns {
    all: Arc<Semaphore>,
    queues: Queues,
}

/// By party: its queue, and how many stand in it or have passed it.
type Queues = Arc<Mutex<HashMap<Party, (Arc<Semaphore>, usize)>>>;

/// A turn; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    // In this order: the queue is left last.
    _all: OwnedSemaphorePermit,
    _shares: Vec<(OwnedSemaphorePermit, Place)>,
}

/// A place in a party's queue.
#[derive(Debug)]
struct Place {
    queues: Queues,
    party: Party,
}

impl FairTurns {
    /// Makes so many turns.
    pub(super) fn new(all: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            queues: Queues::default(),
        }
    }

    /// Waits for a turn of these parties, each with the most turns that it may have at one time, which is the same whenever it is named.
    /// Narrower parties come first.
    pub(super) fn take<const N: usize>(
        &self,
        parties: [(Party, usize); N],
    ) -> impl Future<Output = Turn> + Send + use<N> + 'static {
        let turns = self.clone();
        async move {
            let mut shares = Vec::with_capacity(N);
            for (party, share) in parties {
                let (queue, place) = turns.stand(party, share);
                shares.push((acquire(queue).await, place));
            }
            Turn {
                _all: acquire(turns.all).await,
                _shares: shares,
            }
        }
    }

    fn stand(&self, party: Party, share: usize) -> (Arc<Semaphore>, Place) {
        let mut queues = lock(&self.queues);
        let (queue, standing) = queues
            .entry(party)
            .or_insert_with(|| (Arc::new(Semaphore::new(share)), 0));
        *standing = standing.saturating_add(1);
        let place = Place {
            queues: self.queues.clone(),
            party,
        };
        (queue.clone(), place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = lock(&self.queues);
        if let Some((_, standing)) = queues.get_mut(&self.party) {
            *standing = standing.saturating_sub(1);
            if *standing == 0 {
                queues.remove(&self.party);
            }
        }
    }
}

async fn acquire(turns: Arc<Semaphore>) -> OwnedSemaphorePermit {
    turns.acquire_owned().await.expect("it is never closed")
}

fn lock(queues: &Queues) -> MutexGuard<'_, HashMap<Party, (Arc<Semaphore>, usize)>> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    struct Taking(Pin<Box<dyn Future<Output = Turn>>>);

    impl Taking {
        fn of<const N: usize>(turns: &FairTurns, parties: [(Party, usize); N]) -> Self {
            Self(Box::pin(turns.take(parties)))
        }

        fn look(&mut self) -> Option<Turn> {
            match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(turn) => Some(turn),
                Poll::Pending => None,
            }
        }
    }

    fn target(name: &str) -> (Party, usize) {
        (Party::Target(Uuid::derived("test", &[name])), 1)
    }

    #[test]
    fn a_party_has_its_share_and_its_queue_keeps_nobody_else_waiting() {
        let turns = FairTurns::new(2);
        let take = |name| Taking::of(&turns, [target(name)]);
        let mut loud: Vec<_> = (0..50).map(|_| take("loud")).collect();
        let first = loud.remove(0).look().unwrap();
        assert!(loud.iter_mut().all(|waiting| waiting.look().is_none()));
        // Fifty came before it, and it is next all the same.
        let quiet = take("quiet").look().unwrap();
        let mut third = take("third");
        assert!(third.look().is_none());
        drop(quiet);
        let third = third.look().unwrap();
        drop(first);
        let second = loud.remove(0).look().unwrap();
        assert!(loud.iter_mut().all(|waiting| waiting.look().is_none()));
        // Who goes away while it waits keeps no place.
        drop((loud, second, third));
        assert!(lock(&turns.queues).is_empty());
        assert!(take("loud").look().is_some());
    }

    #[test]
    fn the_wider_party_is_bounded_too() {
        let turns = FairTurns::new(4);
        let take = |name, byte| {
            let domain = Party::Domain(Some(Hash([byte; 32])));
            Taking::of(&turns, [target(name), (domain, 2)])
        };
        let held = ["a", "b"].map(|name| take(name, 1).look().unwrap());
        let mut more = take("c", 1);
        assert!(more.look().is_none());
        let others = ["d", "e"].map(|name| take(name, 2).look().unwrap());
        drop(held);
        assert!(more.look().is_some());
        drop(others);
    }
}

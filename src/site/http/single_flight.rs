//! Work that many may want at once and that is done once (threat model R14): checking a piece of a blob, reading a manifest, making an
//! index.
//!
//! One blocking thread does it; the others wait as tasks, which cost no thread, and all get what it came to. It belongs to none of
//! them: a client that goes away ends nothing. How much is done at one time is bounded by turns, so that threads are left for
//! everything else. Work that panics is an error for all who wait.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::domain::{Class, Error, Result};
use crate::panics;

/// What shared work came to.
pub(super) type Outcome<V> = std::result::Result<V, Arc<Error>>;

type Running<K, V> = Arc<Mutex<HashMap<K, watch::Receiver<Option<Outcome<V>>>>>>;

/// Work under way, by what it is about.
pub(super) struct SingleFlight<K, V> {
    running: Running<K, V>,
    turns: Arc<Semaphore>,
}

/// The place of work under way; free when it ends, however it ends.
struct Place<K: Eq + Hash, V> {
    running: Running<K, V>,
    key: K,
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Makes one whose work takes one of `turns` each.
    pub(super) fn new(turns: &Arc<Semaphore>) -> Self {
        Self {
            running: Arc::default(),
            turns: turns.clone(),
        }
    }

    /// Waits for what `work` comes to; where the same is under way, for that. It begins at once, whether or not anybody waits. Must be
    /// called inside the runtime.
    pub(super) fn run<W: FnOnce() -> Result<V> + Send + 'static>(
        &self,
        key: K,
        work: W,
    ) -> impl Future<Output = Outcome<V>> + Send + use<K, V, W> + 'static {
        // They are never closed.
        let turn = self.turns.clone().acquire_owned();
        self.run_in(key, turn, work)
    }

    /// As [`SingleFlight::run`], in a turn of other turns than its own.
    pub(super) fn run_in<T, F, W>(
        &self,
        key: K,
        turn: F,
        work: W,
    ) -> impl Future<Output = Outcome<V>> + Send + use<K, V, T, F, W> + 'static
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        W: FnOnce() -> Result<V> + Send + 'static,
    {
        let mut receiver = self.join(key, turn, work);
        async move {
            match receiver.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(Arc::new(ended()))),
                // The sender is gone: the server ends.
                Err(_) => Err(Arc::new(ended())),
            }
        }
    }

    fn join<T: Send + 'static>(
        &self,
        key: K,
        turn: impl Future<Output = T> + Send + 'static,
        work: impl FnOnce() -> Result<V> + Send + 'static,
    ) -> watch::Receiver<Option<Outcome<V>>> {
        let mut running = lock(&self.running);
        if let Some(receiver) = running.get(&key) {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(None);
        running.insert(key.clone(), receiver.clone());
        drop(running);
        let place = Place {
            running: self.running.clone(),
            key,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends by itself, and who waits is told when the runtime ends it"
        )]
        tokio::spawn(async move {
            let turn = turn.await;
            let worked = tokio::task::spawn_blocking(|| {
                panics::point("blob");
                work()
            });
            let outcome = worked.await.unwrap_or_else(|_| Err(panics::note("blob")));
            if let Err(error) = &outcome {
                tracing::error!(class = error.class().name(), code = error.code(), %error, "content could not be made ready");
            }
            drop(turn);
            // First the place, so that who comes from now on looks at what was made.
            drop(place);
            sender.send_replace(Some(outcome.map_err(Arc::new)));
        });
        receiver
    }
}

impl<K: Eq + Hash, V> Drop for Place<K, V> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

impl<K, V> std::fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingleFlight")
            .field("running", &lock(&self.running).len())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended() -> Error {
    Error::new(Class::Internal, "ended", "work of the server ended before it was done")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    type Counted = SingleFlight<&'static str, usize>;

    fn flights(turns: usize) -> Counted {
        SingleFlight::new(&Arc::new(Semaphore::new(turns)))
    }

    #[tokio::test]
    async fn a_hundred_wait_for_one() {
        let flights = flights(1);
        let done = Arc::new(AtomicUsize::new(0));
        let (go, wait) = mpsc::channel::<()>();
        let mut wait = Some(wait);
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let (done, wait) = (done.clone(), wait.take());
            waiting.push(flights.run("a", move || {
                wait.expect("the first one does it").recv().unwrap();
                Ok(done.fetch_add(1, Ordering::SeqCst))
            }));
        }
        // Who began it goes away, and it goes on.
        drop(waiting.remove(0));
        go.send(()).unwrap();
        for one in waiting {
            assert_eq!(one.await.unwrap(), 0);
        }
        assert_eq!(done.load(Ordering::SeqCst), 1);
        assert!(lock(&flights.running).is_empty());
        assert_eq!(
            flights.run("a", || Ok(7)).await.unwrap(),
            7,
            "what is done is forgotten"
        );
    }

    #[tokio::test]
    async fn an_error_and_a_panic_reach_all_and_hold_no_turn() {
        let flights = flights(1);
        let failing: Vec<_> = (0..10)
            .map(|_| flights.run("a", || Err(Error::new(Class::State, "blob-damaged", "x"))))
            .collect();
        for one in failing {
            assert_eq!(one.await.unwrap_err().code(), "blob-damaged");
        }
        let (go, wait) = mpsc::channel::<()>();
        let mut wait = Some(wait);
        let panicking: Vec<_> = (0..10)
            .map(|_| {
                let wait = wait.take();
                flights.run("b", move || {
                    wait.expect("the first one does it").recv().unwrap();
                    std::panic::resume_unwind(Box::new("as a fault would"));
                })
            })
            .collect();
        go.send(()).unwrap();
        for one in panicking {
            assert_eq!(one.await.unwrap_err().code(), "panic");
        }
        assert_eq!(flights.run("b", || Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn no_more_is_done_at_once_than_there_are_turns() {
        let flights = flights(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let all: Vec<_> = keys
            .iter()
            .map(|key| {
                let (now, most) = (now.clone(), most.clone());
                flights.run(key, move || {
                    let at_once = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(at_once, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(at_once)
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    }
}

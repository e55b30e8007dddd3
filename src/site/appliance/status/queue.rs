//! What waits for the writer: bounded in number and bytes, and statuses never wait for logs.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::{Accepted, Batch};
use super::company::ENOUGH;
use crate::domain::{Class, Error, Result, Uuid};

/// Batches that may wait: every agent of a large site at once.
const JOBS: usize = 32_768;
/// Bytes that may wait.
const BYTES: usize = 32 << 20;
/// Of both, what logs and measurements may take.
const BULK_JOBS: usize = JOBS / 4;
const BULK_BYTES: usize = BYTES / 4 * 3;
/// Records and bytes of logs in one commit: what it delays statuses by.
const COMMIT_RECORDS: usize = 1024;
const COMMIT_BYTES: usize = 1 << 20;

/// A batch and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Batch,
    /// Until when it may wait for others to be committed with it.
    pub(super) until: Instant,
    pub(super) answer: oneshot::Sender<Result<Accepted>>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    first: VecDeque<Job>,
    bulk: VecDeque<Job>,
    bytes: usize,
    bulk_bytes: usize,
    idle: bool,
    nudged: bool,
    closed: bool,
}

/// Why the writer woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Jobs,
    Time,
    Closed,
}

impl Queue {
    /// Puts a batch in.
    pub(super) fn put(&self, job: Job) -> Result<()> {
        let bytes = job.batch.what.bytes();
        let bulk = job.batch.what.is_bulk();
        let mut inner = self.lock();
        // One that is larger than everything may wait alone.
        let full = if bulk {
            !inner.bulk.is_empty()
                && (inner.bulk.len() >= BULK_JOBS || inner.bulk_bytes.saturating_add(bytes) > BULK_BYTES)
        } else {
            !inner.first.is_empty() && (inner.first.len() >= JOBS || inner.bytes.saturating_add(bytes) > BYTES)
        };
        if full {
            return Err(
                Error::new(Class::Busy, "status-queue", "too much is waiting to be written").remedy("try again"),
            );
        }
        if bulk {
            inner.bulk_bytes = inner.bulk_bytes.saturating_add(bytes);
            inner.bulk.push_back(job);
        } else {
            inner.bytes = inner.bytes.saturating_add(bytes);
            inner.first.push_back(job);
        }
        if inner.idle {
            inner.idle = false;
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Wakes the writer up for something else than a batch.
    pub(super) fn nudge(&self) {
        let mut inner = self.lock();
        inner.nudged = true;
        inner.idle = false;
        self.changed.notify_one();
    }

    /// Lets the writer end once nothing waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Whether nothing more may be put in.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for a batch, a nudge, the end, or for a time.
    pub(super) fn wait(&self, patience: Option<Duration>) -> Woken {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut inner = self.lock();
        loop {
            if !inner.first.is_empty() || !inner.bulk.is_empty() {
                return Woken::Jobs;
            }
            if inner.closed {
                return Woken::Closed;
            }
            if std::mem::take(&mut inner.nudged) {
                return Woken::Time;
            }
            inner.idle = true;
            inner = match until {
                None => self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        inner.idle = false;
                        return Woken::Time;
                    }
                    self.changed
                        .wait_timeout(inner, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// Waits for more batches, for as long as those that are here may wait, enough are not here, and more are expected beside those of the
    /// targets that wait.
    pub(super) fn wait_for_company(&self, expects: impl Fn(&[Uuid]) -> bool) {
        let mut inner = self.lock();
        while !inner.closed && inner.first.len().saturating_add(inner.bulk.len()) < ENOUGH {
            let waiting = inner.first.iter().chain(&inner.bulk);
            let Some(until) = waiting.clone().map(|job| job.until).min() else {
                return;
            };
            let left = until.saturating_duration_since(Instant::now());
            let targets: Vec<Uuid> = waiting.map(|job| job.batch.target).collect();
            if left.is_zero() || !expects(&targets) {
                return;
            }
            inner.idle = true;
            inner = self
                .changed
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Takes the batches of one commit: every status, and logs up to a bound.
    pub(super) fn take(&self) -> Vec<Job> {
        let mut inner = self.lock();
        let mut jobs: Vec<Job> = inner.first.drain(..).collect();
        inner.bytes = 0;
        let (mut records, mut bytes) = (0_usize, 0_usize);
        while records < COMMIT_RECORDS && bytes < COMMIT_BYTES {
            let Some(job) = inner.bulk.pop_front() else { break };
            records = records.saturating_add(job.batch.what.records());
            let size = job.batch.what.bytes();
            bytes = bytes.saturating_add(size);
            inner.bulk_bytes = inner.bulk_bytes.saturating_sub(size);
            jobs.push(job);
        }
        jobs
    }

    /// Takes everything that waits.
    pub(super) fn take_all(&self) -> Vec<Job> {
        let mut inner = self.lock();
        (inner.bytes, inner.bulk_bytes) = (0, 0);
        let first = std::mem::take(&mut inner.first);
        let bulk = std::mem::take(&mut inner.bulk);
        first.into_iter().chain(bulk).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::status::{Owner, What};
    use crate::domain::Hash;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    fn job(target: &str, patience: Duration) -> Job {
        let owner = Owner {
            domain: Hash([1; 32]),
            mark: Hash([0; 32]),
        };
        Job {
            batch: Batch {
                target: Uuid::derived("test", &[target]),
                owner,
                target_name: target.to_owned(),
                agent: None,
                what: What::Contact,
            },
            until: Instant::now() + patience,
            answer: oneshot::channel().0,
        }
    }

    #[test]
    fn a_commit_waits_for_those_who_are_expected_and_no_longer() {
        let queue = Queue::default();
        // Nobody waits: there is nothing to wait with.
        queue.wait_for_company(|_| true);
        queue.put(job("one", LONG)).unwrap();
        queue.wait_for_company(|_| false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                queue.wait_for_company(|waiting| waiting.len() < 3);
                queue.take().len()
            });
            queue.put(job("two", LONG)).unwrap();
            queue.put(job("three", LONG)).unwrap();
            assert_eq!(waiting.join().unwrap(), 3);
        });
    }

    #[test]
    fn nobody_waits_beyond_the_first_whose_time_is_up_or_for_more_than_enough_or_at_the_end() {
        let queue = Queue::default();
        queue.put(job("patient", LONG)).unwrap();
        queue.put(job("hurried", Duration::ZERO)).unwrap();
        queue.wait_for_company(|_| true);
        assert_eq!(queue.take().len(), 2);
        for _ in 0..ENOUGH {
            queue.put(job("many", LONG)).unwrap();
        }
        queue.wait_for_company(|_| true);
        assert_eq!(queue.take().len(), ENOUGH);
        queue.put(job("last", LONG)).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.wait_for_company(|_| true));
            queue.close();
            waiting.join().unwrap();
        });
        assert_eq!(queue.take().len(), 1);
    }
}

//! What waits for the writer: bounded in number and bytes, and statuses never wait for logs.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::{Accepted, Batch};
use crate::domain::{Class, Error, Result};

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

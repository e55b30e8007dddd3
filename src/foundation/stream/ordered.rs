//! A parallel map that keeps the order: several workers that produce by turns, one consumer on the caller's thread.
//!
//! Whoever has produced a job works on it, so that what it has just read lies in the cache of its own core. Results are consumed in the order
//! in which jobs were produced, so the first error in that order is the one reported, however the threads were scheduled. The number of
//! jobs between producing and consuming is bounded, and with it the memory that they hold. A panic is the error of the job that met it: no
//! side ever waits for another that is gone.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::domain::Result;
use crate::panics::{self, caught};

/// Returns how many workers use all cores.
pub fn worker_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs jobs from `produce` on `workers` threads and hands the results to `consume` in order.
///
/// The workers take turns at `produce`. At most `in_flight` jobs exist at once. Each worker makes its own state with `start_worker`. The
/// run ends when `produce` returns nothing or `consume` fails. A panic in `produce` or in a worker ends it too, in the place of the job that
/// met it.
///
/// # Errors
///
/// The first error of `consume`; `E-INTERNAL panic`.
pub fn ordered_map<Job, Out, Work>(
    workers: usize,
    in_flight: usize,
    produce: impl FnMut() -> Option<Job> + Send,
    start_worker: impl Fn() -> Work + Sync,
    mut consume: impl FnMut(Out) -> Result<()>,
) -> Result<()>
where
    Job: Send,
    Out: Send,
    Work: FnMut(Job) -> Out,
{
    let (permit_sender, permits) = mpsc::channel();
    for _ in 0..in_flight.max(1) {
        permit_sender.send(()).ok();
    }
    let jobs = Mutex::new(Jobs {
        permits,
        produce,
        next: 0,
        ended: false,
    });
    let (result_sender, results) = mpsc::channel::<(u64, Result<Out>)>();
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            let (jobs, start_worker, result_sender) = (&jobs, &start_worker, result_sender.clone());
            scope.spawn(move || {
                let mut work = None;
                loop {
                    let taken = jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let Some((number, job)) = taken else { break };
                    let result = job.and_then(|job| {
                        caught("worker", || {
                            panics::point("worker");
                            work.get_or_insert_with(start_worker)(job)
                        })
                    });
                    // After a panic nobody knows what the worker's state is worth.
                    let failed = result.is_err();
                    if result_sender.send((number, result)).is_err() || failed {
                        break;
                    }
                }
            });
        }
        drop(result_sender);
        // Owned here, so that leaving early closes them: nobody gets a permit then, and everything winds down.
        let (permit_sender, results) = (permit_sender, results);
        let mut waiting = BTreeMap::new();
        let mut next: u64 = 0;
        for (number, result) in results {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&next) {
                consume(result?)?;
                next = next.saturating_add(1);
                permit_sender.send(()).ok();
            }
        }
        Ok(())
    })
}

/// Where jobs come from; whoever holds it takes the next one.
struct Jobs<Produce> {
    permits: mpsc::Receiver<()>,
    produce: Produce,
    /// The number of the next job.
    next: u64,
    ended: bool,
}

impl<Job, Produce: FnMut() -> Option<Job>> Jobs<Produce> {
    /// Waits until a further job may be under way, and produces it.
    fn take(&mut self) -> Option<(u64, Result<Job>)> {
        // A missing permit sender means that the consumer has ended.
        if self.ended || self.permits.recv().is_err() {
            return None;
        }
        let produced = caught("reader", || {
            panics::point("reader");
            (self.produce)()
        });
        self.ended = !matches!(produced, Ok(Some(_)));
        let number = self.next;
        self.next = number.saturating_add(1);
        produced.transpose().map(|job| (number, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Class, Error};

    #[test]
    fn results_keep_the_order_of_jobs() {
        let mut jobs = 0..1000_u32;
        let mut seen = Vec::new();
        ordered_map(
            4,
            8,
            || jobs.next(),
            || |job: u32| job * 2,
            |out| {
                seen.push(out);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_in_order_ends_the_run() {
        let mut jobs = 0_u32..;
        let result = ordered_map(
            4,
            8,
            || jobs.next(),
            || |job: u32| job,
            |out| {
                if out < 17 {
                    return Ok(());
                }
                Err(Error::new(Class::Content, "test", out.to_string()))
            },
        );
        assert_eq!(result.unwrap_err().found(), "17");
    }

    /// Runs over numbers without end; each of the three may panic when it meets one.
    fn run(produced: u32, started: bool, worked: u32) -> (Vec<u32>, Error) {
        let mut jobs = 0_u32..;
        let mut seen = Vec::new();
        let error = ordered_map(
            4,
            8,
            || {
                let job = jobs.next()?;
                assert_ne!(job, produced);
                Some(job)
            },
            || {
                assert!(started);
                |job: u32| {
                    assert_ne!(job, worked);
                    job
                }
            },
            |out| {
                seen.push(out);
                Ok(())
            },
        );
        (seen, error.unwrap_err())
    }

    #[test]
    fn a_panic_ends_the_run_in_the_place_of_its_job() {
        for (produced, started, worked, done) in [(17, true, u32::MAX, 17), (u32::MAX, true, 17, 17), (9, false, 9, 0)]
        {
            let (seen, error) = run(produced, started, worked);
            assert_eq!((error.class(), error.code()), (Class::Internal, "panic"));
            assert_eq!(seen, (0..done).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_of_the_consumer_is_the_callers() {
        let mut jobs = 0_u32..;
        let run = || {
            ordered_map(
                4,
                8,
                || jobs.next(),
                || |job: u32| job,
                |out| {
                    assert_ne!(out, 17);
                    Ok(())
                },
            )
        };
        caught("test-consumer", run).unwrap_err();
    }
}

//! A parallel map that keeps the order: one producer, several workers, one consumer on the caller's thread.
//!
//! Results are consumed in the order in which jobs were produced, so the first error in that order is the one
//! reported, however the threads were scheduled. The number of jobs between producer and consumer is bounded, and
//! with it the memory that they hold.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Returns how many workers use all cores.
pub fn worker_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs jobs from `produce` on `workers` threads and hands the results to `consume` in order.
///
/// At most `in_flight` jobs exist at once. Each worker makes its own state with `start_worker`. The run ends when `produce`
/// returns nothing or `consume` fails.
///
/// # Errors
///
/// The first error of `consume`.
pub fn ordered_map<Job, Out, Work, E>(
    workers: usize,
    in_flight: usize,
    mut produce: impl FnMut() -> Option<Job> + Send,
    start_worker: impl Fn() -> Work + Sync,
    mut consume: impl FnMut(Out) -> Result<(), E>,
) -> Result<(), E>
where
    Job: Send,
    Out: Send,
    Work: FnMut(Job) -> Out,
{
    let (permit_sender, permits) = mpsc::channel();
    for _ in 0..in_flight.max(1) {
        permit_sender.send(()).ok();
    }
    let (job_sender, jobs) = mpsc::channel::<(u64, Job)>();
    let jobs = Mutex::new(jobs);
    let (result_sender, results) = mpsc::channel::<(u64, Out)>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut number: u64 = 0;
            // A missing permit sender means that the consumer has ended.
            while permits.recv().is_ok() {
                let Some(job) = produce() else { break };
                if job_sender.send((number, job)).is_err() {
                    break;
                }
                number = number.saturating_add(1);
            }
        });
        for _ in 0..workers.max(1) {
            let (jobs, start_worker, result_sender) = (&jobs, &start_worker, result_sender.clone());
            scope.spawn(move || {
                let mut work = start_worker();
                loop {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, job)) = next else { break };
                    if result_sender.send((number, work(job))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(result_sender);
        // Owned here, so that leaving early closes them: the producer then gets no permit and everything winds down.
        let (permit_sender, results) = (permit_sender, results);
        let mut waiting = BTreeMap::new();
        let mut next: u64 = 0;
        for (number, result) in results {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&next) {
                consume(result)?;
                next = next.saturating_add(1);
                permit_sender.send(()).ok();
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
                Ok::<_, ()>(())
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
            |out| if out < 17 { Ok(()) } else { Err(out) },
        );
        assert_eq!(result, Err(17));
    }
}

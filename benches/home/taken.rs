//! Time that a thread was on the processor.

use std::time::Duration;

/// Returns the least time of the processor that some work took, of several times, and what it returned last.
pub(crate) fn least<T>(times: u32, mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut best = Duration::MAX;
    let mut last = None;
    for _ in 0..times {
        let before = on_processor();
        last = Some(work());
        best = best.min(on_processor().checked_sub(before).unwrap());
    }
    (best, last.unwrap())
}

/// How long this thread has run.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

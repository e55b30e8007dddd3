//! Time that passes, and how much a hub may be asked in a minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The window of every allowance.
const WINDOW: Duration = Duration::from_secs(60);

/// Passes time; tests pass it at once.
pub trait Pace {
    /// Returns the time since some moment in the past.
    fn now(&self) -> Duration;
    /// Waits.
    fn wait(&self, time: Duration);
}

/// The pace of the machine.
#[derive(Debug)]
pub struct SystemPace(Instant);

impl Default for SystemPace {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Pace for SystemPace {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// So many times in any minute.
#[derive(Debug)]
pub(super) struct Allowance {
    most: usize,
    taken: VecDeque<Duration>,
}

impl Allowance {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: VecDeque::new(),
        }
    }

    /// Waits until another one is allowed, and takes it. Returns how long that was.
    pub(super) fn take(&mut self, pace: &dyn Pace) -> Duration {
        let mut waited = Duration::ZERO;
        while self.taken.len() >= self.most {
            let Some(first) = self.taken.front() else { break };
            let (now, free) = (pace.now(), first.saturating_add(WINDOW));
            if now >= free {
                self.taken.pop_front();
                continue;
            }
            let time = free.saturating_sub(now);
            pace.wait(time);
            waited = waited.saturating_add(time);
        }
        self.taken.push_back(pace.now());
        waited
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct At(Cell<Duration>);

    impl Pace for At {
        fn now(&self) -> Duration {
            self.0.get()
        }

        fn wait(&self, time: Duration) {
            self.0.set(self.0.get() + time);
        }
    }

    #[test]
    fn no_minute_holds_more_than_is_allowed() {
        let pace = At(Cell::new(Duration::from_secs(5)));
        let mut allowance = Allowance::new(3);
        let mut taken = Vec::new();
        for step in 0..40 {
            allowance.take(&pace);
            taken.push(pace.now());
            pace.wait(Duration::from_secs(step % 7));
        }
        for window in taken.windows(4) {
            assert!(window[3] >= window[0] + WINDOW, "{window:?}");
        }
        // It is not slower than it must be.
        assert!(pace.now() < Duration::from_secs(60 * 14 + 5));
    }
}

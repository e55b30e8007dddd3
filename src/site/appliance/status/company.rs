//! How long a commit waits for company. A commit costs the disk a sync and a page at least, whatever is in it: where few agents report, one
//! for each status would write many times of what they say.
//!
//! - It waits 200 ms at most, and not once enough is together: with many agents that is within the window.
//! - Who says a lot, one after the other, waits a second in a loop at most: an agent reports on one deployment after the other.
//! - It waits for those alone who were heard lately: an agent that is by itself is answered at once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::domain::Uuid;

/// The longest that a batch waits for others.
const LONGEST: Duration = Duration::from_millis(200);
/// The longest that all batches of an agent's loop wait.
const A_LOOP: Duration = Duration::from_secs(1);
/// So many batches are worth a commit.
pub(super) const ENOUGH: usize = 16;
/// Two loops of an agent, about: who was silent for longer is not waited for.
const LATELY: Duration = Duration::from_secs(10);
/// More targets than that need not be told apart: somebody is always missing.
const NOTED: usize = 4 * ENOUGH;

/// Returns how long a batch may wait for others, of an agent that was told to run so many deployments.
pub(super) fn patience(deployments: usize) -> Duration {
    let share = u32::try_from(deployments)
        .ok()
        .and_then(|count| A_LOOP.checked_div(count));
    share.map_or(LONGEST, |share| share.min(LONGEST))
}

/// Targets that were heard lately.
#[derive(Debug, Default)]
pub(super) struct Lately {
    now: HashSet<Uuid>,
    before: HashSet<Uuid>,
    since: Option<Instant>,
}

impl Lately {
    /// Targets were heard just now.
    pub(super) fn note_all(&mut self, targets: impl Iterator<Item = Uuid>) {
        let now = Instant::now();
        targets.for_each(|target| self.note(target, now));
    }

    fn note(&mut self, target: Uuid, at: Instant) {
        let since = *self.since.get_or_insert(at);
        let age = at.saturating_duration_since(since);
        if age >= LATELY / 2 {
            self.before = std::mem::take(&mut self.now);
            self.since = Some(at);
        }
        if age >= LATELY {
            self.before.clear();
        }
        if self.now.len() < NOTED {
            self.now.insert(target);
        }
    }

    /// Whether somebody was heard lately who does not wait yet.
    pub(super) fn expects(&self, waiting: &[Uuid]) -> bool {
        self.now
            .iter()
            .chain(&self.before)
            .any(|target| !waiting.contains(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_waits_a_second_in_a_loop_at_most() {
        for deployments in 0..2000 {
            let all = patience(deployments).saturating_mul(u32::try_from(deployments).unwrap());
            assert!(all <= A_LOOP, "{deployments}: {all:?}");
        }
        assert_eq!((patience(0), patience(1), patience(5)), (LONGEST, LONGEST, LONGEST));
        assert_eq!(patience(10), Duration::from_millis(100));
    }

    #[test]
    fn company_is_who_was_heard_lately_and_does_not_wait_yet() {
        let [one, two] = ["one", "two"].map(|name| Uuid::derived("test", &[name]));
        let (mut lately, start) = (Lately::default(), Instant::now());
        assert!(!lately.expects(&[one]));
        lately.note(one, start);
        assert!(!lately.expects(&[one]));
        lately.note(two, start);
        assert!(lately.expects(&[one]) && lately.expects(&[two]) && !lately.expects(&[two, one]));
        // Only the one goes on.
        lately.note(one, start + LATELY / 2);
        assert!(lately.expects(&[one]));
        lately.note(one, start + LATELY);
        assert!(!lately.expects(&[one]));
        // After a long silence nobody is known.
        lately.note(two, start + LATELY * 3);
        assert!(!lately.expects(&[two]) && lately.expects(&[one]));
    }

    #[test]
    fn a_large_site_takes_little_room_and_somebody_is_missing() {
        let (mut lately, start) = (Lately::default(), Instant::now());
        let targets: Vec<Uuid> = (0..1000).map(|n| Uuid::derived("test", &[&n.to_string()])).collect();
        for target in &targets {
            lately.note(*target, start);
        }
        assert!(lately.now.len() <= NOTED);
        assert!(lately.expects(&targets[..ENOUGH]));
    }
}

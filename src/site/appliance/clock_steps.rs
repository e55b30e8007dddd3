//! Steps of the machine's clock, told to every vendor: times in packages are the appliance's, and so they can be put right (SPEC section 15).
//!
//! Looked at again and again, wall clock and monotonic clock go on alike, or somebody set the one. What happened while nobody looked shows
//! at the start, against the newest time in the status database: a clock behind it was set back. One ahead of it may mean no more than that
//! the appliance was off, and is told only when it is far ahead. A clock that jumps to and fro fills no log: a row an hour at most, and the
//! next one counts what came in between.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Appliance;
use super::instance::in_every_stream;
use crate::db::site::audit;
use crate::db::{Reader, Schema, status};
use crate::domain::{Result, Timestamp};

/// What a clock may differ between two looks without having been set, in seconds.
const TOLERANCE: u64 = 60;
/// What a clock may be ahead of the newest time of a status at the start without having been set, in seconds: that long an appliance may be
/// off, or hear of no agent.
const FAR_AHEAD: u64 = 30 * 86_400;
/// Time between two rows.
const PAUSE: Duration = Duration::from_secs(3600);

/// The action of a row.
const CLOCK: &str = "clock";

/// Steps that are told in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    /// What the clock would say, had it not been set the first time.
    from: Timestamp,
    /// What it said after the last time.
    to: Timestamp,
    /// How many times it was set.
    times: u64,
}

/// Looks at the clock, and remembers what is not told yet.
#[derive(Debug, Default)]
pub(super) struct ClockSteps {
    seen: Option<(Timestamp, Instant)>,
    /// Whether it was compared with what was known before the start.
    is_compared: bool,
    untold: Option<Steps>,
    /// When the last row was written.
    told: Option<Instant>,
}

impl ClockSteps {
    /// Looks once more, and writes down what is due. What cannot be read or written is tried again with the next look.
    ///
    /// # Errors
    ///
    /// Those of the databases.
    pub(super) fn look(&mut self, appliance: &Appliance, now: Instant) -> Result<()> {
        let wall = appliance.clock.now();
        self.see(wall, now);
        let compared = self.compare(appliance, wall);
        if let Some(steps) = self.due(now) {
            let detail = json!({"from": steps.from, "times": steps.times, "to": steps.to});
            appliance.db.write(|transaction| {
                let told = in_every_stream(transaction, &detail)?;
                audit::append(transaction, wall, CLOCK, &detail, &told)
            })?;
            (self.untold, self.told) = (None, Some(now));
        }
        compared
    }

    /// Compares the clock with what the status database knows, once.
    fn compare(&mut self, appliance: &Appliance, wall: Timestamp) -> Result<()> {
        if self.is_compared {
            return Ok(());
        }
        let path = appliance.status_database();
        // Where there is none yet, the writer begins one.
        let newest = match path.try_exists() {
            Ok(false) => None,
            _ => Reader::open(&path, &Schema::STATUS)?.read(status::newest_time)?,
        };
        if let Some(newest) = newest.filter(|newest| was_set(*newest, wall)) {
            let told = appliance
                .db
                .read(|connection| audit::newest_detail(connection, CLOCK))?;
            // Reports by a clock that ran ahead stay newest until the right one has caught up. Once the step was told, the clock is known
            // as of that row.
            let known = told.as_deref().and_then(steps_of).filter(|(from, _)| *from >= newest);
            match known {
                None => self.count(newest, wall),
                Some((_, to)) if wall < to && was_set(to, wall) => self.count(to, wall),
                Some(_) => {}
            }
        }
        self.is_compared = true;
        Ok(())
    }

    fn see(&mut self, wall: Timestamp, now: Instant) {
        let before = self.seen.replace((wall, now));
        let Some((then, at)) = before else { return };
        let passed = i64::try_from(now.saturating_duration_since(at).as_secs()).unwrap_or(i64::MAX);
        let expected = then.plus_seconds(passed);
        if wall.unix().abs_diff(expected.unix()) <= TOLERANCE {
            return;
        }
        self.count(expected, wall);
    }

    fn count(&mut self, from: Timestamp, wall: Timestamp) {
        let steps = self.untold.get_or_insert(Steps {
            from,
            to: wall,
            times: 0,
        });
        steps.to = wall;
        steps.times = steps.times.saturating_add(1);
    }

    fn due(&self, now: Instant) -> Option<Steps> {
        let is_soon = self
            .told
            .is_some_and(|told| now.saturating_duration_since(told) < PAUSE);
        self.untold.filter(|_| !is_soon)
    }
}

/// Whether a clock was set since a time at which a status came.
fn was_set(newest: Timestamp, wall: Timestamp) -> bool {
    let allowed = if wall < newest { TOLERANCE } else { FAR_AHEAD };
    wall.unix().abs_diff(newest.unix()) > allowed
}

/// Returns from where to where the clock went by the detail of a row.
fn steps_of(detail: &str) -> Option<(Timestamp, Timestamp)> {
    let detail: serde_json::Value = serde_json::from_str(detail).ok()?;
    let time = |member: &str| detail.get(member)?.as_str()?.parse().ok();
    Some((time("from")?, time("to")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_and_told_once_an_hour() {
        let (start, zero) = (Instant::now(), "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap());
        let mut clock = ClockSteps::default();
        // Seconds of the monotonic clock, what the wall clock is ahead of them, and what is due.
        let mut look = |passed: u64, ahead: i64| {
            let now = start + Duration::from_secs(passed);
            clock.see(zero.plus_seconds(i64::try_from(passed).unwrap() + ahead), now);
            let due = clock.due(now);
            if due.is_some() {
                (clock.untold, clock.told) = (None, Some(now));
            }
            due.map(|steps| {
                (
                    steps.from.unix() - zero.unix(),
                    steps.to.unix() - zero.unix(),
                    steps.times,
                )
            })
        };
        assert_eq!(look(0, 0), None);
        assert_eq!(look(1, 0), None);
        // Slewed, and late: no step.
        assert_eq!(look(2, 60), None);
        assert_eq!(look(1000, 120), None);
        assert_eq!(look(1001, 60), None);
        // A day ahead, and back within the hour: the second is told when the hour is over.
        assert_eq!(look(1002, 86_460), Some((1062, 87_462, 1)));
        assert_eq!(look(1003, 60), None);
        assert_eq!(look(1004, -3600), None);
        assert_eq!(look(4601, -3600), None);
        assert_eq!(look(4602, -3600), Some((87_463, -2596, 2)));
        assert_eq!(look(9000, -3600), None);
        assert_eq!(look(9001, -3661), Some((5401, 5340, 1)));
    }
}

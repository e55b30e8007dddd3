//! What was acknowledged may go without a word (M-109): it goes first when room is needed, and after the days that the site keeps it.
//!
//! Never the newest status of a revision: what runs is still answered. Nor a gap record that accounts for more than was acknowledged.

use super::group_commit::GroupCommit;
use crate::db::status::{self, Held, RecordClass, Samples, StreamId};
use crate::domain::{Result, Timestamp};

/// Records that are looked at in one step.
const SLICE: usize = 256;
/// Steps of one fold: statuses do not wait long for it.
const STEPS: usize = 16;

impl GroupCommit<'_> {
    /// Frees what was acknowledged and is older than it is kept, as much as one fold may.
    pub(super) fn free_old(&mut self) -> Result<()> {
        let before = self.now.plus_seconds(-self.quota.keep_seconds());
        for stream in self.working_set.streams.ids() {
            for _ in 0..STEPS {
                if !self.free(stream, Some(before))? {
                    break;
                }
            }
            let covered = self
                .working_set
                .streams
                .get(stream)
                .and_then(|stream| stream.covered_at);
            if let Some(covered) = covered {
                let until = status::day_of(covered.min(before));
                let rows = status::drop_days_before(self.tx, stream, until)?;
                if rows > 0 {
                    self.working_set.sampled(stream).day_rows = None;
                }
            }
        }
        Ok(())
    }

    /// Frees what was acknowledged in any stream, until everything fits.
    pub(super) fn free_for_room(&mut self) -> Result<()> {
        for stream in self.working_set.streams.ids() {
            while self.all() > self.quota.total && self.free(stream, None)? {}
        }
        Ok(())
    }

    /// Looks at the next acknowledged records of a stream and frees those that may go; false when there are no more.
    fn free(&mut self, stream: StreamId, before: Option<Timestamp>) -> Result<bool> {
        let acknowledged = self.working_set.streams.acknowledged(stream);
        let from = self.working_set.freed.get(&stream).copied().unwrap_or(0);
        if from >= acknowledged {
            return Ok(false);
        }
        let held = status::held(self.tx, stream, from, acknowledged, SLICE)?;
        let mut done = from;
        for one in &held {
            if before.is_some_and(|before| one.received >= before) {
                self.working_set.freed.insert(stream, done);
                return Ok(false);
            }
            if !self.must_stay(one, acknowledged) {
                self.free_one(one)?;
            }
            done = one.position;
        }
        let all = held.len() < SLICE;
        self.working_set
            .freed
            .insert(stream, if all { acknowledged } else { done });
        Ok(!all)
    }

    fn must_stay(&self, one: &Held, acknowledged: u64) -> bool {
        let at_hand = || {
            let deployment = self.working_set.deployments.get(&one.source);
            deployment.is_some_and(|found| found.statuses.iter().any(|status| status.number == one.number))
        };
        match one.class {
            RecordClass::Gap => one.gap_last.is_some_and(|last| last > acknowledged),
            class if class.is_status() => one.newest || at_hand(),
            _ => false,
        }
    }

    fn free_one(&mut self, one: &Held) -> Result<()> {
        match one.class {
            // Its day is told later.
            RecordClass::Metrics => self.fold_samples(Samples::This(one.number), 1).map(|_| ()),
            class => {
                status::drop_one(self.tx, one.number)?;
                if class == RecordClass::Gap {
                    self.working_set.gaps.retain(|_, gap| gap.number != one.number);
                    return Ok(());
                }
                self.working_set.dirty.repeats.remove(&one.number);
                self.working_set.remove_bytes(one.source, class, one.size);
                status::put_recount(self.tx, one.source, class)
            }
        }
    }
}

//! Keeps the buffer within its bounds: the oldest free text goes first, and a gap record says what went.
//!
//! Order: what was acknowledged, without a word; the agent's own log, lines of containers, measurements (these are folded into days),
//! statuses that only differ in words. Transitions, and what continued, are never dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::group_commit::GroupCommit;
use super::missing::Missing;
use crate::db::status::{self, Dropped, Reason, RecordClass, Span, StreamId};
use crate::domain::{Result, Uuid};

/// Records that one statement drops.
const SLICE: usize = 256;
/// Wherever they stand.
const EVERY: u64 = i64::MAX.unsigned_abs();

impl GroupCommit<'_> {
    /// Drops what is too much, in the transaction that made it so.
    pub(super) fn shed(&mut self) -> Result<()> {
        for target in std::mem::take(&mut self.touched) {
            self.shed_target(&target)?;
        }
        while self.total(RecordClass::Metrics) > self.quota.metrics() {
            if !self.fold_oldest(SLICE)? {
                break;
            }
        }
        self.free_for_room()?;
        for class in [RecordClass::AgentLog, RecordClass::Log] {
            while self.all() > self.quota.total {
                if !self.drop_oldest(class)? {
                    break;
                }
            }
        }
        while self.all() > self.quota.total {
            if !self.fold_oldest(SLICE)? {
                break;
            }
        }
        let mut exhausted = BTreeSet::new();
        while self.all() > self.quota.total {
            let largest = self
                .working_set
                .used
                .iter()
                .filter(|((source, class), bytes)| {
                    *class == RecordClass::Detail && **bytes > 0 && !exhausted.contains(source)
                })
                .max_by_key(|(_, bytes)| **bytes)
                .map(|((source, _), _)| *source);
            let Some(source) = largest else { break };
            if !self.drop_details(source, EVERY)? {
                // What is left are the newest statuses of its revisions.
                exhausted.insert(source);
            }
        }
        Ok(())
    }

    fn shed_target(&mut self, target: &Uuid) -> Result<()> {
        let Some(sources) = self
            .working_set
            .targets
            .get(target)
            .map(|target| target.sources().collect::<Vec<i64>>())
        else {
            return Ok(());
        };
        let free = [RecordClass::AgentLog, RecordClass::Log, RecordClass::Detail];
        // First what was acknowledged.
        for (acknowledged, class) in free
            .map(|class| (true, class))
            .into_iter()
            .chain(free.map(|class| (false, class)))
        {
            let mut exhausted = BTreeSet::new();
            while self.held_by(&sources) > self.quota.target {
                let left = sources.iter().copied().filter(|source| !exhausted.contains(source));
                let largest = left
                    .max_by_key(|source| self.working_set.used_by(*source, class))
                    .filter(|source| self.working_set.used_by(*source, class) > 0);
                let Some(source) = largest else { break };
                if !self.drop_of(source, class, acknowledged)? {
                    exhausted.insert(source);
                }
            }
        }
        Ok(())
    }

    fn held_by(&self, sources: &[i64]) -> u64 {
        let classes = [
            RecordClass::Log,
            RecordClass::AgentLog,
            RecordClass::Detail,
            RecordClass::Transition,
            RecordClass::Continued,
        ];
        let held = sources
            .iter()
            .flat_map(|source| classes.map(|class| self.working_set.used_by(*source, class)));
        held.fold(0, u64::saturating_add)
    }

    /// Drops the oldest of a source and class, or of that what was acknowledged; false when there is none.
    fn drop_of(&mut self, source: i64, class: RecordClass, acknowledged: bool) -> Result<bool> {
        let stream = self.working_set.home(source)?.stream;
        let upto = if acknowledged {
            let upto = self.working_set.streams.acknowledged(stream);
            // Looked for once after each acknowledgement.
            if self.working_set.exhausted.get(&(source, class)).copied().unwrap_or(0) == upto {
                return Ok(false);
            }
            upto
        } else {
            EVERY
        };
        let went = if class == RecordClass::Detail {
            self.drop_details(source, upto)?
        } else {
            let dropped = status::drop_text(self.tx, class, source, upto, SLICE)?;
            self.dropped(class, &dropped)?
        };
        if acknowledged && !went {
            self.working_set.exhausted.insert((source, class), upto);
        }
        Ok(went)
    }

    fn drop_details(&mut self, source: i64, upto: u64) -> Result<bool> {
        let deployment = self.working_set.deployments.get(&source);
        let statuses = deployment.map_or(&[][..], |deployment| &deployment.statuses);
        let keep: Vec<u64> = statuses.iter().map(|status| status.number).collect();
        let dropped = status::drop_details(self.tx, source, &keep, upto, SLICE)?;
        for one in &dropped {
            self.working_set.dirty.repeats.remove(&one.number);
        }
        self.dropped(RecordClass::Detail, &dropped)
    }

    fn drop_oldest(&mut self, class: RecordClass) -> Result<bool> {
        let from = self.working_set.floor.get(&class).copied().unwrap_or(0);
        let dropped = status::drop_class(self.tx, class, Span { from, limit: SLICE })?;
        if let Some(last) = dropped.iter().map(|one| one.number).max() {
            self.working_set.floor.insert(class, last.saturating_add(1));
        }
        self.dropped(class, &dropped)
    }

    /// Accounts for records that were dropped; false when there were none.
    fn dropped(&mut self, class: RecordClass, dropped: &[Dropped]) -> Result<bool> {
        let mut by_target = BTreeMap::<(StreamId, i64), Missing>::new();
        let mut recounted = BTreeSet::new();
        for one in dropped {
            self.working_set.remove_bytes(one.source, class, one.size);
            if recounted.insert(one.source) {
                status::put_recount(self.tx, one.source, class)?;
            }
            if one.position <= self.working_set.streams.acknowledged(one.stream) {
                continue;
            }
            let target = self.working_set.home(one.source)?.target;
            let missing = Missing {
                bytes: one.size,
                ..Missing::one(one.received, one.position)
            };
            by_target
                .entry((one.stream, target))
                .and_modify(|all| all.add(&missing))
                .or_insert(missing);
        }
        for ((stream, target), missing) in &by_target {
            self.note(*stream, *target, Reason::Quota, Some(class), missing)?;
        }
        Ok(!dropped.is_empty())
    }

    fn total(&self, class: RecordClass) -> u64 {
        self.working_set.totals.get(&class).copied().unwrap_or(0)
    }

    pub(super) fn all(&self) -> u64 {
        self.working_set.totals.values().copied().fold(0, u64::saturating_add)
    }
}

//! Keeps the buffer within its bounds: the oldest free text goes first, and a gap record says what went.
//!
//! Order: lines of containers, the agent's own log, measurements, statuses that only differ in words. Transitions are never dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::group_commit::GroupCommit;
use super::missing::Missing;
use crate::db::status::{self, Dropped, Reason, RecordClass, Span, StreamId};
use crate::domain::{Result, Uuid};

/// Records that one statement drops.
const SLICE: usize = 256;

impl GroupCommit<'_> {
    /// Drops what is too much, in the transaction that made it so.
    pub(super) fn shed(&mut self) -> Result<()> {
        for target in std::mem::take(&mut self.touched) {
            self.shed_target(&target)?;
        }
        while self.total(RecordClass::Metrics) > self.quota.metrics() {
            if !self.drop_oldest(RecordClass::Metrics)? {
                break;
            }
        }
        for class in [RecordClass::Log, RecordClass::AgentLog, RecordClass::Metrics] {
            while self.all() > self.quota.total {
                if !self.drop_oldest(class)? {
                    break;
                }
            }
        }
        while self.all() > self.quota.total {
            let largest = self
                .working_set
                .used
                .iter()
                .filter(|((_, class), bytes)| *class == RecordClass::Detail && **bytes > 0)
                .max_by_key(|(_, bytes)| **bytes)
                .map(|((source, _), _)| *source);
            let Some(source) = largest else { break };
            if !self.drop_details(source)? {
                // What is left is the newest status of a deployment.
                break;
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
        for class in [RecordClass::Log, RecordClass::AgentLog, RecordClass::Detail] {
            loop {
                let held = sources
                    .iter()
                    .flat_map(|source| {
                        [
                            RecordClass::Log,
                            RecordClass::AgentLog,
                            RecordClass::Detail,
                            RecordClass::Transition,
                        ]
                        .map(|class| self.working_set.used_by(*source, class))
                    })
                    .fold(0, u64::saturating_add);
                if held <= self.quota.target {
                    return Ok(());
                }
                let largest = sources
                    .iter()
                    .copied()
                    .max_by_key(|source| self.working_set.used_by(*source, class))
                    .filter(|source| self.working_set.used_by(*source, class) > 0);
                let Some(source) = largest else { break };
                let went = if class == RecordClass::Detail {
                    self.drop_details(source)?
                } else {
                    let dropped = status::drop_text(self.tx, class, source, SLICE)?;
                    self.dropped(class, &dropped)?
                };
                if !went {
                    break;
                }
            }
        }
        Ok(())
    }

    fn drop_details(&mut self, source: i64) -> Result<bool> {
        let keep = self
            .working_set
            .deployments
            .get(&source)
            .and_then(|deployment| deployment.open())
            .map_or(0, |open| open.number);
        let dropped = status::drop_details(self.tx, source, keep, SLICE)?;
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
            let counted = if class == RecordClass::Metrics { 0 } else { one.source };
            if recounted.insert(counted) {
                status::put_recount(self.tx, counted, class)?;
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

    fn all(&self) -> u64 {
        self.working_set.totals.values().copied().fold(0, u64::saturating_add)
    }
}

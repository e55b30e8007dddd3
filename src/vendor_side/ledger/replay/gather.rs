//! Gathers lines of logs from packages, target by target, and cuts them into batches.
//!
//! A line comes in every package from the first that carries it until it is acknowledged; it is taken once. What is gathered is bounded:
//! when it is full, what is there is cut and sent before more is read.

use std::collections::{BTreeMap, HashMap};

use super::batch::{Measure, cut};
use super::journal::LineKind;
use super::packages::owner;
use super::plan::json;
use super::texts;
use crate::db::ledger::{Lineage, Numbered};
use crate::domain::{AgentTime, InstanceId, Result, Timestamp, Uuid};
use crate::package::{Line, LineageEntry};
use crate::protocol::distr::{AgentLogRecord, LogRecord, unset_id};

/// Bytes of lines that are held.
const HELD_BYTES: usize = 64 << 20;
/// How old a line may be: 30 days less one hour.
const WINDOW_SECONDS: i64 = (30 * 24 - 1) * 60 * 60;

/// A stretch of lines, ready to be sent.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) target: Uuid,
    pub(super) instance: InstanceId,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) lines: u64,
    pub(super) body: Vec<u8>,
}

/// Lines that are not sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passed {
    /// Older than the hub takes.
    pub(super) old: u64,
    /// Older than what was sent of their container before.
    pub(super) late: u64,
    /// Of targets that the site does not report for, or that were left.
    pub(super) foreign: u64,
}

/// Gathers lines of one kind.
pub(super) struct Gather<'a> {
    kind: LineKind,
    lineage: &'a Lineage,
    /// Lines from before it are too old.
    since: i64,
    targets: BTreeMap<Uuid, Target>,
    /// Highest number that was looked at, of targets that are not sent and for lines that are too old: they come again too.
    counted: HashMap<(Uuid, InstanceId), u64>,
    held: usize,
    pub(super) passed: Passed,
}

/// A target whose lines are sent.
#[derive(Debug, Default)]
struct Target {
    /// Numbers that were answered, joined.
    answered: HashMap<InstanceId, Vec<(u64, u64)>>,
    held: Vec<Held>,
    streams: HashMap<(Uuid, Uuid, String), usize>,
    /// The newest that was sent of each stream.
    newest: Vec<(i64, u32)>,
}

#[derive(Debug)]
struct Held {
    number: u64,
    instance: InstanceId,
    stream: usize,
    at: (i64, u32),
    json: Vec<u8>,
}

impl<'a> Gather<'a> {
    pub(super) fn new(kind: LineKind, lineage: &'a Lineage, now: Timestamp) -> Self {
        Self {
            kind,
            lineage,
            since: now.unix().saturating_sub(WINDOW_SECONDS),
            targets: BTreeMap::new(),
            counted: HashMap::new(),
            held: 0,
            passed: Passed::default(),
        }
    }

    /// Takes lines of a target from now on, but for what was answered.
    pub(super) fn add(&mut self, target: Uuid, answered: impl IntoIterator<Item = (InstanceId, Vec<(u64, u64)>)>) {
        let answered = answered
            .into_iter()
            .map(|(instance, stretches)| (instance, joined(stretches)))
            .collect();
        self.targets.insert(
            target,
            Target {
                answered,
                ..Target::default()
            },
        );
    }

    /// Whether any target is left.
    pub(super) fn is_idle(&self) -> bool {
        self.targets.is_empty()
    }

    /// Takes no lines of a target any more.
    pub(super) fn leave(&mut self, target: Uuid) {
        self.targets.remove(&target);
    }

    /// Says that numbers were answered.
    pub(super) fn answered(&mut self, batch: &Batch) {
        if let Some(target) = self.targets.get_mut(&batch.target) {
            let stretches = target.answered.entry(batch.instance.clone()).or_default();
            stretches.push((batch.first, batch.last));
            *stretches = joined(std::mem::take(stretches));
        }
    }

    /// Looks at a line of a package with this lineage. Returns whether what is held is to be [drained](Self::drain).
    ///
    /// # Errors
    ///
    /// `E-INTERNAL`.
    pub(super) fn take(&mut self, lineage: &[LineageEntry], line: &Line) -> Result<bool> {
        let Some(seen) = Seen::of(line, self.kind) else {
            return Ok(false);
        };
        // What only a lost branch told is not what the site says now.
        let shown = self
            .lineage
            .owner(Numbered::Records, seen.number)
            .map(|shown| &shown.instance);
        let Some(instance) = owner(lineage, seen.number).filter(|instance| Some(*instance) == shown) else {
            return Ok(false);
        };
        let is_old = seen.time.parts().0 < self.since;
        let Some(target) = self.targets.get_mut(&seen.target) else {
            if self.is_first(seen.target, instance, seen.number) {
                self.passed.foreign = self.passed.foreign.saturating_add(1);
            }
            return Ok(false);
        };
        let stretches = target.answered.get(instance).map_or(&[][..], Vec::as_slice);
        if covers(stretches, seen.number)
            || target
                .held
                .last()
                .is_some_and(|held| held.instance == *instance && held.number >= seen.number)
        {
            return Ok(false);
        }
        if is_old {
            if self.is_first(seen.target, instance, seen.number) {
                self.passed.old = self.passed.old.saturating_add(1);
            }
            return Ok(false);
        }
        let known = target.streams.len();
        let stream = *target.streams.entry(seen.stream).or_insert(known);
        let json = seen.json?;
        self.held = self.held.saturating_add(json.len()).saturating_add(size_of::<Held>());
        target.held.push(Held {
            number: seen.number,
            instance: instance.clone(),
            stream,
            at: seen.time.parts(),
            json,
        });
        Ok(self.held >= HELD_BYTES)
    }

    /// Whether a line is met for the first time that is not sent.
    fn is_first(&mut self, target: Uuid, instance: &InstanceId, number: u64) -> bool {
        let counted = self.counted.entry((target, instance.clone())).or_default();
        let is_first = number > *counted;
        *counted = number.max(*counted);
        is_first
    }

    /// Cuts what is held into batches, target by target, each in the order in which they are to be sent.
    pub(super) fn drain(&mut self) -> Vec<Batch> {
        self.held = 0;
        let mut batches = Vec::new();
        for (id, target) in &mut self.targets {
            let held = std::mem::take(&mut target.held);
            for of_instance in held.chunk_by(|a, b| a.instance == b.instance) {
                let measures: Vec<_> = of_instance.iter().map(Held::measure).collect();
                for piece in cut(&measures) {
                    let lines = of_instance.get(piece).unwrap_or_default();
                    let (batch, late) = target.batch(*id, lines);
                    self.passed.late = self.passed.late.saturating_add(late);
                    batches.extend(batch);
                }
            }
        }
        batches
    }
}

impl Target {
    /// Makes a batch of lines in the order of their numbers, without those that are older than what was sent of their stream.
    fn batch(&mut self, target: Uuid, lines: &[Held]) -> (Option<Batch>, u64) {
        self.newest.resize(self.streams.len(), (i64::MIN, 0));
        let mut sent: Vec<&Held> = lines
            .iter()
            .filter(|line| self.newest.get(line.stream).is_none_or(|newest| line.at >= *newest))
            .collect();
        let late = (lines.len() as u64).saturating_sub(sent.len() as u64);
        sent.sort_by_key(|line| (line.stream, line.at, line.number));
        let mut body = vec![b'['];
        for (place, line) in sent.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&line.json);
            if let Some(newest) = self.newest.get_mut(line.stream) {
                *newest = line.at.max(*newest);
            }
        }
        body.push(b']');
        let batch = lines
            .first()
            .zip(lines.last())
            .filter(|_| !sent.is_empty())
            .map(|(first, last)| Batch {
                target,
                instance: first.instance.clone(),
                first: first.number,
                last: last.number,
                lines: sent.len() as u64,
                body,
            });
        (batch, late)
    }
}

impl Held {
    fn measure(&self) -> Measure<usize> {
        Measure {
            stream: self.stream,
            at: self.at,
            bytes: self.json.len(),
        }
    }
}

/// A line of the kind that is gathered.
struct Seen {
    number: u64,
    target: Uuid,
    time: AgentTime,
    stream: (Uuid, Uuid, String),
    json: Result<Vec<u8>>,
}

impl Seen {
    fn of(line: &Line, kind: LineKind) -> Option<Self> {
        match (line, kind) {
            (Line::Log(log), LineKind::Container) => {
                let resource = texts::name(&log.resource);
                let record = LogRecord {
                    id: Some(unset_id()),
                    deployment: Some(log.deployment),
                    revision: Some(log.revision),
                    resource: resource.clone(),
                    at: log.time,
                    severity: texts::name(&log.severity),
                    body: texts::line(&log.text),
                };
                Some(Self {
                    number: log.number,
                    target: log.target,
                    time: log.time,
                    stream: (log.deployment, log.revision, resource),
                    json: json(&record),
                })
            }
            (Line::AgentLog(log), LineKind::Agent) => {
                let record = AgentLogRecord {
                    id: Some(unset_id()),
                    at: log.time,
                    severity: texts::name(&log.severity),
                    body: texts::line(&log.text),
                };
                Some(Self {
                    number: log.number,
                    target: log.target,
                    time: log.time,
                    stream: (unset_id(), unset_id(), String::new()),
                    json: json(&record),
                })
            }
            _ => None,
        }
    }
}

/// Puts stretches of numbers in order and joins those that overlap.
fn joined(mut stretches: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    stretches.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(stretches.len());
    for (first, last) in stretches {
        match joined.last_mut() {
            Some(before) if before.1.saturating_add(1) >= first => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// Whether a number lies in one of the stretches, which are joined.
fn covers(stretches: &[(u64, u64)], number: u64) -> bool {
    let behind = stretches.partition_point(|(first, _)| *first <= number);
    let before = behind.checked_sub(1).and_then(|before| stretches.get(before));
    before.is_some_and(|(_, last)| *last >= number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_join_and_cover_what_lies_in_them() {
        let stretches = joined(vec![(10, 20), (5, 30), (40, 41), (31, 33), (50, 50)]);
        assert_eq!(stretches, [(5, 33), (40, 41), (50, 50)]);
        let covered: Vec<u64> = (0..60).filter(|number| covers(&stretches, *number)).collect();
        assert_eq!(covered, (5..=33).chain([40, 41, 50]).collect::<Vec<_>>());
        assert!(!covers(&[], 1));
    }
}

//! One batch inside the transaction of its group commit: numbers are given, repeats folded, duplicates dropped.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Accepted, AgentLogRecord, Batch, LogRecord, Metrics, TEXT_BYTES, What, clean};
use super::deployment::{Place, Report, content_hash};
use super::missing::Missing;
use super::quota::Quota;
use super::runs;
use super::working_set::WorkingSet;
use crate::db::status::{self, After, Entry, NewRecord, Reason, RecordClass, Repeat, Row};
use crate::db::{DAMAGED, Transaction};
use crate::domain::{AgentTime, Class, Error, Result, StatusKind, Timestamp, Uuid};

/// What a record costs beside its text: row, index entries, fill of pages.
const OVERHEAD: u64 = 128;
/// Longest name of a container, and of a severity.
pub(super) const NAME_BYTES: usize = 1024;
/// Agents measure every 30 s; what comes faster is not kept.
const METRICS_SECONDS: i64 = 10;

/// The transaction of a group commit.
pub(super) struct GroupCommit<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) working_set: &'a mut WorkingSet,
    pub(super) quota: Quota,
    pub(super) now: Timestamp,
    /// Records that were repeated in this commit.
    repeated: BTreeMap<u64, Repeated>,
    /// Targets that wrote something that counts against their quota.
    pub(super) touched: BTreeSet<Uuid>,
}

/// A record that was repeated in a commit.
#[derive(Debug, Default)]
struct Repeated {
    /// How often it came so far.
    count: u64,
    /// The deployment that came back to it.
    entered: Option<i64>,
    /// Its last text, where that changed.
    text: Option<String>,
}

impl<'a> GroupCommit<'a> {
    pub(super) fn new(tx: &'a Transaction<'a>, working_set: &'a mut WorkingSet, quota: Quota, now: Timestamp) -> Self {
        Self {
            tx,
            working_set,
            quota,
            now,
            repeated: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Takes one batch in.
    pub(super) fn take(&mut self, batch: &Batch) -> Result<Accepted> {
        let own = self.target(batch)?;
        let mut accepted = Accepted::default();
        match &batch.what {
            What::Contact => {}
            What::Advertised(stated) => self.advertise(batch, stated)?,
            What::Status {
                deployment,
                revision,
                kind,
                message,
            } => {
                let source = self.deployment(batch, *deployment)?;
                self.status(
                    source,
                    &batch.target,
                    *revision,
                    *kind,
                    &clean(message, TEXT_BYTES),
                    &mut accepted,
                )?;
            }
            What::Metrics(metrics) => self.metrics(&batch.target, own, metrics, &mut accepted)?,
            What::Logs(records) => {
                for record in records {
                    let source = self.deployment(batch, record.deployment)?;
                    self.log(source, record, &mut accepted)?;
                }
            }
            What::AgentLogs(records) => {
                for record in records {
                    self.agent_log(own, record, &mut accepted)?;
                }
            }
            What::Missed { agent_log, count } => {
                let class = if *agent_log {
                    RecordClass::AgentLog
                } else {
                    RecordClass::Log
                };
                let missing = Missing {
                    count: *count,
                    ..Missing::one(self.now, 0)
                };
                let stream = self.working_set.home(own)?.stream;
                self.note(stream, own, Reason::Rate, Some(class), &missing)?;
                accepted.dropped = u32::try_from(*count).unwrap_or(u32::MAX);
            }
        }
        if accepted.stored > 0 {
            self.touched.insert(batch.target);
        }
        accepted.number = self.working_set.streams.last(&batch.owner.domain);
        Ok(accepted)
    }

    /// Writes which positions were given, and what stands for the repeats of this commit.
    pub(super) fn finish(self) -> Result<()> {
        self.working_set.streams.write(self.tx, self.working_set.next)?;
        if self.repeated.is_empty() {
            return Ok(());
        }
        let entries = self
            .repeated
            .into_iter()
            .map(|(number, repeated)| Entry {
                number,
                count: repeated.count,
                // What the deployment left again within this commit needs no mark: the record that it went to says so.
                entered: repeated
                    .entered
                    .and_then(|source| self.working_set.deployments.get(&source))
                    .and_then(|deployment| deployment.open())
                    .is_some_and(|open| open.number == number),
                text: repeated.text,
            })
            .collect();
        let row = Row {
            time: self.now,
            next: self.working_set.next,
            entries,
        };
        let bytes = status::append(self.tx, &row)?;
        self.working_set.dirty.journal_bytes = self.working_set.dirty.journal_bytes.saturating_add(bytes);
        Ok(())
    }

    fn status(
        &mut self,
        source: i64,
        target: &Uuid,
        revision: Uuid,
        kind: StatusKind,
        message: &str,
        accepted: &mut Accepted,
    ) -> Result<()> {
        let report = Report {
            revision,
            kind,
            message,
            at: self.now,
        };
        self.hear(source)?;
        let stream = self.working_set.home(source)?.stream;
        let frozen = self.working_set.streams.frozen(stream);
        let deployment = self.working_set.deployments.entry(source).or_default();
        let mut began = None;
        if deployment.repeats(&report) {
            began = deployment
                .open()
                .filter(|open| open.position <= frozen)
                .map(|open| open.began);
            if began.is_none()
                && let Some((number, repeat)) = deployment.count(&report)
            {
                self.repeat(number, None, &repeat);
                self.working_set.note_repeat(number, repeat);
                accepted.repeated = accepted.repeated.saturating_add(1);
                return Ok(());
            }
        }
        let transition = deployment.is_transition(&report);
        let after = After {
            row: deployment.floor(),
            frozen,
        };
        if transition && self.is_flapping(source, target) {
            let earlier = status::last_of(self.tx, source, &revision, kind, after)?;
            if let Some(number) = earlier {
                return self.flap(source, &report, number, accepted);
            }
        }
        let class = match began {
            Some(_) => RecordClass::Continued,
            None if transition => RecordClass::Transition,
            None => RecordClass::Detail,
        };
        let size = OVERHEAD.saturating_add(report.text_bytes());
        let (number, position) = self.working_set.take_number(stream)?;
        status::insert(
            self.tx,
            &NewRecord {
                number,
                stream,
                position,
                class,
                source,
                received: self.now,
                size,
                revision: Some(revision),
                kind: Some(kind),
                signal: Some(runs::signal(kind, message)),
                of: began,
                at: None,
                hash: None,
                resource: None,
                severity: None,
                text: message,
            },
        )?;
        self.working_set.add_bytes(source, class, size);
        if let Some(deployment) = self.working_set.deployments.get_mut(&source) {
            let place = Place { number, position };
            if began.is_some() {
                deployment.go_on(&report, place);
            } else {
                deployment.enter(&report, place, None, self.now);
            }
        }
        self.working_set.dirty.latest.insert(source);
        accepted.stored = accepted.stored.saturating_add(1);
        Ok(())
    }

    /// Keeps for the journal that a record was repeated.
    fn repeat(&mut self, number: u64, entered: Option<i64>, repeat: &Repeat) {
        let repeated = self.repeated.entry(number).or_default();
        repeated.count = repeat.count;
        repeated.entered = entered.or(repeated.entered);
        if repeat.text.is_some() {
            repeated.text.clone_from(&repeat.text);
        }
    }

    /// Whether the transitions of a target have used up their room.
    fn is_flapping(&self, source: i64, target: &Uuid) -> bool {
        let all = self
            .working_set
            .totals
            .get(&RecordClass::Transition)
            .copied()
            .unwrap_or(0);
        let found = self.working_set.targets.get(target);
        let own = found.map_or(0, |found| {
            found
                .sources()
                .map(|source| self.working_set.used_by(source, RecordClass::Transition))
                .fold(0, u64::saturating_add)
        });
        self.working_set.used_by(source, RecordClass::Transition) > 0
            && (own > self.quota.transitions() || all > self.quota.total / 4 * 3)
    }

    /// Counts a return to an earlier state where it stands.
    fn flap(&mut self, source: i64, report: &Report<'_>, number: u64, accepted: &mut Accepted) -> Result<()> {
        let Some(record) = status::get(self.tx, number)? else {
            return Err(Error::new(
                Class::State,
                DAMAGED,
                "a status is missing that its index names",
            ));
        };
        let before = match self.working_set.dirty.repeats.get(&number) {
            Some(before) => Some(before.clone()),
            None => status::repeat_of(self.tx, number)?,
        };
        let before = before.unwrap_or(Repeat {
            count: 1,
            last: record.received,
            entered: 1,
            text: None,
        });
        let repeat = Repeat {
            count: before.count.saturating_add(1),
            last: self.now,
            entered: before.entered.saturating_add(1),
            // Where the ages of the earlier one changed meanwhile, its first text stands again.
            text: before.text.is_some().then(|| record.text.clone()),
        };
        // The message of the earlier one stands for this one as well.
        let report = Report {
            message: &record.text,
            ..*report
        };
        if let Some(deployment) = self.working_set.deployments.get_mut(&source) {
            let place = Place {
                number,
                position: record.position,
            };
            deployment.enter(&report, place, Some(&before), record.received);
        }
        self.working_set.dirty.latest.insert(source);
        self.repeat(number, Some(source), &repeat);
        self.working_set.note_repeat(number, repeat);
        accepted.repeated = accepted.repeated.saturating_add(1);
        self.note(
            record.stream,
            self.working_set.home(source)?.target,
            Reason::Flapping,
            Some(RecordClass::Transition),
            &Missing::one(self.now, 0),
        )
    }

    fn metrics(&mut self, target: &Uuid, own: i64, metrics: &Metrics, accepted: &mut Accepted) -> Result<()> {
        let now = self.now;
        let last = self
            .working_set
            .targets
            .get(target)
            .and_then(|target| target.last_metrics);
        // A clock that was set back does not stop measurements.
        let fresh = last.is_none_or(|last| now.unix().abs_diff(last.unix()) >= METRICS_SECONDS.unsigned_abs());
        if !fresh {
            accepted.dropped = accepted.dropped.saturating_add(1);
            let stream = self.working_set.home(own)?.stream;
            return self.note(
                stream,
                own,
                Reason::Rate,
                Some(RecordClass::Metrics),
                &Missing::one(now, 0),
            );
        }
        if let Some(target) = self.working_set.targets.get_mut(target) {
            target.last_metrics = Some(now);
        }
        let text = serde_json::to_string(metrics).unwrap_or_default();
        let text = clean(&text, TEXT_BYTES);
        let stream = self.working_set.home(own)?.stream;
        self.fold_aged(stream)?;
        let number = self.store(RecordClass::Metrics, own, None, None, &text)?;
        self.working_set.newest_samples.insert(own, number);
        accepted.stored = accepted.stored.saturating_add(1);
        Ok(())
    }

    fn log(&mut self, source: i64, record: &LogRecord, accepted: &mut Accepted) -> Result<()> {
        let body = clean(&record.body, TEXT_BYTES);
        let line = Line {
            at: record.at,
            resource: Some(clean(&record.resource, NAME_BYTES)),
            severity: clean(&record.severity, NAME_BYTES),
        };
        self.line(RecordClass::Log, source, Some(record.revision), &line, &body, accepted)
    }

    fn agent_log(&mut self, source: i64, record: &AgentLogRecord, accepted: &mut Accepted) -> Result<()> {
        let body = clean(&record.body, TEXT_BYTES);
        let line = Line {
            at: record.at,
            resource: None,
            severity: clean(&record.severity, NAME_BYTES),
        };
        self.line(RecordClass::AgentLog, source, None, &line, &body, accepted)
    }

    fn line(
        &mut self,
        class: RecordClass,
        source: i64,
        revision: Option<Uuid>,
        line: &Line<'_>,
        body: &str,
        accepted: &mut Accepted,
    ) -> Result<()> {
        if body.is_empty() {
            return Ok(());
        }
        let (seconds, nanos) = line.at.parts();
        let hash = content_hash(&[
            revision.as_ref().map_or(&[][..], |revision| revision.as_bytes()),
            line.resource.as_deref().unwrap_or_default().as_bytes(),
            &seconds.to_be_bytes(),
            &nanos.to_be_bytes(),
            line.severity.as_bytes(),
            body.as_bytes(),
        ]);
        if status::is_known(self.tx, class, source, line.at, hash)? {
            accepted.duplicates = accepted.duplicates.saturating_add(1);
            return Ok(());
        }
        self.store(class, source, revision, Some((line, hash)), body)?;
        accepted.stored = accepted.stored.saturating_add(1);
        Ok(())
    }

    fn store(
        &mut self,
        class: RecordClass,
        source: i64,
        revision: Option<Uuid>,
        line: Option<(&Line<'_>, i64)>,
        text: &str,
    ) -> Result<u64> {
        let names = line.map_or(0, |(line, _)| {
            line.resource
                .as_deref()
                .unwrap_or_default()
                .len()
                .saturating_add(line.severity.len())
        });
        let size = OVERHEAD.saturating_add(text.len() as u64).saturating_add(names as u64);
        let stream = self.working_set.home(source)?.stream;
        let (number, position) = self.working_set.take_number(stream)?;
        status::insert(
            self.tx,
            &NewRecord {
                number,
                stream,
                position,
                class,
                source,
                received: self.now,
                size,
                revision,
                kind: None,
                signal: None,
                of: None,
                at: line.map(|(line, _)| line.at),
                hash: line.map(|(_, hash)| hash),
                resource: line.and_then(|(line, _)| line.resource.as_deref()),
                severity: line.map(|(line, _)| line.severity.as_ref()),
                text,
            },
        )?;
        self.working_set.add_bytes(source, class, size);
        Ok(number)
    }
}

/// What belongs to a line beside its text.
struct Line<'a> {
    at: AgentTime,
    resource: Option<Cow<'a, str>>,
    severity: Cow<'a, str>,
}

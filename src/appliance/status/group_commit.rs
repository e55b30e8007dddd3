//! One batch inside the transaction of its group commit: numbers are given, repeats folded, duplicates dropped.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Accepted, AgentLogRecord, Batch, LogRecord, Metrics, TEXT_BYTES, What, clean};
use super::quota::Quota;
use super::working_set::{Report, Target, WorkingSet, content_hash};
use crate::db::status::{self, Entry, Gap, NewRecord, Reason, RecordClass, Repeat, Row, Source};
use crate::db::{DAMAGED, Transaction};
use crate::domain::{AgentTime, Class, Error, Result, StatusKind, Timestamp, Uuid};

/// What a record costs beside its text: row, index entries, fill of pages.
const OVERHEAD: u64 = 128;
/// Longest name of a container, and of a severity.
const NAME_BYTES: usize = 1024;
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
                    own,
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
                self.note(own, Reason::Rate, Some(class), &missing)?;
                accepted.dropped = u32::try_from(*count).unwrap_or(u32::MAX);
            }
        }
        if accepted.stored > 0 {
            self.touched.insert(batch.target);
        }
        accepted.number = self.working_set.next.saturating_sub(1);
        Ok(accepted)
    }

    /// Writes what stands for the repeats of this commit.
    pub(super) fn finish(self) -> Result<()> {
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

    fn target(&mut self, batch: &Batch) -> Result<i64> {
        let now = self.now;
        let known = self.working_set.targets.get_mut(&batch.target);
        // What the agent of a former owner said is not this one's: it begins anew.
        if let Some(target) = known.filter(|target| target.owner == batch.owner) {
            target.last = now;
            self.working_set.dirty.contacts.insert(batch.target);
            let renamed = target.name != batch.target_name;
            let updated = batch.agent.is_some() && batch.agent != target.agent;
            if renamed || updated {
                target.name = clean(&batch.target_name, NAME_BYTES).into_owned();
                if let Some(agent) = &batch.agent {
                    target.agent = Some(clean(agent, NAME_BYTES).into_owned());
                }
                status::put_agent(self.tx, target.source, &target.name, target.agent.as_deref())?;
            }
            return Ok(target.source);
        }
        let source = Source {
            id: self.working_set.next_source,
            target: batch.target,
            owner: batch.owner,
            deployment: None,
            name: clean(&batch.target_name, NAME_BYTES).into_owned(),
            agent: batch
                .agent
                .as_deref()
                .map(|agent| clean(agent, NAME_BYTES).into_owned()),
            since: now,
        };
        status::insert_source(self.tx, &source)?;
        self.working_set.next_source = source.id.saturating_add(1);
        self.working_set.owners.insert(source.id, batch.target);
        self.working_set.targets.insert(
            batch.target,
            Target {
                source: source.id,
                owner: source.owner,
                name: source.name,
                agent: source.agent,
                since: now,
                last: now,
                last_metrics: None,
                deployments: BTreeMap::new(),
            },
        );
        self.working_set.dirty.contacts.insert(batch.target);
        Ok(source.id)
    }

    pub(super) fn deployment(&mut self, batch: &Batch, deployment: Uuid) -> Result<i64> {
        let next = self.working_set.next_source;
        let Some(target) = self.working_set.targets.get_mut(&batch.target) else {
            return Err(Error::new(
                Class::Internal,
                "status",
                "a target is missing that was just added",
            ));
        };
        if let Some(source) = target.deployments.get(&deployment) {
            return Ok(*source);
        }
        let source = Source {
            id: next,
            target: batch.target,
            owner: batch.owner,
            deployment: Some(deployment),
            name: target.name.clone(),
            agent: None,
            since: self.now,
        };
        status::insert_source(self.tx, &source)?;
        target.deployments.insert(deployment, next);
        self.working_set.owners.insert(next, batch.target);
        self.working_set.deployments.entry(next).or_default();
        self.working_set.next_source = next.saturating_add(1);
        Ok(next)
    }

    fn status(
        &mut self,
        source: i64,
        target: i64,
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
        let exported = self.working_set.exported;
        let deployment = self.working_set.deployments.entry(source).or_default();
        if deployment.repeats(&report)
            && deployment.open().is_some_and(|open| open.number > exported)
            && let Some((number, repeat)) = deployment.count(&report)
        {
            self.repeat(number, None, &repeat);
            self.working_set.note_repeat(number, repeat);
            accepted.repeated = accepted.repeated.saturating_add(1);
            return Ok(());
        }
        let transition = deployment.is_transition(&report);
        let deployment_floor = deployment.floor();
        if transition && self.is_flapping(source, target) {
            let above = exported.max(deployment_floor.saturating_sub(1));
            let earlier = status::last_of(self.tx, source, &revision, kind, above)?;
            if let Some(number) = earlier {
                return self.flap(source, target, &report, number, accepted);
            }
        }
        let class = if transition {
            RecordClass::Transition
        } else {
            RecordClass::Detail
        };
        let size = OVERHEAD.saturating_add(report.text_bytes());
        let number = self.working_set.take_number();
        status::insert(
            self.tx,
            &NewRecord {
                number,
                class,
                source,
                received: self.now,
                size,
                revision: Some(revision),
                kind: Some(kind),
                at: None,
                hash: None,
                resource: None,
                severity: None,
                text: message,
            },
        )?;
        self.working_set.add_bytes(source, class, size);
        if let Some(deployment) = self.working_set.deployments.get_mut(&source) {
            deployment.enter(&report, number, None, self.now);
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
    fn is_flapping(&self, source: i64, target: i64) -> bool {
        let all = self
            .working_set
            .totals
            .get(&RecordClass::Transition)
            .copied()
            .unwrap_or(0);
        let own = self
            .working_set
            .owners
            .get(&target)
            .and_then(|target| self.working_set.targets.get(target));
        let own = own.map_or(0, |found| {
            found
                .sources()
                .map(|source| self.working_set.used_by(source, RecordClass::Transition))
                .fold(0, u64::saturating_add)
        });
        self.working_set.used_by(source, RecordClass::Transition) > 0
            && (own > self.quota.transitions() || all > self.quota.total / 4 * 3)
    }

    /// Counts a return to an earlier state where it stands.
    fn flap(
        &mut self,
        source: i64,
        target: i64,
        report: &Report<'_>,
        number: u64,
        accepted: &mut Accepted,
    ) -> Result<()> {
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
            deployment.enter(&report, number, Some(&before), record.received);
        }
        self.working_set.dirty.latest.insert(source);
        self.repeat(number, Some(source), &repeat);
        self.working_set.note_repeat(number, repeat);
        accepted.repeated = accepted.repeated.saturating_add(1);
        self.note(
            target,
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
            return self.note(own, Reason::Rate, Some(RecordClass::Metrics), &Missing::one(now, 0));
        }
        if let Some(target) = self.working_set.targets.get_mut(target) {
            target.last_metrics = Some(now);
        }
        let text = serde_json::to_string(metrics).unwrap_or_default();
        let text = clean(&text, TEXT_BYTES);
        self.store(RecordClass::Metrics, own, None, None, &text)?;
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
    ) -> Result<()> {
        let names = line.map_or(0, |(line, _)| {
            line.resource
                .as_deref()
                .unwrap_or_default()
                .len()
                .saturating_add(line.severity.len())
        });
        let size = OVERHEAD.saturating_add(text.len() as u64).saturating_add(names as u64);
        let number = self.working_set.take_number();
        status::insert(
            self.tx,
            &NewRecord {
                number,
                class,
                source,
                received: self.now,
                size,
                revision,
                kind: None,
                at: line.map(|(line, _)| line.at),
                hash: line.map(|(_, hash)| hash),
                resource: line.and_then(|(line, _)| line.resource.as_deref()),
                severity: line.map(|(line, _)| line.severity.as_ref()),
                text,
            },
        )?;
        self.working_set.add_bytes(source, class, size);
        Ok(())
    }

    /// Records that something is missing: in the gap record of its kind that is open, or in a new one.
    pub(super) fn note(
        &mut self,
        source: i64,
        reason: Reason,
        class: Option<RecordClass>,
        missing: &Missing,
    ) -> Result<()> {
        let key = (source, reason, class);
        if let Some(gap) = self
            .working_set
            .gaps
            .get_mut(&key)
            .filter(|gap| gap.number > self.working_set.exported)
        {
            gap.count = gap.count.saturating_add(missing.count);
            gap.bytes = gap.bytes.saturating_add(missing.bytes);
            if missing.last > 0 {
                gap.first = if gap.last == 0 {
                    missing.first
                } else {
                    gap.first.min(missing.first)
                };
                gap.last = gap.last.max(missing.last);
            }
            gap.since = gap.since.min(missing.since);
            gap.until = gap.until.max(missing.until);
            return status::put_gap(self.tx, gap);
        }
        let gap = Gap {
            number: self.working_set.take_number(),
            source,
            reason,
            class,
            count: missing.count,
            exact: true,
            bytes: missing.bytes,
            first: missing.first,
            last: missing.last,
            since: missing.since,
            until: missing.until,
        };
        status::insert_gap(self.tx, &gap, self.now)?;
        self.working_set.gaps.insert(key, gap);
        Ok(())
    }
}

/// What belongs to a line beside its text.
struct Line<'a> {
    at: AgentTime,
    resource: Option<Cow<'a, str>>,
    severity: Cow<'a, str>,
}

/// Things that are not kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// Numbers; 0 for things that never had one.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Missing {
    fn one(at: Timestamp, number: u64) -> Self {
        Self {
            count: 1,
            bytes: 0,
            first: number,
            last: number,
            since: at,
            until: at,
        }
    }
}

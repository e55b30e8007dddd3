//! What the writer has at hand without asking the database: numbers, newest statuses, bytes held. Found again after any end of the process.
//!
//! The tables hold this as of the last fold; records numbered since then and the journal of repeats are replayed over it. Readers
//! of other processes do the same, so both see one thing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::deployment::{Deployment, Place, Report, content_hash};
use super::owner::Owner;
use super::streams::Streams;
use crate::db::status::{self, Gap, Reason, Record, RecordClass, Repeat, StreamId};
use crate::db::{Connection, DAMAGED};
use crate::domain::{Class, Error, Result, Timestamp, Uuid};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WorkingSet {
    /// The row id that the next record gets.
    pub(super) next: u64,
    /// Who is numbered how far.
    pub(super) streams: Streams,
    pub(super) next_source: i64,
    pub(super) targets: BTreeMap<Uuid, Target>,
    pub(super) deployments: HashMap<i64, Deployment>,
    /// Where every source is at home, those of former owners too.
    pub(super) homes: HashMap<i64, Home>,
    /// Bytes held.
    pub(super) used: HashMap<(i64, RecordClass), u64>,
    /// The same over all sources.
    pub(super) totals: HashMap<RecordClass, u64>,
    /// Gap records that may still grow.
    pub(super) gaps: HashMap<(i64, Reason, Option<RecordClass>), Gap>,
    /// What the next fold writes.
    pub(super) dirty: Dirty,
    /// Below this number there is no record of the class; a hint for dropping.
    pub(super) floor: HashMap<RecordClass, u64>,
    /// Row id of the newest measurements of each target.
    pub(super) newest_samples: HashMap<i64, u64>,
    /// Where each stream's raw measurements begin.
    sampled: HashMap<StreamId, Sampled>,
    /// Up to this position everything of a stream that was acknowledged and may go has gone.
    pub(super) freed: HashMap<StreamId, u64>,
    /// Nothing of this source and class is left that was acknowledged up to this position.
    pub(super) exhausted: HashMap<(i64, RecordClass), u64>,
}

/// What is known of a stream's raw measurements, and of its days.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sampled {
    /// None stands below this position.
    pub(super) from: u64,
    /// When the oldest came; none before somebody looked.
    pub(super) oldest: Option<Timestamp>,
    /// Rows of days; none before somebody counted.
    pub(super) day_rows: Option<u64>,
}

/// What a source belongs to. It never changes: another owner's target is another source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    pub(super) stream: StreamId,
    /// The source of its target.
    pub(super) target: i64,
}

/// What changed since the last fold.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) repeats: BTreeMap<u64, Repeat>,
    pub(super) latest: BTreeSet<i64>,
    pub(super) used: BTreeSet<(i64, RecordClass)>,
    pub(super) contacts: HashSet<Uuid>,
    pub(super) journal_bytes: usize,
}

impl Dirty {
    pub(super) fn is_empty(&self) -> bool {
        self.repeats.is_empty() && self.latest.is_empty() && self.used.is_empty() && self.contacts.is_empty()
    }
}

/// A target.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) source: i64,
    /// Whose it is; what another owner's agent said is not its own.
    pub(super) owner: Owner,
    pub(super) name: String,
    pub(super) agent: Option<String>,
    pub(super) since: Timestamp,
    pub(super) last: Timestamp,
    pub(super) last_metrics: Option<Timestamp>,
    /// Its deployments' sources.
    pub(super) deployments: BTreeMap<Uuid, i64>,
}

impl Target {
    /// Its own source and those of its deployments.
    pub(super) fn sources(&self) -> impl Iterator<Item = i64> {
        std::iter::once(self.source).chain(self.deployments.values().copied())
    }
}

impl WorkingSet {
    /// Reads everything: the last fold, and what came after it.
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let fold = status::fold(connection)?;
        let streams = Streams::load(connection)?;
        let given = streams.iter().map(|stream| stream.row).max().unwrap_or(0);
        let mut working_set = Self {
            next: status::highest_number(connection)?
                .saturating_add(1)
                .max(fold)
                .max(given),
            streams,
            next_source: 1,
            ..Self::default()
        };
        working_set.read_sources(connection)?;
        for (source, text) in status::latest(connection)? {
            let deployment: Deployment = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
            working_set.deployments.insert(source, deployment);
        }
        for (source, told) in status::advertised(connection)? {
            working_set.deployments.entry(source).or_default().advertised = Some(told);
        }
        working_set.read_repeats(connection)?;
        for (source, class, bytes) in status::usage(connection)? {
            working_set.used.insert((source, class), bytes);
        }
        for gap in status::open_gaps(connection)? {
            working_set.gaps.insert((gap.source, gap.reason, gap.class), gap);
        }
        working_set.replay(connection, fold)?;
        working_set.read_contacts(connection)?;
        for (source, class) in status::recounts(connection)? {
            // Measurements are dropped whoever's they are.
            if class == RecordClass::Metrics {
                working_set.used.retain(|(_, class), _| *class != RecordClass::Metrics);
            }
            for (source, bytes) in status::count_bytes(connection, source, class)? {
                working_set.used.insert((source, class), bytes);
                working_set.dirty.used.insert((source, class));
            }
        }
        working_set.totals.clear();
        for ((_, class), bytes) in &working_set.used {
            let total = working_set.totals.entry(*class).or_default();
            *total = total.saturating_add(*bytes);
        }
        Ok(working_set)
    }

    fn read_sources(&mut self, connection: &Connection) -> Result<()> {
        // The target of a deployment is the one of the same owner: a former owner's stays apart.
        let mut targets = HashMap::new();
        for source in status::sources(connection)? {
            self.next_source = self.next_source.max(source.id.saturating_add(1));
            let stream = source.stream;
            let domain = self.streams.get(stream).map(|stream| stream.domain);
            let domain = domain.ok_or_else(|| damaged("a target reports into a stream that is not there"))?;
            let owner = Owner {
                domain,
                mark: source.owner,
            };
            let Some(deployment) = source.deployment else {
                targets.insert(source.target, source.id);
                let home = Home {
                    stream,
                    target: source.id,
                };
                self.homes.insert(source.id, home);
                self.targets.insert(
                    source.target,
                    Target {
                        source: source.id,
                        owner,
                        name: source.name,
                        agent: source.agent,
                        since: source.since,
                        last: source.since,
                        last_metrics: None,
                        deployments: BTreeMap::new(),
                    },
                );
                continue;
            };
            // A deployment comes after its target and before the next owner's.
            let target = targets.get(&source.target).copied();
            let target = target.ok_or_else(|| damaged("a deployment has no target"))?;
            self.homes.insert(source.id, Home { stream, target });
            self.deployments.insert(source.id, Deployment::default());
            if let Some(target) = self.targets.get_mut(&source.target) {
                target.deployments.insert(deployment, source.id);
            }
        }
        Ok(())
    }

    fn read_repeats(&mut self, connection: &Connection) -> Result<()> {
        for deployment in self.deployments.values_mut() {
            for status in &mut deployment.statuses {
                if let Some(repeat) = status::repeat_of(connection, status.number)? {
                    status.count = repeat.count;
                    status.last = repeat.last;
                    status.entered = repeat.entered;
                    if let Some(text) = repeat.text {
                        status.said = content_hash(&[text.as_bytes()]);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in what was committed after the last fold, in the order in which it was.
    fn replay(&mut self, connection: &Connection, from: u64) -> Result<()> {
        let mut records = Vec::new();
        status::since_fold(connection, from, |record| {
            self.add_bytes(record.source, record.class, record.size);
            if record.class == RecordClass::Metrics {
                self.newest_samples.insert(record.source, record.number);
            }
            if record.class.is_status() {
                records.push(record);
            }
            Ok(())
        })?;
        let mut records = records.into_iter().peekable();
        let mut at_hand: HashMap<u64, i64> = self
            .deployments
            .iter()
            .flat_map(|(source, deployment)| deployment.statuses.iter().map(|status| (status.number, *source)))
            .collect();
        for row in status::journal(connection)? {
            while let Some(record) = records.next_if(|record| record.number < row.next) {
                at_hand.insert(record.number, record.source);
                self.enter_record(&record, record.received, None);
            }
            for entry in row.entries {
                self.replay_repeat(connection, entry, row.time, &mut at_hand)?;
            }
        }
        for record in records {
            self.enter_record(&record, record.received, None);
        }
        Ok(())
    }

    fn replay_repeat(
        &mut self,
        connection: &Connection,
        entry: status::Entry,
        time: Timestamp,
        at_hand: &mut HashMap<u64, i64>,
    ) -> Result<()> {
        let before = match self.dirty.repeats.get(&entry.number) {
            Some(before) => Some(before.clone()),
            None => status::repeat_of(connection, entry.number)?,
        };
        let mut repeat = Repeat {
            count: entry.count,
            last: time,
            entered: before.as_ref().map_or(1, |before| before.entered),
            text: entry.text.or_else(|| before.and_then(|before| before.text)),
        };
        let known = at_hand.get(&entry.number).copied();
        let source = if let (Some(source), false) = (known, entry.entered) {
            source
        } else {
            // One that was dropped since then counts no more.
            let Some(record) = status::get(connection, entry.number)? else {
                return Ok(());
            };
            if entry.entered {
                repeat.entered = repeat.entered.saturating_add(1);
                self.enter_record(&record, time, Some(&repeat));
                at_hand.insert(record.number, record.source);
            }
            record.source
        };
        let status = self.deployments.get_mut(&source).and_then(|deployment| {
            deployment
                .statuses
                .iter_mut()
                .find(|status| status.number == entry.number)
        });
        if let Some(status) = status {
            status.count = repeat.count;
            status.last = time;
            status.entered = repeat.entered;
            if let Some(text) = &repeat.text {
                status.said = content_hash(&[text.as_bytes()]);
            }
        }
        self.dirty.repeats.insert(entry.number, repeat);
        Ok(())
    }

    /// Notes that a status was repeated; a text that did not change stays.
    pub(super) fn note_repeat(&mut self, number: u64, mut repeat: Repeat) {
        if let Some(before) = self.dirty.repeats.remove(&number) {
            repeat.text = repeat.text.or(before.text);
        }
        self.dirty.repeats.insert(number, repeat);
    }

    fn enter_record(&mut self, record: &Record, at: Timestamp, before: Option<&Repeat>) {
        if let (Some(revision), Some(kind)) = (record.revision, record.kind) {
            let report = Report {
                revision,
                kind,
                message: &record.text,
                at,
            };
            let place = Place {
                number: record.number,
                position: record.position,
            };
            let deployment = self.deployments.entry(record.source).or_default();
            if record.class == RecordClass::Continued && before.is_none() {
                deployment.go_on(&report, place);
            } else {
                deployment.enter(&report, place, before, record.received);
            }
            self.dirty.latest.insert(record.source);
        }
    }

    fn read_contacts(&mut self, connection: &Connection) -> Result<()> {
        let mut contacts = HashMap::new();
        for contact in status::contacts(connection)? {
            contacts.insert(contact.source, contact.last);
            if let Some(number) = contact.metrics {
                let newest = self.newest_samples.entry(contact.source).or_default();
                *newest = number.max(*newest);
            }
        }
        for target in self.targets.values_mut() {
            if let Some(last) = contacts.get(&target.source) {
                target.last = target.last.max(*last);
            }
            // A status is a contact too, and it may be newer than the last fold.
            for source in target.deployments.values() {
                let Some(found) = self.deployments.get(source) else {
                    continue;
                };
                // So is what it was told, and that it asked again.
                let asked = found.advertised.iter().flat_map(|told| [Some(told.at), told.confirmed]);
                let said = found.statuses.iter().map(|status| status.last);
                target.last = said.chain(asked.flatten()).fold(target.last, Timestamp::max);
            }
        }
        Ok(())
    }

    /// Takes the next row id, and the next position of a stream.
    pub(super) fn take_number(&mut self, stream: StreamId) -> Result<(u64, u64)> {
        let position = self.streams.take(stream)?;
        let number = self.next;
        self.next = self.next.saturating_add(1);
        Ok((number, position))
    }

    /// Takes in that everything of a stream above a position has other numbers, higher by as much.
    pub(super) fn shift(&mut self, stream: StreamId, above: u64, by: u64) {
        let moved = |position: &mut u64| {
            if *position > above {
                *position = position.saturating_add(by);
            }
        };
        for (source, deployment) in &mut self.deployments {
            if self.homes.get(source).is_some_and(|home| home.stream == stream) {
                for status in &mut deployment.statuses {
                    moved(&mut status.position);
                    moved(&mut status.began);
                }
                self.dirty.latest.insert(*source);
            }
        }
        for gap in self.gaps.values_mut().filter(|gap| gap.stream == stream) {
            moved(&mut gap.position);
            moved(&mut gap.first);
            moved(&mut gap.last);
        }
    }

    /// What is known of a stream's raw measurements.
    pub(super) fn sampled(&mut self, stream: StreamId) -> &mut Sampled {
        self.sampled.entry(stream).or_default()
    }

    /// Returns where a source is at home.
    pub(super) fn home(&self, source: i64) -> Result<Home> {
        let home = self.homes.get(&source).copied();
        home.ok_or_else(|| damaged("a record belongs to nobody who is known"))
    }

    /// Counts bytes that are held.
    pub(super) fn add_bytes(&mut self, source: i64, class: RecordClass, bytes: u64) {
        for count in [
            self.used.entry((source, class)).or_default(),
            self.totals.entry(class).or_default(),
        ] {
            *count = count.saturating_add(bytes);
        }
        self.dirty.used.insert((source, class));
    }

    /// Counts bytes that are gone.
    pub(super) fn remove_bytes(&mut self, source: i64, class: RecordClass, bytes: u64) {
        for count in [
            self.used.entry((source, class)).or_default(),
            self.totals.entry(class).or_default(),
        ] {
            *count = count.saturating_sub(bytes);
        }
        self.dirty.used.insert((source, class));
    }

    /// Bytes held for a source and class.
    pub(super) fn used_by(&self, source: i64, class: RecordClass) -> u64 {
        self.used.get(&(source, class)).copied().unwrap_or(0)
    }
}

fn damaged(found: &str) -> Error {
    Error::new(
        Class::State,
        DAMAGED,
        format!("what is known of those who report cannot be read: {found}"),
    )
}

//! What the writer has at hand without asking the database: numbers, newest statuses, bytes held. Found again after any end of the process.
//!
//! The tables hold this as of the last fold; records numbered since then and the journal of repeats are replayed over it. Readers
//! of other processes do the same, so both see one thing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::condition::{states, without_ages};
use super::runs::Runs;
use crate::db::status::{self, Advertised, Gap, Reason, Record, RecordClass, Repeat};
use crate::db::{Connection, DAMAGED};
use crate::domain::{Class, Error, Hash, Result, StatusKind, Timestamp, Uuid};

/// Revisions of a deployment whose latest status is kept at hand.
const REVISIONS: usize = 5;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WorkingSet {
    /// The number that the next record gets.
    pub(super) next: u64,
    /// Records up to this number change no more.
    pub(super) exported: u64,
    pub(super) next_source: i64,
    pub(super) targets: BTreeMap<Uuid, Target>,
    pub(super) deployments: HashMap<i64, Deployment>,
    /// The target of every source.
    pub(super) owners: HashMap<i64, Uuid>,
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
    pub(super) owner: Hash,
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

/// What is known of a deployment.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Deployment {
    /// The latest status of each revision, oldest revision first.
    pub(super) statuses: Vec<Status>,
    /// The revision whose status came last.
    pub(super) open: Option<Uuid>,
    /// The newest revision.
    pub(super) newest: Option<Uuid>,
    /// How many statuses in a row came for another known revision.
    strays: u8,
    pub(super) runs: Runs,
    /// What was reported below this number is not in `runs`.
    reset: u64,
    /// What its agent was told last; from a table of its own.
    #[serde(skip)]
    pub(super) advertised: Option<Advertised>,
}

/// The latest status of a revision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) revision: Uuid,
    pub(super) number: u64,
    pub(super) kind: StatusKind,
    /// Over what it says, without ages.
    hash: i64,
    /// Over the states of containers in it.
    states: i64,
    /// Over the last text as it came.
    pub(super) said: i64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
    pub(super) entered: u64,
}

/// A status that came, before it is known where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) revision: Uuid,
    pub(super) kind: StatusKind,
    pub(super) message: &'a str,
    pub(super) at: Timestamp,
}

impl Report<'_> {
    fn hash(&self) -> i64 {
        content_hash(&[
            self.revision.as_bytes(),
            self.kind.as_str().as_bytes(),
            without_ages(self.message).as_bytes(),
        ])
    }

    fn states(&self) -> i64 {
        let parts: Vec<&[u8]> = states(self.message).into_iter().map(str::as_bytes).collect();
        content_hash(&parts)
    }

    /// Bytes that its text may take: twice where the last one is kept beside the first.
    pub(super) fn text_bytes(&self) -> u64 {
        let copies = if matches!(without_ages(self.message), std::borrow::Cow::Owned(_)) {
            2
        } else {
            1
        };
        (self.message.len() as u64).saturating_mul(copies)
    }
}

/// Hashes parts, each with its length in front.
pub(super) fn content_hash(parts: &[&[u8]]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    i64::from_be_bytes(bytes)
}

impl Deployment {
    /// Returns the status that came last.
    pub(super) fn open(&self) -> Option<&Status> {
        let open = self.open?;
        self.statuses.iter().find(|status| status.revision == open)
    }

    /// Statuses in records below this number are not about what its agent is told now.
    pub(super) fn floor(&self) -> u64 {
        self.advertised.map_or(0, |told| told.number)
    }

    /// Whether a report says just what the one before it said, but for ages.
    pub(super) fn repeats(&self, report: &Report<'_>) -> bool {
        self.open().is_some_and(|open| {
            open.number >= self.floor() && open.revision == report.revision && open.hash == report.hash()
        })
    }

    /// Whether a report is of another kind or revision than the one before it, names other states of containers, or is the first since
    /// its agent was told something else.
    pub(super) fn is_transition(&self, report: &Report<'_>) -> bool {
        self.open().is_none_or(|open| {
            open.number < self.floor()
                || open.revision != report.revision
                || open.kind != report.kind
                || open.states != report.states()
        })
    }

    /// Takes in one more of the same; returns how often it came.
    pub(super) fn count(&mut self, report: &Report<'_>) -> Option<(u64, Repeat)> {
        let open = self.open?;
        let status = self.statuses.iter_mut().find(|status| status.revision == open)?;
        status.count = status.count.saturating_add(1);
        status.last = report.at;
        let said = content_hash(&[report.message.as_bytes()]);
        let text = (said != status.said).then(|| report.message.to_owned());
        status.said = said;
        Some((
            status.number,
            Repeat {
                count: status.count,
                last: report.at,
                entered: status.entered,
                text,
            },
        ))
    }

    /// Takes in a report that got a number, or came back to the record with that number.
    pub(super) fn enter(&mut self, report: &Report<'_>, number: u64, before: Option<&Repeat>, first: Timestamp) {
        if let Some(told) = self
            .advertised
            .filter(|told| self.reset < told.reset && number >= told.reset)
        {
            self.runs = Runs::default();
            self.reset = told.reset;
        }
        self.runs.step(report.revision, report.kind, report.message);
        let known = self.statuses.iter().any(|status| status.revision == report.revision);
        self.strays = match self.newest {
            Some(newest) if newest != report.revision && known => self.strays.saturating_add(1),
            _ => 0,
        };
        // One late status of an earlier revision changes nothing; several in a row mean that it is wanted again (D16).
        if self.newest.is_none() || !known || self.strays >= 2 {
            self.newest = Some(report.revision);
            self.strays = 0;
        }
        let (count, entered) = before.map_or((1, 1), |before| {
            (before.count.saturating_add(1), before.entered.saturating_add(1))
        });
        let status = Status {
            revision: report.revision,
            number,
            kind: report.kind,
            hash: report.hash(),
            states: report.states(),
            said: content_hash(&[report.message.as_bytes()]),
            first,
            last: report.at,
            count,
            entered,
        };
        let place = self
            .statuses
            .iter_mut()
            .find(|status| status.revision == report.revision);
        if let Some(place) = place {
            *place = status;
        } else {
            self.statuses.push(status);
            if self.statuses.len() > REVISIONS {
                self.statuses.remove(0);
            }
        }
        self.open = Some(report.revision);
    }
}

impl WorkingSet {
    /// Reads everything: the last fold, and what came after it.
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let fold = status::fold(connection)?;
        let mut working_set = Self {
            next: status::highest_number(connection)?.saturating_add(1),
            exported: fold.exported,
            next_source: 1,
            ..Self::default()
        };
        for source in status::sources(connection)? {
            working_set.next_source = working_set.next_source.max(source.id.saturating_add(1));
            working_set.owners.insert(source.id, source.target);
            if let Some(deployment) = source.deployment {
                working_set.deployments.insert(source.id, Deployment::default());
                if let Some(target) = working_set.targets.get_mut(&source.target) {
                    target.deployments.insert(deployment, source.id);
                }
            } else {
                working_set.targets.insert(
                    source.target,
                    Target {
                        source: source.id,
                        owner: source.owner,
                        name: source.name,
                        agent: source.agent,
                        since: source.since,
                        last: source.since,
                        last_metrics: None,
                        deployments: BTreeMap::new(),
                    },
                );
            }
        }
        for (source, text) in status::latest(connection)? {
            let deployment: Deployment = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
            working_set.deployments.insert(source, deployment);
        }
        for (source, told) in status::advertised(connection)? {
            working_set.deployments.entry(source).or_default().advertised = Some(told);
        }
        working_set.read_repeats(connection)?;
        for (source, class, bytes) in status::usage(connection)? {
            working_set.used.insert((source, class), bytes);
        }
        for gap in status::open_gaps(connection, fold.exported)? {
            working_set.gaps.insert((gap.source, gap.reason, gap.class), gap);
        }
        working_set.replay(connection, fold.next)?;
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
            if matches!(record.class, RecordClass::Transition | RecordClass::Detail) {
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
            let deployment = self.deployments.entry(record.source).or_default();
            deployment.enter(&report, record.number, before, record.received);
            self.dirty.latest.insert(record.source);
        }
    }

    fn read_contacts(&mut self, connection: &Connection) -> Result<()> {
        let contacts: HashMap<i64, Timestamp> = status::contacts(connection)?.into_iter().collect();
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

    /// Takes the next number.
    pub(super) fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        number
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

fn damaged(error: &serde_json::Error) -> Error {
    Error::new(
        Class::State,
        DAMAGED,
        format!("what is known of a deployment cannot be read: {error}"),
    )
}

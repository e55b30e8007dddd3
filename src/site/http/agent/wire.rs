//! The reports of [`crate::protocol::distr`], read from streams of events: how long texts may be, and what is kept of them.

use super::bad_body::BadBody;
use super::fields::{Object, RecordBuilder};
use super::json::{Event, Visitor};
use super::values::AgentText;
use crate::protocol::distr;

/// Body of `POST status`.
pub(super) type StatusReport = distr::StatusReport<AgentText>;
/// Body of `POST metrics`; its disks are in the [`MetricsReader`].
pub(super) type MetricsReport = distr::Metrics<AgentText>;
/// A disk of it.
pub(super) type DiskReport = distr::DiskMetrics<AgentText>;
/// An element of `PUT logs`. Its own id is checked for its form, and of no other use.
pub(super) type LogLine = distr::LogRecord<AgentText>;
/// An element of `PUT deployment-target-logs`.
pub(super) type AgentLogLine = distr::AgentLogRecord<AgentText>;

/// What a record weighs in memory.
pub(super) trait Weight {
    /// Whether it is a line of the agent's own log.
    const IS_AGENT_LOG: bool;

    /// Bytes of its texts, and a little for the rest.
    fn weight(&self) -> usize;
}

/// Bytes of a record beside its texts.
const RECORD_BYTES: usize = 128;

impl Weight for LogLine {
    const IS_AGENT_LOG: bool = false;

    fn weight(&self) -> usize {
        RECORD_BYTES
            .saturating_add(self.resource.kept.len())
            .saturating_add(self.severity.kept.len())
            .saturating_add(self.body.kept.len())
    }
}

impl Weight for AgentLogLine {
    const IS_AGENT_LOG: bool = true;

    fn weight(&self) -> usize {
        RECORD_BYTES
            .saturating_add(self.severity.kept.len())
            .saturating_add(self.body.kept.len())
    }
}

/// Reads one object, or `null`, which stands for an empty one.
#[derive(Debug, Default)]
pub(super) struct One<R> {
    builder: Option<RecordBuilder<R>>,
    /// The object, when it has ended.
    pub(super) record: R,
}

impl<R: Object> Visitor for One<R> {
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody> {
        match (&mut self.builder, event) {
            (Some(builder), event) => {
                if let Some(record) = builder.event(event)? {
                    self.record = record;
                    self.builder = None;
                }
            }
            (none @ None, Event::ObjectStart) => *none = Some(RecordBuilder::default()),
            (None, Event::Null) => {}
            (None, _) => return Err(BadBody::Shape("an object was expected")),
        }
        Ok(())
    }
}

/// Reads an array of objects, or `null`, which stands for an empty one.
#[derive(Debug)]
pub(super) struct Many<R> {
    builder: Option<RecordBuilder<R>>,
    inside: bool,
    /// What was read and not taken away yet.
    pub(super) records: Vec<R>,
    /// What it weighs.
    pub(super) weight: usize,
    /// Records that were read and thrown away, once there is no room.
    pub(super) missed: u64,
    discarding: bool,
}

impl<R> Default for Many<R> {
    fn default() -> Self {
        Self {
            builder: None,
            inside: false,
            records: Vec::new(),
            weight: 0,
            missed: 0,
            discarding: false,
        }
    }
}

impl<R: Object + Weight> Many<R> {
    fn push(&mut self, record: R) {
        if self.discarding {
            self.missed = self.missed.saturating_add(1);
            return;
        }
        self.weight = self.weight.saturating_add(record.weight());
        self.records.push(record);
    }

    /// Throws away what was read and is not taken yet, and all that comes.
    pub(super) fn discard(&mut self) {
        self.discarding = true;
        if let Some(builder) = &mut self.builder {
            builder.discard();
        }
        self.missed = self.missed.saturating_add(self.take().len() as u64);
    }

    /// Whether all that comes is thrown away.
    pub(super) fn discards(&self) -> bool {
        self.discarding
    }

    /// Takes away what was read.
    pub(super) fn take(&mut self) -> Vec<R> {
        self.weight = 0;
        std::mem::take(&mut self.records)
    }
}

impl<R: Object + Weight> Visitor for Many<R> {
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody> {
        match (&mut self.builder, event) {
            (Some(builder), event) => {
                if let Some(record) = builder.event(event)? {
                    self.builder = None;
                    self.push(record);
                }
            }
            (None, Event::Null) if !self.inside => {}
            // What the agents' library does with it.
            (None, Event::Null) => self.push(R::default()),
            (None, Event::ArrayStart) if !self.inside => self.inside = true,
            (None, Event::ArrayEnd) if self.inside => {}
            (none @ None, Event::ObjectStart) if self.inside => {
                let builder = none.insert(RecordBuilder::default());
                if self.discarding {
                    builder.discard();
                }
            }
            (None, _) => return Err(BadBody::Shape("an array of objects was expected")),
        }
        Ok(())
    }
}

/// Disks of one report; a host has a few.
const DISKS: usize = 256;

/// Reads the body of `POST metrics`: an object with a list of objects in it.
#[derive(Debug, Default)]
pub(super) struct MetricsReader {
    outer: One<MetricsReport>,
    place: Place,
    depth: usize,
    seen_disks: bool,
    disk: Option<RecordBuilder<DiskReport>>,
    pub(super) disks: Vec<DiskReport>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// Behind the name of the list.
    Named,
    /// Inside its list.
    Listed,
}

impl MetricsReader {
    /// Returns the report.
    pub(super) fn report(&self) -> &MetricsReport {
        &self.outer.record
    }
}

impl Visitor for MetricsReader {
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody> {
        match (self.place, event) {
            (Place::Outside, Event::Key(key)) if self.depth == 1 && key.eq_ignore_ascii_case(MetricsReport::LIST) => {
                if std::mem::replace(&mut self.seen_disks, true) {
                    return Err(BadBody::Twice(MetricsReport::LIST));
                }
                self.place = Place::Named;
                Ok(())
            }
            (Place::Outside, event) => {
                match event {
                    Event::ObjectStart | Event::ArrayStart => self.depth = self.depth.saturating_add(1),
                    Event::ObjectEnd | Event::ArrayEnd => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.outer.event(event)
            }
            (Place::Named, Event::ArrayStart) => {
                self.place = Place::Listed;
                Ok(())
            }
            (Place::Named, Event::Null) => {
                self.place = Place::Outside;
                Ok(())
            }
            (Place::Named, _) => Err(BadBody::Shape(MetricsReport::LIST)),
            (Place::Listed, event) => {
                let ended = match (&mut self.disk, event) {
                    (Some(builder), event) => builder.event(event)?,
                    (None, Event::ArrayEnd) => {
                        self.place = Place::Outside;
                        return Ok(());
                    }
                    (None, Event::Null) => Some(DiskReport::default()),
                    (builder @ None, Event::ObjectStart) => {
                        *builder = Some(RecordBuilder::default());
                        None
                    }
                    (None, _) => return Err(BadBody::Shape(MetricsReport::LIST)),
                };
                if let Some(disk) = ended {
                    self.disk = None;
                    // A list without end is read to its end and not kept.
                    if self.disks.len() < DISKS {
                        self.disks.push(disk);
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;

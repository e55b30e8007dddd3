//! What agents send, field for field (distr-protocol 2.5 to 2.8).

use super::bad_body::BadBody;
use super::fields::{Making, Record, Value};
use super::json::{Event, Text, Visitor, floor};
use crate::domain::{AgentTime, Uuid};

/// Text that may have been longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AgentText {
    /// What was kept.
    pub(super) kept: String,
    /// Whether there was more.
    pub(super) cut: bool,
}

/// Says that text was cut.
const MARK: &str = " [cut]";
/// Longest short text: names, paths, severities.
const SHORT_BYTES: usize = 1024;

impl AgentText {
    /// Returns the text, with a mark when it was cut.
    pub(super) fn marked(self) -> String {
        if self.cut { self.kept + MARK } else { self.kept }
    }

    /// Returns a text that is a name or the like, marked when it had to be cut.
    pub(super) fn short(&self) -> String {
        let end = floor(&self.kept, SHORT_BYTES);
        let kept = self.kept.get(..end).unwrap_or_default().to_owned();
        Self {
            cut: self.cut || kept.len() < self.kept.len(),
            kept,
        }
        .marked()
    }
}

impl From<Text<'_>> for AgentText {
    fn from(text: Text<'_>) -> Self {
        Self {
            kept: text.kept.to_owned(),
            cut: text.cut,
        }
    }
}

/// Body of `POST status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StatusReport {
    pub(super) revision: Option<Uuid>,
    pub(super) kind: AgentText,
    pub(super) message: AgentText,
}

/// Body of `POST metrics`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct MetricsReport {
    pub(super) cpu_cores_millis: i64,
    pub(super) cpu_usage: f64,
    pub(super) memory_bytes: i64,
    pub(super) memory_usage: f64,
}

/// One of `diskMetrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DiskReport {
    pub(super) device: AgentText,
    pub(super) path: AgentText,
    pub(super) fs_type: AgentText,
    pub(super) bytes_total: i64,
    pub(super) bytes_used: i64,
}

/// One of `PUT logs`. A missing id is the nil UUID, which is the id of nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogLine {
    pub(super) deployment: Option<Uuid>,
    pub(super) revision: Option<Uuid>,
    pub(super) resource: AgentText,
    pub(super) at: AgentTime,
    pub(super) severity: AgentText,
    pub(super) body: AgentText,
}

/// One of `PUT deployment-target-logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AgentLogLine {
    pub(super) at: AgentTime,
    pub(super) severity: AgentText,
    pub(super) body: AgentText,
}

fn text(value: Value<'_>, name: &'static str) -> Result<AgentText, BadBody> {
    match value {
        Value::Text(text) => Ok(text.into()),
        _ => Err(BadBody::Shape(name)),
    }
}

fn uuid(value: Value<'_>, name: &'static str) -> Result<Option<Uuid>, BadBody> {
    match value {
        Value::Text(text) => Uuid::parse_lenient(text.kept)
            .map(Some)
            .map_err(|_| BadBody::Shape(name)),
        _ => Err(BadBody::Shape(name)),
    }
}

fn time(value: Value<'_>, name: &'static str) -> Result<AgentTime, BadBody> {
    match value {
        Value::Text(text) => text.kept.parse().map_err(|_| BadBody::Shape(name)),
        _ => Err(BadBody::Shape(name)),
    }
}

fn integer(value: Value<'_>, name: &'static str) -> Result<i64, BadBody> {
    match value {
        Value::Number(number) => number.parse().map_err(|_| BadBody::Shape(name)),
        _ => Err(BadBody::Shape(name)),
    }
}

fn fraction(value: Value<'_>, name: &'static str) -> Result<f64, BadBody> {
    let Value::Number(number) = value else {
        return Err(BadBody::Shape(name));
    };
    // Too large a number would be infinite.
    number
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or(BadBody::Shape(name))
}

impl Record for StatusReport {
    const FIELDS: &'static [&'static str] = &["revisionId", "type", "message"];

    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), BadBody> {
        match field {
            0 => self.revision = uuid(value, "revisionId")?,
            1 => self.kind = text(value, "type")?,
            _ => self.message = text(value, "message")?,
        }
        Ok(())
    }
}

impl Record for MetricsReport {
    const FIELDS: &'static [&'static str] = &["cpuCoresMillis", "cpuUsage", "memoryBytes", "memoryUsage"];

    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), BadBody> {
        match field {
            0 => self.cpu_cores_millis = integer(value, "cpuCoresMillis")?,
            1 => self.cpu_usage = fraction(value, "cpuUsage")?,
            2 => self.memory_bytes = integer(value, "memoryBytes")?,
            _ => self.memory_usage = fraction(value, "memoryUsage")?,
        }
        Ok(())
    }
}

impl Record for DiskReport {
    const FIELDS: &'static [&'static str] = &["device", "path", "fsType", "bytesTotal", "bytesUsed"];

    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), BadBody> {
        match field {
            0 => self.device = text(value, "device")?,
            1 => self.path = text(value, "path")?,
            2 => self.fs_type = text(value, "fsType")?,
            3 => self.bytes_total = integer(value, "bytesTotal")?,
            _ => self.bytes_used = integer(value, "bytesUsed")?,
        }
        Ok(())
    }
}

impl Record for LogLine {
    const FIELDS: &'static [&'static str] = &[
        "id",
        "deploymentId",
        "deploymentRevisionId",
        "resource",
        "timestamp",
        "severity",
        "body",
    ];

    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), BadBody> {
        match field {
            // Checked for its form, and of no other use: agents send the nil UUID.
            0 => drop(uuid(value, "id")?),
            1 => self.deployment = uuid(value, "deploymentId")?,
            2 => self.revision = uuid(value, "deploymentRevisionId")?,
            3 => self.resource = text(value, "resource")?,
            4 => self.at = time(value, "timestamp")?,
            5 => self.severity = text(value, "severity")?,
            _ => self.body = text(value, "body")?,
        }
        Ok(())
    }
}

impl Record for AgentLogLine {
    const FIELDS: &'static [&'static str] = &["id", "timestamp", "severity", "body"];

    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), BadBody> {
        match field {
            0 => drop(uuid(value, "id")?),
            1 => self.at = time(value, "timestamp")?,
            2 => self.severity = text(value, "severity")?,
            _ => self.body = text(value, "body")?,
        }
        Ok(())
    }
}

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
    making: Option<Making<R>>,
    /// The object, when it has ended.
    pub(super) record: R,
}

impl<R: Record> Visitor for One<R> {
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody> {
        match (&mut self.making, event) {
            (Some(making), event) => {
                if let Some(record) = making.event(event)? {
                    self.record = record;
                    self.making = None;
                }
            }
            (none @ None, Event::ObjectStart) => *none = Some(Making::default()),
            (None, Event::Null) => {}
            (None, _) => return Err(BadBody::Shape("an object was expected")),
        }
        Ok(())
    }
}

/// Reads an array of objects, or `null`, which stands for an empty one.
#[derive(Debug)]
pub(super) struct Many<R> {
    making: Option<Making<R>>,
    inside: bool,
    /// What was read and not taken away yet.
    pub(super) records: Vec<R>,
    /// What it weighs.
    pub(super) weight: usize,
    /// Records that were read and thrown away, once there is no room.
    pub(super) missed: u64,
    no_room: bool,
}

impl<R> Default for Many<R> {
    fn default() -> Self {
        Self {
            making: None,
            inside: false,
            records: Vec::new(),
            weight: 0,
            missed: 0,
            no_room: false,
        }
    }
}

impl<R: Record + Weight> Many<R> {
    fn push(&mut self, record: R) {
        if self.no_room {
            self.missed = self.missed.saturating_add(1);
            return;
        }
        self.weight = self.weight.saturating_add(record.weight());
        self.records.push(record);
    }

    /// Throws away what was read and is not taken yet, and all that comes.
    pub(super) fn throw_away(&mut self) {
        self.no_room = true;
        if let Some(making) = &mut self.making {
            making.throw_away();
        }
        self.missed = self.missed.saturating_add(self.take().len() as u64);
    }

    /// Whether all that comes is thrown away.
    pub(super) fn throws_away(&self) -> bool {
        self.no_room
    }

    /// Takes away what was read.
    pub(super) fn take(&mut self) -> Vec<R> {
        self.weight = 0;
        std::mem::take(&mut self.records)
    }
}

impl<R: Record + Weight> Visitor for Many<R> {
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody> {
        match (&mut self.making, event) {
            (Some(making), event) => {
                if let Some(record) = making.event(event)? {
                    self.making = None;
                    self.push(record);
                }
            }
            (None, Event::Null) if !self.inside => {}
            // What the agents' library does with it.
            (None, Event::Null) => self.push(R::default()),
            (None, Event::ArrayStart) if !self.inside => self.inside = true,
            (None, Event::ArrayEnd) if self.inside => {}
            (none @ None, Event::ObjectStart) if self.inside => {
                let making = none.insert(Making::default());
                if self.no_room {
                    making.throw_away();
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
    disk: Option<Making<DiskReport>>,
    pub(super) disks: Vec<DiskReport>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// Behind the name `diskMetrics`.
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
            (Place::Outside, Event::Key(key)) if self.depth == 1 && key.eq_ignore_ascii_case("diskMetrics") => {
                if std::mem::replace(&mut self.seen_disks, true) {
                    return Err(BadBody::Twice("diskMetrics"));
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
            (Place::Named, _) => Err(BadBody::Shape("diskMetrics")),
            (Place::Listed, event) => {
                let ended = match (&mut self.disk, event) {
                    (Some(making), event) => making.event(event)?,
                    (None, Event::ArrayEnd) => {
                        self.place = Place::Outside;
                        return Ok(());
                    }
                    (None, Event::Null) => Some(DiskReport::default()),
                    (making @ None, Event::ObjectStart) => {
                        *making = Some(Making::default());
                        None
                    }
                    (None, _) => return Err(BadBody::Shape("diskMetrics")),
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

//! What an agent hands in, and what it is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::owner::Owner;
use crate::domain::{AgentTime, StatusKind, Uuid};

/// Longest text of one record, in bytes; the rest is cut off. Callers cut before, so that they do not hold more either.
pub const TEXT_BYTES: usize = 256 << 10;
/// What stands at the end of a text that was longer when an agent reported it.
pub const CUT_MARK: &str = " [cut]";

/// One request of one agent. Who it is was checked before; so was that revisions belong to it.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The target.
    pub target: Uuid,
    /// Whose target it is: what it reports goes into that vendor's stream, and what is known of a former owner's agent is not this one's.
    pub owner: Owner,
    /// Its name, for people.
    pub target_name: String,
    /// Version that the agent states (`User-Agent: DistrAgentClient/<version>`).
    pub agent: Option<String>,
    /// What it reports.
    pub what: What,
}

/// What an agent reports.
#[derive(Debug, Clone)]
pub enum What {
    /// That it is there.
    Contact,
    /// That it asked, and was told to run these deployments in these revisions, and no other.
    Advertised(Arc<[(Uuid, Uuid)]>),
    /// The state of a deployment.
    Status {
        /// The deployment.
        deployment: Uuid,
        /// The revision that it speaks of.
        revision: Uuid,
        /// The state.
        kind: StatusKind,
        /// In the agent's words.
        message: String,
    },
    /// Measurements of the target.
    Metrics(Metrics),
    /// Lines of containers.
    Logs(Vec<LogRecord>),
    /// Lines of the agent's own log.
    AgentLogs(Vec<AgentLogRecord>),
    /// Lines that came faster than they are taken, and were thrown away: a gap record says so.
    Missed {
        /// Of the agent's own log, or of containers.
        agent_log: bool,
        /// How many.
        count: u64,
    },
}

/// A line of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The deployment.
    pub deployment: Uuid,
    /// The revision at the time of collection.
    pub revision: Uuid,
    /// Container, service or object.
    pub resource: String,
    /// By the container's clock.
    pub at: AgentTime,
    /// `Log`, `stdout`, `stderr`.
    pub severity: String,
    /// The line; empty ones are dropped.
    pub body: String,
}

/// A line of the agent's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLogRecord {
    /// By the agent's clock.
    pub at: AgentTime,
    /// `debug`, `info`, `warn`, `error`, …
    pub severity: String,
    /// The line; empty ones are dropped.
    pub body: String,
}

/// Measurements of a target, in the hub's own members.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metrics {
    /// Cores × 1000.
    pub cpu_cores_millis: i64,
    /// Fraction.
    pub cpu_usage: f64,
    /// Capacity.
    pub memory_bytes: i64,
    /// Fraction.
    pub memory_usage: f64,
    /// Block devices; docker only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disk_metrics: Vec<DiskMetrics>,
}

/// Measurements of a block device, in the hub's own members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the hub's members of the same names")]
pub struct DiskMetrics {
    pub device: String,
    pub path: String,
    pub fs_type: String,
    pub bytes_total: i64,
    pub bytes_used: i64,
}

/// What became of a batch. Whatever it says, it is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records with a number of their own.
    pub stored: u32,
    /// Statuses that were counted at an earlier one.
    pub repeated: u32,
    /// Log records that were there already.
    pub duplicates: u32,
    /// Records that are not kept, and that a gap record accounts for.
    pub dropped: u32,
    /// Highest number so far in the stream of the target's vendor.
    pub number: u64,
}

impl What {
    /// Bytes that it takes in memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Contact | Self::Missed { .. } => 0,
            Self::Advertised(stated) => stated.len().saturating_mul(32),
            Self::Status { message, .. } => message.len().saturating_add(256),
            Self::Metrics(metrics) => metrics.disk_metrics.len().saturating_mul(256).saturating_add(256),
            Self::Logs(records) => records
                .iter()
                .map(|record| {
                    record
                        .body
                        .len()
                        .saturating_add(record.resource.len())
                        .saturating_add(record.severity.len())
                        .saturating_add(192)
                })
                .fold(0, usize::saturating_add),
            Self::AgentLogs(records) => records
                .iter()
                .map(|record| {
                    record
                        .body
                        .len()
                        .saturating_add(record.severity.len())
                        .saturating_add(128)
                })
                .fold(0, usize::saturating_add),
        }
    }

    /// Numbers that it may need.
    pub(super) fn records(&self) -> usize {
        match self {
            Self::Contact | Self::Advertised(_) => 0,
            Self::Status { .. } | Self::Metrics(_) | Self::Missed { .. } => 1,
            Self::Logs(records) => records.len(),
            Self::AgentLogs(records) => records.len(),
        }
    }

    /// Whether statuses shall not wait for it. What an agent was told stays in order with what it says of it.
    pub(super) fn is_bulk(&self) -> bool {
        !matches!(self, Self::Status { .. } | Self::Advertised(_))
    }
}

/// Takes NULs away and cuts at a limit, between characters.
pub(super) fn clean(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    let cut = if text.len() <= limit {
        text
    } else {
        let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.get(..end).unwrap_or_default()
    };
    if cut.contains('\0') {
        cut.replace('\0', "").into()
    } else {
        cut.into()
    }
}

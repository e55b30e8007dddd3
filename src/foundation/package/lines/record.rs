//! Lines of the part `records`: statuses, lines of containers, lines of agents.

use serde::{Deserialize, Serialize};

use super::super::quoted::Quoted;
use super::super::words::{AgentLogWord, LogWord};
use crate::crypto::canonical::integer;
use crate::domain::{AgentTime, Class, Error, Result, Signal, StatusKind, Timestamp, Uuid, limits};

/// What a record of a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusRecordKind {
    /// The state changed.
    Transition,
    /// The same went on after an export.
    Continued,
    /// The state stayed, the text was another.
    Status,
}

/// A status and its repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRecord {
    /// When it was reported first.
    pub at: Timestamp,
    /// How often, where it was more than once.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub count: Option<u64>,
    /// The deployment.
    pub deployment: Uuid,
    /// How often it was entered, where that was more than once.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub entered: Option<u64>,
    /// What it is.
    pub kind: StatusRecordKind,
    /// When it was reported last, where that was more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Its number in the stream.
    #[serde(with = "integer")]
    pub number: u64,
    /// Record in which the reports began that go on here.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub of: Option<u64>,
    /// Revision that it speaks of.
    pub revision: Uuid,
    /// What it says of the apply.
    pub signal: Signal,
    /// The state.
    pub state: StatusKind,
    /// The target.
    pub target: Uuid,
    /// The agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Quoted>,
}

impl StatusRecord {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(in super::super) fn check(&self) -> Result<()> {
        let wrong = |found: &str| Err(Error::new(Class::Format, "line", found));
        if let Some(text) = &self.text {
            text.check(limits::QUOTED_TEXT_BYTES)?;
        }
        if self.count.is_some() != self.last.is_some() || self.count.is_some_and(|count| count < 2) {
            return wrong("a record that came once has a count or a last time, or one that came more often lacks one");
        }
        if self.entered.is_some_and(|entered| entered < 2) {
            return wrong("a record says that it was entered once, which is left out");
        }
        // A member of this kind alone: elsewhere it is an unknown one, here it may not be missing.
        if (self.kind == StatusRecordKind::Continued) != self.of.is_some() {
            return Err(Error::new(
                Class::Format,
                "grammar",
                "`of` is missing in a record that goes on, or stands in one that begins",
            ));
        }
        match self.of {
            Some(of) if of == 0 || of >= self.number => wrong("a record that goes on does not name an earlier one"),
            _ => Ok(()),
        }
    }
}

/// A line of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// When it was accepted.
    pub at: Timestamp,
    /// The deployment.
    pub deployment: Uuid,
    /// `log`.
    pub kind: LogWord,
    /// Its number in the stream.
    #[serde(with = "integer")]
    pub number: u64,
    /// The container.
    pub resource: Quoted,
    /// The revision.
    pub revision: Uuid,
    /// Stream or severity.
    pub severity: Quoted,
    /// The target.
    pub target: Uuid,
    /// The line.
    pub text: Quoted,
    /// When, by the agent's clock.
    pub time: AgentTime,
}

impl Log {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT quoted`; `E-LIMIT text-size`.
    pub(in super::super) fn check(&self) -> Result<()> {
        self.resource.check(limits::QUOTED_NAME_BYTES)?;
        self.severity.check(limits::QUOTED_NAME_BYTES)?;
        self.text.check(limits::QUOTED_TEXT_BYTES)
    }
}

/// A line of an agent itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentLog {
    /// When it was accepted.
    pub at: Timestamp,
    /// `agent-log`.
    pub kind: AgentLogWord,
    /// Its number in the stream.
    #[serde(with = "integer")]
    pub number: u64,
    /// Severity.
    pub severity: Quoted,
    /// The target.
    pub target: Uuid,
    /// The line.
    pub text: Quoted,
    /// When, by the agent's clock.
    pub time: AgentTime,
}

impl AgentLog {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT quoted`; `E-LIMIT text-size`.
    pub(in super::super) fn check(&self) -> Result<()> {
        self.severity.check(limits::QUOTED_NAME_BYTES)?;
        self.text.check(limits::QUOTED_TEXT_BYTES)
    }
}

//! Gap records among the lines of the part `records`: what was not kept, and why.

use serde::{Deserialize, Serialize};

use super::super::words::GapWord;
use crate::crypto::canonical::integer;
use crate::domain::{Class, Error, Result, Timestamp, Uuid};

/// Records that were not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// When it was found.
    pub at: Timestamp,
    /// Bytes that were lost.
    #[serde(with = "integer")]
    pub bytes: u64,
    /// Class of the records.
    pub class: GapClass,
    /// How many they were.
    #[serde(with = "integer")]
    pub count: u64,
    /// Whether that is exact, or at least.
    pub exact: bool,
    /// Their first number.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub first: Option<u64>,
    /// `gap`.
    pub kind: GapWord,
    /// Their last number.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub last: Option<u64>,
    /// The gap's own number in the stream.
    #[serde(with = "integer")]
    pub number: u64,
    /// Why.
    pub reason: GapReason,
    /// Since when.
    pub since: Timestamp,
    /// The target; nothing for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Uuid>,
    /// Until when.
    pub until: Timestamp,
}

/// Which records a gap is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the classes of records")]
pub enum GapClass {
    AgentLog,
    /// Of every class.
    Any,
    Continued,
    Gap,
    Log,
    Metrics,
    Status,
    Transition,
}

/// Why records were not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The database of statuses was damaged.
    Damaged,
    /// A state changed too often.
    Flapping,
    /// They were folded into another form.
    Folded,
    /// There was no room.
    Quota,
    /// They came too fast.
    Rate,
    /// The state folder was restored from a copy.
    Restored,
}

impl Gap {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT line`.
    pub(in super::super) fn check(&self) -> Result<()> {
        let fits = match (self.first, self.last) {
            (None, None) => true,
            (Some(first), Some(last)) => first > 0 && first <= last,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(Error::new(
            Class::Format,
            "line",
            "the numbers of a gap are reversed, or one of them is missing",
        ))
    }
}

//! Lines of the part `audit`: rows of the stream's log (M-105).

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::crypto::{canonical, canonical::integer, stream_seal};
use crate::domain::{Class, Error, Hash, Result, Timestamp, limits};

/// A row of the stream's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRow {
    /// What was done: `[a-z][a-z-]{0,31}`. A reader takes actions that it does not know.
    pub action: String,
    /// When.
    pub at: Timestamp,
    /// What belongs to it: numbers, digests, UUIDs and words.
    #[serde(deserialize_with = "detail")]
    pub detail: BTreeMap<String, Value>,
    /// Its number in the stream.
    #[serde(with = "integer")]
    pub number: u64,
}

impl AuditRow {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT line`; `E-LIMIT detail`.
    pub(in super::super) fn check(&self) -> Result<()> {
        let mut action = self.action.bytes();
        let fits = self.action.len() <= 32
            && action.next().is_some_and(|first| first.is_ascii_lowercase())
            && action.all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if !fits {
            return Err(wrong("the action of a row is no word"));
        }
        let depth = self.detail.values().map(depth).max().unwrap_or(0).saturating_add(1);
        let bytes = canonical::to_vec(&self.detail).len();
        if depth > limits::DETAIL_DEPTH || bytes > limits::DETAIL_BYTES {
            return Err(Error::new(
                Class::Limit,
                "detail",
                format!("the detail of a row has {bytes} bytes and is {depth} deep"),
            )
            .expected(format!(
                "at most {} bytes and {} levels",
                limits::DETAIL_BYTES,
                limits::DETAIL_DEPTH
            )));
        }
        if self.detail.values().all(is_plain) {
            return Ok(());
        }
        Err(wrong(
            "the detail of a row holds null or a number above 2^53-1 or below 0",
        ))
    }

    /// Returns the row's seal, from that of the row before.
    pub fn seal(&self, before: Hash) -> Hash {
        let detail = Value::Object(self.detail.clone().into_iter().collect());
        stream_seal(before, self.number, self.at, &self.action, &detail)
    }
}

/// Reads a detail. Its members are free; a number in it that is none of 64 bits in plain digits (`-0`, `1.5`, one of 33 digits) is refused like
/// every other number that does not parse, before anybody asks for the canonical form of what it was taken for.
fn detail<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    let detail = BTreeMap::<String, Value>::deserialize(deserializer)?;
    if detail.values().any(holds_other_number) {
        return Err(D::Error::custom("a number is no integer of 64 bits"));
    }
    Ok(detail)
}

/// Whether a number was parsed as a floating one: what else has no integer type.
fn holds_other_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(holds_other_number),
        Value::Object(members) => members.values().any(holds_other_number),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Levels below and with a value; the parser has bounded them.
fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    inner.unwrap_or(0).saturating_add(1)
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_u64().is_some_and(|number| number <= limits::JSON_INTEGER_MAX),
        Value::Array(values) => values.iter().all(is_plain),
        Value::Object(members) => members.values().all(is_plain),
    }
}

fn wrong(found: &str) -> Error {
    Error::new(Class::Format, "line", found)
}

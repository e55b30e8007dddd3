//! Two answers side by side: the recorded hub's, in our world's words, and ours.
//!
//! Looked at: the status, every header's name and value but those of the connection itself, and the body: JSON and YAML member
//! by member (names, types, what is null and what is left out, values), other text as it is, content by its length.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use serde_json::Value;

use super::recording::Exchange;
use crate::support::client::Reply;

/// A place where the two differ.
pub(super) struct Mismatch {
    /// The recording.
    pub(super) recording: String,
    pub(super) time: String,
    pub(super) method: String,
    pub(super) path: String,
    /// Status of the recorded answer.
    pub(super) status: u16,
    /// `status`, `header NAME`, `text`, `length` or the way to a member: `$.deployments[0].values`.
    pub(super) field: String,
    /// Null where it is not there; a member that is null stands as the word.
    pub(super) theirs: Value,
    pub(super) ours: Value,
    /// Our address.
    pub(super) host: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  t={} {} {} ({}): {}: recorded {}, ours {}",
            self.time, self.method, self.path, self.status, self.field, self.theirs, self.ours
        )
    }
}

/// Headers that belong to the connection or to the moment.
const PASSING: [&str; 7] = [
    "date",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    // How often one has asked in the minute so far.
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// Compares an answer with the recorded one. `translate` puts recorded text into our world.
pub(super) fn compare(
    recording: &str,
    exchange: &Exchange,
    reply: &Reply,
    translate: &dyn Fn(&str) -> String,
    host: &str,
) -> Vec<Mismatch> {
    let answer = exchange.answer.as_ref().unwrap();
    let mut found = Vec::new();
    let mut note = |field: String, theirs: Value, ours: Value| {
        found.push(Mismatch {
            recording: recording.to_owned(),
            time: exchange.time.clone(),
            method: exchange.method.clone(),
            path: exchange.path.clone(),
            status: answer.status,
            field,
            theirs,
            ours,
            host: host.to_owned(),
        });
    };
    if reply.status != answer.status {
        // The rest is another answer.
        let shown = format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body));
        note("status".into(), answer.status.into(), shown.into());
        return found;
    }
    let names: BTreeSet<&str> = answer
        .headers
        .keys()
        .map(String::as_str)
        .chain(reply.headers.iter().map(|(name, _)| name.as_str()))
        .filter(|name| !PASSING.contains(name))
        .collect();
    for name in names {
        let theirs = answer.headers.get(name).map(|value| translate(value));
        let ours = reply.header(name).map(str::to_owned);
        if theirs != ours {
            note(format!("header {name}"), theirs.into(), ours.into());
        }
    }
    if exchange.path.starts_with("/v2/") && (200..300).contains(&answer.status) {
        let length = answer.headers.get("content-length").cloned();
        let ours = reply.header("content-length").map(str::to_owned);
        if length != ours && !exchange.path.ends_with("/_catalog") {
            note("length".into(), length.into(), ours.into());
        }
    }
    let Some(body) = &answer.body else {
        if !reply.body.is_empty() && !exchange.path.contains("/blobs/") {
            let ours = String::from_utf8_lossy(&reply.body).into_owned();
            note("text".into(), Value::Null, ours.into());
        }
        return found;
    };
    let theirs = expected(body, translate);
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    if let Some(documents) = theirs.get("yaml") {
        let ours: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        members("$", documents, &Value::Array(ours), &mut note);
    } else if let Value::String(theirs) = &theirs {
        if *theirs != text {
            note("text".into(), theirs.clone().into(), text.into());
        }
    } else {
        match serde_json::from_str(&text) {
            Ok(ours) => members("$", &theirs, &ours, &mut note),
            Err(_) => note("text".into(), theirs, text.into()),
        }
    }
    found
}

/// A recorded body in our world.
fn expected(body: &Value, translate: &dyn Fn(&str) -> String) -> Value {
    match body {
        Value::String(text) => translate(text).into(),
        Value::Array(list) => list.iter().map(|item| expected(item, translate)).collect(),
        Value::Object(members) => {
            if let Some(text) = body.get("base64_of").and_then(Value::as_str) {
                let encoded = base64::engine::general_purpose::STANDARD.encode(translate(text));
                return encoded.into();
            }
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), expected(value, translate)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn members(way: &str, theirs: &Value, ours: &Value, note: &mut dyn FnMut(String, Value, Value)) {
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                let way = format!("{way}.{name}");
                match (left.get(name), right.get(name)) {
                    (Some(theirs), Some(ours)) => members(&way, theirs, ours, note),
                    (theirs, ours) => note(way, there(theirs), there(ours)),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let (left, right) = (by_name(left), by_name(right));
            for place in 0..left.len().max(right.len()) {
                let way = format!("{way}[{place}]");
                match (left.get(place), right.get(place)) {
                    (Some(theirs), Some(ours)) => members(&way, theirs, ours, note),
                    (theirs, ours) => note(way, there(theirs), there(ours)),
                }
            }
        }
        (theirs, ours) if theirs != ours => note(way.to_owned(), there(Some(theirs)), there(Some(ours))),
        _ => {}
    }
}

/// Lists whose entries have names are sets to whoever reads them: volumes, variables, mounts.
fn by_name(list: &[Value]) -> Vec<Value> {
    let mut list = list.to_vec();
    if list.iter().all(|item| item["name"].is_string()) {
        list.sort_by_key(|item| item["name"].as_str().map(str::to_owned));
    }
    list
}

/// Keeps a null that is there apart from nothing at all.
fn there(value: Option<&Value>) -> Value {
    match value {
        Some(Value::Null) => "null".into(),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

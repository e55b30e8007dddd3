//! The recorded exchanges, as `recordings/README.md` describes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::appliance::read;

/// A recorded run of agents against the hub.
pub(super) struct Recording {
    pub(super) name: String,
    /// Target of every token in it, by placeholder.
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) exchanges: Vec<Exchange>,
}

/// A request with its answer.
pub(super) struct Exchange {
    /// Seconds since the first one, as text: the name by which others refer to it.
    pub(super) time: String,
    /// `hub` or `registry`.
    pub(super) via: String,
    /// The client's connection.
    pub(super) connection: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, Value)>,
    /// Absent when there was none; text that is no JSON stands as a string.
    pub(super) body: Option<Value>,
    /// Absent when the connection was cut.
    pub(super) answer: Option<Answer>,
    /// Not the hub's answer but the recording proxy's own.
    pub(super) by_proxy: bool,
}

/// What the hub answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Value>,
}

/// An image that a recording pulls: how its parts are called and how large they are.
pub(super) struct RecordedImage {
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) digest: String,
    pub(super) media_type: String,
    /// Bytes of the manifest.
    pub(super) size: usize,
    pub(super) config: Part,
    pub(super) layers: Vec<Part>,
}

/// A descriptor of a recorded manifest.
pub(super) struct Part {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: usize,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/distr/recordings")
}

fn lines(name: &str) -> Vec<Value> {
    let text = String::from_utf8(read(&folder().join(format!("{name}.jsonl")))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Names of all recordings, ascending.
pub(super) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            Some(name.strip_suffix(".jsonl")?.to_owned()).filter(|name| name != "images")
        })
        .collect();
    names.sort();
    names
}

/// All images that recordings pull.
pub(super) fn images() -> Vec<RecordedImage> {
    let part = |value: &Value| Part {
        media_type: text(&value["mediaType"]),
        digest: text(&value["digest"]),
        size: value["size"].as_u64().unwrap().try_into().unwrap(),
    };
    lines("images")
        .iter()
        .map(|image| RecordedImage {
            repository: text(&image["repository"]),
            tag: text(&image["tag"]),
            digest: text(&image["digest"]),
            media_type: text(&image["media_type"]),
            size: image["size"].as_u64().unwrap().try_into().unwrap(),
            config: part(&image["config"]),
            layers: image["layers"].as_array().unwrap().iter().map(part).collect(),
        })
        .collect()
}

impl Recording {
    /// Reads one; bodies that refer to an earlier answer are filled in.
    pub(super) fn read(name: &str) -> Self {
        let lines = lines(name);
        let (head, rest) = lines.split_first().unwrap();
        assert_eq!(head["scenario"], name);
        let tokens = head["jwt"].as_object().unwrap().iter();
        let tokens = tokens.map(|(placeholder, token)| (placeholder.clone(), text(&token["claims"]["sub"])));
        let mut exchanges: Vec<Exchange> = Vec::new();
        for line in rest {
            let mut exchange = Exchange::parse(line);
            if let Some(body) = exchange.answer.as_mut().and_then(|answer| answer.body.as_mut())
                && let Some(time) = body.get("same_as_t").map(ToString::to_string)
            {
                let earlier = exchanges.iter().find(|earlier| earlier.time == time);
                *body = earlier.unwrap().answer.as_ref().unwrap().body.clone().unwrap();
            }
            exchanges.push(exchange);
        }
        Self {
            name: name.to_owned(),
            tokens: tokens.collect(),
            exchanges,
        }
    }
}

impl Exchange {
    fn parse(line: &Value) -> Self {
        let note = line["note"].as_str().unwrap_or_default();
        let answer = line.get("res").map(|answer| Answer {
            status: answer["status"].as_u64().unwrap().try_into().unwrap(),
            headers: answer.get("headers").map_or_else(BTreeMap::new, |headers| {
                let headers = headers.as_object().unwrap().iter();
                headers
                    .map(|(name, value)| (name.to_ascii_lowercase(), text(value)))
                    .collect()
            }),
            body: answer.get("body").filter(|body| !body.is_null()).cloned(),
        });
        Self {
            time: line["t"].to_string(),
            via: text(&line["via"]),
            connection: text(&line["conn"]),
            method: text(&line["method"]),
            path: text(&line["path"]),
            query: line.get("query").and_then(Value::as_str).map(str::to_owned),
            headers: line["req"]["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            body: line["req"].get("body").cloned(),
            by_proxy: note.starts_with("answered by proxy"),
            answer,
        }
    }

    /// User and password, where the request has Basic authentication.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let basic = self.header("Authorization")?.get("basic")?;
        Some((text(&basic["user"]), text(&basic["password"])))
    }

    /// The placeholder of the token that the request carries, in whichever way.
    pub(super) fn token(&self) -> Option<String> {
        if let Some((_, password)) = self.basic() {
            return Some(password).filter(|password| password.starts_with("<jwt-"));
        }
        let text = self.header("Authorization")?.as_str()?;
        let (_, token) = text.split_once(' ')?;
        Some(token.to_owned()).filter(|token| token.starts_with("<jwt-"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&Value> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value)
    }

    /// Whether the hub itself answered with this status.
    pub(super) fn answered(&self, status: u16) -> bool {
        !self.by_proxy && self.answer.as_ref().is_some_and(|answer| answer.status == status)
    }
}

/// The text of a string; where it says whose base64 it is, that one.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

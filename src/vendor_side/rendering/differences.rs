//! Where two workings-out of one chart differ beyond what explains itself: a template may decide by what it is given.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::documents::{Document, split};
use crate::yaml::rendered;

/// Most differences that are told.
const MOST: usize = 20;
/// Characters of a text that are shown.
const SHOWN: usize = 60;
/// Fewest digits of what a hash of a text comes to.
const HASH: usize = 6;

/// A place at which they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Difference {
    /// The template, as helm calls it.
    pub(in super::super) source: String,
    /// Object and path within the template.
    pub(in super::super) at: String,
    /// What stands there in the first, and in the second.
    pub(in super::super) was: String,
    pub(in super::super) is: String,
}

/// Compares what came out. `explains` is asked of two lines that differ whether that is as it should be.
pub(in super::super) fn differences(
    before: &str,
    after: &str,
    explains: &dyn Fn(&str, &str) -> bool,
) -> Vec<Difference> {
    let (before, after) = (split(before), split(after));
    let (was, is) = (by_source(&before), by_source(&after));
    let mut comparison = Comparison {
        explains,
        source: "",
        found: Vec::new(),
    };
    let sources: BTreeSet<&&str> = was.keys().chain(is.keys()).collect();
    for source in sources {
        let was = was.get(*source).map_or(&[][..], Vec::as_slice);
        let is = is.get(*source).map_or(&[][..], Vec::as_slice);
        comparison.source = source;
        if was.len() != is.len() {
            let objects = |list: &[&str]| crate::domain::counted(list.len(), "object");
            comparison.note("", objects(was), objects(is));
            continue;
        }
        for (number, (was, is)) in was.iter().zip(is).enumerate().filter(|(_, (was, is))| was != is) {
            // What cannot be read is said elsewhere.
            if let (Ok(was), Ok(is)) = (rendered(was), rendered(is)) {
                comparison.values(&was, &is, &head(&was, number));
            }
        }
    }
    comparison.found.truncate(MOST);
    comparison.found
}

fn by_source<'a>(documents: &[Document<'a>]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for document in documents {
        all.entry(document.source).or_default().push(document.text);
    }
    all
}

fn head(object: &Value, number: usize) -> String {
    match object.get("kind").and_then(Value::as_str) {
        Some(kind) => format!("{kind} {}", number.saturating_add(1)),
        None => format!("object {}", number.saturating_add(1)),
    }
}

struct Comparison<'a> {
    explains: &'a dyn Fn(&str, &str) -> bool,
    source: &'a str,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn note(&mut self, at: &str, was: String, is: String) {
        let cut = |text: String| text.chars().take(SHOWN).collect();
        if self.found.len() <= MOST {
            self.found.push(Difference {
                source: self.source.to_owned(),
                at: at.to_owned(),
                was: cut(was),
                is: cut(is),
            });
        }
    }

    fn values(&mut self, was: &Value, is: &Value, at: &str) {
        match (was, is) {
            (Value::Object(before), Value::Object(after)) => {
                let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                for key in keys {
                    let below = format!("{at}.{key}");
                    match (before.get(key), after.get(key)) {
                        (Some(was), Some(is)) => self.values(was, is, &below),
                        // A key may be made of an image too.
                        (Some(was), None) if !self.is_explained(key, "") => {
                            self.note(&below, said(was), "nothing".into());
                        }
                        (None, Some(is)) if !self.is_explained("", key) => {
                            self.note(&below, "nothing".into(), said(is));
                        }
                        _ => {}
                    }
                }
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                for (number, (was, is)) in before.iter().zip(after).enumerate() {
                    self.values(was, is, &format!("{at}[{number}]"));
                }
            }
            (Value::Array(before), Value::Array(after)) => {
                let entries = |list: &[Value]| format!("{} entries", list.len());
                self.note(at, entries(before), entries(after));
            }
            _ => self.texts(&said(was), &said(is), at),
        }
    }

    fn texts(&mut self, was: &str, is: &str, at: &str) {
        if was == is {
            return;
        }
        let decoded = |text: &str| {
            let bytes = STANDARD.decode(text.trim()).ok()?;
            String::from_utf8(bytes).ok()
        };
        if let (Some(was), Some(is)) = (decoded(was), decoded(is)) {
            return self.lines(&was, &is, at);
        }
        self.lines(was, is, at);
    }

    fn lines(&mut self, was: &str, is: &str, at: &str) {
        let (before, after): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
        if before.len() != after.len() {
            let lines = |list: &[&str]| crate::domain::counted(list.len(), "line");
            return self.note(at, lines(&before), lines(&after));
        }
        for (was, is) in before.iter().zip(after) {
            if *was != is && !self.is_explained(was, is) {
                return self.note(at, (*was).to_owned(), is.to_owned());
            }
        }
    }

    fn is_explained(&self, was: &str, is: &str) -> bool {
        (self.explains)(was, is) || are_hashes(was, is)
    }
}

/// Whether two texts are the same but for hashes in them.
fn are_hashes(was: &str, is: &str) -> bool {
    let words = |text: &'_ str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.map(str::to_owned).collect()
    };
    let (was, is) = (words(was), words(is));
    let is_hash = |word: &str| word.len() >= HASH && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    was.len() == is.len()
        && was
            .iter()
            .zip(&is)
            .all(|(was, is)| was == is || (is_hash(was) && is_hash(is)))
}

fn said(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("{} entries", list.len()),
        Value::Object(_) => "a mapping".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_explain_itself_is_told() {
        let text = |body: &str| format!("---\n# Source: a/templates/x.yaml\nkind: Pod\n{body}");
        let explains = |_: &str, is: &str| is.contains("appliance.example");
        let found = |was: &str, is: &str| {
            let found = differences(&text(was), &text(is), &explains);
            found
                .into_iter()
                .map(|one| (one.at, one.was, one.is))
                .collect::<Vec<_>>()
        };
        let one = |at: &str, was: &str, is: &str| vec![(at.to_owned(), was.to_owned(), is.to_owned())];
        for (was, is, expected) in [
            ("a: 1\n", "a: 1\n", vec![]),
            ("image: b:1\n", "image: appliance.example/b@sha256:1\n", vec![]),
            ("sum: 0a1b2c3d\n", "sum: 4e5f6a7b\n", vec![]),
            ("name: job-0a1b2c3d\n", "name: job-4e5f6a7b\n", vec![]),
            ("user: 70\n", "user: 999\n", one("Pod 1.user", "70", "999")),
            (
                "a: {b: [1, 2]}\n",
                "a: {b: [1]}\n",
                one("Pod 1.a.b", "2 entries", "1 entries"),
            ),
            ("a: 1\nb: 2\n", "a: 1\n", one("Pod 1.b", "2", "nothing")),
            ("t: |\n  a\n  b\n", "t: |\n  a\n  c\n", one("Pod 1.t", "b", "c")),
            ("t: YQ==\n", "t: Yg==\n", one("Pod 1.t", "a", "b")),
            (
                "a: 1\n",
                "a: 1\n---\n# Source: a/templates/x.yaml\nkind: Job\n",
                one("", "1 object", "2 objects"),
            ),
        ] {
            assert_eq!(found(was, is), expected, "{was} {is}");
        }
    }
}

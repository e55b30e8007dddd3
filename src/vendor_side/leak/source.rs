//! Where values that are looked at came from, one file, whose lines are looked for, or several, each value with its place; and what a
//! single value says.

use std::borrow::Cow;

use serde_json::Value;

use super::allow_plain::AllowPlain;
use super::text::is_comment;

/// Where values came from.
pub(super) trait Source {
    /// Returns where a value stands, with the line where that is known.
    fn place(&self, path: &str, key: &str, value: &str) -> String;
    /// Returns where something stands whose line is not known.
    fn whole(&self, path: &str) -> String;
    /// Whether the author allows the file of a path.
    fn is_allowed(&self, path: &str, plain: AllowPlain<'_>) -> bool;
    /// Whether there is no text of all of it that is looked at beside.
    fn is_merged(&self) -> bool;
}

/// A file whose values are looked at, and the lines of it that give a key a value.
pub(super) struct SourceFile<'a> {
    pub(super) file: &'a str,
    pub(super) lines: Vec<(u64, &'a str, &'a str)>,
    pub(super) text: &'a str,
}

impl Source for SourceFile<'_> {
    fn place(&self, path: &str, key: &str, value: &str) -> String {
        let is_it = |said: &str| said.trim_matches(['"', '\'']) == value.trim();
        let line = self.lines.iter().find(|(_, known, said)| *known == key && is_it(said));
        match line {
            Some((line, ..)) => format!("{}:{line}: {path}", self.file),
            None => self.whole(path),
        }
    }

    fn whole(&self, path: &str) -> String {
        match line_of(self.text, path) {
            Some(line) => format!("{}:{line}: {path}", self.file),
            None => format!("{}: {path}", self.file),
        }
    }

    fn is_allowed(&self, _path: &str, _plain: AllowPlain<'_>) -> bool {
        false
    }

    fn is_merged(&self) -> bool {
        false
    }
}

/// Returns the line of a text in YAML that names the last key of a path: behind lines that name those before it, or on them.
fn line_of(text: &str, path: &str) -> Option<u64> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !is_comment(line)).peekable();
    let is_number = |key: &&str| key.bytes().all(|byte| byte.is_ascii_digit());
    let mut found = None;
    for key in path.split('.').filter(|key| !is_number(key)) {
        let names = |line: &str| {
            line.match_indices(key).any(|(at, _)| {
                let before = line.get(..at).unwrap_or_default().trim_end_matches(['"', '\'']);
                let behind = line.get(at.saturating_add(key.len())..).unwrap_or_default();
                let is_begun = before.is_empty() || before.ends_with([' ', '{', ',', '-']);
                is_begun && behind.trim_start_matches(['"', '\'']).trim_start().starts_with(':')
            })
        };
        while lines.next_if(|(_, line)| !names(line)).is_some() {}
        found = Some(lines.peek()?.0);
    }
    found
}

/// Values of several files, each with its place.
pub(super) struct Placed<'a> {
    pub(super) place: &'a dyn Fn(&str) -> (String, usize),
}

impl Source for Placed<'_> {
    fn place(&self, path: &str, _key: &str, _value: &str) -> String {
        self.whole(path)
    }

    fn whole(&self, path: &str) -> String {
        let (file, line) = (self.place)(path);
        format!("{file}:{line}: {path}")
    }

    fn is_allowed(&self, path: &str, plain: AllowPlain<'_>) -> bool {
        plain.has_file(&(self.place)(path).0)
    }

    fn is_merged(&self) -> bool {
        true
    }
}

/// Returns a single value as a text: numbers may be passwords too.
pub(super) fn spoken(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Returns the texts that a key is given in a list, or in a mapping with `value`.
pub(super) fn given(value: &Value) -> Vec<Cow<'_, str>> {
    match value {
        Value::Array(list) => list.iter().filter_map(spoken).collect(),
        Value::Object(map) => map.get("value").and_then(spoken).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether a value says nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_path_is_found_in_braces_too() {
        let text = "# grafana:\nname: x\ngrafana: {adminUser: a, adminPassword: b}\nlist:\n- a: {\"password\": c}\ndb:\n  password: |\n    x\n";
        for (path, line) in [
            ("grafana.adminPassword", Some(3)),
            ("list.0.a.password", Some(5)),
            ("db.password", Some(7)),
            ("db.user", None),
        ] {
            assert_eq!(line_of(text, path), line, "{path}");
        }
    }
}

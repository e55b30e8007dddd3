//! What each key of the file is, for people: the sample that is installed, and the reference.

use serde_json::Value;

use super::document::Document;

/// Columns before the comments of the sample, and of a line with its comment.
const COMMENTS: usize = 38;
const COLUMNS: usize = 79;
/// What needs no words beside a meaning.
const BOOLEAN: &str = "true or false";
const TITLE: &str = "# Every key may be left out: these are the defaults. What has none stands\n# behind a #.\n";

/// A key of the file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its table; nothing before the first one.
    pub table: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    pub(super) meaning: &'static str,
    /// What values it takes, with their unit.
    pub takes: &'static str,
    /// A value, as it is written.
    pub example: &'static str,
}

impl Key {
    /// Returns every key, in the order of the file.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        Document::TABLES.iter().flat_map(|(_, _, keys)| keys.iter())
    }

    /// Returns its name with its table, as in `registry.read`.
    pub fn path(&self) -> String {
        match self.table {
            "" => self.name.to_owned(),
            table => format!("{table}.{}", self.name),
        }
    }

    /// Returns what it means.
    pub fn meaning(&self) -> &'static str {
        self.meaning.trim()
    }

    /// Returns its default as it is written; nothing where it has none.
    pub fn default(&self) -> Option<String> {
        written(&self.value_in(&serde_json::to_value(Document::default()).unwrap_or_default()))
    }

    /// Returns its value in a document.
    pub(super) fn value_in(&self, document: &Value) -> Value {
        let table = match self.table {
            "" => Some(document),
            table => document.get(table),
        };
        table
            .and_then(|table| table.get(self.name))
            .cloned()
            .unwrap_or_default()
    }
}

/// Returns a value as the file has it; nothing for no value. A JSON string is a TOML string.
pub(super) fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(values) => {
            let values: Vec<String> = values.iter().filter_map(written).collect();
            Some(format!("[{}]", values.join(", ")))
        }
        other => Some(other.to_string()),
    }
}

/// Returns a configuration file with every key: the defaults, and as comments the keys that have none.
pub fn sample() -> String {
    let mut text = TITLE.to_owned();
    for (table, about, keys) in Document::TABLES {
        text.push('\n');
        if !table.is_empty() {
            text += &commented(&format!("[{table}]"), about.trim());
        }
        for key in *keys {
            let default = key.default();
            let line = match &default {
                Some(value) => format!("{} = {value}", key.name),
                None => format!("# {} = {}", key.name, key.example),
            };
            let hint = match default {
                _ if key.takes == BOOLEAN => key.meaning().to_owned(),
                Some(_) => format!("{} ({}), as in {}", key.meaning(), key.takes, key.example),
                None => format!("{} ({})", key.meaning(), key.takes),
            };
            text += &commented(&line, &hint);
        }
    }
    text
}

/// Returns a line with its comment in a column of its own, over as many lines as that takes.
fn commented(line: &str, comment: &str) -> String {
    let room = COLUMNS - COMMENTS - 2;
    let mut comments = vec![String::new()];
    for word in comment.split_whitespace() {
        let last = comments.last().map_or(0, |comment| comment.chars().count());
        match comments.last_mut() {
            Some(comment) if last == 0 => comment.push_str(word),
            Some(comment) if last + 1 + word.chars().count() <= room => {
                comment.push(' ');
                comment.push_str(word);
            }
            _ => comments.push(word.to_owned()),
        }
    }
    let mut text = line.to_owned();
    let mut width = line.chars().count();
    if width >= COMMENTS {
        text.push('\n');
        width = 0;
    }
    for comment in comments {
        text += &format!("{:pad$}# {comment}\n", "", pad = COMMENTS - width);
        width = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// The words that the parser itself says it expects in a table.
    fn expected(table: &str) -> Vec<String> {
        let text = format!("{table}\nno_such_key = 1\n");
        let error = toml::from_str::<Document>(&text).unwrap_err();
        let listed = error.message().split_once("expected").unwrap().1.to_owned();
        listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_that_the_parser_knows_is_explained_and_no_other() {
        let mut parsed = Vec::new();
        for word in expected("") {
            if Document::TABLES.iter().any(|(table, _, _)| *table == word) {
                parsed.extend(expected(&format!("[{word}]")).iter().map(|key| format!("{word}.{key}")));
            } else {
                parsed.push(word);
            }
        }
        let mut explained: Vec<String> = Key::all().map(Key::path).collect();
        assert!(explained.len() > 30 && explained.contains(&"registry.read".to_owned()));
        parsed.sort();
        explained.sort();
        assert_eq!(parsed, explained);
        for key in Key::all() {
            assert!(!key.meaning().is_empty() && !key.takes.is_empty(), "{}", key.path());
        }
    }

    #[test]
    fn every_example_can_be_said() {
        for key in Key::all() {
            let table = match key.table {
                "" => String::new(),
                table => format!("[{table}]\n"),
            };
            // Some are said together only.
            let beside = match key.path().as_str() {
                "registry.networks" => "read = \"networks\"\n",
                "tls.certificate" => "key = \"k\"\n",
                "tls.key" => "certificate = \"c\"\n",
                "tls.authority" => "certificate = \"c\"\nkey = \"k\"\n",
                _ => "",
            };
            let text = format!("{table}{beside}{} = {}\n", key.name, key.example);
            Config::parse(&text, std::path::Path::new("x")).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    /// `airlock serve --help` shows it, and breaks what is wider than a terminal: the rest would be no comment.
    #[test]
    fn no_line_of_the_sample_is_broken() {
        let widest = sample().lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(COLUMNS), "{widest:?}");
    }

    #[test]
    fn the_sample_says_the_defaults_and_its_comments_can_be_said() {
        let parse = |text: &str| Config::parse(text, std::path::Path::new("x")).unwrap();
        assert_eq!(parse(&sample()), parse(""));
        let (mut said, mut count) = (String::new(), 0);
        for line in sample().lines() {
            let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = "));
            count += usize::from(key.is_some());
            said += &format!("{}\n", key.unwrap_or(line));
        }
        let config = parse(&said);
        assert!(count == 12 && config.server.tls.own.is_some() && config.server.agents.address.is_some());
        assert!(config.mirror.registry.is_some() && config.mirror.prefix.is_some());
    }
}

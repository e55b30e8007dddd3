//! Texts whose form a value could spoil: a quote ends a text of JSON, whatever the appliance knows of quotes in the document around it.

use serde_json::{Map, Value};

use super::template::{marks, with_marks_as};
use crate::domain::SecretName;
use crate::yaml::rendered;

/// A value with whatever means something in texts of JSON and YAML.
const HARD: &str = "a\"b\\c'd: e #f";
/// One that means nothing anywhere.
const EASY: &str = "Zvalue";

/// Returns the secrets in a text that another form could come of, each once: it is JSON or YAML with places for them, or one stands
/// between quotes that its value could close.
pub(crate) fn fragile(text: &str) -> Vec<SecretName> {
    let mut names: Vec<SecretName> = marks(text).collect();
    names.sort();
    names.dedup();
    names.retain(|name| is_fragile(text, name));
    names
}

fn is_fragile(text: &str, name: &SecretName) -> bool {
    let as_value = |value: &str| {
        with_marks_as(text, |marked| {
            if marked == name {
                value.to_owned()
            } else {
                marked.to_string()
            }
        })
    };
    let (easy, hard) = (as_value(EASY), as_value(HARD));
    let is_json = text.trim_start().starts_with(['{', '[']);
    let read = |text: &str| -> Option<Value> {
        if is_json {
            serde_json::from_str(text).ok()
        } else {
            // One line of a text is YAML too, and nobody reads it so.
            rendered(text)
                .ok()
                .filter(|value| value.is_object() || value.is_array())
        }
    };
    match read(&easy) {
        Some(expected) => read(&hard) != Some(with(&expected)),
        None => easy.split(EASY).zip(easy.split(EASY).skip(1)).any(|(before, behind)| {
            ['"', '\'']
                .iter()
                .any(|quote| before.ends_with(*quote) && behind.starts_with(*quote))
        }),
    }
}

/// The same with the other value in it.
fn with(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(EASY, HARD)),
        Value::Array(list) => Value::Array(list.iter().map(with).collect()),
        Value::Object(map) => {
            let map: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.replace(EASY, HARD), with(value)))
                .collect();
            Value::Object(map)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::{TextKind, mark};
    use super::*;

    #[test]
    fn a_value_spoils_what_is_written_in_quotes_and_nothing_else() {
        let found = |text: &str| fragile(&mark(text, TextKind::Compose).text).len();
        for text in [
            "{\"smtp\": {\"password\": \"{{ .Secrets.PW }}\"}}",
            "basic_auth:\n  password: \"{{ .Secrets.PW }}\"\n",
            "basic_auth:\n  password: '{{ .Secrets.PW }}'\n",
            "basic_auth:\n  password: {{ .Secrets.PW }}\n",
            "ALTER USER a PASSWORD '{{ .Secrets.PW }}';\n",
            "[db]\npassword = \"{{ .Secrets.PW }}\"\n",
        ] {
            assert_eq!(found(text), 1, "{text}");
        }
        for text in [
            "{{ .Secrets.PW }}",
            "a {{ .Secrets.PW }} b",
            "[db]\npassword = {{ .Secrets.PW }}\n",
            "password={{ .Secrets.PW }}\n",
            "key: |\n  x {{ .Secrets.PW }}\n  y\n",
            "postgres://u:{{ .Secrets.PW }}@db/x",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
    }
}

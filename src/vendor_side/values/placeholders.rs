//! Values as helm sees them at a site: the appliance has put secrets in.

use serde_json::Value;

use crate::secret::words;

/// Returns values in which every mark of a secret is its name: a word that stands for what the site fills in.
pub(in super::super) fn without_secrets(values: &Value) -> Value {
    match values {
        Value::String(text) => Value::String(words(text)),
        Value::Array(list) => Value::Array(list.iter().map(without_secrets).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), without_secrets(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::{TextKind, mark};

    #[test]
    fn only_what_is_filled_in_becomes_a_word() {
        let place = mark("x{{ .Secrets.DB_PASSWORD }}y", TextKind::Values).text;
        let values = json!({"a": [place, "{{ .Release.Name }}", "{{ open"], "n": 1});
        assert_eq!(
            without_secrets(&values),
            json!({"a": ["xDB_PASSWORDy", "{{ .Release.Name }}", "{{ open"], "n": 1})
        );
    }
}

//! Values as helm sees them at a site: what the hub or the appliance puts in there has been put in.

use serde_json::Value;

/// Places that are filled in before helm reads values.
const FILLED_IN: [&str; 2] = [".Secrets.", ".LicenseKeys."];

/// Returns values in which every `{{ … .Secrets.NAME … }}` is the word NAME.
pub(in super::super) fn without_secrets(values: &Value) -> Value {
    match values {
        Value::String(text) => Value::String(filled(text)),
        Value::Array(list) => Value::Array(list.iter().map(without_secrets).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), without_secrets(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            break;
        };
        out += before;
        match FILLED_IN.iter().find_map(|kind| inside.split_once(kind)) {
            Some((_, name)) => {
                out.extend(
                    name.chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)),
                );
            }
            None => out += &format!("{{{{{inside}}}}}"),
        }
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_filled_in_becomes_a_word() {
        let values = json!({"a": ["x{{ .Secrets.DB_PASSWORD }}y", "{{ .Release.Name }}", "{{ open"], "n": 1});
        assert_eq!(
            without_secrets(&values),
            json!({"a": ["xDB_PASSWORDy", "{{ .Release.Name }}", "{{ open"], "n": 1})
        );
    }
}

//! Whether a secret stands in an object as a text, whatever its value is: without quotes `12345678` is a number, and `a: b` a mapping.

use serde_json::{Map, Value};

use crate::yaml::rendered;

/// A value that means something of its own without quotes, in every place.
const HARD: &str = "a: b #c";

/// Whether another value would stand where this one does, and change nothing else. `object` is what the text says.
pub(super) fn is_quoted(text: &str, object: &Value, value: &str) -> bool {
    rendered(&text.replace(value, HARD)).is_ok_and(|found| found == with(object, value))
}

fn with(object: &Value, value: &str) -> Value {
    match object {
        Value::String(text) => Value::String(text.replace(value, HARD)),
        Value::Array(list) => list.iter().map(|one| with(one, value)).collect(),
        Value::Object(map) => {
            let map: Map<String, Value> = map
                .iter()
                .map(|(key, one)| (key.replace(value, HARD), with(one, value)))
                .collect();
            Value::Object(map)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_text_whatever_it_holds_is_quoted() {
        for (text, expected) in [
            ("a: \"V\"", true),
            ("a: 'x V y'", true),
            ("a: |\n  V\n  b: V\n", true),
            ("a: {b: \"V\"}\n# V", true),
            ("a: V", false),
            ("a: 20112011\n", true),
            ("a: {b: V}", false),
            ("a: postgres://u:V@db/x", false),
            ("a: [V]", false),
            ("- V", false),
            ("V: 1", false),
        ] {
            let object = rendered(text).unwrap();
            assert_eq!(is_quoted(text, &object, "V"), expected, "{text}");
        }
        let object = rendered("a: 20112011").unwrap();
        assert!(!is_quoted("a: 20112011", &object, "20112011"));
    }
}

//! Schemas of values: helm follows what they refer to, into the network and to any file, and so does the helm of a site's agent, which finds
//! neither.

use serde_json::Value;

use crate::domain::{Class, Error};

/// Keys of JSON Schema that refer to another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Where the definitions of JSON Schema itself are, which helm has within it.
const DRAFTS: [&str; 2] = ["http://json-schema.org/", "https://json-schema.org/"];

/// Returns a refusal for each reference of a schema that leads out of it. What is no JSON is refused by helm.
pub(super) fn outside(place: &str, text: &str) -> Vec<Error> {
    let mut found = Vec::new();
    let schema = serde_json::from_str(text).unwrap_or(Value::Null);
    look(&schema, true, &mut found);
    let refused = |(key, to): (&str, String)| {
        Error::new(
            Class::Content,
            "value-schema",
            format!(
                "{place}: {key} {to:?} leads out of the schema, and helm would read it at the vendor and at every site"
            ),
        )
        .expected("references that begin with #")
        .remedy("write what it refers to into the schema itself, under $defs")
    };
    found.into_iter().map(refused).collect()
}

/// Looks at every mapping: what only stands in an example or a default is looked at too, for no schema needs it there.
fn look<'a>(schema: &'a Value, is_schema: bool, found: &mut Vec<(&'a str, String)>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                if let (Some(to), true) = (value.as_str(), is_schema) {
                    let leads_out = (REFERENCES.contains(&key.as_str()) && !to.starts_with('#'))
                        || (key == "$schema" && !DRAFTS.iter().any(|draft| to.starts_with(draft)));
                    if leads_out {
                        found.push((key, to.chars().take(80).collect()));
                    }
                }
                // In `properties` a name of a value may be any word.
                look(value, !(is_schema && key == "properties"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                look(item, true, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_a_schema_is_refused() {
        for (schema, count) in [
            (r#"{"$ref": "http://127.0.0.1:1/x.json"}"#, 1),
            (
                r#"{"properties": {"a": {"$ref": "file:///etc/passwd"}, "$ref": {"type": "string"}}}"#,
                1,
            ),
            (r#"{"allOf": [{"$ref": "other.json#/a"}, {"$dynamicRef": "x"}]}"#, 2),
            (r#"{"$schema": "http://localhost/s"}"#, 1),
            (
                r##"{"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"p": {"minimum": 1}}, "properties": {"p": {"$ref": "#/$defs/p"}}}"##,
                0,
            ),
            ("no json", 0),
        ] {
            let found = outside("app/values.schema.json", schema);
            assert_eq!(found.len(), count, "{schema}: {found:?}");
            assert!(found.iter().all(|error| error.code() == "value-schema"));
        }
    }
}

//! Merges values as the hub does: mappings recursively, anything else replaces, a mapping against anything else is an error.

use serde_json::Value;

/// Lays `over` over `base`.
///
/// # Errors
///
/// The path at which one is a mapping and the other is not.
pub(in super::super) fn merge(base: &mut Value, over: Value) -> Result<(), String> {
    at(base, over, "")
}

fn at(base: &mut Value, over: Value, path: &str) -> Result<(), String> {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match base.get_mut(&key) {
                    Some(known) => at(known, value, &path)?,
                    None => {
                        base.insert(key, value);
                    }
                }
            }
            Ok(())
        }
        (base, over) if base.is_object() || over.is_object() => Err(path.to_owned()),
        (base, over) => {
            *base = over;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mappings_merge_and_the_rest_replaces() {
        let mut base = json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"});
        merge(&mut base, json!({"a": {"c": [3], "e": null}, "d": 2})).unwrap();
        assert_eq!(base, json!({"a": {"b": 1, "c": [3], "e": null}, "d": 2}));
        for over in [json!({"a": {"b": {}}}), json!({"a": 1}), json!({"a": null})] {
            assert!(merge(&mut base.clone(), over).unwrap_err().starts_with('a'));
        }
    }
}

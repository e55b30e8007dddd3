//! Paths into a tree of values.

use serde_json::{Map, Value};

/// Returns what stands at a path.
pub(super) fn get<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |at, key| match at {
        Value::Object(map) => map.get(key),
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Puts a value at a path of `tree`. Lists do not merge, so a list that only `whole` has is taken over first.
pub(super) fn set(tree: &mut Value, whole: &Value, path: &[String], value: Value) {
    let Some((key, rest)) = path.split_first() else {
        *tree = value;
        return;
    };
    if !tree.is_object() && !tree.is_array() {
        *tree = if whole.is_array() {
            whole.clone()
        } else {
            Value::Object(Map::new())
        };
    }
    let whole = get(whole, std::slice::from_ref(key)).unwrap_or(&Value::Null);
    match tree {
        Value::Object(map) => set(map.entry(key.clone()).or_insert(Value::Null), whole, rest, value),
        Value::Array(list) => {
            if let Some(at) = key.parse::<usize>().ok().and_then(|number| list.get_mut(number)) {
                set(at, whole, rest, value);
            }
        }
        _ => {}
    }
}

/// Returns a path as text.
pub(in super::super) fn show(path: &[String]) -> String {
    path.iter()
        .map(|key| key.replace('.', "\\."))
        .collect::<Vec<_>>()
        .join(".")
}

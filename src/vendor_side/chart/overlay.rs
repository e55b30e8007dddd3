//! Values over default values.

use serde_json::Value;

/// Lays values over defaults as helm does: mappings merge, null takes a default away, anything else replaces.
pub(in super::super) fn overlay(defaults: &mut Value, values: Value) {
    match (defaults, values) {
        (Value::Object(defaults), Value::Object(values)) => {
            for (key, value) in values {
                if value.is_null() {
                    defaults.remove(&key);
                } else if let Some(default) = defaults.get_mut(&key) {
                    overlay(default, value);
                } else {
                    defaults.insert(key, value);
                }
            }
        }
        (default, value) => *default = value,
    }
}

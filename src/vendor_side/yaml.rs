//! YAML files of authors and charts, read as one mapping: no key twice, aliases bounded.

use serde_json::{Map, Value};

use crate::domain::{Class, Error, Result};

/// Parses a mapping; a file that says nothing is an empty one.
///
/// # Errors
///
/// `E-USAGE yaml` with file, line and column.
pub(super) fn mapping(file: &str, bytes: &[u8]) -> Result<Value> {
    let wrong = |found: String| Error::new(Class::Usage, "yaml", found);
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(format!("{file} is no UTF-8 text")))?;
    let text = text.trim_start_matches('\u{feff}');
    let says_nothing =
        |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---";
    if text.lines().all(says_nothing) {
        return Ok(Value::Object(Map::new()));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error: serde_saphyr::Error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let said = error.without_snippet().to_string();
        let said: String = said.lines().next().unwrap_or_default().chars().take(160).collect();
        wrong(format!("{file}:{line}:{column}: {said}"))
    })?;
    match value {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(_) => Ok(value),
        _ => Err(wrong(format!("{file}:1:1: this is no mapping"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mapping_without_repeated_keys_or_bombs() {
        let parse = |text: &str| mapping("v.yaml", text.as_bytes());
        for (text, json) in [
            ("", "{}"),
            ("# nothing\n---\n", "{}"),
            (
                "a: {b: [1, 2.5, true, null, x]}\n",
                r#"{"a":{"b":[1,2.5,true,null,"x"]}}"#,
            ),
            ("a: &x {b: 1}\nc: *x\n", r#"{"a":{"b":1},"c":{"b":1}}"#),
            ("a: 9007199254740993\n", r#"{"a":9007199254740993}"#),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), json, "{text}");
        }
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..10 {
            let list = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb += &format!("a{n}: &a{n} [{list}]\n");
        }
        for (text, at) in [
            ("a: 1\na: 2\n", "v.yaml:2"),
            ("- a\n", "v.yaml:1"),
            ("a: [\n", "v.yaml:"),
            (bomb.as_str(), "v.yaml:"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "yaml"));
            assert!(error.found().starts_with(at), "{error}");
        }
    }
}

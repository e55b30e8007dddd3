//! YAML files of authors and charts, read as helm reads them, aliases bounded.

use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, Error as Yaml, Options};

use crate::domain::{Class, Error, Result};

/// Parses a mapping as helm does: the last of equal keys counts, which `warn` is told; of several documents mappings merge, and
/// anything else in a later one replaces.
///
/// # Errors
///
/// `E-USAGE yaml` with file, line and column; `E-LIMIT yaml` for one without end.
pub(super) fn as_helm(file: &str, bytes: &[u8], warn: &mut dyn FnMut(String)) -> Result<Value> {
    let text = text_of(file, bytes)?;
    if says_nothing(text) {
        return Ok(Value::Object(Map::new()));
    }
    let strict = serde_saphyr::options! { with_snippet: false };
    match documents(text, strict) {
        Ok(found) => merged(file, found),
        Err(error) => {
            let Yaml::DuplicateMappingKey { .. } = error.without_snippet() else {
                return Err(wrong(file, &error));
            };
            let found = documents(text, lenient()).map_err(|error| wrong(file, &error))?;
            warn(format!("{}: helm takes the last one", wrong(file, &error).found()));
            merged(file, found)
        }
    }
}

/// Parses one document in which the last of equal keys counts: what helm wrote.
///
/// # Errors
///
/// What is wrong with it, with line and column.
pub(super) fn rendered(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str_with_options(text, lenient()).map_err(|error| {
        let (line, column) = place(&error);
        format!("{line}:{column}: {}", said(&error))
    })
}

/// What a parser found wrong, in this program's words.
pub(super) fn said(error: &Yaml) -> String {
    match error.without_snippet() {
        Yaml::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {:?} is given twice", key.chars().take(80).collect::<String>())
        }
        Yaml::DuplicateMappingKey { .. } => "a key is given twice".to_owned(),
        Yaml::MultipleDocuments { .. } => "another document begins, and one is read".to_owned(),
        _ if is_endless(error) => "more comes of it than anybody writes, or it is nested too deep".to_owned(),
        other => {
            let said = other.to_string();
            said.lines().next().unwrap_or_default().chars().take(160).collect()
        }
    }
}

fn documents(text: &str, options: Options) -> Result<Vec<Value>, Yaml> {
    serde_saphyr::from_multiple_with_options(text, options)
}

fn lenient() -> Options {
    serde_saphyr::options! { with_snippet: false, duplicate_keys: DuplicateKeyPolicy::LastWins }
}

fn merged(file: &str, documents: Vec<Value>) -> Result<Value> {
    let mut whole = Value::Object(Map::new());
    for document in documents {
        replace(&mut whole, only_mapping(file, document)?);
    }
    Ok(whole)
}

fn replace(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(known) => replace(known, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}

fn only_mapping(file: &str, value: Value) -> Result<Value> {
    match value {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(_) => Ok(value),
        _ => Err(Error::new(
            Class::Usage,
            "yaml",
            format!("{file}:1:1: this is no mapping"),
        )),
    }
}

fn text_of<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Error::new(Class::Usage, "yaml", format!("{file} is no UTF-8 text")))?;
    Ok(text.trim_start_matches('\u{feff}'))
}

fn says_nothing(text: &str) -> bool {
    text.lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---")
}

fn wrong(file: &str, error: &Yaml) -> Error {
    let (line, column) = place(error);
    let found = format!("{file}:{line}:{column}: {}", said(error));
    if is_endless(error) {
        return Error::new(Class::Limit, "yaml", found)
            .expected("a file as people write it")
            .remedy("write out what its aliases stand for, and only what is needed");
    }
    Error::new(Class::Usage, "yaml", found)
}

/// Whether a parser gave up on what has no end: aliases of aliases, and brackets within brackets.
fn is_endless(error: &Yaml) -> bool {
    match error.without_snippet() {
        Yaml::Budget { .. }
        | Yaml::AliasReplayCounterOverflow { .. }
        | Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. }
        | Yaml::RecursiveReferencesRequireWeakTypes { .. } => true,
        // Within what an alias stands for it is told as the alias's mistake.
        other => {
            let said = other.to_string();
            ["recursion limit", "budget breached"]
                .iter()
                .any(|words| said.contains(words))
        }
    }
}

fn place(error: &Yaml) -> (u64, u64) {
    error.location().map_or((1, 1), |at| (at.line(), at.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_takes_the_last_of_equal_keys_and_merges_documents() {
        let parse = |text: &str| {
            let mut said = Vec::new();
            let value = as_helm("v.yaml", text.as_bytes(), &mut |warning| said.push(warning));
            (value.map(|value| value.to_string()), said)
        };
        let (value, said) = parse("a: 1\nm: {x: 1}\na: 3\n");
        assert_eq!(value.unwrap(), r#"{"a":3,"m":{"x":1}}"#);
        assert_eq!(
            said,
            ["v.yaml:3:1: the key \"a\" is given twice: helm takes the last one"]
        );
        let (value, said) = parse("a: 1\nm: {x: 1}\n---\nb: 2\nm: {y: 2}\n");
        assert_eq!(value.unwrap(), r#"{"a":1,"b":2,"m":{"x":1,"y":2}}"#);
        assert!(said.is_empty());
        assert!(parse("a: [\n").0.is_err());
    }

    #[test]
    fn one_mapping_without_bombs() {
        let parse = |text: &str| as_helm("v.yaml", text.as_bytes(), &mut |_| ());
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
        let nested = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
        for (text, at, class) in [
            ("- a\n", "v.yaml:1", Class::Usage),
            ("a: [\n", "v.yaml:", Class::Usage),
            (bomb.as_str(), "v.yaml:", Class::Limit),
            (nested.as_str(), "v.yaml:", Class::Limit),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.class(), error.code()), (class, "yaml"), "{error}");
            for word in ["budget", "Nodes", "recursion limit", "Rc"] {
                assert!(!error.found().contains(word), "{error}");
            }
            assert!(error.found().starts_with(at), "{error}");
        }
    }
}

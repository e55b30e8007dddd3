//! What an action of a template comes to, where that can be told from the values alone.
//!
//! Nothing here guesses: a function that is not in [`call`], a variable that is set twice, and everything of the cluster is unknown, and
//! unknown is what everything made of it becomes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::actions::Word;

/// What names stand for in an action; nothing is something that cannot be told.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// What `.` is.
    pub(super) dot: Option<Value>,
    /// What `$` is.
    pub(super) root: Option<Value>,
    /// Variables.
    pub(super) variables: BTreeMap<String, Option<Value>>,
    /// What a cluster would be asked has the answer that helm gives without one.
    pub(super) here: bool,
    /// Texts that functions were given of which nothing is known here.
    pub(super) looked_into: RefCell<BTreeSet<String>>,
}

impl Scope {
    /// Returns the value of a pipeline.
    pub(super) fn value(&self, words: &[Word]) -> Option<Value> {
        let mut parser = Parser { scope: self, words };
        let value = parser.pipeline();
        if parser.words.is_empty() { value } else { None }
    }
}

struct Parser<'a> {
    scope: &'a Scope,
    words: &'a [Word],
}

impl Parser<'_> {
    fn take(&mut self) -> Option<&Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    /// Commands with `|` between them, each of which gets the one before as its last argument.
    fn pipeline(&mut self) -> Option<Value> {
        let mut value = self.command(Vec::new());
        while self.words.first() == Some(&Word::Pipe) {
            self.take();
            value = self.command(vec![value]);
        }
        value
    }

    /// `piped`: what comes from the command before, where there is one.
    fn command(&mut self, piped: Vec<Option<Value>>) -> Option<Value> {
        let name = match self.words.first() {
            Some(Word::Name(name)) => Some(name.clone()),
            _ => None,
        };
        if name.is_some() {
            self.take();
        }
        let mut arguments = Vec::new();
        while !matches!(self.words.first(), None | Some(Word::Pipe | Word::Close)) {
            arguments.push(self.operand());
        }
        arguments.extend(piped);
        match name {
            Some(name) => {
                let value = match name.as_str() {
                    "lookup" if self.scope.here => Some(Value::Object(serde_json::Map::new())),
                    name => call(name, &arguments),
                };
                if value.is_none() {
                    let texts = arguments.iter().flatten().filter_map(Value::as_str);
                    self.scope.looked_into.borrow_mut().extend(texts.map(str::to_owned));
                }
                value
            }
            // A value takes no arguments.
            None if arguments.len() == 1 => arguments.pop().flatten(),
            None => None,
        }
    }

    fn operand(&mut self) -> Option<Value> {
        let scope = self.scope;
        match self.take()?.clone() {
            Word::Text(text) => Some(Value::String(text)),
            Word::Number(number) => number.parse::<i64>().ok().map(Value::from),
            Word::Field(base, fields) => {
                let from = match base.as_str() {
                    "" => scope.dot.as_ref(),
                    "$" => scope.root.as_ref(),
                    name => scope.variables.get(name).and_then(Option::as_ref),
                };
                fields.iter().try_fold(from?.clone(), |at, key| match at {
                    Value::Object(mut map) => {
                        if map.contains_key(UNKNOWN_REST) && !map.contains_key(key) {
                            return None;
                        }
                        Some(map.remove(key).unwrap_or(Value::Null))
                    }
                    _ => None,
                })
            }
            Word::Name(name) => match name.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                "nil" => Some(Value::Null),
                _ => None,
            },
            Word::Open => {
                let value = self.pipeline();
                match self.take() {
                    Some(Word::Close) => value,
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// A key of mappings of which only some members are known.
pub(super) const UNKNOWN_REST: &str = "\u{0}rest";

/// Functions whose result follows from their arguments and is what helm's comes to.
fn call(name: &str, arguments: &[Option<Value>]) -> Option<Value> {
    let known = || arguments.iter().cloned().collect::<Option<Vec<Value>>>();
    match (name, arguments) {
        ("true", []) => Some(Value::Bool(true)),
        ("false", []) => Some(Value::Bool(false)),
        // The first that decides is enough.
        ("and", [_, ..]) => decide(arguments, false),
        ("or", [_, ..]) => decide(arguments, true),
        ("not" | "empty", [Some(value)]) => Some(Value::Bool(!truth(value))),
        ("eq", [Some(first), rest @ ..]) if !rest.is_empty() => {
            let rest: Vec<Value> = rest.iter().cloned().collect::<Option<_>>()?;
            Some(Value::Bool(rest.contains(first)))
        }
        ("ne", [Some(one), Some(other)]) => Some(Value::Bool(one != other)),
        ("default", [default, Some(value)]) => {
            if truth(value) {
                Some(value.clone())
            } else {
                default.clone()
            }
        }
        ("int" | "int64", [Some(Value::Number(number))]) => number.as_i64().map(Value::from),
        ("gt" | "ge" | "lt" | "le", [Some(Value::Number(one)), Some(Value::Number(other))]) => {
            let (one, other) = (one.as_i64()?, other.as_i64()?);
            Some(Value::Bool(match name {
                "gt" => one > other,
                "ge" => one >= other,
                "lt" => one < other,
                _ => one <= other,
            }))
        }
        ("coalesce", _) => known()?.into_iter().find(truth).or(Some(Value::Null)),
        ("ternary", [yes, no, Some(Value::Bool(which))]) => (if *which { yes } else { no }).clone(),
        ("required", [_, Some(value)]) if truth(value) => Some(value.clone()),
        ("toString" | "quote" | "squote", [Some(value)]) => Some(Value::String(print(value)?)),
        ("trim", [Some(Value::String(text))]) => Some(Value::String(text.trim().to_owned())),
        ("lower", [Some(Value::String(text))]) => Some(Value::String(text.to_lowercase())),
        ("trimSuffix", [Some(Value::String(end)), Some(Value::String(text))]) => Some(Value::String(
            text.strip_suffix(end.as_str()).unwrap_or(text).to_owned(),
        )),
        ("trimPrefix", [Some(Value::String(start)), Some(Value::String(text))]) => Some(Value::String(
            text.strip_prefix(start.as_str()).unwrap_or(text).to_owned(),
        )),
        ("print", _) => {
            // Go puts a space between two operands of which neither is a text.
            let known = known()?;
            let texts = known.iter().all(Value::is_string).then_some(known)?;
            Some(Value::String(texts.iter().filter_map(print).collect()))
        }
        ("printf", [Some(Value::String(form)), rest @ ..]) => printf(form, rest),
        // A text without braces is what it is, whatever the context.
        ("tpl", [Some(Value::String(text)), _]) if !text.contains("{{") => Some(Value::String(text.clone())),
        _ => None,
    }
}

/// `and` and `or`: the first whose truth is `wanted` decides, else the last.
fn decide(arguments: &[Option<Value>], wanted: bool) -> Option<Value> {
    for argument in arguments {
        let value = argument.as_ref()?;
        if truth(value) == wanted {
            return Some(value.clone());
        }
    }
    arguments.last().cloned().flatten()
}

/// `%s`, `%v`, `%d` and nothing else.
fn printf(form: &str, arguments: &[Option<Value>]) -> Option<Value> {
    let mut arguments = arguments.iter();
    let mut parts = form.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.strip_prefix(['s', 'v', 'd'])?;
        text += &print(arguments.next()?.as_ref()?)?;
        text += rest;
    }
    arguments.next().is_none().then_some(Value::String(text))
}

/// What a condition makes of a value.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// What a template writes for a value; nothing for what is no scalar.
pub(super) fn print(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(truth) => Some(truth.to_string()),
        // From a million on, helm writes some of them with an exponent.
        Value::Number(number) => number
            .as_f64()
            .is_some_and(|number| number.abs() < 1e6)
            .then(|| number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::actions::{Piece, pieces};
    use super::*;

    fn value(action: &str) -> Option<Value> {
        let text = format!("{{{{ {action} }}}}");
        let root = json!({
            "Values": {"image": {"repository": "acme/web", "tag": "", "port": 0}, "list": []},
            "Chart": {"AppVersion": "1.0"}, UNKNOWN_REST: null,
        });
        let scope = Scope {
            dot: Some(root.clone()),
            root: Some(root),
            variables: BTreeMap::from([("$x".to_owned(), Some(json!("y"))), ("$u".to_owned(), None)]),
            here: false,
            looked_into: RefCell::default(),
        };
        pieces(&text).into_iter().find_map(|piece| match piece {
            Piece::Action { words, .. } => Some(scope.value(&words)),
            Piece::Text(_) => None,
        })?
    }

    #[test]
    fn what_follows_from_values_is_told_and_nothing_else() {
        for (action, expected) in [
            (".Values.image.repository", "acme/web"),
            (".Values.image.tag | default .Chart.AppVersion", "1.0"),
            ("default .Chart.AppVersion .Values.image.tag", "1.0"),
            ("default \"a\" .Values.none | quote", "a"),
            (
                "printf \"%s:%s\" .Values.image.repository (.Values.image.tag | default \"2\")",
                "acme/web:2",
            ),
            ("$x", "y"),
            ("$.Values.image.repository | trimPrefix \"acme/\"", "web"),
            ("ternary \"a\" \"b\" (eq $x \"y\")", "a"),
            ("coalesce .Values.image.tag \"z\"", "z"),
            ("tpl .Values.image.repository $", "acme/web"),
        ] {
            assert_eq!(value(action), Some(json!(expected)), "{action}");
        }
        assert_eq!(value("and .Values.list $u"), Some(json!([])));
        assert_eq!(value("not .Values.image.port"), Some(json!(true)));
        for unknown in [
            "include \"x\" .",
            "$u",
            "$none",
            ".Release.Name",
            ".Capabilities.KubeVersion",
            "printf \"%5s\" $x",
            "and $u .Values.list",
            "(index .Values.list 0)",
            "(dict \"a\" 1).a",
            "default $u .Values.image.tag",
            "semverCompare \">1\" \"2\"",
            "required \"x\" .Values.image.tag",
        ] {
            assert_eq!(value(unknown), None, "{unknown}");
        }
    }
}

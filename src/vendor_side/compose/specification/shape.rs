//! Shapes: what may stand where in a compose document, as a table says it, and the walk that compares the two.
//!
//! A value is judged by its kind: a shape says for each kind (nothing, true or false, number, text, list, mapping) what it may be, so
//! that a wrong value is told with the one thing that would have been right at its place. Everything that is wrong is noted.

use super::super::node::{Map, Node, Text, Value};
use super::super::problem::{Problem, cut};
use super::form::Form;
use crate::suggest::nearest;

/// What may stand at one place. What a field leaves out, no value of that kind may stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Nothing: a key without a value.
    pub(super) null: bool,
    /// True or false.
    pub(super) flag: bool,
    /// A number.
    pub(super) number: Option<Number>,
    /// A text.
    pub(super) text: Option<Form>,
    /// A list.
    pub(super) list: Option<List>,
    /// A mapping.
    pub(super) map: Option<Entries>,
    /// What it is, for messages: "a text or a list of texts".
    pub(super) expected: &'static str,
}

/// What a number may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// Any.
    Any,
    /// Not below zero.
    NotNegative,
    /// Whole, from the first to the last of two.
    Whole(i64, i64),
    /// The same, written without a point or an exponent.
    Integer(i64, i64),
}

/// What a list may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    /// What each item may be.
    pub(super) item: &'static Shape,
    /// Whether no two may be the same.
    pub(super) unique: bool,
}

/// What a mapping may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries {
    /// Keys with a meaning, and what each may be.
    pub(super) known: &'static [(&'static str, &'static Shape)],
    /// Keys that must be there.
    pub(super) required: &'static [&'static str],
    /// Every other key.
    pub(super) others: Others,
}

/// What becomes of keys that have no meaning of their own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Others {
    /// They are mistakes.
    None,
    /// They are mistakes, unless they begin with `x-`.
    Extensions,
    /// They may be anything.
    Any,
    /// They are names of the author's own: letters, digits and `. _ -`.
    Names(&'static Shape),
    /// They are any texts.
    Texts(&'static Shape),
}

/// Compares a value with a shape. `path` names the value: `services.web.ports[0]`.
pub(super) fn compare(node: &Node, shape: &Shape, path: &str, problems: &mut Vec<Problem>) {
    match (&node.value, shape) {
        (Value::Null, Shape { null: true, .. }) | (Value::Bool(_), Shape { flag: true, .. }) => {}
        (
            Value::Integer(digits) | Value::Float(digits),
            Shape {
                number: Some(number), ..
            },
        ) => {
            if let Err(expected) = number.fits(digits) {
                problems.push(wrong(node, path, digits, expected));
            }
        }
        (Value::Text(text), Shape { text: Some(form), .. }) => compare_text(node, text, *form, path, problems),
        (Value::List(items), Shape { list: Some(list), .. }) => compare_items(items, list, path, problems),
        (Value::Map(entries), Shape { map: Some(map), .. }) => compare_entries(node, entries, map, path, problems),
        _ => {
            let remedy = match (&node.value, shape.text) {
                (Value::Null, _) => "give it a value, or remove the key",
                (Value::Bool(_) | Value::Integer(_) | Value::Float(_), Some(_)) => "put it in quotes",
                _ => "correct it, or remove it",
            };
            let found = format!("{path} is {}", node.kind());
            problems.push(Problem::usage("value", &node.place, found, remedy).expected(shape.expected));
        }
    }
}

/// Compares the entries of a mapping.
pub(super) fn compare_entries(node: &Node, entries: &Map, shape: &Entries, path: &str, problems: &mut Vec<Problem>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{}", cut(key))
        }
    };
    for (key, value) in entries {
        if let Some((_, known)) = shape.known.iter().find(|(known, _)| known == key) {
            compare(value, known, &below(key), problems);
            continue;
        }
        let inner = match shape.others {
            Others::Any => continue,
            Others::Extensions if key.starts_with("x-") => continue,
            Others::Names(inner) if is_name(key) => inner,
            Others::Texts(inner) if !key.is_empty() => inner,
            _ => {
                problems.push(unknown(key, value, shape, path));
                continue;
            }
        };
        compare(value, inner, &below(key), problems);
    }
    for key in shape.required {
        if !entries.contains_key(*key) {
            problems.push(Problem::usage(
                "value",
                &node.place,
                format!("{path} does not say {key}"),
                format!("add {key}"),
            ));
        }
    }
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Makes the problem of a key that means nothing.
fn unknown(key: &str, value: &Node, shape: &Entries, path: &str) -> Problem {
    let whose = if path.is_empty() { "a compose file" } else { path };
    let remedy = match (shape.others, nearest(key, shape.known.iter().map(|(known, _)| *known))) {
        (Others::Names(_), _) => "use letters, digits and . _ - alone".to_owned(),
        (_, Some(meant)) => format!("did you mean {meant}?"),
        (Others::Extensions, None) => "remove it, or let its name begin with x-".to_owned(),
        (_, None) => "correct it, or remove it".to_owned(),
    };
    let found = format!("{:?} is no key of {whose}", cut(key));
    Problem::new("unknown-key", &value.place, found, remedy)
}

fn compare_text(node: &Node, text: &Text, form: Form, path: &str, problems: &mut Vec<Problem>) {
    // What depends on the project's name is known at the appliance only, and a reference without a value is said already.
    let unknown = text.raw == text.value && (text.raw.contains("${") || text.raw.contains("$COMPOSE_PROJECT_NAME"));
    if unknown || form.fits(&text.value) {
        return;
    }
    let found = if !form.is_short() {
        format!("{path} cannot be read")
    } else if text.raw.contains('$') {
        format!("{path} is {:?}, with its variables replaced", cut(&text.raw))
    } else {
        format!("{path} is {:?}", cut(&text.raw))
    };
    problems.push(Problem::usage("value", &node.place, found, "correct it, or remove it").expected(form.expected()));
}

fn compare_items(items: &[Node], list: &List, path: &str, problems: &mut Vec<Problem>) {
    for (at, item) in items.iter().enumerate() {
        let path = format!("{path}[{at}]");
        compare(item, list.item, &path, problems);
        if list.unique
            && let Some(first) = items.iter().take(at).position(|other| is_same(other, item))
        {
            problems.push(Problem::usage(
                "value",
                &item.place,
                format!("{path} is the same as the entry {first} before it"),
                "list it once",
            ));
        }
    }
}

/// Whether two values are the same once they are read.
fn is_same(left: &Node, right: &Node) -> bool {
    match (&left.value, &right.value) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left.value == right.value,
        (Value::Integer(left) | Value::Float(left), Value::Integer(right) | Value::Float(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|((key, left), (other, right))| key == other && is_same(left, right))
        }
        _ => false,
    }
}

fn wrong(node: &Node, path: &str, found: &str, expected: String) -> Problem {
    Problem::usage(
        "value",
        &node.place,
        format!("{path} is {}", cut(found)),
        "correct it, or remove it",
    )
    .expected(expected)
}

impl Number {
    /// Whether it may be the number of these digits; else what it may be.
    fn fits(self, digits: &str) -> Result<(), String> {
        let (least, most) = match self {
            Self::NotNegative if digits.starts_with('-') => return Err("a number, 0 or more".to_owned()),
            Self::Any | Self::NotNegative => return Ok(()),
            Self::Whole(least, most) | Self::Integer(least, most) => (least, most),
        };
        let whole = match self {
            Self::Integer(..) => digits,
            _ => digits.strip_suffix(".0").unwrap_or(digits),
        };
        // What is beyond 64 bits is beyond every bound that compose knows.
        if whole
            .parse::<i64>()
            .is_ok_and(|number| (least..=most).contains(&number))
        {
            return Ok(());
        }
        Err(match (least, most) {
            (i64::MIN, i64::MAX) => "a whole number".to_owned(),
            (least, i64::MAX) => format!("a whole number, {least} or more"),
            (least, most) => format!("a whole number from {least} to {most}"),
        })
    }
}

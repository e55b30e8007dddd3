//! The two ways to say most lists of pairs and names: as a mapping, or as a list.

use super::node::{Map, Node, Text, Value};
use super::place::Place;
use super::scalar;

/// Returns the list that a mapping, a list or a single text stands for: `KEY=VALUE` for each pair, `KEY` where there is no value.
pub(super) fn as_list(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(items) => items,
        Value::Map(entries) => entries
            .into_iter()
            .flat_map(|(key, value)| match value.value {
                Value::List(items) => items.into_iter().filter_map(|item| pair(&key, &item)).collect(),
                _ => pair(&key, &value).into_iter().collect::<Vec<_>>(),
            })
            .collect(),
        Value::Text(_) => vec![node],
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Vec::new(),
    }
}

/// Makes `KEY=VALUE`. Variables in the value stay; a key holds none, so its dollar signs are written twice.
fn pair(key: &str, value: &Node) -> Option<Node> {
    let left = Text::literal(key);
    let text = match &value.value {
        Value::Null => left,
        Value::Text(right) => Text {
            raw: format!("{}={}", left.raw, right.raw),
            value: format!("{key}={}", right.value),
        },
        _ => {
            let right = value.spoken()?;
            Text {
                raw: format!("{}={right}", left.raw),
                value: format!("{key}={right}"),
            }
        }
    };
    Some(Node::new(&value.place, Value::Text(text)))
}

/// Returns the mapping that a list of names stands for: each to what `value` makes of its place.
pub(super) fn as_map(node: Node, value: fn(&Place) -> Value) -> Map {
    match node.value {
        Value::Map(entries) => entries,
        Value::List(items) => items
            .into_iter()
            .filter_map(|item| {
                let name = item.text()?.to_owned();
                let node = Node::new(&item.place, value(&item.place));
                Some((name, node))
            })
            .collect(),
        _ => Map::new(),
    }
}

/// What a name in a list of dependencies stands for.
pub(super) fn plain_dependency(place: &Place) -> Value {
    Value::Map(Map::from([
        (
            "condition".to_owned(),
            Node::new(place, scalar::text("service_started")),
        ),
        ("required".to_owned(), Node::new(place, Value::Bool(true))),
    ]))
}

/// What a name in a list of networks stands for.
pub(super) fn nothing(_place: &Place) -> Value {
    Value::Null
}

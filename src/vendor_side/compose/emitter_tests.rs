//! Whatever is written is read again as what it was; what some reader would take for something else is in quotes.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::node::Text;
use super::super::place::Place;
use super::super::reader::read;
use super::*;

fn node(value: Value) -> Node {
    Node::new(&Place::start(Path::new("x")), value)
}

/// A tree as JSON: numbers as their digits, so that nothing is rounded.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(yes) => json!(yes),
        Value::Integer(digits) => json!({ "integer": digits }),
        Value::Float(digits) => json!({ "float": digits }),
        Value::Text(text) => json!(text.raw),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(map) => map.iter().map(|(key, node)| (key.clone(), plain(node))).collect(),
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "[-:?#&*!|>'\"%@`{}\\[\\], \n\t\r\\\\$0-9a-z.]{0,12}",
        proptest::sample::select(vec![
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "true",
            "False",
            "null",
            "Null",
            "~",
            "",
            " ",
            "0",
            "0123",
            "0o17",
            "0x1f",
            "1_000",
            "1e3",
            "1.5",
            ".5",
            ".inf",
            ".nan",
            "22:22",
            "1:30:00",
            "2001-01-01",
            "<<",
            "=",
            "---",
            "...",
            "- a",
            "a: b",
            "a #b",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "🚀",
            "\u{fffe}",
            "\0",
        ])
        .prop_map(str::to_owned),
    ]
}

fn key() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.chars().filter(|c| !c.is_control()).take(40).collect())
}

fn tree() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| Value::Integer(number.to_string())),
        (0_u32..1_000_000, 0_u32..1000).prop_map(|(whole, part)| Value::Float(format!("{whole}.{part}"))),
        text().prop_map(|text| Value::Text(Text {
            raw: text.clone(),
            value: text
        })),
    ]
    .prop_map(node);
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| node(Value::List(items))),
            prop::collection::btree_map(key(), inner, 0..6).prop_map(|map| node(Value::Map(map))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(map in prop::collection::btree_map(key(), tree(), 0..6)) {
        let written = emit(&map);
        prop_assert!(written.chars().all(|c| c == '\n' || !c.is_control()));
        let documents = read(Path::new("x"), written.as_bytes()).unwrap();
        prop_assert_eq!(documents.len(), 1);
        prop_assert_eq!(plain(&documents[0]), plain(&node(Value::Map(map))), "{}", written);
        prop_assert_eq!(emit(documents[0].map().unwrap()), written);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(Path::new("x"), &bytes).ok();
    }

    #[test]
    fn anything_like_yaml_is_read_or_refused(text in "([ -]|\n|a: |- |\\[|\\]|\\{|\\}|&a |\\*a|<<: |!reset |\\| |\"|'|#|x|1){0,40}") {
        if let Ok(documents) = read(Path::new("x"), text.as_bytes()) {
            for document in documents.iter().filter_map(Node::map) {
                let again = read(Path::new("x"), emit(document).as_bytes()).unwrap();
                prop_assert_eq!(again.len(), 1);
            }
        }
    }
}

#[test]
fn the_form() {
    let text = |text: &str| {
        node(Value::Text(Text {
            raw: text.into(),
            value: text.into(),
        }))
    };
    let map = Map::from([
        ("a".to_owned(), text("x: \"y\"\n\u{7}\u{2028}ü🚀")),
        ("yes".to_owned(), node(Value::Integer("5".into()))),
        ("b c".to_owned(), node(Value::Map(Map::new()))),
        (
            "list".to_owned(),
            node(Value::List(vec![
                node(Value::Map(Map::from([
                    ("k".to_owned(), text("v")),
                    ("l".to_owned(), node(Value::List(vec![node(Value::Null)]))),
                ]))),
                node(Value::List(vec![
                    node(Value::Bool(true)),
                    node(Value::List(Vec::new())),
                ])),
            ])),
        ),
    ]);
    assert_eq!(
        emit(&map),
        "a: \"x: \\\"y\\\"\\n\\u0007\\u2028ü\\U0001f680\"\n\"b c\": {}\nlist:\n  - k: \"v\"\n    l:\n      - null\n  - - true\n    - []\n\"yes\": 5\n"
    );
    assert_eq!(emit(&Map::new()), "{}\n");
}

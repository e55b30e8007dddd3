//! The document as plain values, and where each of them stands: for whoever looks through everything that agents would get.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::node::{Node, Value};
use super::place::Place;
use super::project::Project;

/// The values, as written: variables are variables.
#[derive(Debug)]
pub struct Written {
    /// The whole document; files that travel within it are left out.
    pub values: Json,
    places: BTreeMap<String, Place>,
}

impl Written {
    /// Returns where a value stands, by its keys and numbers of items with points between them; else where what holds it does.
    pub fn place(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(place);
            }
            path = path.rsplit_once('.')?.0;
        }
    }
}

impl Project {
    /// Returns everything that agents would get, file by file: the document itself here, and [`Project::carried`].
    pub fn written(&self) -> Written {
        let mut places = BTreeMap::new();
        let mut values = serde_json::Map::new();
        for (key, node) in &self.root {
            let carried = |name: &str| key == "configs" && self.carried.iter().any(|file| file.config == name);
            let value = match &node.value {
                Value::Map(map) => map
                    .iter()
                    .filter(|(name, _)| !carried(name))
                    .map(|(name, node)| (name.clone(), json(node, &format!("{key}.{name}"), &mut places)))
                    .collect(),
                _ => json(node, key, &mut places),
            };
            places.insert(key.clone(), node.place.clone());
            values.insert(key.clone(), value);
        }
        Written {
            values: Json::Object(values),
            places,
        }
    }
}

fn json(node: &Node, path: &str, places: &mut BTreeMap<String, Place>) -> Json {
    places.insert(path.to_owned(), node.place.clone());
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(yes) => Json::Bool(*yes),
        Value::Integer(digits) | Value::Float(digits) => Json::String(digits.clone()),
        Value::Text(text) => Json::String(text.raw.clone()),
        Value::List(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(number, item)| json(item, &format!("{path}.{number}"), places))
                .collect()
        }
        Value::Map(map) => map
            .iter()
            .map(|(key, node)| (key.clone(), json(node, &format!("{path}.{key}"), places)))
            .collect(),
    }
}

//! Where secrets stand in a merged compose file: in values of `environment`, and in `content` of configs. Each is a text there,
//! written in double quotes on one line, so what the appliance puts into it stays within the quotes.

use super::node::{Map, Node, Value};
use super::place::Place;
use super::problem::Problem;
use super::template::references;
use crate::domain::SecretName;
use crate::secret::{is_marked, marks};

/// Returns every secret that a document has a place for, and notes those that stand where none may.
pub(super) fn find(root: &Map, problems: &mut Vec<Problem>) -> Vec<(SecretName, Place)> {
    let mut search = Search {
        path: Vec::new(),
        found: Vec::new(),
        problems,
    };
    search.entries(root);
    search.found
}

/// Returns every secret that a document names anywhere.
pub(super) fn names(root: &Map) -> impl Iterator<Item = SecretName> {
    let mut found = Vec::new();
    for node in root.values() {
        gather(node, &mut found);
    }
    found.into_iter()
}

fn gather(node: &Node, found: &mut Vec<SecretName>) {
    match &node.value {
        Value::Map(map) => map.values().for_each(|node| gather(node, found)),
        Value::List(items) => items.iter().for_each(|node| gather(node, found)),
        Value::Text(text) => found.extend(marks(&text.raw)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
    }
}

struct Search<'a> {
    path: Vec<&'a str>,
    found: Vec<(SecretName, Place)>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Search<'a> {
    fn entries(&mut self, map: &'a Map) {
        for (key, node) in map {
            if is_marked(key) {
                self.refuse(key, &node.place);
            }
            self.path.push(key);
            self.node(node);
            self.path.pop();
        }
    }

    fn node(&mut self, node: &'a Node) {
        match &node.value {
            Value::Map(map) => self.entries(map),
            Value::List(items) => {
                self.path.push("");
                for item in items {
                    self.node(item);
                }
                self.path.pop();
            }
            Value::Text(text) if is_marked(&text.raw) => self.text(&text.raw, &node.place),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
        }
    }

    fn text(&mut self, text: &str, place: &Place) {
        let value = match self.path.as_slice() {
            path if path.iter().any(|key| key.starts_with("x-")) => text,
            ["services", _, "environment", ""] => match text.split_once('=') {
                Some((name, value)) if !is_marked(name) => value,
                _ => return self.refuse(text, place),
            },
            // What becomes of compose's own secrets is said where resources are checked.
            ["services", _, "environment", _]
            | ["configs", _, "content"]
            | ["secrets", _, "content" | "environment"] => text,
            _ => return self.refuse(text, place),
        };
        if references(value).any(is_marked) {
            self.problems.push(Problem::new(
                "template",
                place,
                "a secret stands within the reference to a variable, whose end its value could be",
                "put the secret beside the variable, or into the environment file under the variable's name",
            ));
        }
        self.found.extend(marks(value).map(|name| (name, place.clone())));
    }

    fn refuse(&mut self, text: &str, place: &Place) {
        for name in marks(text) {
            let problem = Problem::new(
                "template",
                place,
                format!("the secret {name} stands where no secret may stand"),
                "put it into the environment of a service, or into the content of a config",
            );
            self.problems
                .push(problem.expected("secrets in values of environment, and in content of configs"));
        }
    }
}

//! Settles what only an included file's own environment knows: it does not travel, so what it says is written into the document.

use super::interpolation::Scope;
use super::node::{Map, Node, Text, Value};

/// Gives a value to every name without one in the lists of variables of a file's services, and in its configs, where the
/// deployment's environment has none and the file's own has one. A secret's value is never written down.
pub(super) fn settle(document: &mut Node, scope: &Scope) {
    if scope.own.iter().next().is_none() {
        return;
    }
    let Some(document) = document.map_mut() else { return };
    let services = document.get_mut("services").and_then(Node::map_mut);
    for service in services.into_iter().flat_map(Map::values_mut) {
        let environment = service.map_mut().and_then(|entries| entries.get_mut("environment"));
        // In a mapping, compose asks the deployment's environment alone.
        if let Some(Value::List(items)) = environment.map(|environment| &mut environment.value) {
            for item in items {
                let Value::Text(text) = &mut item.value else { continue };
                if let Some(own) = own(scope, &text.value) {
                    *text = Text::literal(&format!("{}={own}", text.value));
                }
            }
        }
    }
    let configs = document.get_mut("configs").and_then(Node::map_mut);
    for config in configs.into_iter().flat_map(Map::values_mut) {
        let Some(entries) = config.map_mut() else { continue };
        let value = entries
            .get("environment")
            .and_then(Node::text)
            .and_then(|name| own(scope, name))
            .map(|own| Value::Text(Text::literal(own)));
        if let Some(value) = value
            && let Some(mut node) = entries.remove("environment")
        {
            node.value = value;
            entries.insert("content".to_owned(), node);
        }
    }
}

/// The value of a variable that only the file's own environment has.
fn own<'a>(scope: &'a Scope, name: &str) -> Option<&'a str> {
    if scope.main.get(name).is_some() {
        return None;
    }
    scope.own.get(name)
}

//! Settles what only an included file's own environment knows: it does not travel, so what it says is written into the document.
//!
//! As compose does, this looks at what was included as a whole, after all of it was merged and extended: a mapping that something was
//! merged with is a list by then.

use super::interpolation::Scope;
use super::node::{Map, Node, Text, Value};
use super::problem::Problem;

/// Gives a value to every name without one in the lists of variables of services that were included, where the deployment's environment
/// has none and the files' own has one. A secret's value is never written down. A config that takes its content from a variable is noted
/// where the variable has a value: compose refuses it in what is included.
pub(super) fn settle(included: &mut Map, scope: &Scope, problems: &mut Vec<Problem>) {
    let configs = included.get("configs").and_then(Node::map);
    for (name, config) in configs.into_iter().flatten() {
        let variable = config.get("environment").and_then(|node| Some((node, node.text()?)));
        if let Some((node, variable)) = variable
            && scope.main.get(variable).or_else(|| scope.own.get(variable)).is_some()
        {
            problems.push(Problem::usage(
                "value",
                &node.place,
                format!(
                    "configs.{name} takes its content from the variable {variable}, which compose does not take in a file that is included"
                ),
                "write content: ${NAME} in its place, or say the config in the file that includes this one",
            ));
        }
    }
    if scope.own.iter().next().is_none() {
        return;
    }
    let services = included.get_mut("services").and_then(Node::map_mut);
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
}

/// The value of a variable that only the files' own environment has.
fn own<'a>(scope: &'a Scope, name: &str) -> Option<&'a str> {
    if scope.main.get(name).is_some() {
        return None;
    }
    scope.own.get(name)
}

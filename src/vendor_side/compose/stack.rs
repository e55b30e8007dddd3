//! What a swarm's stack says in another form than compose.

use super::node::{Map, Node, Text, Value};
use super::problem::Problem;

/// Puts a merged document into the form of stacks, and notes what has none.
pub(super) fn normalize_stack(root: &mut Map, problems: &mut Vec<Problem>) {
    let Some(services) = root.get_mut("services").and_then(Node::map_mut) else {
        return;
    };
    for (name, service) in services {
        let Some(needs) = service.map_mut().and_then(|entries| entries.get_mut("depends_on")) else {
            continue;
        };
        let Value::Map(needed) = &needs.value else { continue };
        if needed.values().all(is_plain) {
            let names = needed
                .iter()
                .map(|(name, how)| Node::new(&how.place, Value::Text(Text::literal(name))));
            needs.value = Value::List(names.collect());
        } else {
            problems.push(Problem::new(
                "swarm",
                &needs.place,
                format!("the service {name} waits for others in a way that a swarm's stack does not know"),
                "write depends_on as a list of names",
            ));
        }
    }
}

/// Whether a dependency says no more than its name.
fn is_plain(how: &Node) -> bool {
    how.map().is_some_and(|how| {
        how.iter().all(|(key, value)| match key.as_str() {
            "condition" => value.text() == Some("service_started"),
            "required" => value.is_true(),
            _ => false,
        })
    })
}

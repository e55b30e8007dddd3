//! One document over another, as compose merges: mappings by key, lists one after the other, single values replaced, and the
//! exceptions that the specification makes.

use super::node::{Map, Node, Value};
use super::problem::Problem;
use super::sequence::{as_list, as_map, nothing, plain_dependency};

/// How values at a path are merged where the general rule does not hold.
enum Rule {
    /// The later value stands alone.
    Replace,
    /// Mapping or list, taken as lists and joined.
    Pairs,
    /// The same, without what is there already.
    Hosts,
    /// Mapping or list of names, taken as mappings.
    Dependencies,
    /// The same.
    Names,
    /// A text is the context.
    Build,
    /// Merged only when the drivers agree.
    Logging,
    /// Address pools, matched by subnet.
    Pools,
}

fn rule(path: &[String]) -> Option<Rule> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    Some(match *parts.as_slice() {
        ["networks", _, "ipam", "config"] => Rule::Pools,
        ["networks" | "volumes", _, "labels"]
        | ["services", _, "deploy", "labels"]
        | ["services", _, "build", "args" | "additional_contexts" | "labels"] => Rule::Pairs,
        ["services", _, "build", "extra_hosts"] | ["services", _, "extra_hosts"] => Rule::Hosts,
        ["services", _, "healthcheck", "test"] | ["services", _, "ulimits", _] => Rule::Replace,
        ["services", _, key] => match key {
            "command" | "entrypoint" => Rule::Replace,
            "annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file" | "environment" | "labels"
            | "sysctls" | "tmpfs" => Rule::Pairs,
            "depends_on" => Rule::Dependencies,
            "models" | "networks" => Rule::Names,
            "build" => Rule::Build,
            "logging" => Rule::Logging,
            _ => return None,
        },
        _ => return None,
    })
}

/// Whether a list at a path is a list of names that a mapping may stand for.
pub(super) fn is_named(path: &[String]) -> bool {
    matches!(rule(path), Some(Rule::Dependencies | Rule::Names))
}

/// Merges `over` over `base`. What does not fit together is noted, and the later value taken.
pub(super) fn merge(base: Node, over: Node, path: &mut Vec<String>, problems: &mut Vec<Problem>) -> Node {
    let place = if over.is_null() {
        base.place.clone()
    } else {
        over.place.clone()
    };
    let value = match rule(path) {
        Some(Rule::Replace) => over.value,
        Some(Rule::Pairs) => {
            let mut items = as_list(base);
            items.extend(as_list(over));
            Value::List(items)
        }
        Some(Rule::Hosts) => {
            let mut items = as_list(base);
            for item in as_list(over) {
                if !items.iter().any(|known| known.text() == item.text()) {
                    items.push(item);
                }
            }
            Value::List(items)
        }
        Some(Rule::Dependencies) => merge_maps(
            as_map(base, plain_dependency),
            as_map(over, plain_dependency),
            path,
            problems,
        ),
        Some(Rule::Names) => merge_maps(as_map(base, nothing), as_map(over, nothing), path, problems),
        Some(Rule::Build) => merge_maps(build(base), build(over), path, problems),
        Some(Rule::Logging) => match (base.value, over.value) {
            (Value::Map(base), Value::Map(over)) => {
                let driver = |map: &Map| map.get("driver").and_then(Node::spoken);
                match (driver(&base), driver(&over)) {
                    (Some(old), Some(new)) if old != new => Value::Map(over),
                    _ => merge_maps(base, over, path, problems),
                }
            }
            (base, Value::Null) => base,
            (_, over) => over,
        },
        Some(Rule::Pools) => pools(base, over, path, problems),
        None => match (base.value, over.value) {
            (base, Value::Null) => base,
            (Value::Map(base), Value::Map(over)) => merge_maps(base, over, path, problems),
            (Value::List(mut items), Value::List(more)) => {
                items.extend(more);
                Value::List(items)
            }
            (Value::Map(_) | Value::List(_), other) => {
                let what = Node::new(&place, other);
                problems.push(Problem::usage(
                    "merge",
                    &place,
                    format!("{} is {} here and something else before", path.join("."), what.kind()),
                    "write both in the same form, or replace with !override",
                ));
                what.value
            }
            (_, over) => over,
        },
    };
    Node::new(&place, value)
}

fn merge_maps(mut base: Map, over: Map, path: &mut Vec<String>, problems: &mut Vec<Problem>) -> Value {
    for (key, node) in over {
        let merged = match base.remove(&key) {
            None => node,
            Some(old) => {
                path.push(key.clone());
                let merged = merge(old, node, path, problems);
                path.pop();
                merged
            }
        };
        base.insert(key, merged);
    }
    Value::Map(base)
}

fn build(node: Node) -> Map {
    match node.value {
        Value::Map(map) => map,
        Value::Text(_) => Map::from([("context".to_owned(), node)]),
        _ => Map::new(),
    }
}

/// Merges address pools the way compose does: every old pool meets every new one; a new one with another subnet is added, and an
/// old one that no new one has the subnet of is gone.
fn pools(base: Node, over: Node, path: &mut Vec<String>, problems: &mut Vec<Problem>) -> Value {
    let (Value::List(old), Value::List(new)) = (base.value, over.value) else {
        problems.push(Problem::usage(
            "merge",
            &over.place,
            format!("{} is not a list in both files", path.join(".")),
            "write address pools as a list",
        ));
        return Value::List(Vec::new());
    };
    let subnet = |node: &Node| node.get_text("subnet").map(str::to_owned);
    let mut pools: Vec<Node> = Vec::new();
    for pool in old {
        let mut pool = pool;
        for other in &new {
            if subnet(other) != subnet(&pool) && !pools.iter().any(|known| subnet(known) == subnet(other)) {
                pools.push(other.clone());
                continue;
            }
            let (Some(left), Some(right)) = (pool.map().cloned(), other.map().cloned()) else {
                continue;
            };
            pool = Node::new(&other.place, merge_maps(left, right, path, problems));
            match pools.iter_mut().find(|known| subnet(known) == subnet(&pool)) {
                Some(known) => known.clone_from(&pool),
                None => pools.push(pool.clone()),
            }
        }
    }
    Value::List(pools)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;

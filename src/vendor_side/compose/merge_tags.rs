//! `!reset` and `!override`: what a later document takes away before it is merged.

use super::merge::is_named;
use super::node::{Map, MergeTag, Node, Value};
use super::sequence::{as_map, nothing, plain_dependency};

/// Removes from `base` whatever `over` resets or overrides.
pub(super) fn apply(base: &mut Node, over: &Node, path: &mut Vec<String>) {
    let Value::Map(entries) = &over.value else { return };
    if !entries.values().any(has_tags) {
        return;
    }
    if is_named(path) && matches!(base.value, Value::List(_)) {
        let place = base.place.clone();
        let list = std::mem::replace(base, Node::new(&place, Value::Null));
        let default = if path.last().is_some_and(|key| key == "depends_on") {
            plain_dependency
        } else {
            nothing
        };
        base.value = Value::Map(as_map(list, default));
    }
    let Some(known) = base.map_mut() else { return };
    apply_entries(known, entries, path);
}

/// The same for the entries of two mappings.
pub(super) fn apply_entries(known: &mut Map, entries: &Map, path: &mut Vec<String>) {
    for (key, node) in entries {
        if node.merge_tag != MergeTag::Plain {
            known.remove(key);
            continue;
        }
        if let Some(old) = known.get_mut(key) {
            path.push(key.clone());
            apply(old, node, path);
            path.pop();
        }
    }
}

fn has_tags(node: &Node) -> bool {
    node.merge_tag != MergeTag::Plain || node.map().is_some_and(|map| map.values().any(has_tags))
}

/// Removes what is reset, and every tag.
pub(super) fn strip(node: &mut Node) {
    node.merge_tag = MergeTag::Plain;
    match &mut node.value {
        Value::Map(entries) => strip_entries(entries),
        Value::List(items) => {
            items.retain(|item| item.merge_tag != MergeTag::Reset);
            items.iter_mut().for_each(strip);
        }
        _ => {}
    }
}

/// The same for the entries of a mapping.
pub(super) fn strip_entries(entries: &mut Map) {
    entries.retain(|_, node| node.merge_tag != MergeTag::Reset);
    entries.values_mut().for_each(strip);
}

//! Every image that compose would pull for the services that run.

use super::node::Node;
use super::place::Place;

/// An image that a service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUse {
    /// The service.
    pub service: String,
    /// The reference after variables were replaced, as an engine would get it.
    pub reference: String,
    /// Where it stands.
    pub place: Place,
}

/// Calls a function with every value of a service that names an image: its own, those of its image volumes, and those of its hooks
/// that run in containers of their own.
pub(super) fn each_image<'a>(service: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    let Some(entries) = service.map() else { return };
    if let Some(image) = entries.get("image") {
        visit(image);
    }
    let items = |key| entries.get(key).and_then(Node::list).unwrap_or_default();
    for volume in items("volumes") {
        if volume.get_text("type") == Some("image")
            && let Some(source) = volume.get("source")
        {
            visit(source);
        }
    }
    for hook in items("pre_start") {
        if let Some(image) = hook.get("image") {
            visit(image);
        }
    }
}

/// Does the same with values that may change.
pub(super) fn each_image_mut(service: &mut Node, visit: &mut dyn FnMut(&mut Node)) {
    let Some(entries) = service.map_mut() else { return };
    if let Some(image) = entries.get_mut("image") {
        visit(image);
    }
    for (list, key) in [("volumes", "source"), ("pre_start", "image")] {
        let Some(super::node::Value::List(items)) = entries.get_mut(list).map(|node| &mut node.value) else {
            continue;
        };
        for item in items {
            let names = list == "pre_start" || item.get_text("type") == Some("image");
            if names && let Some(image) = item.map_mut().and_then(|item| item.get_mut(key)) {
                visit(image);
            }
        }
    }
}

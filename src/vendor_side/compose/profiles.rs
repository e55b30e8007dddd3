//! Which services run: those without profiles, and those with an activated one.

use std::collections::BTreeSet;

use super::node::{Map, Node, Value};
use super::problem::{Problem, cut};
use super::volume;

/// Whether a service runs.
pub(super) fn is_active(service: &Node, profiles: &[String]) -> bool {
    let own = service.get("profiles").map(Node::texts).unwrap_or_default();
    own.is_empty()
        || profiles
            .iter()
            .any(|profile| profile == "*" || own.contains(&profile.as_str()))
}

/// Notes activated profiles that no service has: a word that was meant otherwise, perhaps.
pub(super) fn look(root: &Map, profiles: &[String], warnings: &mut Vec<Problem>) {
    let Some(services) = root.get("services") else { return };
    let all = services.map().into_iter().flat_map(Map::values);
    let known: BTreeSet<&str> = all
        .filter_map(|service| service.get("profiles"))
        .flat_map(Node::texts)
        .collect();
    for profile in profiles
        .iter()
        .filter(|profile| *profile != "*" && !known.contains(profile.as_str()))
    {
        let known: Vec<&str> = known.iter().copied().collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let found = format!(
            "no service has the profile {:?}, which is activated; services have: {known}",
            cut(profile)
        );
        warnings.push(Problem::new(
            "profile",
            &services.place,
            found,
            "correct its name, or leave it out",
        ));
    }
}

/// Removes services that do not run, and the key that no longer means anything from those that do.
///
/// A service that needs one that does not run is a problem. A dependency that may be missing is dropped with it.
pub(super) fn choose(root: &mut Map, profiles: &[String], problems: &mut Vec<Problem>) {
    let Some(services) = root.get_mut("services").and_then(Node::map_mut) else {
        return;
    };
    let all: BTreeSet<String> = services.keys().cloned().collect();
    services.retain(|_, service| is_active(service, profiles));
    let active: BTreeSet<String> = services.keys().cloned().collect();
    for (name, service) in &mut *services {
        if let Some(entries) = service.map_mut() {
            entries.remove("profiles");
            drop_optional(entries, &all, &active);
        }
        for (target, place) in contexts(service) {
            if !all.contains(target) {
                problems.push(Problem::usage(
                    "value",
                    place,
                    format!(
                        "the service {name} is built with the service {:?}, which is not there",
                        cut(target)
                    ),
                    "correct the name",
                ));
            }
        }
        for (needed, how, place) in needs(service) {
            let (found, remedy) = if active.contains(&needed) {
                continue;
            } else if all.contains(&needed) {
                (
                    format!("the service {name} needs {needed:?} ({how}), which no activated profile has"),
                    "activate its profile, or leave the other one out too",
                )
            } else {
                (
                    format!(
                        "the service {name} needs {:?} ({how}), which is not there",
                        cut(&needed)
                    ),
                    "correct the name",
                )
            };
            problems.push(Problem::new("profile", &place, found, remedy));
        }
    }
}

/// Drops dependencies that may be missing and are.
fn drop_optional(entries: &mut Map, all: &BTreeSet<String>, active: &BTreeSet<String>) {
    let Some(Value::Map(needed)) = entries.get_mut("depends_on").map(|node| &mut node.value) else {
        return;
    };
    let before = needed.len();
    needed.retain(|name, how| {
        let may_be_missing = how.get("required").is_some_and(|required| !required.is_true());
        active.contains(name) || !all.contains(name) || !may_be_missing
    });
    if needed.is_empty() && before > 0 {
        entries.remove("depends_on");
    }
}

/// Returns the services that a service cannot be without, and how each is named.
pub(super) fn needs(service: &Node) -> Vec<(String, &'static str, super::place::Place)> {
    let mut needs = Vec::new();
    let at = |key: &str| service.get(key).map_or(&service.place, |node| &node.place).clone();
    for (name, _) in service.get("depends_on").map(Node::names).unwrap_or_default() {
        needs.push((name.to_owned(), "depends_on", at("depends_on")));
    }
    for link in service.get("links").map(Node::texts).unwrap_or_default() {
        // With more than an alias behind it, the whole is the name.
        let name = link.split_once(':').filter(|(_, alias)| !alias.contains(':'));
        let name = name.map_or(link, |(name, _)| name);
        needs.push((name.to_owned(), "links", at("links")));
    }
    for from in service.get("volumes_from").map(Node::texts).unwrap_or_default() {
        if !from.starts_with("container:") {
            let name = from.split_once(':').map_or(from, |(name, _)| name);
            needs.push((name.to_owned(), "volumes_from", at("volumes_from")));
        }
    }
    for key in ["network_mode", "pid", "ipc", "uts"] {
        if let Some(name) = service.get_text(key).and_then(|mode| mode.strip_prefix("service:")) {
            needs.push((name.to_owned(), key, at(key)));
        }
    }
    needs
}

/// Returns the services from which a service takes a part of what it is built from, and where it says so.
pub(super) fn contexts(service: &Node) -> Vec<(&str, &super::place::Place)> {
    let all = service.get("build").and_then(|build| build.get("additional_contexts"));
    let values: Vec<&Node> = match all.map(|all| &all.value) {
        Some(Value::Map(entries)) => entries.values().collect(),
        Some(Value::List(items)) => items.iter().collect(),
        _ => Vec::new(),
    };
    values
        .into_iter()
        .filter_map(|node| {
            let text = node.text()?;
            let context = text.split_once('=').map_or(text, |(_, context)| context);
            Some((context.strip_prefix("service:")?, &node.place))
        })
        .collect()
}

/// Returns named resources of a kind that a service uses: volumes, networks, configs or secrets.
pub(super) fn uses<'a>(service: &'a Node, kind: &str) -> Vec<(&'a str, &'a Node)> {
    let Some(node) = service.get(kind) else {
        return Vec::new();
    };
    if kind == "networks" {
        return node.names().into_iter().map(|(name, _)| (name, node)).collect();
    }
    node.list()
        .unwrap_or_default()
        .iter()
        .filter_map(|item| {
            let name = match (kind, item.text()) {
                ("volumes", Some(text)) => volume::Volume::parse(text)?
                    .source
                    .filter(|source| !volume::Volume::is_path(source))?,
                (_, Some(text)) => text,
                ("volumes", None) => item
                    .get_text("source")
                    .filter(|source| item.get_text("type") == Some("volume") && !source.is_empty())?,
                // Without a source it is the one without a name, which none can have.
                (_, None) => item.map()?.get("source").map_or(Some(""), Node::text)?,
            };
            Some((name, item))
        })
        .collect()
}

//! Lists in which a later entry replaces an earlier one: the same variable, the same target, the same port.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Map, Node, Text, Value};
use super::port::Port;
use super::volume::{Volume, clean};

/// What entries of a list are told apart by.
enum Index {
    /// The part before the equals sign.
    Key,
    /// The mount's path in the container.
    Volume,
    /// The device's path in the container.
    Device,
    /// The file's path in the container, under a folder when only its name is given.
    File(&'static str),
    /// The whole of it.
    Whole,
    /// The `path`.
    Path,
    /// Address, ports and protocol.
    Port,
}

fn index(path: &[String]) -> Option<Index> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    Some(match *parts.as_slice() {
        ["networks", _, "labels"]
        | ["networks", _, "ipam", "options"]
        | ["services", _, "deploy", "labels"]
        | [
            "services",
            _,
            "build",
            "args" | "additional_contexts" | "platform" | "tags" | "labels",
        ]
        | ["services", _, "networks", _, "aliases" | "link_local_ips"] => Index::Key,
        ["services", _, key] => match key {
            "annotations" | "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search" | "environment" | "labels"
            | "links" | "profiles" | "sysctls" | "tmpfs" => Index::Key,
            "volumes" => Index::Volume,
            "devices" => Index::Device,
            "configs" => Index::File(""),
            "secrets" => Index::File("/run/secrets"),
            "expose" => Index::Whole,
            "env_file" => Index::Path,
            "ports" => Index::Port,
            _ => return None,
        },
        _ => return None,
    })
}

/// Drops entries that later ones replace, throughout a document. The later one takes the earlier one's position.
pub(super) fn enforce(entries: &mut Map) {
    let mut path = Vec::new();
    enforce_entries(entries, &mut path);
}

fn enforce_entries(entries: &mut Map, path: &mut Vec<String>) {
    for (key, node) in entries {
        path.push(key.clone());
        match &mut node.value {
            Value::Map(inner) => enforce_entries(inner, path),
            Value::List(items) => {
                if let Some(index) = index(path) {
                    if matches!(index, Index::Port) {
                        split_ranges(items);
                    }
                    drop_replaced(items, &index);
                }
            }
            _ => {}
        }
        path.pop();
    }
}

fn drop_replaced(items: &mut Vec<Node>, index: &Index) {
    let mut positions: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Node> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        let Some(key) = key_of(&item, index) else {
            kept.push(item);
            continue;
        };
        if let Some(earlier) = positions.get(&key).and_then(|at| kept.get_mut(*at)) {
            *earlier = item;
        } else {
            positions.insert(key, kept.len());
            kept.push(item);
        }
    }
    *items = kept;
}

fn key_of(item: &Node, index: &Index) -> Option<String> {
    let word = |key: &str| item.get(key).and_then(Node::spoken);
    match index {
        Index::Key => item
            .spoken()
            .map(|text| text.split_once('=').map_or(text.clone(), |(key, _)| key.to_owned())),
        Index::Volume => match item.text() {
            Some(text) => Volume::parse(text).map(|volume| clean(volume.target)),
            None => word("target"),
        },
        Index::Device => match item.text() {
            Some(text) => text.split(':').nth(1).or(Some(text)).map(str::to_owned),
            None => word("target"),
        },
        Index::File(folder) => match item.text() {
            Some(name) => Some(format!("{folder}/{name}")),
            None => word("target").or_else(|| word("source").map(|source| format!("{folder}/{source}"))),
        },
        Index::Whole => item.spoken(),
        Index::Path => item.spoken().or_else(|| word("path")),
        Index::Port => match Port::of(item)?.as_slice() {
            [port] => Some(port.short()),
            _ => None,
        },
    }
}

/// Takes ranges apart where a part of one is published by another entry too; elsewhere they stay as they are written.
fn split_ranges(items: &mut Vec<Node>) {
    let ports: Vec<Option<Vec<Port>>> = items.iter().map(Port::of).collect();
    if ports.iter().flatten().all(|ports| ports.len() == 1) {
        return;
    }
    let mut seen = BTreeSet::new();
    if ports.iter().flatten().flatten().all(|port| seen.insert(port)) {
        return;
    }
    let mut parts = Vec::new();
    for (item, ports) in items.drain(..).zip(ports) {
        match ports {
            Some(ports) if ports.len() > 1 => parts.extend(
                ports
                    .iter()
                    .map(|port| Node::new(&item.place, Value::Text(Text::literal(&port.short())))),
            ),
            _ => parts.push(item),
        }
    }
    *items = parts;
}

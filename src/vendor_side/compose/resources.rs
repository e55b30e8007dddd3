//! Volumes, networks, configs and secrets of the services that run: whether they are there, and whether a site's agent can have them.
//!
//! An agent writes the compose file and the environment file into a folder of its own, inside its container, and nothing else. What
//! else a file names by a relative path is not there; a path from the root is the host's only where the engine resolves it.

use std::collections::BTreeSet;

use super::environment::Environment;
use super::node::{Map, Node};
use super::problem::{Problem, cut};
use super::profiles::uses;
use super::volume::is_absolute;
use crate::bundle::desired::DockerMode;
use crate::vendor_side::secret::is_marked;

/// Checks what services use, and removes configs and secrets that none uses.
pub(super) fn normalize_resources(root: &mut Map, mode: DockerMode, env: &Environment, problems: &mut Vec<Problem>) {
    for kind in ["volumes", "networks", "configs", "secrets"] {
        let mut used = BTreeSet::new();
        let given = |name: &str| root.get(kind).is_some_and(|node| node.get(name).is_some());
        for (service, node) in root.get("services").and_then(Node::map).into_iter().flatten() {
            for (name, at) in uses(node, kind) {
                used.insert(name.to_owned());
                let implied = kind == "networks" && name == "default";
                if !given(name) && !implied {
                    problems.push(Problem::usage(
                        "value",
                        &at.place,
                        format!(
                            "the service {service} uses {:?}, which {kind} does not define",
                            cut(name)
                        ),
                        format!("define it under {kind}, or correct the name"),
                    ));
                }
            }
        }
        let Some(given) = root.get_mut(kind).and_then(Node::map_mut) else {
            continue;
        };
        if matches!(kind, "configs" | "secrets") {
            given.retain(|name, _| used.contains(name));
            let empty = given.is_empty();
            for (name, node) in &mut *given {
                file(kind, name, node, mode, env, problems);
            }
            if empty {
                root.remove(kind);
            }
        } else if kind == "volumes" {
            for (name, node) in &mut *given {
                bind_volume(name, node, problems);
            }
        }
    }
}

/// Checks a config or a secret.
fn file(kind: &'static str, name: &str, node: &Node, mode: DockerMode, env: &Environment, problems: &mut Vec<Problem>) {
    let one = kind.trim_end_matches('s');
    let at = |key: &str| node.get(key).map_or(&node.place, |value| &value.place);
    let external = node
        .get("external")
        .is_some_and(|external| external.is_true() || external.map().is_some());
    let mut note = |problem: Problem| problems.push(problem);
    if external {
        if mode == DockerMode::Compose {
            note(Problem::new(
                "external",
                at("external"),
                format!("the {one} {name} is external, which compose does not have outside a swarm"),
                "use a file on the host with an absolute path",
            ));
        }
        return;
    }
    if kind == "secrets" {
        for key in ["content", "environment", "x-content"] {
            let text = node.get_text(key).unwrap_or_default();
            // A secret of the release, or a variable that is one.
            let is_sealed = match key {
                "environment" => env.get(text).is_some_and(is_marked),
                _ => is_marked(text),
            };
            if node.get(key).is_some() && !is_sealed {
                note(Problem::policy(
                    "secret",
                    at(key),
                    format!("the secret {name} would travel in the bundle as it is"),
                    "put {{ .Secrets.NAME }} there and the name under secrets: of the release file; or keep it in a file on the host (file: with an absolute path), or as an external secret of the swarm",
                ));
            }
        }
    }
    if let Some(path) = node.get_text("file") {
        let remedy = match (kind, mode) {
            ("secrets", DockerMode::Compose) => "use a file on the host with an absolute path",
            _ => "make it an external one of the swarm",
        };
        if mode == DockerMode::Swarm || !is_absolute(path) {
            note(Problem::new(
                "file",
                at("file"),
                format!(
                    "the {one} {name} is the file {:?}, which an agent does not have",
                    cut(path)
                ),
                remedy,
            ));
        }
    }
    if kind == "configs" && mode == DockerMode::Swarm {
        for key in ["content", "environment"] {
            if node.get(key).is_some() {
                note(Problem::new(
                    "swarm",
                    at(key),
                    format!("the config {name} has {key}, which a swarm's stack does not know"),
                    "make it an external one of the swarm",
                ));
            }
        }
    }
}

/// Checks a volume that is a path on the host in disguise.
fn bind_volume(name: &str, node: &Node, problems: &mut Vec<Problem>) {
    let Some(options) = node.get("driver_opts") else { return };
    let binds = options
        .get_text("o")
        .is_some_and(|o| o.split(',').any(|word| matches!(word, "bind" | "rbind")));
    if let Some(device) = options.get("device")
        && binds
        && device.text().is_some_and(|path| !is_absolute(path))
    {
        problems.push(Problem::new(
            "file",
            &device.place,
            format!(
                "the volume {name} is the folder {:?}, which an agent does not have",
                cut(device.text().unwrap_or_default())
            ),
            "use an absolute path of the host",
        ));
    }
}

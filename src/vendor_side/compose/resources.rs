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
use crate::domain::SecretName;
use crate::secret::{is_marked, marks};

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
                    problems.push(undefined(kind, service, "uses", (name, at)));
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

/// What a service names and the files do not define.
pub(super) fn undefined(kind: &str, service: &str, uses: &str, (name, at): (&str, &Node)) -> Problem {
    if name.is_empty() {
        let key = "source";
        let found = format!("an entry of {kind} of the service {service} does not say {key}");
        return Problem::usage("value", &at.place, found, format!("add {key}"))
            .expected(format!("the name of one that stands under {kind}"));
    }
    Problem::usage(
        "value",
        &at.place,
        format!(
            "the service {service} {uses} {:?}, which {kind} does not define",
            cut(name)
        ),
        format!("define it under {kind}, or correct the name"),
    )
}

/// Checks a config or a secret.
fn file(kind: &'static str, name: &str, node: &Node, mode: DockerMode, env: &Environment, problems: &mut Vec<Problem>) {
    let one = kind.trim_end_matches('s');
    let at = |key: &str| node.get(key).map_or(&node.place, |value| &value.place);
    let external = node
        .get("external")
        .is_some_and(|external| external.is_true() || external.map().is_some());
    if external {
        if mode == DockerMode::Compose {
            problems.push(Problem::new(
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
            if let Some(value) = node.get(key) {
                problems.extend(value_of_secret(name, key, value, mode, env));
            }
        }
    }
    let mut note = |problem: Problem| problems.push(problem);
    if let Some(path) = node.get_text("file") {
        let remedy = match (kind, mode) {
            ("secrets", DockerMode::Compose) => {
                "say environment: NAME in place of file, put NAME=\"{{ .Secrets.NAME }}\" into the env_file of the application and NAME under secrets: of the release file; or use a file on the host with an absolute path"
            }
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

/// What is wrong with a secret whose value the compose file says. The one way is a variable of the deployment's environment file, and there
/// a secret of the release.
fn value_of_secret(name: &str, key: &str, value: &Node, mode: DockerMode, env: &Environment) -> Option<Problem> {
    let text = value.text().unwrap_or_default();
    let given = env.get(text);
    if mode == DockerMode::Swarm {
        return Some(Problem::new(
            "swarm",
            &value.place,
            format!("the secret {name} has {key}, which a swarm's stack does not know"),
            "make it an external one of the swarm",
        ));
    }
    let found = match key {
        "environment" if given.is_some_and(is_marked) => return None,
        "environment" if is_marked(text) => {
            format!("the secret {name} has a value where environment names a variable")
        }
        "environment" if given.is_none() => {
            format!(
                "the secret {name} is the variable {:?}, which has no value here",
                cut(text)
            )
        }
        "environment" => format!("the secret {name} would travel in the bundle as it is"),
        key => format!("the secret {name} has {key}, which compose does not know for secrets"),
    };
    let variable = if key == "environment" && !is_marked(text) && is_variable(text) {
        text.to_owned()
    } else {
        marks(text)
            .next()
            .map_or_else(|| "NAME".to_owned(), |name| name.to_string())
    };
    let say = if key == "environment" && variable == text {
        String::new()
    } else {
        format!("say environment: {variable} there, ")
    };
    Some(Problem::policy(
        "secret",
        &value.place,
        found,
        format!(
            "{say}put {variable}=\"{{{{ .Secrets.{variable} }}}}\" into the env_file of the application and {variable} under secrets: of the release file; or keep it in a file on the host (file: with an absolute path)"
        ),
    ))
}

/// Whether a text can name a secret of a release too.
fn is_variable(text: &str) -> bool {
    text.parse::<SecretName>().is_ok()
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

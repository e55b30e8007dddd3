//! Keys that exclude one another or go together, and keys of which one must be there: what compose checks in every file that it has merged, whether a
//! service runs or not.

use super::node::{Map, Node};
use super::problem::Problem;

/// Notes every such mistake.
pub(super) fn check(root: &Map, problems: &mut Vec<Problem>) {
    for kind in ["networks", "volumes", "configs", "secrets"] {
        for (name, node) in entries(root, kind) {
            external(kind, name, node, problems);
        }
    }
    for (kind, sources) in [
        ("configs", &["file", "environment", "content"][..]),
        ("secrets", &["file", "environment", "content"][..]),
    ] {
        for (name, node) in entries(root, kind) {
            source(kind, name, node, sources, problems);
        }
    }
    for (name, service) in entries(root, "services") {
        for (at, mount) in service
            .get("volumes")
            .and_then(Node::list)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            if mount.get_text("type") == Some("bind") && mount.get("source").is_none() {
                let key = "source";
                let found = format!("services.{name}.volumes[{at}] of the type bind does not say {key}");
                problems.push(
                    Problem::usage("value", &mount.place, found, format!("add {key}")).expected("a path of the host"),
                );
            }
        }
        let reserved = service
            .get("deploy")
            .and_then(|deploy| deploy.get("resources")?.get("reservations")?.get("devices"));
        for (key, devices) in [
            ("deploy.resources.reservations.devices", reserved),
            ("gpus", service.get("gpus")),
        ] {
            for (at, device) in devices.and_then(Node::list).unwrap_or_default().iter().enumerate() {
                if device.get("count").is_some() && device.get("device_ids").is_some() {
                    problems.push(Problem::usage(
                        "value",
                        &device.place,
                        format!("services.{name}.{key}[{at}] says both count and device_ids"),
                        "say one of them",
                    ));
                }
            }
        }
    }
}

fn entries<'a>(root: &'a Map, kind: &str) -> impl Iterator<Item = (&'a String, &'a Node)> {
    root.get(kind).and_then(Node::map).into_iter().flatten()
}

/// What exists outside the project has a name and no settings.
fn external(kind: &str, name: &str, node: &Node, problems: &mut Vec<Problem>) {
    let (Some(settings), Some(external)) = (node.map(), node.get("external")) else {
        return;
    };
    if let (Some(own), Some(other)) = (node.get_text("name"), external.get_text("name"))
        && own != other
    {
        problems.push(Problem::usage(
            "value",
            &external.place,
            format!("{kind}.{name} has two names"),
            "say one of them",
        ));
    }
    if kind != "volumes" || !(external.is_true() || external.map().is_some()) {
        return;
    }
    for (key, value) in settings {
        if !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-") {
            problems.push(Problem::usage(
                "value",
                &value.place,
                format!("volumes.{name} is external, and says {key}"),
                "say one of them",
            ));
        }
    }
}

/// A config or a secret comes from one place.
fn source(kind: &str, name: &str, node: &Node, sources: &[&str], problems: &mut Vec<Problem>) {
    let Some(settings) = node.map() else { return };
    let given = sources.iter().filter(|source| settings.contains_key(**source)).count();
    let elsewhere = settings.contains_key("driver") || settings.contains_key("external");
    if given > 1 {
        problems.push(Problem::usage(
            "value",
            &node.place,
            format!("{kind}.{name} says more than one of {}", sources.join(", ")),
            "say one of them",
        ));
    } else if given == 0 && !elsewhere {
        problems.push(Problem::usage(
            "value",
            &node.place,
            format!("{kind}.{name} says none of {}", sources.join(", ")),
            "say one of them",
        ));
    }
}

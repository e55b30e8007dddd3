//! What must fit together among the services that run: compose checks it after the shapes.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Map, Node, Value};
use super::place::Place;
use super::problem::{Problem, cut};
use super::profiles::{contexts, needs, uses};
use super::resources::undefined;
use super::specification::size;
use super::volume::{Volume, clean};

/// Notes what does not fit together. Only the services that run are left in the document.
pub(super) fn check(root: &Map, problems: &mut Vec<Problem>) {
    let Some(services) = root.get("services").and_then(Node::map) else {
        return;
    };
    for (name, service) in services {
        let mut pair = Service {
            name,
            node: service,
            problems: &mut *problems,
        };
        pair.network_mode();
        pair.healthcheck();
        pair.build(root, services);
        pair.scale();
        pair.limits();
        pair.watch();
        pair.mounts();
    }
    container_names(services, problems);
    secrets(root, problems);
    cycles(services, problems);
}

struct Service<'a> {
    name: &'a str,
    node: &'a Node,
    problems: &'a mut Vec<Problem>,
}

/// A number that a value stands for, as a text or as such.
pub(super) fn number(node: Option<&Node>) -> Option<f64> {
    node?.spoken()?.parse().ok()
}

/// Bytes that a value stands for; compose takes a fraction for nothing.
pub(super) fn bytes(node: Option<&Node>) -> Option<f64> {
    match &node?.value {
        Value::Text(text) => size(&text.value),
        Value::Integer(digits) => digits.parse().ok(),
        Value::Float(_) => Some(0.0),
        _ => None,
    }
}

fn differ(left: f64, right: f64) -> bool {
    (left - right).abs() > f64::from(f32::EPSILON) * left.abs().max(right.abs())
}

impl Service<'_> {
    fn note(&mut self, place: &Place, found: String, remedy: &'static str) {
        self.problems.push(Problem::usage("value", place, found, remedy));
    }

    fn network_mode(&mut self) {
        let has_networks = self.node.get("networks").is_some_and(|networks| match &networks.value {
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            _ => false,
        });
        if let Some(mode) = self.node.get("network_mode")
            && mode.text().is_some_and(|mode| !mode.is_empty())
            && has_networks
        {
            let found = format!("services.{} has both network_mode and networks", self.name);
            self.note(&mode.place, found, "say one of them");
        }
    }

    fn healthcheck(&mut self) {
        let Some(test) = self.node.get("healthcheck").and_then(|check| check.get("test")) else {
            return;
        };
        let first = test.list().and_then(<[Node]>::first).and_then(Node::text);
        if let Some(first) = first
            && !matches!(first, "CMD" | "CMD-SHELL" | "NONE")
        {
            let found = format!("services.{}.healthcheck.test begins with {:?}", self.name, cut(first));
            self.problems.push(
                Problem::usage("value", &test.place, found, "correct it, or remove it")
                    .expected("CMD, CMD-SHELL or NONE"),
            );
        }
    }

    fn build(&mut self, root: &Map, services: &Map) {
        let Some(build) = self.node.get("build") else {
            return;
        };
        let secrets = root.get("secrets");
        for (name, at) in uses(build, "secrets") {
            if secrets.is_none_or(|secrets| secrets.get(name).is_none()) {
                let problem = undefined("secrets", self.name, "is built with", (name, at));
                self.problems.push(problem);
            }
        }
        for (target, place) in contexts(self.node) {
            if services
                .get(target)
                .is_some_and(|service| service.get("build").is_none())
            {
                let found = format!(
                    "services.{} is built with the service {target}, which has no build",
                    self.name
                );
                self.note(place, found, "correct it, or remove it");
            }
        }
        let said = |key: &str| build.get_text(key).is_some_and(|text| !text.is_empty());
        if said("dockerfile") && said("dockerfile_inline") {
            let found = format!(
                "services.{}.build says both dockerfile and dockerfile_inline",
                self.name
            );
            self.note(&build.place, found, "say one of them");
        }
        let platforms = build.get("platforms").map(Node::texts).unwrap_or_default();
        if let Some(platform) = self.node.get_text("platform").filter(|platform| !platform.is_empty())
            && !platforms.is_empty()
            && !platforms.contains(&platform)
        {
            let found = format!("services.{}.build.platforms lacks the service's platform", self.name);
            self.note(&build.place, found, "correct it, or remove it");
        }
    }

    fn scale(&mut self) {
        let name = self.name;
        let scale = self.node.get("scale");
        let replicas = self.node.get("deploy").and_then(|deploy| deploy.get("replicas"));
        let (count, of_replicas) = (number(scale), number(replicas));
        if let (Some(node), Some(count), Some(replicas)) = (scale, count, of_replicas)
            && differ(count, replicas)
        {
            let found = format!("services.{name} says one number with scale and another one with deploy.replicas");
            self.note(&node.place, found, "say one of them");
        }
        for (key, node, count) in [("scale", scale, count), ("deploy.replicas", replicas, of_replicas)] {
            if let (Some(node), Some(count)) = (node, count)
                && count < 0.0
            {
                let found = format!("services.{name}.{key} is less than 0");
                self.note(&node.place, found, "correct it, or remove it");
            }
        }
        if let Some(container) = self.node.get("container_name")
            && count.or(of_replicas).is_some_and(|count| count > 1.0)
        {
            let found = format!("services.{name} has a container_name and runs more than once");
            self.note(&container.place, found, "remove container_name, or run it once");
        }
    }

    /// Limits in their two places must be the same; a place that speaks of others and not of this one speaks of none.
    fn limits(&mut self) {
        let resources = self.node.get("deploy").and_then(|deploy| deploy.get("resources"));
        for (key, part, other, is_size) in [
            ("cpus", "limits", "cpus", false),
            ("mem_limit", "limits", "memory", true),
            ("mem_reservation", "reservations", "memory", true),
            ("pids_limit", "limits", "pids", false),
        ] {
            let read = if is_size { bytes } else { number };
            let own = self.node.get(key);
            let Some(part_of) = resources.and_then(|resources| resources.get(part)) else {
                continue;
            };
            let value = read(own).unwrap_or_default();
            let there = read(part_of.get(other)).unwrap_or_default();
            if let Some(own) = own
                && value != 0.0
                && differ(value, there)
            {
                let found = format!(
                    "services.{} says one value with {key} and another one with deploy.resources.{part}.{other}",
                    self.name
                );
                self.note(&own.place, found, "say the same in both places");
            }
        }
    }

    fn watch(&mut self) {
        let watched = self.node.get("develop").and_then(|develop| develop.get("watch"));
        for item in watched.and_then(Node::list).unwrap_or_default() {
            let action = item.get_text("action").unwrap_or_default();
            let has_target = item.get_text("target").is_some_and(|target| !target.is_empty());
            if item.get_text("path") == Some("") || !has_target && !matches!(action, "rebuild" | "restart") {
                let found = format!("services.{}.develop.watch lacks a path or a target", self.name);
                self.note(&item.place, found, "remove develop: no site builds");
            }
        }
    }

    /// No two mounts may have one place in the container.
    fn mounts(&mut self) {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let tmpfs = self.node.get("tmpfs").into_iter().flat_map(|node| match node.list() {
            Some(items) => items.iter().collect(),
            None => vec![node],
        });
        let mut targets: Vec<(&Node, String)> = tmpfs
            .filter_map(|node| {
                let path = node.text()?.split(':').next()?;
                Some((node, path.to_owned()))
            })
            .collect();
        for item in self.node.get("volumes").and_then(Node::list).unwrap_or_default() {
            let target = match item.text() {
                Some(text) => Volume::parse(text).map(|volume| volume.target),
                None => item.get_text("target"),
            };
            targets.extend(target.map(|target| (item, clean(target))));
        }
        for (node, target) in targets {
            if seen.contains(&target) {
                let found = format!("services.{} mounts two things at {:?}", self.name, cut(&target));
                self.note(&node.place, found, "list it once");
            }
            seen.insert(target);
        }
    }
}

fn container_names(services: &Map, problems: &mut Vec<Problem>) {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, service) in services {
        let Some(node) = service.get("container_name") else {
            continue;
        };
        let Some(container) = node.text().filter(|container| !container.is_empty()) else {
            continue;
        };
        if let Some(first) = known.get(container) {
            problems.push(Problem::usage(
                "value",
                &node.place,
                format!("services.{name} and services.{first} have the same container_name"),
                "give each a name of its own",
            ));
        } else {
            known.insert(container, name);
        }
    }
}

/// A secret comes from a file or a variable, whether one uses it or not. What says neither, nor where else it is, is noted before.
fn secrets(root: &Map, problems: &mut Vec<Problem>) {
    for (name, node) in root.get("secrets").and_then(Node::map).into_iter().flatten() {
        let external = node.get("external");
        let is_external = external.is_some_and(|external| external.is_true() || external.map().is_some());
        let is_empty = match node.get("environment") {
            Some(variable) => variable.text() == Some(""),
            None => node.get("content").is_none() && (external.is_some() || node.get("driver").is_some()),
        };
        if is_empty && !is_external && node.get("file").is_none() {
            problems.push(Problem::usage(
                "value",
                &node.place,
                format!("secrets.{name} says neither file nor environment with the name of a variable"),
                "say one of them",
            ));
        }
    }
}

/// Services that wait for one another would wait for ever.
fn cycles(services: &Map, problems: &mut Vec<Problem>) {
    let mut edges: BTreeMap<&str, BTreeMap<String, Place>> = BTreeMap::new();
    for (name, service) in services {
        let of = edges.entry(name).or_default();
        for (needed, _, place) in needs(service) {
            if services.contains_key(&needed) {
                of.entry(needed).or_insert(place);
            }
        }
    }
    // Services that nothing holds in a circle go, one after the other; what is left stands in one, or waits for one.
    loop {
        let free: Vec<&str> = edges
            .iter()
            .filter(|(_, needed)| !needed.keys().any(|needed| edges.contains_key(needed.as_str())))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            edges.remove(name);
        }
    }
    let Some(start) = edges.keys().next() else { return };
    let mut path: Vec<&str> = vec![start];
    loop {
        let last = path.last().copied().unwrap_or_default();
        let next = edges
            .get(last)
            .and_then(|needed| needed.iter().find(|(name, _)| edges.contains_key(name.as_str())));
        let Some((next, place)) = next else { return };
        if let Some(begin) = path.iter().position(|known| known == next) {
            let circle: Vec<&str> = path.iter().skip(begin).copied().chain([next.as_str()]).collect();
            problems.push(Problem::usage(
                "value",
                place,
                format!("services wait for one another in a circle: {}", circle.join(", ")),
                "let one of them start without the next one",
            ));
            return;
        }
        path.push(next);
    }
}

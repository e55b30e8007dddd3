//! What a service may not have where nothing can be built or fetched.

use std::path::Path;

use super::images::each_image;
use super::interpolation::Findings;
use super::known_keys;
use super::node::{Map, Node, Value};
use super::place::Place;
use super::problem::{Problem, cut};
use crate::bundle::desired::{DockerMode, PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};

/// Checks a merged document of which only the services that run are left.
pub(super) fn check(root: &Map, file: &Path, mode: DockerMode, findings: &mut Findings) {
    if mode == DockerMode::Swarm {
        known_keys::check(root, &mut findings.problems);
    }
    let services = root.get("services").and_then(Node::map);
    // What is no mapping is said already.
    if services.is_none_or(Map::is_empty) && root.get("services").is_none_or(|node| node.map().is_some()) {
        findings.problems.push(Problem::usage(
            "value",
            &root
                .get("services")
                .map_or_else(|| Place::start(file), |node| node.place.clone()),
            "no service runs",
            "add a service, or activate a profile",
        ));
    }
    for (name, node) in services.into_iter().flatten() {
        let mut service = Service {
            name,
            node,
            findings: &mut *findings,
        };
        service.check();
    }
    for (key, node) in root {
        texts(key, node, &mut findings.problems);
    }
}

struct Service<'a> {
    name: &'a str,
    node: &'a Node,
    findings: &'a mut Findings,
}

impl Service<'_> {
    fn note(&mut self, code: &'static str, at: &Place, found: String, remedy: &str) {
        self.findings.problems.push(Problem::new(code, at, found, remedy));
    }

    fn check(&mut self) {
        // What is no mapping is said already.
        if self.node.map().is_none() {
            return;
        }
        self.origin();
        self.files();
    }

    fn origin(&mut self) {
        let name = self.name;
        let mut built = false;
        for (key, found, remedy) in [
            (
                "build",
                "is built from source, which no site can do",
                "build it before, push it, and name it with image: alone",
            ),
            (
                "provider",
                "comes from a provider, a program that no agent has",
                "use an image, or leave the service out",
            ),
            (
                "models",
                "needs a model, which compose would fetch from outside",
                "put the model into an image or a volume",
            ),
        ] {
            if let Some(at) = self.node.get(key) {
                built |= key != "models";
                self.note(key, &at.place, format!("the service {name} {found}"), remedy);
            }
        }
        let mut wrong: Vec<(Place, String)> = Vec::new();
        each_image(self.node, &mut |image| match image.text() {
            Some("") => {
                wrong.push((image.place.clone(), format!("the service {name} has an empty image")));
            }
            Some(text) if text.contains('$') => wrong.push((
                image.place.clone(),
                format!("an image of the service {name} depends on the project's name, which only the appliance knows"),
            )),
            Some(text) if text.contains(char::is_whitespace) => wrong.push((
                image.place.clone(),
                format!("the image {:?} of the service {name} is no reference", cut(text)),
            )),
            Some(_) => {}
            None => wrong.push((
                image.place.clone(),
                format!("the image of the service {name} is {}", image.kind()),
            )),
        });
        // A variable without a value is said already.
        wrong.retain(|(place, _)| !self.findings.problems.iter().any(|known| known.place == *place));
        for (place, found) in wrong {
            self.note(
                "image",
                &place,
                found,
                "name an image, such as registry.example.com/team/app:1.0",
            );
        }
        if self.node.get("image").is_none() && !built {
            self.note(
                "image",
                &self.node.place,
                format!("the service {name} has no image"),
                "name one with image:",
            );
        }
    }

    /// Files that are read where the agent runs.
    fn files(&mut self) {
        let name = self.name;
        for option in self.node.get("security_opt").and_then(Node::list).unwrap_or_default() {
            let Some(profile) = option
                .text()
                .and_then(|text| text.strip_prefix("seccomp"))
                .and_then(|rest| rest.strip_prefix([':', '=']))
            else {
                continue;
            };
            if !matches!(profile, "unconfined" | "builtin") && !profile.starts_with('{') {
                let found = format!(
                    "the service {name} reads the seccomp profile {:?}, which an agent does not have",
                    cut(profile)
                );
                self.note("file", &option.place, found, "use the engine's profile, or unconfined");
            }
        }
    }
}

/// Looks at every text and key: the placeholder is the bundle's own, and a private key does not travel.
fn texts(key: &str, node: &Node, problems: &mut Vec<Problem>) {
    let placeholder = |text: &str| text.contains(PLACEHOLDER_HOST) || text.contains(PLACEHOLDER_PROJECT);
    let private = |text: &str| text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    let mut is_reserved = placeholder(key);
    match &node.value {
        Value::Map(entries) => {
            for (key, node) in entries {
                texts(key, node, problems);
            }
        }
        Value::List(items) => {
            for item in items {
                texts("", item, problems);
            }
        }
        Value::Text(text) => {
            is_reserved |= placeholder(&text.raw) || placeholder(&text.value);
            if private(&text.value) {
                problems.push(Problem::policy(
                    "secret",
                    &node.place,
                    "a private key would travel in the bundle as it is",
                    "keep it in a file on the host, or write a secret of the release in its place",
                ));
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
    }
    if is_reserved {
        problems.push(Problem::new(
            "placeholder",
            &node.place,
            format!("{PLACEHOLDER_HOST} and {PLACEHOLDER_PROJECT} stand for something at the site, and may not be written by hand"),
            "name the registry that the image really comes from, or use another name",
        ));
    }
}

//! The walk over services, and over what stands beside them, for what an engine reads there.

use super::super::node::{Map, Node, Value};
use super::super::problem::{Problem, cut};
use super::super::specification::size;
use super::container::{Container, known};
use super::words::{self, Word};
use super::{limits, mounts, pools, sharing};

/// Most characters of the name of a host.
const HOST_NAME: usize = 64;
/// Options of `json-file`, and those of every way to keep logs.
const LOGGING: [&str; 14] = [
    "cache-compress",
    "cache-disabled",
    "cache-max-file",
    "cache-max-size",
    "compress",
    "env",
    "env-regex",
    "labels",
    "labels-regex",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
    "tag",
];

/// Notes what an engine refuses. Only the services that run are left in the document.
pub(in super::super) fn check(root: &Map, problems: &mut Vec<Problem>) {
    pools::check(root, problems);
    let networks = root.get("networks");
    for (name, node) in root.get("services").and_then(Node::map).into_iter().flatten() {
        let mut container = Container {
            name,
            node,
            problems: &mut *problems,
        };
        container.words();
        mounts::check(&mut container);
        sharing::check(&mut container, networks);
        limits::check(&mut container);
    }
    for (name, volume) in root.get("volumes").and_then(Node::map).into_iter().flatten() {
        if let Some(given) = volume.get("name")
            && let Some(text) = known(given)
            && !Word::Name.fits(text)
        {
            problems.push(wrong(given, &format!("volumes.{name}.name"), text, Word::Name));
        }
    }
}

fn wrong(node: &Node, path: &str, found: &str, word: Word) -> Problem {
    Problem::usage(
        "value",
        &node.place,
        format!("{path} is {:?}, which no engine takes", cut(found)),
        "correct it, or remove it",
    )
    .expected(word.expected())
}

impl Container<'_> {
    /// Compares each text under a key with what an engine reads there.
    fn each(&mut self, key: &str, of: &Node, word: Word) {
        let items: Vec<&Node> = match &of.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![of],
        };
        for item in items {
            if let Some(text) = known(item)
                && !word.fits(text)
            {
                self.problems
                    .push(wrong(item, &format!("services.{}.{key}", self.name), text, word));
            }
        }
    }

    fn words(&mut self) {
        let service = self.node;
        for (key, word) in [
            ("cap_add", Word::Capability),
            ("cap_drop", Word::Capability),
            ("container_name", Word::Name),
            ("cpuset", Word::Processors),
            ("ipc", Word::Ipc),
            ("isolation", Word::Isolation),
            ("platform", Word::Platform),
            ("security_opt", Word::SecurityOption),
            ("stop_signal", Word::Signal),
            ("working_dir", Word::Folder),
        ] {
            if let Some(of) = service.get(key) {
                self.each(key, of, word);
            }
        }
        if let Some(node) = service.get("hostname")
            && known(node).is_some_and(|name| name.len() > HOST_NAME)
        {
            self.refuse(
                &node.place,
                "hostname",
                "is too long",
                format!("{HOST_NAME} characters at most"),
            );
        }
        self.logging();
        for item in service.get("environment").and_then(Node::list).unwrap_or_default() {
            if known(item).is_some_and(|text| text.starts_with('=')) {
                self.refuse(
                    &item.place,
                    "environment",
                    "has a variable without a name",
                    "NAME=VALUE, or NAME",
                );
            }
        }
        for (name, limit) in service.get("ulimits").and_then(Node::map).into_iter().flatten() {
            if !words::is_limit(name) {
                let found = format!("has {:?}", cut(name));
                self.refuse(&limit.place, "ulimits", found, words::LIMITS.join(", "));
            }
        }
        // Another runtime than the engine's own may know more of the kernel's settings.
        if service.get("runtime").is_none() {
            for (name, node) in pairs(service.get("sysctls")) {
                if !words::is_kernel_setting(&name) {
                    let found = format!("has {:?}, a setting of the whole host", cut(&name));
                    self.refuse(
                        &node.place,
                        "sysctls",
                        found,
                        "a setting that a container has of its own: net.*, fs.mqueue.* or one of kernel.msg*, kernel.sem and kernel.shm*; others are set on the host",
                    );
                }
            }
        }
    }

    /// Options of the engine's own way to keep logs; what other ways take, their plugins know.
    fn logging(&mut self) {
        let Some(logging) = self.node.get("logging") else {
            return;
        };
        if logging.get_text("driver").is_some_and(|driver| driver != "json-file") || logging.get("driver").is_none() {
            return;
        }
        for (name, node) in logging.get("options").and_then(Node::map).into_iter().flatten() {
            let value = node.spoken().unwrap_or_default();
            let is_open = node.text().is_some() && known(node).is_none();
            let (fits, expected) = match name.as_str() {
                "max-size" => (size(&value).is_some(), "a number of bytes with a unit, such as 10m"),
                "max-file" => (
                    value.parse::<i64>().is_ok_and(|files| files > 0),
                    "a number of files, 1 or more",
                ),
                _ => (
                    LOGGING.contains(&name.as_str()),
                    "options of json-file, such as max-size and max-file",
                ),
            };
            if !fits && !is_open {
                let found = format!("has {:?}", cut(&format!("{name}={value}")));
                self.refuse(&node.place, "logging.options", found, expected);
            }
        }
    }
}

/// The keys of a mapping, or of a list of `KEY=VALUE`.
fn pairs(node: Option<&Node>) -> Vec<(String, &Node)> {
    match node.map(|node| &node.value) {
        Some(Value::Map(map)) => map.iter().map(|(key, node)| (key.clone(), node)).collect(),
        Some(Value::List(items)) => items
            .iter()
            .filter_map(|item| {
                let text = known(item)?;
                let key = text.split_once('=').map_or(text, |(key, _)| key);
                Some((key.to_owned(), item))
            })
            .collect(),
        _ => Vec::new(),
    }
}

//! `env_file` and `label_file`: files beside the compose file whose pairs move into the service itself, as `docker compose config` shows
//! them. An agent has none of these files, with one exception: the deployment's environment file, which it writes as `.env`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::environment::{ENVIRONMENT_BYTES, Environment};
use super::loader::{Loader, named_by};
use super::node::{Map, Node, Text, Value};
use super::place::Place;
use super::problem::{Problem, cut, mistake};
use super::raw_environment;
use crate::bundle::desired::DockerMode;
use crate::domain::Result;
use crate::release_folder::is_foreign;
use crate::secret::TextKind;
use crate::stream::{Looked, read_bounded};

/// How agents call the deployment's environment file.
const AGENT_FILE: &str = ".env";
/// How compose calls the format of `docker run --env-file`.
const RAW: &str = "raw";

/// A file that a service names.
struct Named {
    path: String,
    format: String,
    required: bool,
    place: Place,
}

/// A pair of a file.
struct Said {
    name: String,
    text: Text,
    place: Place,
}

/// What of the deployment's environment file is known when services are read.
#[derive(Clone, Copy)]
pub(super) struct Deployment<'a> {
    /// Its variables.
    pub(super) env: &'a Environment,
    /// Whether agents get it.
    pub(super) travels: bool,
    /// Where it would lie if it lay beside the compose file.
    pub(super) folder: &'a Path,
    /// What runs the application.
    pub(super) mode: DockerMode,
}

impl Loader {
    /// Moves what the files of every service hold into the service.
    ///
    /// # Errors
    ///
    /// `E-USAGE environment` for a file that is none; `E-LIMIT`; `E-IO`.
    pub(super) fn inline_env_files(&mut self, root: &mut Map, deployment: Deployment<'_>) -> Result<()> {
        let Some(services) = root.get_mut("services").and_then(Node::map_mut) else {
            return Ok(());
        };
        for (name, service) in services {
            let Some(entries) = service.map_mut() else { continue };
            if let Some(files) = entries.remove("env_file") {
                self.inline_environment(name, entries, &files, deployment)?;
            }
            if let Some(files) = entries.remove("label_file") {
                self.inline_labels(name, entries, &files)?;
            }
        }
        Ok(())
    }

    fn inline_environment(
        &mut self,
        service: &str,
        entries: &mut Map,
        files: &Node,
        deployment: Deployment<'_>,
    ) -> Result<()> {
        let mut outer = deployment.env.clone();
        outer.fill_from(own_variables(entries));
        let mut earlier = Environment::default();
        let mut said: Vec<Said> = Vec::new();
        let mut kept = None;
        for file in named(files) {
            let path = self.base_of(&file.place).join(&file.path);
            if deployment.travels && file.format != RAW && is_same(&path, &deployment.folder.join(AGENT_FILE)) {
                // What it says comes before what was said so far.
                said.retain(|said| deployment.env.get(&said.name).is_none());
                if deployment.mode == DockerMode::Swarm {
                    said.extend(references(deployment.env, &file.place));
                } else {
                    kept = Some(Node::new(&file.place, Value::Text(Text::literal(AGENT_FILE))));
                }
                continue;
            }
            let Some(bytes) = self.pairs_file(service, "env_file", &file, &path)? else {
                continue;
            };
            let mut pairs = match file.format.as_str() {
                "" | AGENT_FILE => Environment::parse_within(&path, &bytes, &outer, &earlier)?,
                RAW => {
                    self.verbatim.insert(path.clone());
                    raw_environment::parse(&path, &bytes, &outer)?
                }
                other => {
                    return Err(mistake(
                        &file.place,
                        "environment",
                        format!("{:?} is no format of environment files", cut(other)),
                    )
                    .expected(RAW));
                }
            };
            say(&mut said, &pairs, &path, &bytes);
            pairs.fill_from(earlier);
            earlier = pairs;
        }
        add(entries, "environment", said);
        if let Some(kept) = kept {
            let place = kept.place.clone();
            entries.insert("env_file".to_owned(), Node::new(&place, Value::List(vec![kept])));
        }
        Ok(())
    }

    fn inline_labels(&mut self, service: &str, entries: &mut Map, files: &Node) -> Result<()> {
        let mut said: Vec<Said> = Vec::new();
        let mut earlier = Environment::default();
        for file in named(files) {
            let path = self.base_of(&file.place).join(&file.path);
            let Some(bytes) = self.pairs_file(service, "label_file", &file, &path)? else {
                continue;
            };
            let mut pairs = Environment::parse_within(&path, &bytes, &Environment::default(), &earlier)?;
            say(&mut said, &pairs, &path, &bytes);
            pairs.fill_from(earlier);
            earlier = pairs;
        }
        add(entries, "labels", said);
        Ok(())
    }

    /// Reads a file of pairs; nothing when it is not there, or may not be read, which is noted unless it is optional.
    fn pairs_file(&mut self, service: &str, key: &str, file: &Named, path: &Path) -> Result<Option<Vec<u8>>> {
        // What need not be there and is not there is nothing, wherever that is.
        let is_missing = || Looked::at(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if !file.required && !is_foreign(&file.path) && is_missing() {
            return Ok(None);
        }
        if self.is_outside(&file.path, path, &file.place)? {
            return Ok(None);
        }
        if self.folder.look(path)?.is_none() {
            let may_be_optional = key == "env_file";
            if file.required {
                let remedy = if may_be_optional {
                    "put it there, or say required: false"
                } else {
                    "put it there"
                };
                self.findings.problems.push(Problem::new(
                    "file",
                    &file.place,
                    format!(
                        "the service {service} reads the {key} {:?}, which is not there",
                        cut(&file.path)
                    ),
                    remedy,
                ));
            }
            return Ok(None);
        }
        let handle = self
            .folder
            .file(path, "read")
            .map_err(|error| named_by(&file.place, "file", &error))?;
        let bytes = read_bounded(handle, ENVIRONMENT_BYTES, &path.display().to_string())?;
        Ok(Some(self.marked(path, bytes, TextKind::Environment)))
    }
}

/// The files that a service names: one, or a list.
fn named(files: &Node) -> Vec<Named> {
    let items = match &files.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(files),
    };
    items
        .iter()
        .filter_map(|item| {
            let path = item.text().or_else(|| item.get_text("path"))?;
            Some(Named {
                path: path.to_owned(),
                format: item.get_text("format").unwrap_or_default().to_owned(),
                required: item.get("required").is_none_or(Node::is_true),
                place: item.place.clone(),
            })
        })
        .collect()
}

/// What a service says of its environment itself, where it gives values.
fn own_variables(entries: &Map) -> Environment {
    let Some(environment) = entries.get("environment") else {
        return Environment::default();
    };
    match &environment.value {
        Value::Map(pairs) => pairs
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.spoken()?)))
            .collect(),
        Value::List(items) => items
            .iter()
            .filter_map(|item| item.text()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => Environment::default(),
    }
}

/// References to the variables that a stack is deployed with: their values may be others at the site.
fn references<'a>(env: &'a Environment, place: &'a Place) -> impl Iterator<Item = Said> + 'a {
    env.iter().map(move |(name, value)| {
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        Said {
            name: name.to_owned(),
            text: if is_name {
                Text {
                    raw: format!("${{{name}}}"),
                    value: value.to_owned(),
                }
            } else {
                Text::literal(value)
            },
            place: place.clone(),
        }
    })
}

/// Adds the pairs of the next file; it decides over those before it.
fn say(said: &mut Vec<Said>, pairs: &Environment, file: &Path, bytes: &[u8]) {
    said.retain(|said| pairs.get(&said.name).is_none());
    let file: Arc<Path> = file.into();
    let text = String::from_utf8_lossy(bytes);
    let lines: BTreeMap<&str, usize> = text
        .lines()
        .zip(1..)
        .filter_map(|(line, number)| Some((name_of(line)?, number)))
        .collect();
    said.extend(pairs.iter().map(|(name, value)| Said {
        name: name.to_owned(),
        text: Text::literal(value),
        place: Place {
            file: file.clone(),
            line: lines.get(name).copied().unwrap_or(1),
            column: 1,
        },
    }));
}

/// The name that a line gives a value.
fn name_of(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('\u{feff}').trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    line.split(['=', ':']).next().map(str::trim)
}

/// Adds pairs that a service does not have, in the form that it has.
fn add(entries: &mut Map, key: &str, said: Vec<Said>) {
    let Some(first) = said.first().map(|said| said.place.clone()) else {
        return;
    };
    let target = entries
        .entry(key.to_owned())
        .or_insert_with(|| Node::new(&first, Value::Map(Map::new())));
    if target.is_null() {
        target.value = Value::Map(Map::new());
    }
    for Said { name, text, place } in said {
        match &mut target.value {
            Value::Map(pairs) => {
                pairs
                    .entry(name)
                    .or_insert_with(|| Node::new(&place, Value::Text(text)));
            }
            Value::List(items) => {
                let known = items
                    .iter()
                    .filter_map(Node::text)
                    .any(|item| item.split('=').next() == Some(name.as_str()));
                if !known {
                    let left = Text::literal(&name);
                    let pair = Text {
                        raw: format!("{}={}", left.raw, text.raw),
                        value: format!("{name}={}", text.value),
                    };
                    items.push(Node::new(&place, Value::Text(pair)));
                }
            }
            _ => {}
        }
    }
}

/// Whether two paths are written for the same place.
fn is_same(left: &Path, right: &Path) -> bool {
    let clean = |path: &Path| super::volume::clean(&path.display().to_string());
    clean(left) == clean(right)
}

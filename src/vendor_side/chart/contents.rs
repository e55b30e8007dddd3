//! What a chart holds: its metadata, its default values with those of the charts inside it, and what its templates name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::archive::{self, Budget, wrong};
use super::metadata::{Metadata, yaml};
use super::scan::{WrittenImage, written_images};
use crate::domain::{Class, Error, Result};
use crate::vendor_side::leak::private_key;

/// Charts inside charts.
const DEPTH: usize = 8;

/// A chart, read whole.
#[derive(Debug)]
pub(in super::super) struct Chart {
    /// Its name.
    pub(in super::super) name: String,
    /// Its version.
    pub(in super::super) version: String,
    /// `Chart.yaml` as JSON.
    pub(in super::super) metadata: Value,
    /// Default values, those of charts inside it under their names.
    pub(in super::super) defaults: Value,
    /// Version of what it deploys: the tag that charts take when the values name none.
    pub(in super::super) app_versions: BTreeMap<Vec<String>, String>,
    /// Images that templates name by themselves.
    pub(in super::super) written: Vec<WrittenImage>,
    /// Charts that it needs and does not hold, one error each.
    pub(in super::super) missing: Vec<Error>,
    /// Files that hold a private key.
    pub(in super::super) private_keys: Vec<String>,
}

impl Chart {
    /// Reads an archive.
    ///
    /// # Errors
    ///
    /// `E-CONTENT chart`, `E-LIMIT chart`.
    pub(in super::super) fn read(archive: &[u8], label: &str) -> Result<Self> {
        let mut budget = Budget::default();
        let mut files = BTreeMap::new();
        archive::read(archive, label, &mut budget, &mut |name, bytes| {
            files.insert(name.to_owned(), bytes);
            Ok(())
        })?;
        let mut found = Found::default();
        let (metadata, defaults) = found.chart(files, label, &mut Vec::new(), &mut budget, 0)?;
        if metadata.library {
            return Err(wrong(label, "it is a library and installs nothing").expected("an application chart"));
        }
        Ok(Self {
            name: metadata.name,
            version: metadata.version,
            metadata: metadata.json,
            defaults: Value::Object(defaults),
            app_versions: found.app_versions,
            written: found.written,
            missing: found.missing,
            private_keys: found.private_keys,
        })
    }
}

/// What is gathered from a chart and the charts inside it.
#[derive(Default)]
struct Found {
    app_versions: BTreeMap<Vec<String>, String>,
    written: Vec<WrittenImage>,
    missing: Vec<Error>,
    private_keys: Vec<String>,
}

impl Found {
    /// Reads the files of one chart. `path` is where its values stand in those of the outermost one.
    fn chart(
        &mut self,
        files: BTreeMap<String, Vec<u8>>,
        label: &str,
        path: &mut Vec<String>,
        budget: &mut Budget,
        depth: usize,
    ) -> Result<(Metadata, Map<String, Value>)> {
        if depth > DEPTH {
            return Err(Error::new(
                Class::Limit,
                "chart",
                format!("{label}: charts inside charts go on without end"),
            )
            .expected(format!("at most {DEPTH} levels")));
        }
        let chart = files
            .get("Chart.yaml")
            .ok_or_else(|| wrong(label, "it has no Chart.yaml"))?;
        let metadata = Metadata::parse(label, chart, files.get("requirements.yaml").map(Vec::as_slice))?;
        if let Some(version) = &metadata.app_version {
            self.app_versions.insert(path.clone(), version.clone());
        }
        let mut values = match files.get("values.yaml") {
            Some(bytes) => match yaml(&format!("{label}/values.yaml"), bytes)? {
                Value::Object(values) => values,
                _ => Map::new(),
            },
            None => Map::new(),
        };
        // Charts inside: folders by their first part, archives as they are.
        let mut inside: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for (name, bytes) in files {
            match name.strip_prefix("charts/") {
                // Helm itself leaves out what begins with these.
                Some(rest) if rest.starts_with(['.', '_']) => {}
                Some(rest) => match rest.split_once('/') {
                    Some((folder, below)) => {
                        inside
                            .entry(folder.to_owned())
                            .or_default()
                            .insert(below.to_owned(), bytes);
                    }
                    None if has_ending(rest, &["tgz"]) => {
                        let nested = format!("{label}/{name}");
                        let mut below = BTreeMap::new();
                        archive::read(&bytes, &nested, budget, &mut |name, bytes| {
                            below.insert(name.to_owned(), bytes);
                            Ok(())
                        })?;
                        inside.insert(rest.to_owned(), below);
                    }
                    None => self.file(label, &name, &bytes),
                },
                None => self.file(label, &name, &bytes),
            }
        }
        let mut held = Vec::new();
        for (folder, files) in inside {
            if !files.contains_key("Chart.yaml") {
                continue;
            }
            let nested = format!("{label}/charts/{folder}");
            // The name decides where its values stand, so it is read first.
            let name = Metadata::parse(&nested, files.get("Chart.yaml").map_or(&[][..], Vec::as_slice), None)?.name;
            let mut aliases: Vec<String> = metadata
                .dependencies
                .iter()
                .filter(|dependency| dependency.name == name)
                .map(|dependency| dependency.alias.clone())
                .collect();
            if aliases.is_empty() {
                aliases.push(name.clone());
            }
            held.push(name);
            for alias in aliases {
                path.push(alias.clone());
                let read = self.chart(files.clone(), &nested, path, budget, depth.saturating_add(1));
                path.pop();
                let (_, defaults) = read?;
                let mut beneath = Value::Object(defaults);
                if let Some(own) = values.remove(&alias) {
                    overlay(&mut beneath, own);
                }
                values.insert(alias, beneath);
            }
        }
        for dependency in &metadata.dependencies {
            if !held.contains(&dependency.name) {
                self.missing.push(
                    Error::new(
                        Class::Content,
                        "missing",
                        format!(
                            "{}: the chart {} is declared and not in charts/",
                            dependency.place, dependency.name
                        ),
                    )
                    .remedy("run `helm dependency build` and pack the chart again"),
                );
            }
        }
        Ok((metadata, values))
    }

    fn file(&mut self, label: &str, name: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if private_key(&text).is_some() {
            self.private_keys.push(format!("{label}/{name}"));
        }
        let template = name.starts_with("templates/") && has_ending(name, &["yaml", "yml", "tpl", "json"]);
        if template {
            self.written.extend(written_images(&format!("{label}/{name}"), &text));
        }
    }
}

/// Whether a file has one of these endings; helm tells upper and lower case apart.
fn has_ending(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| endings.contains(&ending))
}

/// Lays values over defaults as helm does: mappings merge, null takes a default away, anything else replaces.
pub(in super::super) fn overlay(defaults: &mut Value, values: Value) {
    match (defaults, values) {
        (Value::Object(defaults), Value::Object(values)) => {
            for (key, value) in values {
                if value.is_null() {
                    defaults.remove(&key);
                } else if let Some(default) = defaults.get_mut(&key) {
                    overlay(default, value);
                } else {
                    defaults.insert(key, value);
                }
            }
        }
        (default, value) => *default = value,
    }
}

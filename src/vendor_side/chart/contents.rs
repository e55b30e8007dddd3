//! What a chart holds: its metadata, its default values with those of the charts inside it, and its templates.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::archive::{self, Budget, wrong};
use super::metadata::{Metadata, yaml};
use super::overlay::overlay;
use super::template::Template;
use super::value_schema;
use crate::domain::{Class, Error, Result};
use crate::leak::{private_key, secret_shapes, without_comments};

/// Charts inside charts.
const DEPTH: usize = 8;

/// A chart, read whole.
#[derive(Debug)]
pub(crate) struct Chart {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// `Chart.yaml` as JSON.
    pub(crate) metadata: Value,
    /// Default values, those of charts inside it under their names.
    pub(crate) defaults: Value,
    /// Version of what it deploys: the tag that charts take when the values name none.
    pub(crate) app_versions: BTreeMap<Vec<String>, String>,
    /// Templates of the chart and of the charts inside it.
    pub(crate) templates: Vec<Template>,
    /// Schemas of values, by their names.
    pub(crate) schemas: Vec<String>,
    /// Other files that templates may read.
    pub(crate) files: Vec<Template>,
    /// What helm installs as it stands, before the templates.
    pub(crate) crds: Vec<Template>,
    /// Charts that it needs and does not hold, one error each.
    pub(crate) missing: Vec<Error>,
    /// Files that hold a private key, and the line in which it begins.
    pub(crate) private_keys: Vec<(String, u64)>,
    /// What is a secret by its own form: file, line, and what it is.
    pub(crate) tokens: Vec<(String, u64, &'static str)>,
    /// What helm takes without a word, and its author may not have meant.
    pub(crate) warnings: Vec<String>,
}

impl Chart {
    /// Reads an archive.
    ///
    /// # Errors
    ///
    /// `E-CONTENT chart`, `E-LIMIT chart`.
    pub(crate) fn read(archive: &[u8], label: &str) -> Result<Self> {
        let mut budget = Budget::default();
        let mut files = BTreeMap::new();
        archive::read(archive, label, &mut budget, &mut |name, bytes| {
            files.insert(name.to_owned(), bytes);
            Ok(())
        })?;
        let mut found = Found::default();
        let mut at = Standing::default();
        let (metadata, defaults) = found.chart(files, label, &mut at, &mut budget, 0)?;
        if metadata.library {
            return Err(wrong(label, "it is a library and installs nothing").expected("an application chart"));
        }
        Ok(Self {
            name: metadata.name,
            version: metadata.version,
            metadata: metadata.json,
            defaults: Value::Object(defaults),
            app_versions: found.app_versions,
            templates: found.templates,
            schemas: found.schemas,
            files: found.files,
            crds: found.crds,
            missing: found.missing,
            private_keys: found.private_keys,
            tokens: found.tokens,
            warnings: found.warnings,
        })
    }
}

impl Chart {
    /// Whether a template has this text in it as it is.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.templates.iter().any(|template| template.text.contains(text))
    }
}

/// Where a chart stands in the outermost one.
#[derive(Default)]
struct Standing {
    /// Its values in those of the outermost chart.
    path: Vec<String>,
    /// What helm calls the files in it: `erp/charts/db`.
    source: String,
}

/// What is gathered from a chart and the charts inside it.
#[derive(Default)]
struct Found {
    app_versions: BTreeMap<Vec<String>, String>,
    templates: Vec<Template>,
    schemas: Vec<String>,
    files: Vec<Template>,
    crds: Vec<Template>,
    missing: Vec<Error>,
    private_keys: Vec<(String, u64)>,
    tokens: Vec<(String, u64, &'static str)>,
    warnings: Vec<String>,
}

impl Found {
    /// Reads the files of one chart.
    fn chart(
        &mut self,
        files: BTreeMap<String, Vec<u8>>,
        label: &str,
        at: &mut Standing,
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
        let warnings = &mut self.warnings;
        let mut warn = |warning| warnings.push(warning);
        let requirements = files.get("requirements.yaml").map(Vec::as_slice);
        let metadata = Metadata::parse(label, chart, requirements, &mut warn)?;
        if let Some(version) = &metadata.app_version {
            self.app_versions.insert(at.path.clone(), version.clone());
        }
        if at.source.is_empty() {
            at.source.clone_from(&metadata.name);
        }
        let mut values = match files.get("values.yaml") {
            Some(bytes) => match yaml(&format!("{label}/values.yaml"), bytes, &mut warn)? {
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
                    None => self.file(label, &name, &bytes, at, &metadata),
                },
                None => self.file(label, &name, &bytes, at, &metadata),
            }
        }
        let mut held = Vec::new();
        for (folder, files) in inside {
            if !files.contains_key("Chart.yaml") {
                continue;
            }
            let nested = format!("{label}/charts/{folder}");
            // The name decides where its values stand, so it is read first.
            let chart = files.get("Chart.yaml").map_or(&[][..], Vec::as_slice);
            let name = Metadata::parse(&nested, chart, None, &mut |_| ())?.name;
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
                let mut below = Standing {
                    path: [&at.path[..], std::slice::from_ref(&alias)].concat(),
                    source: format!("{}/charts/{alias}", at.source),
                };
                let (_, defaults) = self.chart(files.clone(), &nested, &mut below, budget, depth.saturating_add(1))?;
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

    fn file(&mut self, label: &str, name: &str, bytes: &[u8], at: &Standing, metadata: &Metadata) {
        let text = String::from_utf8_lossy(bytes);
        let is_template = name.starts_with("templates/");
        let said = if is_template {
            Cow::Owned(without_comments(&text))
        } else {
            Cow::Borrowed(&*text)
        };
        if let Some(line) = line_of_private_key(&said) {
            self.private_keys.push((format!("{label}/{name}"), line));
        }
        // Definitions describe what others write, and a template's line becomes something else.
        if !name.starts_with("crds/") {
            let own = secret_shapes(&said, |line| line.contains("{{"));
            let own = own.map(|(line, what)| (format!("{label}/{name}"), line, what));
            self.tokens.extend(own);
        }
        let template = Template {
            place: format!("{label}/{name}"),
            source: format!("{}/{name}", at.source),
            chart: [
                ("Name", Some(metadata.name.clone())),
                ("Version", Some(metadata.version.clone())),
                ("AppVersion", metadata.app_version.clone()),
            ],
            values: at.path.clone(),
            text: text.into_owned(),
        };
        // Helm renders whatever stands there, whatever it is called.
        if name == "values.schema.json" {
            let outside = value_schema::outside(&template.place, &template.text);
            self.missing.extend(outside);
            self.schemas.push(template.place);
        } else if is_template {
            self.templates.push(template);
        } else if name.starts_with("crds/") && has_ending(name, &["yaml", "yml", "json"]) {
            self.crds.push(template);
        } else if !name.starts_with("crds/") && !is_of_the_chart(name) {
            self.files.push(template);
        }
    }
}

/// What a chart is described by; no template reads that for content.
fn is_of_the_chart(name: &str) -> bool {
    let known = [
        "Chart.yaml",
        "Chart.lock",
        "values.yaml",
        "values.schema.json",
        "requirements.yaml",
        ".helmignore",
    ];
    known.contains(&name) || has_ending(name, &["md"])
}

/// Returns the line in which a private key stands: one that begins it and is no remark, with a line of the key behind it. Sentences about
/// keys hold none.
fn line_of_private_key(text: &str) -> Option<u64> {
    let (mut rest, mut passed) = (text, 0_u64);
    while let Some(found) = private_key(rest) {
        let line = usize::try_from(found).ok()?;
        let mut from = rest.lines().skip(line.saturating_sub(1));
        let begins = from.next().unwrap_or_default();
        let is_remark = |line: &str| line.trim_start().starts_with(['#', '>']);
        let is_key = |line: &str| {
            let line = line.trim().trim_matches(['"', '\'', '|', '+', ' ']);
            line.len() >= 8 && !line.contains(char::is_whitespace)
        };
        // On one line with it where it is written with escapes, or encoded as a whole.
        let beside = begins.contains("\\n") || !begins.contains("-----BEGIN");
        let behind = from
            .next()
            .is_some_and(|line| is_key(line) || line.contains("Proc-Type:"));
        passed = passed.saturating_add(found);
        if !is_remark(begins) && (beside || behind) {
            return Some(passed);
        }
        let at: usize = rest.split_inclusive('\n').take(line).map(str::len).sum();
        rest = rest.get(at..).unwrap_or_default();
    }
    None
}

/// Whether a file has one of these endings; helm tells upper and lower case apart.
fn has_ending(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| endings.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_about_a_key_is_no_key() {
        for text in [
            "# -----BEGIN RSA PRIVATE KEY-----\n# MIIEpAIBAAKCAQEA\nkey: \"\"\n",
            "Paste the key, `-----BEGIN PRIVATE KEY-----` included.\nThen go on.\n",
        ] {
            assert_eq!(line_of_private_key(text), None, "{text}");
        }
        for (text, line) in [
            ("key: |\n  -----BEGIN PRIVATE KEY-----\n  MIIEpAIBAAKCAQEAmMIIEpA\n", 2),
            (
                "# -----BEGIN PRIVATE KEY-----\nkey: |\n  -----BEGIN PRIVATE KEY-----\n  MIIEpAIBAAKCAQEAmMIIEpA\n",
                3,
            ),
            (
                "Paste -----BEGIN PRIVATE KEY-----\\n in one line.\nkey: \"-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA\"\n",
                2,
            ),
        ] {
            assert_eq!(line_of_private_key(text), Some(line), "{text}");
        }
    }
}

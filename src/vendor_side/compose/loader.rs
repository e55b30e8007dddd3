//! Files to one project: read, variables replaced, merged, services chosen, everything checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::carried_files::{self, CarriedFile};
use super::check;
use super::consistency;
use super::engine;
use super::env_files::Deployment;
use super::environment::Environment;
use super::exclusive;
use super::extends::{Context, services_as_written};
use super::interpolation::{Findings, Scope, interpolate};
use super::merge::merge;
use super::merge_tags;
use super::node::{Map, Node, Value};
use super::place::Place;
use super::problem::{Problem, cut, mistake};
use super::profiles;
use super::project::Project;
use super::pulling::normalize_pulling;
use super::reader::{self, COMPOSE_BYTES};
use super::resources;
use super::secret_places;
use super::settle::settle;
use super::specification;
use super::stack::normalize_stack;
use super::unique;
use crate::bundle::desired::DockerMode;
use crate::domain::{Class, Error, Result, SecretName};
use crate::release_folder::is_foreign;
use crate::secret::{TextKind, mark};
use crate::stream::read_bounded;
use crate::{OUTSIDE, ReleaseFolder};

/// Most files of a project, and deepest nesting of includes.
const FILES: usize = 200;
const NESTING: usize = 16;
/// What activates profiles where the caller names none, as with compose.
const PROFILES: &str = "COMPOSE_PROFILES";

/// What a compose application is made of.
#[derive(Debug, Clone, Copy)]
pub struct ComposeInput<'a> {
    /// Where files are read from.
    pub folder: &'a ReleaseFolder,
    /// Compose files, later ones merged over earlier ones; relative paths in all of them are relative to the folder of the first.
    pub files: &'a [PathBuf],
    /// Profiles to activate; `*` activates all. Where there is none, `COMPOSE_PROFILES` of the environment counts.
    pub profiles: &'a [String],
    /// What variables become.
    pub env: &'a Environment,
    /// Whether agents get these variables, as the deployment's environment file.
    pub env_travels: bool,
    /// What runs the application.
    pub mode: DockerMode,
}

/// Reads a compose application. What compose would refuse or fetch from outside is in [`Project::problems`].
///
/// # Errors
///
/// `E-USAGE` with file, line and column for what cannot be read at all: `yaml`, `environment`, `extends`, `include`; `E-LIMIT`; `E-IO`.
pub fn load(input: &ComposeInput<'_>) -> Result<Project> {
    let Some(first) = input.files.first() else {
        return Err(
            Error::new(Class::Usage, "value", "an application without a compose file")
                .expected("at least one compose file"),
        );
    };
    let mut loader = Loader {
        folder: input.folder.clone(),
        findings: Findings::default(),
        files: 0,
        bases: BTreeMap::new(),
        mode: input.mode,
        carried: Vec::new(),
        verbatim: BTreeSet::new(),
    };
    let scope = Scope {
        main: input.env.clone(),
        own: Environment::default(),
    };
    let folder = first.parent().unwrap_or(Path::new(""));
    let mut root = loader.model(input.files, None, folder, &scope, &[])?;
    let activated: Vec<String> = match input.env.get(PROFILES) {
        Some(list) if input.profiles.is_empty() => list
            .split(',')
            .map(|profile| profile.trim().to_owned())
            .filter(|profile| !profile.is_empty())
            .collect(),
        _ => input.profiles.to_vec(),
    };
    let all: BTreeSet<SecretName> = secret_places::names(&root).collect();
    profiles::look(&root, &activated, &mut loader.findings.warnings);
    profiles::choose(&mut root, &activated, &mut loader.findings.problems);
    match input.mode {
        // Compose warns of it; stacks go by it.
        DockerMode::Compose => {
            root.remove("version");
            consistency::check(&root, &mut loader.findings.problems);
            normalize_pulling(&mut root, &mut loader.findings);
        }
        DockerMode::Swarm => normalize_stack(&mut root, &mut loader.findings.problems),
    }
    engine::check(&root, &mut loader.findings.problems);
    let deployment = Deployment {
        env: input.env,
        travels: input.env_travels,
        folder,
        mode: input.mode,
    };
    loader.inline_env_files(&mut root, deployment)?;
    loader.carry_files(&mut root, input.mode)?;
    let (mut findings, carried, verbatim) = (loader.findings, loader.carried, loader.verbatim);
    resources::normalize_resources(&mut root, input.mode, input.env, &mut findings.problems);
    if input.mode == DockerMode::Compose {
        carried_files::check_read_only(&root, &mut findings.problems);
    }
    check::check(&root, first, input.mode, &mut findings);
    let secrets = secret_places::find(&root, &mut findings.problems);
    let mut seen = BTreeSet::new();
    let mut problems = findings.problems;
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    // A value that several services share is met once for each, under another path.
    problems.retain(|problem| {
        let what = match (problem.code.as_str(), &problem.expected) {
            ("unknown-key", _) => String::new(),
            (_, Some(expected)) => expected.clone(),
            (_, None) => problem.found.clone(),
        };
        seen.insert((problem.place.clone(), problem.code.as_str(), what))
    });
    let mut resting = all;
    resting.retain(|name| !secrets.iter().any(|(used, _)| used == name));
    Ok(Project {
        root,
        resting: resting.into_iter().collect(),
        carried,
        verbatim,
        secrets,
        problems,
        warnings: findings.warnings,
    })
}

/// Reads and merges, and gathers what stands against it.
pub(super) struct Loader {
    pub(super) folder: ReleaseFolder,
    pub(super) findings: Findings,
    files: usize,
    /// What relative paths in each file are relative to.
    bases: BTreeMap<Arc<Path>, PathBuf>,
    mode: DockerMode,
    /// Files that travel within the document.
    pub(super) carried: Vec<CarriedFile>,
    /// Environment files whose values are taken word for word.
    pub(super) verbatim: BTreeSet<PathBuf>,
}

impl Loader {
    /// Merges files into one document: each with what it includes and extends.
    pub(super) fn model(
        &mut self,
        files: &[PathBuf],
        from: Option<&Place>,
        folder: &Path,
        scope: &Scope,
        trail: &[PathBuf],
    ) -> Result<Map> {
        let mut whole = Map::new();
        for file in files {
            let mut trail = trail.to_vec();
            if trail.len() >= NESTING {
                return Err(limit(&Place::start(file), "files are included too deep", NESTING));
            }
            trail.push(file.clone());
            for document in self.read(file, folder, from, scope)? {
                let place = document.place.clone();
                let Value::Map(mut document) = document.value else {
                    continue;
                };
                // What is reset and overridden counts against what is included, what is extended, and what came before.
                let marked = document.clone();
                merge_tags::strip_entries(&mut document);
                self.include_all(&mut document, &marked, folder, scope, &trail)?;
                merge_tags::apply_entries(&mut whole, &marked, &mut Vec::new());
                let context = Context {
                    file,
                    folder,
                    scope,
                    marked: &services_as_written(&marked),
                };
                self.extend_all(&mut document, context)?;
                let before = Node::new(&place, Value::Map(whole));
                let over = Node::new(&place, Value::Map(document));
                let merged = merge(before, over, &mut Vec::new(), &mut self.findings.problems);
                whole = match merged.value {
                    Value::Map(map) => map,
                    _ => Map::new(),
                };
                unique::enforce(&mut whole);
                specification::check(&whole, &place, self.mode, &mut self.findings.problems);
            }
        }
        exclusive::check(&whole, &mut self.findings.problems);
        if from.is_some() {
            settle(&mut whole, scope, &mut self.findings.problems);
        }
        Ok(whole)
    }

    /// Whether what a file names lies outside the folder of the release; that is noted then, and the file is not read.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn is_outside(&mut self, text: &str, path: &Path, place: &Place) -> Result<bool> {
        if is_foreign(text) {
            self.findings.problems.push(Problem::usage(
                OUTSIDE.as_str(),
                place,
                format!("{:?} is a path of a home folder or of Windows", cut(text)),
                "write a path relative to the file, or one from the root",
            ));
            return Ok(true);
        }
        match self.folder.look(path) {
            Err(error) if error.is(OUTSIDE) => {
                let remedy = error.advice().unwrap_or_default();
                self.findings
                    .problems
                    .push(Problem::usage(OUTSIDE.as_str(), place, error.found(), remedy));
                Ok(true)
            }
            Err(error) => Err(error),
            Ok(_) => Ok(false),
        }
    }

    /// Reads every document of a file, variables replaced. Relative paths in it are relative to `base`; `from` is what names the file.
    pub(super) fn read(&mut self, path: &Path, base: &Path, from: Option<&Place>, scope: &Scope) -> Result<Vec<Node>> {
        let at = from.cloned().unwrap_or_else(|| Place::start(path));
        self.files = self.files.saturating_add(1);
        if self.files > FILES {
            return Err(limit(&at, "the application is made of too many files", FILES));
        }
        self.bases.insert(path.into(), base.to_owned());
        let file = self.folder.file(path, "read").map_err(|error| match from {
            Some(place) => named_by(place, "file", &error),
            None => error,
        })?;
        let bytes = read_bounded(file, COMPOSE_BYTES, &path.display().to_string())?;
        let bytes = self.marked(path, bytes, TextKind::Compose);
        let mut documents = reader::read(path, &bytes)?;
        if documents.is_empty() {
            return Err(mistake(&Place::start(path), "yaml", "the file is empty"));
        }
        for document in &mut documents {
            if document.map().is_none() {
                return Err(mistake(&document.place, "yaml", "a compose file is a mapping"));
            }
            interpolate(document, scope, &mut self.findings);
        }
        Ok(documents)
    }

    /// The text of a file with the secrets in it marked; templates that cannot be carried are noted. What is no text comes back as it is.
    pub(super) fn marked(&mut self, path: &Path, bytes: Vec<u8>, kind: TextKind) -> Vec<u8> {
        match String::from_utf8(bytes) {
            Ok(text) => {
                let marked = mark(&text, kind);
                self.findings
                    .problems
                    .extend(marked.problems.iter().map(|found| Problem::of_template(path, found)));
                marked.text.into_bytes()
            }
            Err(error) => error.into_bytes(),
        }
    }

    /// What a relative path that stands at a place is relative to.
    pub(super) fn base_of(&self, place: &Place) -> PathBuf {
        match self.bases.get(&place.file) {
            Some(base) => base.clone(),
            None => place.file.parent().unwrap_or(Path::new("")).to_owned(),
        }
    }
}

/// The error of a file that another one names.
pub(super) fn named_by(place: &Place, code: &'static str, error: &Error) -> Error {
    mistake(place, code, error.found())
}

fn limit(place: &Place, found: &str, most: usize) -> Error {
    Error::new(Class::Limit, "files", format!("{place}: {found}")).expected(format!("at most {most}"))
}

//! Files to one project: read, variables replaced, merged, services chosen, everything checked.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::node::Node;
use super::place::Place;
use super::problem::mistake;
use super::project::Project;
use super::reader::{self, COMPOSE_BYTES};
use super::settle::{Findings, Scope, settle};
use crate::bundle::desired::DockerMode;
use crate::domain::{Error, Result};
use crate::stream::read_bounded;

/// What a compose application is made of.
#[derive(Debug, Clone, Copy)]
pub struct ComposeInput<'a> {
    /// Compose files, later ones merged over earlier ones; relative paths in all of them are relative to the folder of the first.
    pub files: &'a [PathBuf],
    /// Profiles to activate; `*` activates all.
    pub profiles: &'a [String],
    /// What variables become.
    pub env: &'a Environment,
    /// What runs the application.
    pub mode: DockerMode,
}

/// Reads a compose application. What compose would refuse or fetch from outside is in [`Project::problems`].
///
/// # Errors
///
/// `E-USAGE yaml` or `environment` with file, line and column for what cannot be read at all; `E-LIMIT`; `E-IO`.
pub fn load(input: &ComposeInput<'_>) -> Result<Project> {
    let [file] = input.files else {
        return Err(Error::new(
            crate::domain::Class::Usage,
            "value",
            "not exactly one compose file",
        ));
    };
    let mut findings = Findings::default();
    let scope = Scope {
        main: input.env.clone(),
        own: Environment::default(),
    };
    let mut root = super::node::Map::new();
    for mut document in read_file(file)? {
        settle(&mut document, &scope, &mut findings);
        match document.value {
            super::node::Value::Map(map) => root = map,
            _ => return Err(mistake(&document.place, "yaml", "a compose file is a mapping")),
        }
    }
    Ok(Project {
        root,
        problems: findings.problems,
        warnings: findings.warnings,
    })
}

/// Reads every document of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<Node>> {
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let bytes = read_bounded(file, COMPOSE_BYTES, &path.display().to_string())?;
    let documents = reader::read(path, &bytes)?;
    if documents.is_empty() {
        return Err(mistake(&Place::start(path), "yaml", "the file is empty"));
    }
    Ok(documents)
}

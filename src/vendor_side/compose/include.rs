//! `include`: whole compose files taken in, each with a folder and an environment file of its own.

use std::path::{Path, PathBuf};

use super::environment::{ENVIRONMENT_BYTES, Environment};
use super::extends::remote_problem;
use super::interpolation::Scope;
use super::loader::{Loader, named_by};
use super::merge::merge;
use super::merge_tags;
use super::node::{Map, Node, Value};
use super::problem::{Problem, mistake};
use crate::domain::Result;
use crate::secret::TextKind;
use crate::stream::read_bounded;

/// What an included file may bring.
const KINDS: [&str; 6] = ["services", "volumes", "networks", "secrets", "configs", "models"];

/// Whether compose would take a path for something to fetch: an address, or a git or OCI reference.
pub(super) fn is_remote(path: &str) -> bool {
    let scheme = path.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    scheme
        || path.starts_with("git@")
        || path.starts_with("github.com/")
        || path.starts_with("oci:")
        || path.contains(".git#")
        || Path::new(path).extension().is_some_and(|extension| extension == "git")
}

impl Loader {
    /// Takes in what a document includes.
    ///
    /// # Errors
    ///
    /// `E-USAGE include` for a circle; those of reading the files.
    pub(super) fn include_all(
        &mut self,
        document: &mut Map,
        marked: &Map,
        folder: &Path,
        scope: &Scope,
        trail: &[PathBuf],
    ) -> Result<()> {
        let Some(include) = document.remove("include") else {
            return Ok(());
        };
        if include.is_null() {
            return Ok(());
        }
        let Some(items) = include.list() else {
            self.findings.problems.push(Problem::usage(
                "value",
                &include.place,
                "include is no list",
                "write a list of paths, or of mappings with path, project_directory and env_file",
            ));
            return Ok(());
        };
        for item in items {
            let included = self.include(item, folder, scope, trail)?;
            self.take_in(included, document, marked);
        }
        Ok(())
    }

    fn include(&mut self, item: &Node, folder: &Path, scope: &Scope, trail: &[PathBuf]) -> Result<Map> {
        let paths = if item.map().is_some() {
            item.get("path").map(Node::texts).unwrap_or_default()
        } else {
            item.texts()
        };
        let directory = item.get_text("project_directory").filter(|path| !path.is_empty());
        let remote = paths.iter().copied().chain(directory).find(|path| is_remote(path));
        if let Some(remote) = remote {
            self.findings
                .problems
                .push(remote_problem(&item.place, "include", remote));
            return Ok(Map::new());
        }
        let files: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
        let Some(first) = files.first() else {
            self.findings.problems.push(Problem::usage(
                "value",
                &item.place,
                "an entry of include names no file",
                "write a path, or a mapping with path",
            ));
            return Ok(Map::new());
        };
        let mut outside = false;
        for (text, file) in paths.iter().zip(&files) {
            outside |= self.is_outside(text, file, &item.place)?;
        }
        if outside {
            return Ok(Map::new());
        }
        if trail.contains(first) {
            return Err(mistake(
                &item.place,
                "include",
                format!("{} is included within itself", first.display()),
            ));
        }
        let directory = match directory {
            Some(directory) => folder.join(directory),
            None => first.parent().unwrap_or(Path::new("")).to_owned(),
        };
        let scope = self.scope_of(item, folder, &directory, scope)?;
        self.model(&files, Some(&item.place), &directory, &scope, trail)
    }

    /// Reads the environment files of an included file: those named, or `.env` in its folder where there is one.
    fn scope_of(&mut self, item: &Node, folder: &Path, directory: &Path, outer: &Scope) -> Result<Scope> {
        let named: Vec<(&str, PathBuf)> = item
            .get("env_file")
            .map(Node::texts)
            .unwrap_or_default()
            .into_iter()
            .filter(|path| *path != "/dev/null")
            .map(|path| (path, folder.join(path)))
            .collect();
        let files = if item.get("env_file").is_some_and(|node| !node.texts().is_empty()) {
            named
        } else {
            let default = directory.join(".env");
            if default.is_file() {
                vec![(".env", default)]
            } else {
                Vec::new()
            }
        };
        let mut known = outer.main.clone();
        known.fill_from(outer.own.clone());
        let mut found = Environment::default();
        for (text, file) in files {
            if self.is_outside(text, &file, &item.place)? {
                continue;
            }
            let handle = self
                .folder
                .file(&file, "read")
                .map_err(|error| named_by(&item.place, "include", &error))?;
            let bytes = read_bounded(handle, ENVIRONMENT_BYTES, &file.display().to_string())?;
            let bytes = self.marked(&file, bytes, TextKind::Environment);
            // A later file comes before an earlier one.
            let mut later = Environment::parse_within(&file, &bytes, &known, &found)?;
            later.fill_from(found);
            found = later;
        }
        let mut own = outer.own.clone();
        own.fill_from(found);
        Ok(Scope {
            main: outer.main.clone(),
            own,
        })
    }

    /// Puts what was included under what the document says itself.
    fn take_in(&mut self, mut included: Map, document: &mut Map, marked: &Map) {
        for kind in KINDS {
            let Some(Value::Map(resources)) = included.remove(kind).map(|node| node.value) else {
                continue;
            };
            let Some(first) = resources.values().next().map(|node| node.place.clone()) else {
                continue;
            };
            let target = document
                .entry(kind.to_owned())
                .or_insert_with(|| Node::new(&first, Value::Map(Map::new())));
            if target.is_null() {
                target.value = Value::Map(Map::new());
            }
            let Some(target) = target.map_mut() else { continue };
            for (name, mut resource) in resources {
                let merged = match target.remove(&name) {
                    None => resource,
                    Some(own) => {
                        let mut path = vec![kind.to_owned(), name.clone()];
                        if let Some(marked) = marked.get(kind).and_then(|kind| kind.get(&name)) {
                            merge_tags::apply(&mut resource, marked, &mut path);
                        }
                        merge(resource, own, &mut path, &mut self.findings.problems)
                    }
                };
                target.insert(name, merged);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_remote;

    #[test]
    fn what_compose_would_fetch() {
        for path in [
            "https://github.com/acme/app.git#main:compose.yaml",
            "git@github.com:acme/app.git",
            "github.com/acme/app",
            "oci://registry.example.com/app:1",
            "ssh://git@host/x",
            "git://host/x",
            "http://host/compose.yaml",
        ] {
            assert!(is_remote(path), "{path}");
        }
        for path in [
            "base.yaml",
            "./a/b.yml",
            "../x/compose.yaml",
            "/abs/compose.yaml",
            "a.gitlab.yml",
        ] {
            assert!(!is_remote(path), "{path}");
        }
    }
}

//! `extends`: a service over another one, of the same file or of another local one.

use std::path::{Path, PathBuf};

use super::include::is_remote;
use super::interpolation::Scope;
use super::loader::Loader;
use super::merge::merge;
use super::merge_tags;
use super::node::{Map, Node, Value};
use super::place::Place;
use super::problem::{Problem, cut, mistake};
use super::unique;
use crate::domain::{Class, Error, Result};

/// Longest chain of services that extend one another.
const CHAIN: usize = 256;

/// Where services are looked for.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The file, to tell services of the same name apart.
    pub(super) file: &'a Path,
    /// What relative paths are relative to.
    pub(super) folder: &'a Path,
    /// Variables.
    pub(super) scope: &'a Scope,
    /// The services as they were written, with what they reset and override.
    pub(super) marked: &'a Map,
}

/// What a service says about another one.
struct Extends {
    service: String,
    file: Option<PathBuf>,
    place: Place,
}

impl Loader {
    /// Resolves `extends` of every service of a document.
    ///
    /// # Errors
    ///
    /// `E-USAGE extends` for a circle, or a service that is not there; `E-LIMIT extends`; those of reading another file.
    pub(super) fn extend_all(&mut self, document: &mut Map, context: Context<'_>) -> Result<()> {
        let Some(services) = document.get_mut("services").and_then(Node::map_mut) else {
            return Ok(());
        };
        let names: Vec<String> = services.keys().cloned().collect();
        for name in names {
            self.extend(&name, services, context, &mut Vec::new())?;
        }
        Ok(())
    }

    fn extend(
        &mut self,
        name: &str,
        services: &mut Map,
        context: Context<'_>,
        trail: &mut Vec<(PathBuf, String)>,
    ) -> Result<()> {
        let Some(service) = services.get_mut(name) else {
            return Ok(());
        };
        let Some(entries) = service.map_mut() else {
            return Ok(());
        };
        let Some(extends) = entries.remove("extends") else {
            return Ok(());
        };
        let Some(extends) = self.understand(&extends, context.folder)? else {
            return Ok(());
        };
        let step = (context.file.to_owned(), name.to_owned());
        if trail.len() >= CHAIN {
            let found = format!("{}: services extend one another too deep", extends.place);
            return Err(
                Error::new(Class::Limit, "extends", found).expected(format!("at most {CHAIN}, one behind the other"))
            );
        }
        if trail.contains(&step) {
            return Err(mistake(
                &extends.place,
                "extends",
                format!("the service {:?} extends itself, by way of others", cut(name)),
            ));
        }
        trail.push(step);
        let base = match &extends.file {
            None => {
                // The service itself stays out of sight: extending it would be a circle.
                let itself = services.remove(name);
                let found = if services.contains_key(&extends.service) {
                    self.extend(&extends.service, services, context, trail)?;
                    services.get(&extends.service).cloned()
                } else {
                    None
                };
                if let Some(itself) = itself {
                    services.insert(name.to_owned(), itself);
                }
                found
            }
            Some(file) => {
                let (mut others, marked) = self.services_of(file, &extends.place, context.scope)?;
                let folder = file.parent().unwrap_or(Path::new("")).to_owned();
                let there = Context {
                    file,
                    folder: &folder,
                    scope: context.scope,
                    marked: &marked,
                };
                self.extend(&extends.service, &mut others, there, trail)?;
                others.remove(&extends.service)
            }
        };
        trail.pop();
        let Some(mut base) = base else {
            let circle = trail.iter().any(|(_, known)| *known == extends.service) || extends.service == name;
            return Err(mistake(
                &extends.place,
                "extends",
                if circle && extends.file.is_none() {
                    format!("the service {:?} extends itself", cut(name))
                } else {
                    format!("there is no service {:?} to extend", cut(&extends.service))
                },
            ));
        };
        let Some(service) = services.remove(name) else {
            return Ok(());
        };
        let mut path = vec!["services".to_owned(), name.to_owned()];
        if let Some(marked) = context.marked.get(name) {
            merge_tags::apply(&mut base, marked, &mut path);
        }
        let merged = if base.is_null() {
            service
        } else {
            merge(base, service, &mut path, &mut self.findings.problems)
        };
        services.insert(name.to_owned(), merged);
        Ok(())
    }

    /// Reads what a service says about another one; what cannot be is noted.
    fn understand(&mut self, extends: &Node, folder: &Path) -> Result<Option<Extends>> {
        let service = extends.text().or_else(|| extends.get_text("service"));
        let Some(service) = service else {
            self.findings.problems.push(Problem::usage(
                "value",
                &extends.place,
                "extends names no service",
                "write extends: {service: NAME}, and a file: where it stands in another one",
            ));
            return Ok(None);
        };
        let file = extends.get("file").and_then(Node::text);
        if let Some(remote) = file.filter(|file| is_remote(file)) {
            self.findings
                .problems
                .push(remote_problem(&extends.place, "extends", remote));
            return Ok(None);
        }
        if let Some(file) = file
            && self.is_outside(file, &folder.join(file), &extends.place)?
        {
            return Ok(None);
        }
        Ok(Some(Extends {
            service: service.to_owned(),
            file: file.map(|file| folder.join(file)),
            place: extends.place.clone(),
        }))
    }

    /// Reads the services of another file: every document of it merged, nothing included; and those of the last one as written.
    fn services_of(&mut self, file: &Path, place: &Place, scope: &Scope) -> Result<(Map, Map)> {
        let mut whole = Map::new();
        let mut marked = Map::new();
        let base = file.parent().unwrap_or(Path::new(""));
        for mut document in self.read(file, base, Some(place), scope)? {
            let Some(entries) = document.map_mut() else { continue };
            merge_tags::apply_entries(&mut whole, entries, &mut Vec::new());
            let mut only = Map::from_iter(entries.remove_entry("services"));
            marked = services_as_written(&only);
            merge_tags::strip_entries(&mut only);
            let before = Node::new(place, Value::Map(std::mem::take(&mut whole)));
            let over = Node::new(place, Value::Map(only));
            let merged = merge(before, over, &mut Vec::new(), &mut self.findings.problems);
            if let Value::Map(map) = merged.value {
                whole = map;
            }
        }
        unique::enforce(&mut whole);
        match whole.remove("services").map(|services| services.value) {
            Some(Value::Map(services)) => Ok((services, marked)),
            _ => Err(mistake(place, "extends", format!("{} has no services", file.display()))),
        }
    }
}

/// Returns the services of a document with their marks.
pub(super) fn services_as_written(document: &Map) -> Map {
    document
        .get("services")
        .and_then(Node::map)
        .cloned()
        .unwrap_or_default()
}

/// Notes something that compose would fetch from outside.
pub(super) fn remote_problem(place: &Place, what: &str, address: &str) -> Problem {
    Problem::new(
        "remote",
        place,
        format!(
            "{what} names {:?}, which compose would fetch from outside",
            cut(address)
        ),
        "keep a copy beside the compose file, and name that",
    )
}

//! Files beside the compose file that services need: what can travel within the compose file does, as the content of a config.
//!
//! An agent has the compose file and nothing beside it. Compose itself puts the content of a config into a container, so a file that is
//! only read arrives there byte for byte; what is written to, a folder, and what is no text cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::folder_mounts::FolderMount;
use super::loader::{Loader, named_by};
use super::node::{Map, Node, Text, Value};
use super::place::Place;
use super::problem::{Problem, cut};
use super::profiles::uses;
use super::scalar;
use super::volume::{Volume, is_absolute};
use crate::bundle::desired::DockerMode;
use crate::domain::{Class, Error, Result};
use crate::secret::TextKind;
use crate::stream::read_bounded;

/// Largest file that travels so: what agents get is not larger either.
const FILE_BYTES: u64 = 1 << 20;
/// The modes of files that are read, and of those that are run too; numbers of YAML are decimal here.
const RUN: &str = "365";

/// A file that travels as the content of a config.
#[derive(Debug, Clone)]
pub struct CarriedFile {
    /// The config.
    pub config: String,
    /// The file, in the folder of the release.
    pub path: PathBuf,
    /// What it holds, secrets in it marked.
    pub text: String,
}

/// A file as a config.
struct Carried {
    content: String,
    runs: bool,
}

/// A mount of something beside the compose file.
struct Mount<'a> {
    source: &'a str,
    target: &'a str,
    read_only: bool,
}

impl Loader {
    /// Turns configs of files and read-only mounts of files into configs with their content, and notes every other mount of something
    /// that an agent does not have.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn carry_files(&mut self, root: &mut Map, mode: DockerMode) -> Result<()> {
        if mode == DockerMode::Compose {
            self.carry_configs(root)?;
        }
        let mut names: BTreeMap<PathBuf, String> = BTreeMap::new();
        let mut made = Map::new();
        let mut taken: Vec<String> = root
            .get("configs")
            .and_then(Node::map)
            .into_iter()
            .flat_map(Map::keys)
            .cloned()
            .collect();
        let Some(services) = root.get_mut("services").and_then(Node::map_mut) else {
            return Ok(());
        };
        for (name, service) in services {
            let Some(entries) = service.map_mut() else { continue };
            let Some(Value::List(items)) = entries.get_mut("volumes").map(|node| &mut node.value) else {
                continue;
            };
            let mut left = Vec::new();
            let mut configs = Vec::new();
            for item in std::mem::take(items) {
                let Some(mount) = relative(&item) else {
                    left.push(item);
                    continue;
                };
                let path = self.base_of(&item.place).join(mount.source);
                let Some(carried) = self.mounted_file(name, &mount, &path, &item.place, mode)? else {
                    continue;
                };
                let config = names.entry(path.clone()).or_insert_with(|| {
                    let config = free_name(&path, &taken);
                    taken.push(config.clone());
                    self.carried.push(CarriedFile {
                        config: config.clone(),
                        path: path.clone(),
                        text: carried.content.clone(),
                    });
                    made.insert(config.clone(), content(&item.place, &carried.content));
                    config
                });
                configs.push(grant(&item.place, config, mount.target, carried.runs));
            }
            let is_empty = left.is_empty();
            *items = left;
            if is_empty {
                entries.remove("volumes");
            }
            if let Some(first) = configs.first().map(|config| config.place.clone()) {
                let list = entries
                    .entry("configs".to_owned())
                    .or_insert_with(|| Node::new(&first, Value::List(Vec::new())));
                if let Value::List(items) = &mut list.value {
                    items.extend(configs);
                }
            }
        }
        if let Some(first) = made.values().next().map(|config| config.place.clone()) {
            let all = root
                .entry("configs".to_owned())
                .or_insert_with(|| Node::new(&first, Value::Map(Map::new())));
            if let Some(all) = all.map_mut() {
                all.extend(made);
            }
        }
        Ok(())
    }

    /// Configs of files beside the compose file, as far as a service uses them.
    fn carry_configs(&mut self, root: &mut Map) -> Result<()> {
        let used: BTreeSet<String> = root
            .get("services")
            .and_then(Node::map)
            .into_iter()
            .flat_map(Map::values)
            .flat_map(|service| uses(service, "configs"))
            .map(|(name, _)| name.to_owned())
            .collect();
        let Some(configs) = root.get_mut("configs").and_then(Node::map_mut) else {
            return Ok(());
        };
        for (name, config) in configs.iter_mut().filter(|(name, _)| used.contains(*name)) {
            let place = config.get("file").map_or(&config.place, |file| &file.place).clone();
            let Some(entries) = config.map_mut() else { continue };
            let Some(file) = entries.get("file").and_then(Node::text).map(str::to_owned) else {
                continue;
            };
            if is_absolute(&file) {
                continue;
            }
            let path = self.base_of(&place).join(&file);
            let what = format!("the config {name}");
            // Where it cannot travel, that is said, and nothing else needs to be.
            entries.remove("file");
            if let Some(carried) = self.text_file(&what, &file, &path, &place)? {
                self.carried.push(CarriedFile {
                    config: name.clone(),
                    path,
                    text: carried.content.clone(),
                });
                let text = Value::Text(Text::literal(&carried.content));
                entries.insert("content".to_owned(), Node::new(&place, text));
            }
        }
        Ok(())
    }

    /// Reads the file of a mount; else notes why it cannot travel.
    fn mounted_file(
        &mut self,
        service: &str,
        mount: &Mount<'_>,
        path: &Path,
        place: &Place,
        mode: DockerMode,
    ) -> Result<Option<Carried>> {
        if self.is_outside(mount.source, path, place)? {
            return Ok(None);
        }
        let looked = self.folder.look(path)?;
        let (what, remedy) = match looked {
            Some(looked) if looked.is_file() && mode == DockerMode::Compose => {
                if mount.read_only {
                    return self.text_file(&format!("the service {service}"), mount.source, path, place);
                }
                (
                    "the file",
                    "mount it read-only (:ro), and it travels as a config; or use a named volume, or an absolute path of the host".to_owned(),
                )
            }
            Some(looked) if looked.is_folder() && mode == DockerMode::Compose => {
                ("the folder", self.of_folder(mount, path)?)
            }
            _ => (
                "what would be",
                "use a named volume, a config with content:, or an absolute path of the host".to_owned(),
            ),
        };
        let found = format!(
            "the service {service} mounts {what} {:?}, which an agent does not have",
            cut(mount.source)
        );
        self.findings.problems.push(Problem::new("file", place, found, remedy));
        Ok(None)
    }

    /// What to do about a mounted folder.
    fn of_folder(&self, mount: &Mount<'_>, path: &Path) -> Result<String> {
        let folder = FolderMount {
            path,
            source: mount.source,
            target: mount.target,
        };
        let items = folder.items(&self.folder)?.join(", ");
        if items.is_empty() {
            let remedy = "use a named volume, or an absolute path of the host: there is no file in it";
            return Ok(remedy.to_owned());
        }
        let remedy = format!(
            "mount its files one by one and read-only: write in its place {items}; a folder hides what the image has there, single files \
             do not; or use a named volume, or an absolute path of the host"
        );
        Ok(remedy)
    }

    /// Reads a text file that is to travel; else notes why it cannot.
    fn text_file(&mut self, what: &str, written: &str, path: &Path, place: &Place) -> Result<Option<Carried>> {
        if self.is_outside(written, path, place)? {
            return Ok(None);
        }
        if self.folder.look(path)?.is_none() {
            self.findings.problems.push(Problem::new(
                "file",
                place,
                format!("{what} needs the file {:?}, which is not there", cut(written)),
                "put it there",
            ));
            return Ok(None);
        }
        let failed = |error| Error::io("read", path, error);
        let handle = self
            .folder
            .file(path, "read")
            .map_err(|error| named_by(place, "file", &error))?;
        let runs = handle.metadata().map_err(failed)?.permissions().mode() & 0o100 != 0;
        let read = read_bounded(handle, FILE_BYTES, &path.display().to_string());
        let why = match read.map(String::from_utf8) {
            Ok(Ok(content)) if content.is_empty() => "is empty, and compose makes no file of nothing".to_owned(),
            Ok(Ok(content)) if !content.contains('\0') => {
                let bytes = self.marked(path, content.into_bytes(), TextKind::Compose);
                // It was UTF-8 before.
                let content = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(Some(Carried { content, runs }));
            }
            Ok(_) => "is no text".to_owned(),
            Err(error) if error.class() == Class::Limit => format!("is larger than {FILE_BYTES} bytes"),
            Err(error) => return Err(error),
        };
        self.findings.problems.push(Problem::new(
            "file",
            place,
            format!("{what} needs the file {:?}, which {why}", cut(written)),
            "keep it in an image, or on the host under an absolute path",
        ));
        Ok(None)
    }
}

/// Refuses what compose puts into a container from the compose file where the container may not be written to.
pub(super) fn check_read_only(root: &Map, problems: &mut Vec<Problem>) {
    let inline = |name: &str| {
        root.get("configs")
            .and_then(|configs| configs.get(name))
            .is_some_and(|config| config.get("content").is_some() || config.get("environment").is_some())
    };
    for (name, service) in root.get("services").and_then(Node::map).into_iter().flatten() {
        let Some(read_only) = service.get("read_only").filter(|read_only| read_only.is_true()) else {
            continue;
        };
        let needed = service.get("configs").and_then(Node::list).unwrap_or_default();
        let needed = needed
            .iter()
            .any(|item| item.text().or_else(|| item.get_text("source")).is_some_and(inline));
        if needed {
            problems.push(Problem::new(
                "read-only",
                &read_only.place,
                format!("the service {name} is read_only, and compose puts no config into such a container"),
                "take read_only out, or keep the file in an image or on the host under an absolute path",
            ));
        }
    }
}

/// The mount that an item is, when its source is a path that is not from the root of the host.
fn relative(item: &Node) -> Option<Mount<'_>> {
    let mount = match item.text() {
        Some(text) => {
            let volume = Volume::parse(text)?;
            let source = volume.source.filter(|source| Volume::is_path(source))?;
            Mount {
                source,
                target: volume.target,
                read_only: volume.is_read_only(),
            }
        }
        None => Mount {
            source: item
                .get_text("source")
                .filter(|_| item.get_text("type") == Some("bind"))?,
            target: item.get_text("target")?,
            read_only: item.get("read_only").is_some_and(Node::is_true),
        },
    };
    (!is_absolute(mount.source)).then_some(mount)
}

/// A name for a file's config that no other has.
fn free_name(path: &Path, taken: &[String]) -> String {
    let name: String = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let name = name.trim_start_matches(['.', '-', '_']);
    let name = if name.is_empty() { "file" } else { name };
    if !taken.iter().any(|known| known == name) {
        return name.to_owned();
    }
    // One of so many is free.
    (2..=taken.len().saturating_add(2))
        .map(|number| format!("{name}-{number}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

fn content(place: &Place, text: &str) -> Node {
    let content = Node::new(place, Value::Text(Text::literal(text)));
    Node::new(place, Value::Map(Map::from([("content".to_owned(), content)])))
}

fn grant(place: &Place, config: &str, target: &str, runs: bool) -> Node {
    let mut entries = Map::from([
        ("source".to_owned(), Node::new(place, scalar::text(config))),
        (
            "target".to_owned(),
            Node::new(place, Value::Text(Text::literal(target))),
        ),
    ]);
    if runs {
        entries.insert("mode".to_owned(), Node::new(place, Value::Integer(RUN.to_owned())));
    }
    Node::new(place, Value::Map(entries))
}

//! Lines of containers and agents, which stay in the package files and are read from there (M-112).
//!
//! Packages repeat what no acknowledgement came for: a line is told once, from the first file that has it. Only numbers of the shown line
//! count. A file that is gone, or is not what was taken in, is told in its place; facts of the ledger stay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::Workspace;
use crate::db::Connection;
use crate::db::ledger::questions::{PackageWithHead, packages};
use crate::db::ledger::{Instance, Lineage, Site, shown};
use crate::domain::{Result, SiteId, Timestamp, Uuid};
use crate::enrol::find_site;
use crate::media;
use crate::package::{Head, Line, OpenedPackage};
use crate::stream::open_beside;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number in the stream.
    pub number: u64,
    /// When the site accepted it.
    pub at: Timestamp,
    /// When, by the agent's clock.
    pub time: String,
    /// The target.
    pub target: Uuid,
    /// The deployment; none for a line of the agent itself.
    pub deployment: Option<Uuid>,
    /// The revision.
    pub revision: Option<Uuid>,
    /// The container, quoted.
    pub resource: Option<String>,
    /// Stream or severity, quoted.
    pub severity: String,
    /// The line, quoted.
    pub text: String,
}

/// A package whose lines cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMissing {
    /// Number of the package.
    pub number: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// First and last record that it covers.
    pub range: Option<(u64, u64)>,
    /// What is wrong with its file; nothing where it is gone.
    pub damage: Option<String>,
}

/// What is told of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A line.
    Line(LogLine),
    /// A package whose lines cannot be told.
    Missing(FileMissing),
}

/// Lines of logs of a site, and what of them is not here.
#[derive(Debug)]
pub struct LogFacts {
    /// The site.
    pub site: Site,
    /// Lines by target, deployment and container, each oldest first.
    pub lines: BTreeMap<Container, VecDeque<LogLine>>,
    /// Packages whose lines cannot be told.
    pub missing: Vec<FileMissing>,
}

/// Whose lines: target, deployment and container, or the target's agent.
pub type Container = (Uuid, Option<Uuid>, Option<String>);

/// Reads the newest `last` lines of each container and agent of a site; `read` is told how many bytes of how many were read.
///
/// # Errors
///
/// `E-USAGE no-site`; those of the ledger.
pub fn log_lines(workspace: &Workspace, name: &str, last: u64, read: &mut dyn FnMut(u64, u64)) -> Result<LogFacts> {
    workspace.ledger()?.read(|connection| {
        let site = find_site(connection, name)?;
        let mut lines = BTreeMap::<Container, VecDeque<LogLine>>::new();
        let mut missing = Vec::new();
        if let Some(line) = shown(connection, &site.site)? {
            let logs = Logs {
                folder: workspace.folder(),
                connection,
                site: &site.site,
                line: &line,
            };
            logs.read(read, &mut |told| {
                match told {
                    Told::Line(line) => {
                        let whose = (line.target, line.deployment, line.resource.clone());
                        let kept = lines.entry(whose).or_default();
                        kept.push_back(line);
                        if kept.len() as u64 > last {
                            kept.pop_front();
                        }
                    }
                    Told::Missing(file) => missing.push(file),
                }
                Ok(())
            })?;
        }
        Ok(LogFacts { site, lines, missing })
    })
}

/// The logs of a site's shown line.
pub(super) struct Logs<'a> {
    /// The workspace.
    pub(super) folder: &'a Path,
    pub(super) connection: &'a Connection,
    pub(super) site: &'a SiteId,
    pub(super) line: &'a Lineage,
}

impl Logs<'_> {
    /// Reads all lines, package by package, and hands each over once.
    ///
    /// # Errors
    ///
    /// Those of the ledger and of `take`.
    pub(super) fn read(&self, read: &mut dyn FnMut(u64, u64), take: &mut dyn FnMut(Told) -> Result<()>) -> Result<()> {
        let mut files = Vec::new();
        let instances = self.line.instances();
        for (at, instance) in instances.iter().enumerate() {
            // Above this the next instance tells.
            let end = instances
                .get(at.saturating_add(1))
                .map_or(u64::MAX, |next| next.records.saturating_sub(1));
            for package in packages(self.connection, instance.id)? {
                let path = self.path(instance, &package);
                files.push((path, package, end));
            }
        }
        let size = |path: &Path| path.symlink_metadata().map_or(0, |data| data.len());
        let total: u64 = files.iter().map(|(path, ..)| size(path)).sum();
        let (mut done, mut told) = (0_u64, BTreeSet::new());
        for (path, package, end) in files {
            let mut failed = None;
            let result = read_file(&path, &package, &mut |line| {
                if line.number <= end && told.insert(line.number) {
                    take(Told::Line(line)).inspect_err(|error| failed = Some(error.code()))?;
                }
                Ok(())
            });
            match result {
                // What the one who takes says ends everything; what is wrong with a file ends that file.
                Err(error) if failed == Some(error.code()) => return Err(error),
                Ok(Some(())) => {}
                Ok(None) => take(Told::Missing(missing(&package, None)))?,
                Err(error) => take(Told::Missing(missing(&package, Some(error.found().to_owned()))))?,
            }
            done = done.saturating_add(size(&path));
            read(done, total);
        }
        Ok(())
    }

    /// Where the file of a package stands: `packages/SITE/INSTANCE8-NUMBER-HEAD8`.
    fn path(&self, instance: &Instance, package: &PackageWithHead) -> PathBuf {
        let head = package.newest.head.to_hex();
        let short = |text: &str| text.chars().take(8).collect::<String>();
        let name = format!(
            "{}-{}-{}",
            short(instance.instance.as_str()),
            package.newest.number,
            short(&head)
        );
        self.folder.join("packages").join(self.site.as_str()).join(name)
    }
}

/// Reads the log lines of a package; nothing when its file is gone.
fn read_file(
    path: &Path,
    package: &PackageWithHead,
    take: &mut dyn FnMut(LogLine) -> Result<()>,
) -> Result<Option<()>> {
    let Some(file) = open_beside(path, "open the package")? else {
        return Ok(None);
    };
    let opened = OpenedPackage::open(media::input(file, path)?)?;
    let indexed = opened.known(package.newest.head)?.read_index()?;
    indexed.read_lines(&mut |line, _| match line {
        Line::Log(log) => take(LogLine {
            number: log.number,
            at: log.at,
            time: log.time.to_string(),
            target: log.target,
            deployment: Some(log.deployment),
            revision: Some(log.revision),
            resource: Some(log.resource.as_str().to_owned()),
            severity: log.severity.as_str().to_owned(),
            text: log.text.as_str().to_owned(),
        }),
        Line::AgentLog(log) => take(LogLine {
            number: log.number,
            at: log.at,
            time: log.time.to_string(),
            target: log.target,
            deployment: None,
            revision: None,
            resource: None,
            severity: log.severity.as_str().to_owned(),
            text: log.text.as_str().to_owned(),
        }),
        _ => Ok(()),
    })?;
    Ok(Some(()))
}

fn missing(package: &PackageWithHead, damage: Option<String>) -> FileMissing {
    let head = Head::parse(&package.bytes).ok();
    FileMissing {
        number: package.newest.number,
        made_at: package.newest.made_at,
        range: head
            .map(|head| (head.records.first, head.records.last))
            .filter(|(first, last)| first <= last),
        damage,
    }
}

impl FileMissing {
    /// Returns `file missing`, or what is wrong with it.
    pub fn why(&self) -> String {
        match &self.damage {
            None => "file missing".to_owned(),
            Some(damage) => format!("file damaged: {damage}"),
        }
    }
}

//! The release file as a whole: product, audience, times, images, notes, and the sections that have files of their own.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::agents::{AgentEntry, RawAgent};
use super::applications::{ApplicationEntry, RawApplication};
use super::files::{FileEntry, RawFileEntry};
use super::images::{ImageEntry, RawEntry};
use super::missing::MissingKeys;
use super::mistakes::{Located, Mistakes, cut, located, place};
use super::one_or_many::WordOrList;
use super::repositories::{RawRepository, RepositoryEntry};
use super::secrets::{RawSecret, SecretEntry};
use super::targets::{RawTarget, TargetEntry};
use crate::collect::Platform;
use crate::domain::{Error, FixId, Name, RepositoryName, Result, Timestamp, Version};

/// What a release is made of, as a key.
const IMAGES: &str = "images, repositories, files or applications";
/// Largest release file.
pub const RELEASE_FILE_BYTES: u64 = 1 << 20;

/// A release file, every value checked on its own.
#[derive(Debug, Clone)]
pub struct ReleaseFile {
    /// Where it was read from, for messages.
    pub path: PathBuf,
    /// Whether there is no such file, and lists of images stand for it.
    pub is_listed: bool,
    /// The product.
    pub product: Name,
    /// The channel.
    pub channel: Name,
    /// The release's label.
    pub version: Option<String>,
    /// Number within the epoch.
    pub sequence: Option<u64>,
    /// Epoch; the one that the root names when left out.
    pub epoch: Option<Located<u64>>,
    /// When the release is issued.
    pub issued_at: Option<Timestamp>,
    /// Until when sites may import it.
    pub expires: Option<Expiry>,
    /// Whom it is for.
    pub audience: Option<AudienceText>,
    /// Oldest airlock that may import it.
    pub minimum_appliance: Option<Version>,
    /// Registry hosts whose repositories answer without a host in the name.
    pub home_hosts: Vec<String>,
    /// Platforms to carry; all when empty.
    pub platforms: Vec<Platform>,
    /// Release notes.
    pub notes: Option<Notes>,
    /// What the release fixes: kept in the ledger, and never in a bundle.
    pub fixes: Vec<FixId>,
    /// Images to carry besides those of agents and applications.
    pub images: Vec<ImageEntry>,
    /// Whole repositories, of which the release takes a part.
    pub repositories: Vec<RepositoryEntry>,
    /// Plain files.
    pub files: Vec<FileEntry>,
    /// Versions of the agents.
    pub agents: Vec<AgentEntry>,
    /// Applications.
    pub applications: Vec<ApplicationEntry>,
    /// Targets and their deployments.
    pub targets: Vec<TargetEntry>,
    /// Secrets of the applications.
    pub secrets: Vec<SecretEntry>,
    /// Targets, deployments (`TARGET/APPLICATION`) and UUIDs that shall go.
    pub removed: Vec<Located<String>>,
    /// Files and folders outside the folder of the release file that may be read all the same.
    pub allow_outside: Vec<PathBuf>,
    /// Every path that the file names, and where.
    pub named: Vec<Located<PathBuf>>,
}

/// Until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// At a time.
    At(Timestamp),
    /// So many seconds after it is issued.
    After(i64),
}

/// Whom a release is for, before names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceText {
    /// Every site that trusts the vendor.
    Any,
    /// Site ids and local names.
    Sites(Vec<Located<String>>),
}

/// Release notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notes {
    /// As text in the release file.
    Text(String),
    /// As a file.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    product: Option<Spanned<String>>,
    channel: Option<Spanned<String>>,
    version: Option<Spanned<String>>,
    sequence: Option<Spanned<String>>,
    epoch: Option<Spanned<String>>,
    issued_at: Option<Spanned<String>>,
    expires: Option<Spanned<String>>,
    expires_in: Option<Spanned<String>>,
    audience: Option<Spanned<WordOrList>>,
    minimum_appliance: Option<Spanned<String>>,
    #[serde(default)]
    home_hosts: Vec<Spanned<String>>,
    #[serde(default)]
    platforms: Vec<Spanned<String>>,
    notes: Option<Spanned<String>>,
    notes_file: Option<Spanned<String>>,
    #[serde(default)]
    fixes: Vec<Spanned<String>>,
    images: Option<Spanned<Vec<RawEntry>>>,
    #[serde(default)]
    repositories: Vec<RawRepository>,
    #[serde(default)]
    files: Vec<RawFileEntry>,
    #[serde(default)]
    agents: Vec<RawAgent>,
    #[serde(default)]
    applications: Vec<RawApplication>,
    #[serde(default)]
    targets: Vec<RawTarget>,
    #[serde(default)]
    secrets: Vec<RawSecret>,
    #[serde(default)]
    removed: Vec<Spanned<String>>,
    #[serde(default)]
    allow_outside: Vec<Spanned<String>>,
}

impl ReleaseFile {
    /// Parses the text of a release file; paths in it are relative to the folder of `path`.
    ///
    /// # Errors
    ///
    /// `E-USAGE` with file, line and column: `yaml`, `unknown-key`, `missing-key`, `value`.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        Self::parse_alone(path, text, &[])
    }

    /// As [`Self::parse`]; `alone` are keys that nothing but the file can say this time. Where a key is missing without which no file is
    /// read, they are told with it, so that one run tells all.
    ///
    /// # Errors
    ///
    /// Those of [`Self::parse`].
    pub fn parse_alone(path: &Path, text: &str, alone: &[&'static str]) -> Result<Self> {
        let mistakes = Mistakes::new(path);
        let options = serde_saphyr::options! { with_snippet: false };
        let raw: Raw =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| mistakes.of_parser(&error))?;
        let base = path.parent().unwrap_or(Path::new(""));
        let expires = match (&raw.expires, &raw.expires_in) {
            (Some(_), Some(also)) => {
                return Err(mistakes.value(also, "expires and expires_in are both given", "one of them"));
            }
            (Some(at), None) => Some(Expiry::At(mistakes.parse(at)?)),
            (None, Some(after)) => Some(Expiry::After(duration(&after.value).ok_or_else(|| {
                mistakes.value(
                    after,
                    format!("{:?} is no length of time", cut(&after.value)),
                    "a number with h, d or w, like 90d",
                )
            })?)),
            (None, None) => None,
        };
        let notes = match (raw.notes, raw.notes_file) {
            (Some(_), Some(also)) => {
                return Err(mistakes.value(&also, "notes and notes_file are both given", "one of them"));
            }
            (Some(text), None) => Some(Notes::Text(text.value)),
            (None, Some(file)) => Some(Notes::File(mistakes.local(&file.value, place(&file), base)?)),
            (None, None) => None,
        };
        let audience = match raw.audience {
            None => None,
            Some(Spanned {
                value: WordOrList::List(sites),
                ..
            }) => Some(AudienceText::Sites(sites.into_iter().map(located).collect())),
            Some(word) => match &word.value {
                WordOrList::Word(any) if any == "any" => Some(AudienceText::Any),
                WordOrList::Word(other) => {
                    return Err(mistakes.value(
                        &word,
                        format!("audience is {:?}", cut(other)),
                        "the word any, or a list of site ids or names",
                    ));
                }
                WordOrList::List(_) => None,
            },
        };
        let images: Vec<ImageEntry> = raw
            .images
            .iter()
            .flat_map(|images| &images.value)
            .map(|image| mistakes.image(image, base))
            .collect::<Result<_>>()?;
        let agents = mistakes.agents(&raw.agents, base)?;
        let applications = mistakes.applications(raw.applications, base)?;
        let targets = mistakes.targets(raw.targets, &applications, base)?;
        let secrets = mistakes.secrets(raw.secrets, &targets, base)?;
        let repositories = mistakes.repositories(&raw.repositories)?;
        let is_empty = images.is_empty()
            && repositories.is_empty()
            && raw.files.is_empty()
            && agents.is_empty()
            && applications.is_empty()
            && raw.removed.is_empty();
        if let (true, Some(empty)) = (is_empty, &raw.images) {
            return Err(mistakes.value(empty, "images is empty", "at least one image"));
        }
        let mut missing = MissingKeys::of(path);
        for (key, is_missing) in [
            ("product", raw.product.is_none()),
            ("channel", raw.channel.is_none()),
            (IMAGES, is_empty),
        ] {
            if is_missing {
                missing.key(key);
            }
        }
        let (true, Some(product), Some(channel)) = (missing.is_empty(), &raw.product, &raw.channel) else {
            let said = [
                ("version", raw.version.is_some()),
                ("sequence", raw.sequence.is_some()),
                ("issued_at", raw.issued_at.is_some()),
                ("expires or expires_in", expires.is_some()),
                ("audience", audience.is_some()),
            ];
            for (key, _) in said.iter().filter(|(key, is_said)| !is_said && alone.contains(key)) {
                missing.either(key);
            }
            return Err(match missing.only() {
                Some(IMAGES) => mistakes.missing_key(
                    last_line(text),
                    "images",
                    " and so are repositories, files, applications and agents",
                ),
                Some(key) => mistakes.missing_key(last_line(text), key, ""),
                None => missing
                    .into_result()
                    .err()
                    .unwrap_or_else(|| mistakes.missing_key((1, 1), "product", "")),
            });
        };
        if let (Some(target), true) = (targets.first(), agents.is_empty()) {
            return Err(mistakes.missing_key(target.name.place, "agents", ", which targets need"));
        }
        let (product, channel): (Name, Name) = (mistakes.parse(product)?, mistakes.parse(channel)?);
        Ok(Self {
            files: mistakes.plain_files(&raw.files, base, (&product, &channel))?,
            repositories,
            product,
            channel,
            version: raw.version.map(|label| mistakes.label(label)).transpose()?,
            sequence: raw
                .sequence
                .as_ref()
                .map(|number| mistakes.number(number))
                .transpose()?,
            epoch: raw
                .epoch
                .as_ref()
                .map(|number| {
                    Ok::<_, Error>(Located {
                        value: mistakes.number(number)?,
                        place: place(number),
                    })
                })
                .transpose()?,
            issued_at: raw.issued_at.as_ref().map(|time| mistakes.parse(time)).transpose()?,
            expires,
            audience,
            minimum_appliance: raw
                .minimum_appliance
                .as_ref()
                .map(|version| mistakes.parse(version))
                .transpose()?,
            home_hosts: mistakes.hosts(&raw.home_hosts)?,
            platforms: mistakes.platforms(&raw.platforms)?,
            notes,
            fixes: raw.fixes.iter().map(|id| mistakes.parse(id)).collect::<Result<_>>()?,
            images,
            agents,
            applications,
            targets,
            secrets,
            removed: raw.removed.into_iter().map(located).collect(),
            allow_outside: raw
                .allow_outside
                .iter()
                .map(|path| {
                    mistakes.no_foreign_path(&path.value, place(path))?;
                    Ok(base.join(&path.value))
                })
                .collect::<Result<_>>()?,
            path: path.to_owned(),
            is_listed: false,
            named: mistakes.into_named(),
        })
    }

    /// Returns the folder that paths in this file are relative to.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Makes an error about a place in this file.
    pub fn mistake(&self, place: (u64, u64), found: impl fmt::Display) -> Error {
        Mistakes::new(&self.path).at(place, "value", found)
    }
}

impl Mistakes<'_> {
    fn hosts(&self, hosts: &[Spanned<String>]) -> Result<Vec<String>> {
        let mut list = Vec::new();
        for host in hosts {
            if RepositoryName::under(&host.value, "x").is_err() {
                return Err(self.value(
                    host,
                    format!("{:?} is no registry host", cut(&host.value)),
                    "a host like docker.io or registry.example.com",
                ));
            }
            if host.value.contains(':') {
                return Err(self
                    .value(
                        host,
                        format!(
                            "{:?} has a port, and no image can be stored under such a name",
                            cut(&host.value)
                        ),
                        "a host without a port",
                    )
                    .remedy("leave the port out here, and give images names under that host: {source: …, name: …}"));
            }
            list.push(host.value.clone());
        }
        list.sort();
        list.dedup();
        Ok(list)
    }
}

/// Reads `90d`, `12h` or `2w` as seconds.
pub fn duration(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count > 0)?;
    let seconds = match unit {
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    count.checked_mul(seconds)
}

/// Returns where the last line that says something begins: what is missing from a whole file is missing after it.
fn last_line(text: &str) -> (u64, u64) {
    let last = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .last();
    (last.map_or(1, |(number, _)| number), 1)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! `release.yaml`: what a release says, as its author writes it. Every mistake is named with file, line and column.
//!
//! The published schema is `bundle-spec/schemas/release.schema.json`; a test keeps its keys and the parser's the same.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::collect::{ImageReference, Platform, Source};
use super::suggest::nearest;
use crate::domain::{Class, Error, Name, RepositoryName, Result, Tag, Timestamp, Version, limits};

/// Largest release file.
pub const RELEASE_FILE_BYTES: u64 = 1 << 20;
/// Longest version label, in bytes.
const LABEL_BYTES: usize = 128;

/// A release file, every value checked on its own.
#[derive(Debug, Clone)]
pub struct ReleaseFile {
    /// Where it was read from, for messages.
    pub path: PathBuf,
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
    /// Images to carry; at least one.
    pub images: Vec<ImageEntry>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Line and column, from 1.
    pub place: (u64, u64),
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

/// An image and the name it is stored under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Where it comes from.
    pub source: Source,
    /// Repository and tag to store it under; what is missing follows from the source.
    pub name: Option<(RepositoryName, Option<Tag>)>,
    /// Where the entry stands.
    pub place: (u64, u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    product: Spanned<String>,
    channel: Spanned<String>,
    version: Option<Spanned<String>>,
    sequence: Option<Spanned<String>>,
    epoch: Option<Spanned<String>>,
    issued_at: Option<Spanned<String>>,
    expires: Option<Spanned<String>>,
    expires_in: Option<Spanned<String>>,
    audience: Option<WordOrList>,
    minimum_appliance: Option<Spanned<String>>,
    #[serde(default)]
    home_hosts: Vec<Spanned<String>>,
    #[serde(default)]
    platforms: Vec<Spanned<String>>,
    notes: Option<Spanned<String>>,
    notes_file: Option<Spanned<String>>,
    images: Spanned<Vec<RawImage>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    source: Spanned<String>,
    name: Option<Spanned<String>>,
}

enum WordOrList {
    Word(String),
    List(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for WordOrList {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;
        impl<'de> Visitor<'de> for Both {
            type Value = WordOrList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the word any, or a list of sites")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WordOrList, E> {
                Ok(WordOrList::Word(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WordOrList, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(WordOrList::List(items))
            }
        }
        deserializer.deserialize_any(Both)
    }
}

impl ReleaseFile {
    /// Parses the text of a release file; paths in it are relative to the folder of `path`.
    ///
    /// # Errors
    ///
    /// `E-USAGE` with file, line and column: `yaml`, `unknown-key`, `missing-key`, `value`.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let mistakes = Mistakes { path };
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
            (None, Some(file)) => Some(Notes::File(base.join(file.value))),
            (None, None) => None,
        };
        let audience = match raw.audience {
            None => None,
            Some(WordOrList::Word(word)) if word == "any" => Some(AudienceText::Any),
            Some(WordOrList::Word(word)) => {
                return Err(mistakes
                    .at(
                        find_key(text, "audience"),
                        "value",
                        format!("audience is {:?}", cut(&word)),
                    )
                    .expected("the word any, or a list of site ids or names"));
            }
            Some(WordOrList::List(sites)) => Some(AudienceText::Sites(sites.into_iter().map(located).collect())),
        };
        if raw.images.value.is_empty() {
            return Err(mistakes.value(&raw.images, "images is empty", "at least one image"));
        }
        Ok(Self {
            product: mistakes.parse(&raw.product)?,
            channel: mistakes.parse(&raw.channel)?,
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
            platforms: raw
                .platforms
                .iter()
                .map(|platform| mistakes.parse::<Platform>(platform))
                .collect::<Result<_>>()?,
            notes,
            images: raw
                .images
                .value
                .iter()
                .map(|image| mistakes.image(image, base))
                .collect::<Result<_>>()?,
            path: path.to_owned(),
        })
    }

    /// Makes an error about a place in this file.
    pub fn mistake(&self, place: (u64, u64), found: impl fmt::Display) -> Error {
        Mistakes { path: &self.path }.at(place, "value", found)
    }
}

/// Makes errors that name the place.
struct Mistakes<'a> {
    path: &'a Path,
}

impl Mistakes<'_> {
    fn at(&self, (line, column): (u64, u64), code: &'static str, found: impl fmt::Display) -> Error {
        Error::new(
            Class::Usage,
            code,
            format!("{}:{line}:{column}: {found}", self.path.display()),
        )
    }

    fn value<T>(&self, value: &Spanned<T>, found: impl fmt::Display, expected: impl Into<String>) -> Error {
        self.at(place(value), "value", found).expected(expected)
    }

    /// Parses a value whose error says what it is not.
    fn parse<T: std::str::FromStr<Err: fmt::Display>>(&self, text: &Spanned<String>) -> Result<T> {
        text.value.parse().map_err(|error| self.at(place(text), "value", error))
    }

    fn number(&self, text: &Spanned<String>) -> Result<u64> {
        text.value
            .parse()
            .ok()
            .filter(|number: &u64| *number <= limits::JSON_INTEGER_MAX && number.to_string() == text.value)
            .ok_or_else(|| {
                self.value(
                    text,
                    format!("{:?} is no such number", cut(&text.value)),
                    "a whole number from 0 to 2^53-1",
                )
            })
    }

    fn label(&self, text: Spanned<String>) -> Result<String> {
        check_label(&text.value).map_err(|found| self.at(place(&text), "value", found))?;
        Ok(text.value)
    }

    fn hosts(&self, hosts: &[Spanned<String>]) -> Result<Vec<String>> {
        let mut list = Vec::new();
        for host in hosts {
            if RepositoryName::under(&host.value, "x").is_err() {
                return Err(self.value(
                    host,
                    format!("{:?} is no registry host", cut(&host.value)),
                    "a host like docker.io or registry.example.com:5000",
                ));
            }
            list.push(host.value.clone());
        }
        list.sort();
        list.dedup();
        Ok(list)
    }

    fn image(&self, image: &RawImage, base: &Path) -> Result<ImageEntry> {
        let source =
            Source::parse(&image.source.value, base).map_err(|error| self.at(place(&image.source), "value", error))?;
        let name = image
            .name
            .as_ref()
            .map(|name| {
                let reference: ImageReference = self.parse(name)?;
                let repository = reference
                    .repository()
                    .filter(|_| reference.digest.is_none())
                    .ok_or_else(|| {
                        self.value(
                            name,
                            format!("{:?} cannot name an image in a bundle", cut(&name.value)),
                            "a repository and perhaps a tag, no digest, like registry.example.com/team/app:1.0",
                        )
                    })?;
                Ok::<_, Error>((repository, reference.tag))
            })
            .transpose()?;
        Ok(ImageEntry {
            source,
            name,
            place: place(&image.source),
        })
    }

    fn of_parser(&self, error: &serde_saphyr::Error) -> Error {
        use serde_saphyr::Error as Yaml;
        let place = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        match error.without_snippet() {
            Yaml::SerdeUnknownField { field, expected, .. } => {
                let refusal = self
                    .at(place, "unknown-key", format!("unknown key {:?}", cut(field)))
                    .expected(format!("one of {}", expected.join(", ")));
                match nearest(field, expected.iter().copied()) {
                    Some(meant) => refusal.remedy(format!("did you mean {meant}?")),
                    None => refusal,
                }
            }
            Yaml::SerdeMissingField { field, .. } => self
                .at(place, "missing-key", format!("the key {field} is missing"))
                .remedy(format!("add a line {field}: …")),
            other => self.at(place, "yaml", cut(&first_line(&other.to_string()))),
        }
    }
}

/// Checks the label of a release.
///
/// # Errors
///
/// What is wrong, as text.
pub(super) fn check_label(text: &str) -> Result<(), String> {
    if (1..=LABEL_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(format!(
            "{:?} is no version label of 1 to {LABEL_BYTES} bytes",
            cut(text)
        ))
    }
}

/// Reads `90d`, `12h` or `2w` as seconds.
fn duration(text: &str) -> Option<i64> {
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

fn place<T>(value: &Spanned<T>) -> (u64, u64) {
    position(value.referenced)
}

fn position(location: Location) -> (u64, u64) {
    (location.line(), location.column())
}

fn located(text: Spanned<String>) -> Located<String> {
    Located {
        place: place(&text),
        value: text.value,
    }
}

/// Returns where a top-level key stands.
fn find_key(text: &str, key: &str) -> (u64, u64) {
    let line = text.lines().position(|line| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    });
    (line.map_or(1, |line| line as u64 + 1), 1)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Bounds text from outside before it becomes part of a message.
fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}

#[cfg(test)]
#[path = "release_file_tests.rs"]
mod tests;

//! Where a chart comes from, how it is served, and where its values hold images.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::mistakes::{Mistakes, cut, place};
use super::one_or_many::TextOr;
use crate::collect::ImageReference;
use crate::domain::{RepositoryName, Result};

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartLocation {
    /// A folder or a `.tgz`, and perhaps the repository to store it under.
    Local(PathBuf, Option<RepositoryName>),
    /// A registry.
    Oci(ImageReference),
    /// A repository with an `index.yaml`.
    Repository {
        /// Its address.
        address: String,
        /// Name of the chart.
        name: String,
        /// Its exact version.
        version: String,
    },
}

/// A place in the values that holds an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageValue {
    /// Keys and list numbers from the top, as text.
    pub path: Vec<String>,
    /// How the digest is written; found out when left out.
    pub pin: Option<Pin>,
    /// Where its tag stands, when it is no key of the same mapping.
    pub tag: Option<Vec<String>>,
    /// Where its registry stands, likewise.
    pub registry: Option<Vec<String>>,
    /// Where the entry stands.
    pub place: (u64, u64),
}

/// How a mapping says which digest is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// In a key `digest`, as charts have that know digests.
    Digest,
    /// `repository: NAME@sha256` and `tag: HEX`, for charts that write `repository:tag`.
    Tag,
    /// Not at all: by name and tag, which the appliance serves as the digest that the release signed.
    Name,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChart {
    source: Option<Spanned<String>>,
    repository: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    version: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImageValue {
    path: Spanned<String>,
    pin: Option<Spanned<String>>,
    tag: Option<Spanned<String>>,
    registry: Option<Spanned<String>>,
}

impl Mistakes<'_> {
    pub(super) fn chart(&self, chart: &Spanned<TextOr<RawChart>>, base: &Path) -> Result<ChartLocation> {
        let map = match &chart.value {
            TextOr::Text(text) => return self.chart_source(text, place(chart), None, base),
            TextOr::Map(map) => map,
        };
        match (&map.source, &map.repository) {
            (Some(source), None) => {
                if let Some(version) = &map.version {
                    return Err(self.value(version, "version belongs to repository", "source and name only"));
                }
                let name = match &map.name {
                    None => None,
                    Some(name) => match self.stored_name(name)? {
                        (repository, None) => Some(repository),
                        (_, Some(_)) => {
                            return Err(self.value(
                                name,
                                "the name of a chart has no tag",
                                "a repository: the tag is its version",
                            ));
                        }
                    },
                };
                self.chart_source(&source.value, place(source), name, base)
            }
            (None, Some(address)) => {
                let needed = |value: &Option<Spanned<String>>, key: &str| {
                    value
                        .as_ref()
                        .map(|value| value.value.clone())
                        .ok_or_else(|| self.missing_key(place(chart), key, " beside repository"))
                };
                if !address.value.starts_with("https://") && !address.value.starts_with("http://") {
                    return Err(self.value(
                        address,
                        format!("{:?} is no chart repository", cut(&address.value)),
                        "an address like https://charts.example.com, or oci:// without repository:",
                    ));
                }
                Ok(ChartLocation::Repository {
                    address: address.value.trim_end_matches('/').to_owned(),
                    name: needed(&map.name, "name")?,
                    version: needed(&map.version, "version")?,
                })
            }
            _ => Err(self
                .at(
                    place(chart),
                    "value",
                    "the chart says neither or both of source and repository",
                )
                .expected("one of them")),
        }
    }

    fn chart_source(
        &self,
        text: &str,
        at: (u64, u64),
        name: Option<RepositoryName>,
        base: &Path,
    ) -> Result<ChartLocation> {
        if let Some(rest) = text.strip_prefix("oci://") {
            let reference: ImageReference = rest.parse().map_err(|error| self.at(at, "value", error))?;
            if name.is_some() || reference.repository().is_none() {
                return Err(self
                    .at(at, "value", "a chart of a registry keeps its name")
                    .expected("source only"));
            }
            if reference.tag.is_none() {
                return Err(self
                    .at(at, "value", format!("{:?} does not say which version", cut(text)))
                    .expected("oci://HOST/PATH/CHART:VERSION"));
            }
            return Ok(ChartLocation::Oci(reference));
        }
        if text.is_empty() || text.contains("://") || text.contains('\0') {
            return Err(self
                .at(
                    at,
                    "value",
                    format!("{:?} is no place that charts come from", cut(text)),
                )
                .expected("a folder, a .tgz, oci://HOST/PATH/CHART:VERSION, or {repository, name, version}"));
        }
        Ok(ChartLocation::Local(self.local(text, at, base)?, name))
    }

    pub(super) fn image_value(&self, entry: &Spanned<TextOr<RawImageValue>>) -> Result<ImageValue> {
        let map = match &entry.value {
            TextOr::Text(text) => {
                return Ok(ImageValue {
                    path: self.value_path(text, place(entry))?,
                    pin: None,
                    tag: None,
                    registry: None,
                    place: place(entry),
                });
            }
            TextOr::Map(map) => map,
        };
        let further = |path: &Option<Spanned<String>>| {
            path.as_ref()
                .map(|path| self.value_path(&path.value, place(path)))
                .transpose()
        };
        let words = [("digest", Pin::Digest), ("tag", Pin::Tag), ("name", Pin::Name)];
        Ok(ImageValue {
            path: self.value_path(&map.path.value, place(&map.path))?,
            pin: map.pin.as_ref().map(|pin| self.word(pin, &words)).transpose()?,
            tag: further(&map.tag)?,
            registry: further(&map.registry)?,
            place: place(&map.path),
        })
    }

    fn value_path(&self, text: &str, at: (u64, u64)) -> Result<Vec<String>> {
        value_path(text).ok_or_else(|| {
            self.at(at, "value", format!("{:?} is no path into values", cut(text)))
                .expected(
                    "keys with dots between them, numbers for lists, like sidecars.0.image; a dot of a key as \\.",
                )
        })
    }

    /// The version of a cluster, as helm takes it.
    pub(super) fn kube_version(&self, text: &Spanned<String>) -> Result<String> {
        let parts: Vec<&str> = text.value.strip_prefix('v').unwrap_or(&text.value).split('.').collect();
        let number = |part: &&str| (1..=5).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
        if (2..=3).contains(&parts.len()) && parts.iter().all(number) {
            Ok(text.value.clone())
        } else {
            let found = format!("{:?} is no version of kubernetes", cut(&text.value));
            Err(self.value(text, found, "one like 1.31 or v1.31.4"))
        }
    }

    /// An API of a cluster, as helm takes it.
    pub(super) fn api_version(&self, text: &Spanned<String>) -> Result<String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "./-".contains(c);
        if text.value.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.value.chars().all(fits) {
            Ok(text.value.clone())
        } else {
            let found = format!("{:?} is no API of kubernetes", cut(&text.value));
            Err(self.value(
                text,
                found,
                "one like monitoring.coreos.com/v1, perhaps with /KIND behind it",
            ))
        }
    }
}

/// Splits `a.b\.c.0` into `a`, `b.c`, `0`.
fn value_path(text: &str) -> Option<Vec<String>> {
    let mut path = vec![String::new()];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => path.last_mut()?.push(rest.next()?),
            '.' => path.push(String::new()),
            other => path.last_mut()?.push(other),
        }
    }
    (path.len() <= 32 && path.iter().all(|key| !key.is_empty())).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::value_path;

    #[test]
    fn paths_are_split_at_dots_that_are_not_escaped() {
        assert_eq!(value_path(r"a.b\.c.0").unwrap(), ["a", "b.c", "0"]);
        for bad in ["", ".a", "a.", "a..b", "a\\"] {
            assert!(value_path(bad).is_none(), "{bad}");
        }
    }
}

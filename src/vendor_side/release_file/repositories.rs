//! Whole repositories as a release file names them: every tag of a pattern, or of a range of versions.

use semver::{Version, VersionReq};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::mistakes::{Mistakes, cut, place};
use super::one_or_many::WordOrList;
use crate::collect::{ImageReference, Platform};
use crate::domain::{RepositoryName, Result, Tag};

/// What begins a tag that is made for what refers to an image: such tags travel with their images.
const REFERRER: &str = "sha256-";

/// A repository, and which of its tags are carried.
#[derive(Debug, Clone)]
pub struct RepositoryEntry {
    /// Where it is.
    pub source: ImageReference,
    /// What it is stored under; the source's own name when left out.
    pub name: Option<RepositoryName>,
    /// Platforms to carry, in place of the release's.
    pub platforms: Option<Vec<Platform>>,
    patterns: Vec<String>,
    versions: Option<VersionReq>,
    newest: Option<usize>,
    /// Where the entry stands.
    pub place: (u64, u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRepository {
    source: Spanned<String>,
    name: Option<Spanned<String>>,
    tags: Option<Spanned<WordOrList>>,
    versions: Option<Spanned<String>>,
    newest: Option<Spanned<String>>,
    platforms: Option<Vec<Spanned<String>>>,
}

impl RepositoryEntry {
    /// Chooses among the tags that a repository has; in their order, of versions the highest first.
    pub fn choose(&self, tags: &[Tag]) -> Vec<Tag> {
        let mut chosen: Vec<(Option<Version>, &Tag)> = tags
            .iter()
            .filter(|tag| !tag.as_str().starts_with(REFERRER))
            .map(|tag| (version_of(tag.as_str()), tag))
            .filter(|(version, tag)| {
                let fits = |pattern: &String| matches(pattern.as_bytes(), tag.as_str().as_bytes());
                let is_wanted = self.patterns.is_empty() || self.patterns.iter().any(fits);
                let is_in_range = |range: &VersionReq| version.as_ref().is_some_and(|version| range.matches(version));
                is_wanted && self.versions.as_ref().is_none_or(is_in_range)
            })
            .collect();
        if self.versions.is_some() {
            chosen.sort_by(|a, b| b.cmp(a));
        }
        chosen.truncate(self.newest.unwrap_or(usize::MAX));
        chosen.into_iter().map(|(_, tag)| tag.clone()).collect()
    }

    /// What is wanted of it, in words.
    pub fn wanted(&self) -> String {
        let mut parts = Vec::new();
        if !self.patterns.is_empty() {
            parts.push(format!("tags {}", self.patterns.join(", ")));
        }
        parts.extend(self.versions.as_ref().map(|range| format!("versions {range}")));
        parts.join(" and ")
    }
}

impl Mistakes<'_> {
    pub(super) fn repositories(&self, raw: &[RawRepository]) -> Result<Vec<RepositoryEntry>> {
        raw.iter().map(|raw| self.repository(raw)).collect()
    }

    fn repository(&self, raw: &RawRepository) -> Result<RepositoryEntry> {
        let source: ImageReference = self.parse(&raw.source)?;
        if source.tag.is_some() || source.digest.is_some() {
            return Err(self.value(
                &raw.source,
                format!("{:?} names one image", cut(&raw.source.value)),
                "a repository without tag and digest; which tags is said by tags or versions",
            ));
        }
        let patterns = match &raw.tags {
            None => Vec::new(),
            Some(tags) => match &tags.value {
                WordOrList::Word(word) => vec![word.clone()],
                WordOrList::List(list) => list.iter().map(|text| text.value.clone()).collect(),
            },
        };
        if let (None, None) = (&raw.tags, &raw.versions) {
            return Err(self.missing_key(place(&raw.source), "tags or versions", ": which of its images?"));
        }
        let versions = raw.versions.as_ref().map(|text| {
            VersionReq::parse(&text.value).map_err(|error| {
                self.value(
                    text,
                    format!("{:?} is no range of versions: {error}", cut(&text.value)),
                    "comparisons with commas between them, like \">=1.2, <2\"",
                )
            })
        });
        let newest = raw.newest.as_ref().map(|text| {
            let number = self.number(text)?;
            match usize::try_from(number).ok().filter(|number| *number > 0) {
                Some(number) if raw.versions.is_some() => Ok(number),
                _ => Err(self.value(
                    text,
                    "the newest of what has no order",
                    "a number from 1 on, beside versions",
                )),
            }
        });
        let name = raw.name.as_ref().map(|name| {
            let (repository, tag) = self.stored_name(name)?;
            match tag {
                None => Ok(repository),
                Some(_) => Err(self.value(
                    name,
                    format!("{:?} has a tag", cut(&name.value)),
                    "a repository alone: each image keeps its tag",
                )),
            }
        });
        Ok(RepositoryEntry {
            source,
            name: name.transpose()?,
            platforms: raw.platforms.as_ref().map(|list| self.platforms(list)).transpose()?,
            patterns,
            versions: versions.transpose()?,
            newest: newest.transpose()?,
            place: place(&raw.source),
        })
    }
}

/// Reads a tag as a version: `1.2.3`, `v1.2`, `7`, `2.0.0-rc.1`.
fn version_of(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let (numbers, rest) = match text.find(['-', '+']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let missing = 2_usize.checked_sub(numbers.matches('.').count())?;
    format!("{numbers}{}{rest}", ".0".repeat(missing)).parse().ok()
}

/// Whether a text is of a pattern: `*` is any part, `?` one character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        let wanted = pattern.get(at);
        if wanted == Some(&b'*') {
            star = Some((at, read));
            at = at.saturating_add(1);
        } else if wanted.is_some_and(|wanted| *wanted == b'?' || Some(wanted) == text.get(read)) {
            (at, read) = (at.saturating_add(1), read.saturating_add(1));
        } else if let Some((before, from)) = star {
            // The star takes one more.
            star = Some((before, from.saturating_add(1)));
            (at, read) = (before.saturating_add(1), from.saturating_add(1));
        } else {
            return false;
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::release_file::ReleaseFile;

    fn chosen(said: &str) -> Vec<String> {
        let text = format!("product: a\nchannel: b\nrepositories: [{{source: quay.io/a/b, {said}}}]\n");
        let file = ReleaseFile::parse(Path::new("/b/release.yaml"), &text).unwrap();
        let tags = [
            "1.2.3",
            "v1.10",
            "2.0.0-rc.1",
            "2.0.0",
            "latest",
            "1",
            "sha256-aa.sig",
            "1.2.3-alpine",
        ];
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        file.repositories[0]
            .choose(&tags)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn tags_are_chosen_by_pattern_and_by_version() {
        assert_eq!(chosen("tags: '1.*'"), ["1.2.3", "1.2.3-alpine"]);
        assert_eq!(chosen("tags: [latest, 'v?.1?']"), ["v1.10", "latest"]);
        assert_eq!(chosen("tags: '*'").len(), 7);
        assert_eq!(chosen("versions: '>=1, <2'"), ["v1.10", "1.2.3", "1"]);
        assert_eq!(chosen("versions: '>=1', newest: 2"), ["2.0.0", "v1.10"]);
        assert_eq!(chosen("versions: '>=1.2, <1.9', tags: 'v*'"), [""; 0]);
    }

    #[test]
    fn patterns_end_where_texts_end() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b", "aXbc", false),
            ("?", "", false),
            ("**a", "bba", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }
}

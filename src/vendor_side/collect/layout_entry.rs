//! An entry of a layout's `index.json`, and the names that tools give it.
//!
//! The image specification has one annotation for a name and leaves open what stands in it: a tag alone (skopeo, `docker buildx`) or a
//! whole reference (podman, buildah, `oras`). containerd, nerdctl and docker write the whole reference into an annotation of their own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::picked::KnownName;
use super::reference::ImageReference;
use super::source::Pick;
use crate::domain::Tag;

/// Annotation with the reference name of an entry.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation with the full name, as containerd and `BuildKit` write it.
const FULL_NAME: &str = "io.containerd.image.name";
/// Characters of a name in a message.
const SHOWN: usize = 255;

/// An entry of `index.json`. It is no manifest of an image, so entries that airlock cannot carry matter only when picked.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// Its media type.
    pub(super) media_type: String,
    /// Its digest, as it stands.
    pub(super) digest: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Entry {
    /// Whether this is what a release file means.
    pub(super) fn fits(&self, pick: &Pick) -> bool {
        match pick {
            Pick::Only => true,
            Pick::Tag(tag) => self.is_named(tag),
            Pick::Name(name) => self.full_names().any(|known| known == *name),
            Pick::Digest(digest) => self.digest == digest.to_string(),
        }
    }

    /// Whether it has this tag, under whatever name.
    pub(super) fn is_named(&self, tag: &Tag) -> bool {
        self.annotation(REF_NAME) == Some(tag.as_str()) || self.full_names().any(|name| name.tag.as_ref() == Some(tag))
    }

    /// Returns its names: full ones with a tag, containerd's first, for it says the host; else the tag alone.
    pub(super) fn names(&self) -> Vec<KnownName> {
        let whole: Vec<KnownName> = self.full_names().map(KnownName::whole).collect();
        if !whole.is_empty() {
            return whole;
        }
        let tag: Option<Tag> = self.annotation(REF_NAME).and_then(|text| text.parse().ok());
        let alone = tag.map(|tag| KnownName {
            name: None,
            tag: Some(tag),
        });
        alone.into_iter().collect()
    }

    /// Returns those of its names that have a tag which it is known by, or where none has, how it is called with it.
    pub(super) fn names_with(&self, tag: &Tag) -> Vec<KnownName> {
        let mut names = self.names();
        names.retain(|known| known.tag.as_ref() == Some(tag));
        if names.is_empty() {
            names.push(KnownName {
                name: self.full_name(),
                tag: Some(tag.clone()),
            });
        }
        names
    }

    fn full_name(&self) -> Option<ImageReference> {
        self.full_names().next()
    }

    /// Whether it is named as what refers to an image is.
    pub(super) fn is_referrer_tag(&self) -> bool {
        self.annotation(REF_NAME)
            .and_then(|name| name.strip_prefix("sha256-"))
            .is_some_and(|rest| rest.len() >= 64)
    }

    /// Returns the name by which a source may ask for it, for messages: its full name, what else stands in its place, or its digest.
    pub(super) fn label(&self) -> String {
        let name = self.full_name().map(|name| name.to_string());
        let said = || self.annotation(REF_NAME).or_else(|| self.annotation(FULL_NAME));
        let text = name.or_else(|| said().map(str::to_owned));
        text.unwrap_or_else(|| format!("@{}", self.digest))
            .chars()
            .take(SHOWN)
            .collect()
    }

    /// Whole references with a tag, completed as docker does.
    fn full_names(&self) -> impl Iterator<Item = ImageReference> {
        let texts = [FULL_NAME, REF_NAME].into_iter().filter_map(|key| self.annotation(key));
        texts
            .filter(|text| text.contains(':'))
            .filter_map(|text| text.parse().ok())
            .filter(|name: &ImageReference| name.tag.is_some() && name.digest.is_none())
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(annotations: &[(&str, &str)]) -> Entry {
        Entry {
            media_type: String::new(),
            digest: format!("sha256:{}", "a".repeat(64)),
            annotations: Some(
                annotations
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            ),
        }
    }

    #[test]
    fn entries_are_known_by_every_name_that_tools_give() {
        let tag = |text: &str| Pick::Tag(text.parse().unwrap());
        let name = |text: &str| Pick::Name(text.parse().unwrap());
        let hub = "docker.io/acme/web:1.0";
        for (annotations, fits, label) in [
            (&[(REF_NAME, "1.0")][..], vec![tag("1.0")], "1.0"),
            (
                &[(REF_NAME, "acme/web:1.0")],
                vec![tag("1.0"), name("acme/web:1.0"), name(hub)],
                hub,
            ),
            (
                &[(REF_NAME, "1.0"), (FULL_NAME, hub)],
                vec![tag("1.0"), name("acme/web:1.0"), name(hub)],
                hub,
            ),
            // Two names of one entry: either will do, containerd's is told.
            (
                &[(REF_NAME, "a.b/c:2"), (FULL_NAME, hub)],
                vec![tag("1.0"), tag("2"), name("a.b/c:2"), name(hub)],
                hub,
            ),
            (&[(REF_NAME, "not a name")], vec![], "not a name"),
        ] {
            let entry = entry(annotations);
            for pick in [tag("1.0"), tag("2"), name("acme/web:1.0"), name(hub), name("a.b/c:2")] {
                assert_eq!(entry.fits(&pick), fits.contains(&pick), "{annotations:?} {pick:?}");
            }
            assert_eq!(entry.label(), label);
            assert!(entry.fits(&Pick::Only));
        }
        assert!(entry(&[]).label().starts_with("@sha256:"));
    }
}

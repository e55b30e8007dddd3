//! Images as a release file names them: a source, or a source and the name it is stored under.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::mistakes::{Mistakes, cut, place};
use super::one_or_many::TextOr;
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::collect::{
    DOCKER_ARCHIVE, ImageOptions, ImageReference, ImageRequest, Platform, Source, conversion, default_tag,
};
use crate::domain::{RepositoryName, Result, Tag};

/// An image and the name it is stored under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Where it comes from.
    pub source: Source,
    /// Repository and tag to store it under; what is missing follows from the source.
    pub name: Option<(RepositoryName, Option<Tag>)>,
    /// How it is carried.
    pub options: ImageOptions,
    /// Where the entry stands: file, line and column, as messages name it.
    pub place: String,
}

/// The long form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImage {
    source: Spanned<String>,
    name: Option<Spanned<String>>,
    platforms: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    allow_missing_subject: bool,
    #[serde(default)]
    allow_nondistributable_artifacts: bool,
}

/// Either form.
pub(super) type RawEntry = Spanned<TextOr<RawImage>>;

impl ImageEntry {
    /// Returns what is collected for it.
    pub fn request(&self) -> ImageRequest {
        ImageRequest {
            source: self.source.clone(),
            name: self.name.clone(),
            options: self.options.clone(),
        }
    }

    /// The same under the name by which an application calls it: one without a tag means the tag `latest`, whatever the source's is.
    #[must_use]
    pub fn as_called(&self) -> Self {
        let name = self.name.clone().or_else(|| self.source.own_name());
        Self {
            name: name.map(|(repository, tag)| (repository, Some(tag.unwrap_or_else(default_tag)))),
            ..self.clone()
        }
    }
}

impl Mistakes<'_> {
    pub(super) fn image(&self, entry: &RawEntry, base: &Path) -> Result<ImageEntry> {
        match &entry.value {
            TextOr::Text(text) => {
                let source = self.source(text, place(entry), base)?;
                Ok(ImageEntry {
                    source,
                    name: None,
                    options: ImageOptions::default(),
                    place: self.place(place(entry)),
                })
            }
            TextOr::Map(image) => {
                let source = self.source(&image.source.value, place(&image.source), base)?;
                Ok(ImageEntry {
                    source,
                    name: image.name.as_ref().map(|name| self.stored_name(name)).transpose()?,
                    options: ImageOptions {
                        platforms: image
                            .platforms
                            .as_ref()
                            .map(|platforms| self.platforms(platforms))
                            .transpose()?,
                        allow_missing_subject: image.allow_missing_subject,
                        allow_nondistributable_artifacts: image.allow_nondistributable_artifacts,
                    },
                    place: self.place(place(&image.source)),
                })
            }
        }
    }

    /// Platforms, as they are listed.
    pub(super) fn platforms(&self, platforms: &[Spanned<String>]) -> Result<Vec<Platform>> {
        platforms.iter().map(|platform| self.parse(platform)).collect()
    }

    pub(super) fn source(&self, text: &str, at: (u64, u64), base: &Path) -> Result<Source> {
        if let Some(remedy) = conversion(text) {
            let (kind, _) = text.split_once(':').unwrap_or_default();
            return Err(self
                .at(at, "value", format!("{kind}: is no kind of source that airlock reads"))
                .expected("oci:PATH for an OCI layout, docker-archive:PATH, docker:NAME, or the name of an image in a registry")
                .remedy(remedy));
        }
        let path = ["oci:", DOCKER_ARCHIVE].iter().find_map(|kind| text.strip_prefix(kind));
        self.no_foreign_path(path.unwrap_or_default(), at)?;
        let source = Source::parse(text, base).map_err(|error| self.at(at, "value", error))?;
        if let Source::Layout { path, .. } | Source::Archive { path, .. } = &source {
            self.names(path, at);
        }
        self.no_placeholder(&source, at)?;
        Ok(source)
    }

    /// Repository and perhaps tag that something is stored under.
    pub(super) fn stored_name(&self, name: &Spanned<String>) -> Result<(RepositoryName, Option<Tag>)> {
        self.stored_under(&name.value, place(name))
    }

    /// The same of a text at a place.
    pub(super) fn stored_under(&self, text: &str, at: (u64, u64)) -> Result<(RepositoryName, Option<Tag>)> {
        let reference: ImageReference = text.parse().map_err(|error| self.at(at, "value", error))?;
        let repository = reference
            .repository()
            .filter(|_| reference.digest.is_none() && reference.host != PLACEHOLDER_HOST)
            .ok_or_else(|| {
                self.at(at, "value", format!("{:?} cannot name an image in a bundle", cut(text)))
                    .expected("a repository and perhaps a tag, no digest, like registry.example.com/team/app:1.0")
            })?;
        Ok((repository, reference.tag))
    }

    /// The placeholder stands for the appliance, which nothing can be fetched from here.
    fn no_placeholder(&self, source: &Source, at: (u64, u64)) -> Result<()> {
        match source {
            Source::Registry(reference) if reference.host == PLACEHOLDER_HOST => Err(self
                .at(
                    at,
                    "value",
                    format!("{PLACEHOLDER_HOST} stands for the appliance's registry"),
                )
                .expected("the registry that the image comes from")),
            _ => Ok(()),
        }
    }
}

//! What `docker save` writes, by engines of any age: which kind it is, and so who reads it.
//!
//! Engines from 25 on write a layout and the old list into one file. The layout has the manifest that the engine knows, which is the
//! registry's own where the engine keeps it; so it counts. Some of those engines leave the layers out of it, all the same, and then it is
//! the list that counts.

use std::path::Path;
use std::sync::Arc;

use super::docker_archive::{DockerArchive, LIST};
use super::layout::{INDEX, Layout};
use super::layout_tar::TarLayout;
use super::local_tar::{DOCKER, LocalTar};
use super::origin::Origin;
use super::picked::{KnownName, Picked};
use super::source::Pick;
use crate::domain::{Class, Digest, Error, Result};

/// An archive.
#[derive(Debug, Clone)]
pub(super) enum Archive {
    /// With manifests of its own.
    Layout(Arc<Layout>),
    /// With a list alone.
    Docker(Arc<DockerArchive>),
}

impl Archive {
    /// Looks into a file.
    ///
    /// # Errors
    ///
    /// `E-FORMAT docker-archive` for what is none; those of [`LocalTar`], [`Layout`] and [`DockerArchive`].
    pub(super) fn open(path: &Path, tar: LocalTar, expanded: u64) -> Result<Self> {
        let tar = TarLayout::of(path, tar)?;
        let list = tar.place(LIST);
        if tar.place(INDEX).is_some() {
            let (inner, layout) = (tar.tar().clone(), Layout::of_tar(path, tar)?);
            return Ok(match list {
                Some(list) if layout.is_hollow()? => Self::docker(DockerArchive::open(path, inner, list, expanded)?),
                _ => Self::Layout(Arc::new(layout)),
            });
        }
        let list = list.ok_or_else(|| {
            let found = format!(
                "{} is no {}: it has neither {LIST} nor {INDEX}",
                path.display(),
                DOCKER.what
            );
            Error::new(Class::Format, DOCKER.code, found).expected(DOCKER.expected)
        })?;
        DockerArchive::open(path, tar.tar().clone(), list, expanded).map(Self::docker)
    }

    fn docker(archive: DockerArchive) -> Self {
        Self::Docker(Arc::new(archive))
    }

    /// Finds the image that is meant.
    ///
    /// # Errors
    ///
    /// Those of [`Layout::pick`] and [`DockerArchive::pick`].
    pub(super) fn pick(&self, pick: &Pick) -> Result<Picked> {
        match self {
            Self::Layout(layout) => layout.pick(pick),
            Self::Docker(archive) => archive.pick(pick),
        }
    }

    /// Returns the names of the image that is meant.
    ///
    /// # Errors
    ///
    /// Those of [`Layout::pick`] and [`DockerArchive::names`].
    pub(super) fn names(&self, pick: &Pick) -> Result<Vec<KnownName>> {
        match self {
            Self::Layout(layout) => layout.pick(pick).map(|picked| picked.names),
            Self::Docker(archive) => archive.names(pick),
        }
    }

    /// The same as what images come from.
    pub(super) fn origin(&self) -> Box<dyn Origin> {
        match self {
            Self::Layout(layout) => Box::new(Arc::clone(layout)),
            Self::Docker(archive) => Box::new(Arc::clone(archive)),
        }
    }

    /// What is to be said of a manifest that was made here; nothing where it came along.
    pub(super) fn made_here(&self, digest: &Digest) -> Option<String> {
        matches!(self, Self::Docker(_)).then(|| {
            format!("it came without a manifest, so airlock made one: the digest {digest} is airlock's own, and no registry's")
        })
    }
}

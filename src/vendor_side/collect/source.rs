//! Where an image comes from, as a release file writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::made::MadeArtifact;
use super::plain_file::FileSource;
use super::reference::ImageReference;
use crate::domain::{Digest, RepositoryName, Tag};

/// Begins an archive of docker.
pub(crate) const DOCKER_ARCHIVE: &str = "docker-archive:";
/// Begins an image of the engine.
const ENGINE: &str = "docker:";
/// Kinds of sources that other tools have.
const DOCKER_DAEMON: &str = "docker-daemon";
const CONTAINERS_STORAGE: &str = "containers-storage";
const OCI_ARCHIVE: &str = "oci-archive";

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An OCI layout: a folder, or a tar of one, plain or gzipped.
    Layout {
        /// Its path.
        path: PathBuf,
        /// Which of its images.
        pick: Pick,
    },
    /// What `docker save` wrote: one file, of an engine of any age.
    Archive {
        /// Its path.
        path: PathBuf,
        /// Which of its images.
        pick: Pick,
    },
    /// The Docker engine of this machine.
    Engine(EngineImage),
    /// A registry.
    Registry(ImageReference),
    /// Something that was made here.
    Made(Arc<MadeArtifact>),
    /// A plain file.
    File(Arc<FileSource>),
}

/// An image as an engine has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineImage {
    /// What the engine is asked for.
    pub(super) asked: String,
    /// What that calls it; nothing for an id.
    pub(super) name: Option<ImageReference>,
}

/// Which image of a layout or an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pick {
    /// The only one.
    Only,
    /// The one with this tag, under whatever name.
    Tag(Tag),
    /// The one with this whole name, tag included.
    Name(ImageReference),
    /// The one with this digest.
    Digest(Digest),
}

impl Source {
    /// Parses `oci:PATH[:TAG|:NAME|@DIGEST]`, the same with `docker-archive:`, `docker:NAME`, `docker://REFERENCE` or `REFERENCE`; paths are
    /// relative to `base`. A path ends at the first colon behind which a whole name with its tag stands, else before the last one.
    ///
    /// # Errors
    ///
    /// What was found and expected, as text.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("oci:") {
            let (path, pick) = in_file(rest, base, "oci:")?;
            return Ok(Self::Layout { path, pick });
        }
        if let Some(rest) = text.strip_prefix(DOCKER_ARCHIVE) {
            let (path, pick) = in_file(rest, base, DOCKER_ARCHIVE)?;
            return Ok(Self::Archive { path, pick });
        }
        if let Some(rest) = text.strip_prefix(ENGINE).filter(|rest| !rest.starts_with("//")) {
            return EngineImage::parse(rest).map(Self::Engine);
        }
        let name = text.strip_prefix("docker://").unwrap_or(text);
        if let Some((scheme, _)) = name.split_once("://") {
            return Err(format!(
                "{:?} names no kind of source; known are oci:PATH, docker-archive:PATH, docker:NAME, docker://NAME and NAME",
                scheme.chars().take(40).collect::<String>()
            ));
        }
        name.parse().map(Self::Registry)
    }
}

impl Source {
    /// Returns the name that an image has by how its source is written.
    pub(crate) fn own_name(&self) -> Option<(RepositoryName, Option<Tag>)> {
        let name = match self {
            Self::Engine(image) => image.name.as_ref()?,
            Self::Layout {
                pick: Pick::Name(name), ..
            }
            | Self::Archive {
                pick: Pick::Name(name), ..
            } => name,
            _ => return None,
        };
        Some((name.repository()?, name.tag.clone()))
    }
}

/// Returns the way from a kind of source that other tools have, and airlock does not read, to one that it does.
pub(crate) fn conversion(text: &str) -> Option<String> {
    let (kind, rest) = text.split_once(':')?;
    let remedy = match kind {
        DOCKER_DAEMON => format!("write docker:{rest}"),
        CONTAINERS_STORAGE => {
            format!("save it: `skopeo copy {text} oci-archive:image.oci`, then write oci:image.oci")
        }
        OCI_ARCHIVE => format!("write oci:{rest}"),
        _ => return None,
    };
    Some(remedy)
}

/// Parts a path from a whole name with its tag behind it.
fn named(text: &str) -> Option<(&str, ImageReference)> {
    text.match_indices(':').find_map(|(at, _)| {
        let (path, name) = (text.get(..at)?, text.get(at.checked_add(1)?..)?);
        let name: ImageReference = name.contains('/').then(|| name.parse().ok()).flatten()?;
        (!path.is_empty() && name.tag.is_some() && name.digest.is_none()).then_some((path, name))
    })
}

impl EngineImage {
    fn parse(text: &str) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && (12..=64).contains(&hex.len()) {
            return Ok(Self {
                asked: text.to_owned(),
                name: None,
            });
        }
        let name = text.parse::<ImageReference>()?;
        // As it is written: an engine of podman completes short names in its own way.
        let is_whole = name.tag.is_some() || name.digest.is_some();
        let asked = if is_whole {
            text.to_owned()
        } else {
            format!("{text}:latest")
        };
        Ok(Self {
            asked,
            name: Some(name.meant()),
        })
    }
}

/// A path, and which image is meant in what lies there.
fn in_file(text: &str, base: &Path, kind: &str) -> Result<(PathBuf, Pick), String> {
    let (path, pick) = if let Some((path, digest)) = text.rsplit_once('@') {
        let digest = digest.parse().map_err(|error| format!("{error}"))?;
        (path, Pick::Digest(digest))
    } else if let Some((path, name)) = named(text) {
        (path, Pick::Name(name))
    } else {
        match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => {
                let tag = tag.parse().map_err(|error| format!("{error}"))?;
                (path, Pick::Tag(tag))
            }
            _ => (text, Pick::Only),
        }
    };
    if path.is_empty() || path.contains('\0') {
        return Err(format!("{kind} is not followed by a path"));
    }
    Ok((base.join(path), pick))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { path, pick } => write!(f, "oci:{}{pick}", path.display()),
            Self::Archive { path, pick } => write!(f, "{DOCKER_ARCHIVE}{}{pick}", path.display()),
            Self::Engine(image) => write!(f, "{ENGINE}{}", image.asked),
            Self::Registry(reference) => write!(f, "{reference}"),
            Self::Made(artifact) => f.write_str(artifact.label()),
            Self::File(file) => write!(f, "the file {}", file.path.display()),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => Ok(()),
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Name(name) => write!(f, ":{name}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let base = Path::new("/base");
        let hex = "a".repeat(64);
        for (text, whole) in [
            ("oci:img", "oci:/base/img".to_owned()),
            ("oci:img:1.0", "oci:/base/img:1.0".into()),
            ("oci:/abs/img.tar:latest", "oci:/abs/img.tar:latest".into()),
            ("oci:a:b/img", "oci:/base/a:b/img".into()),
            ("oci:img:acme/web:1.0", "oci:/base/img:docker.io/acme/web:1.0".into()),
            (
                "oci:/abs/img.tar:a.b:5000/web:1",
                "oci:/abs/img.tar:a.b:5000/web:1".into(),
            ),
            ("oci:../img:localhost/web:1", "oci:/base/../img:localhost/web:1".into()),
            ("docker://postgres:16", "docker.io/library/postgres:16".into()),
            ("localhost:5000/a:1", "localhost:5000/a:1".into()),
            ("docker-archive:app.tar", "docker-archive:/base/app.tar".into()),
            (
                "docker-archive:app.tar:acme/web:1",
                "docker-archive:/base/app.tar:docker.io/acme/web:1".into(),
            ),
            ("docker:acme/web", "docker:acme/web:latest".into()),
            ("docker:0123456789ab", "docker:0123456789ab".into()),
            ("docker.io/library/docker:dind", "docker.io/library/docker:dind".into()),
        ] {
            assert_eq!(Source::parse(text, base).unwrap().to_string(), whole);
        }
        let text = format!("oci:img@sha256:{hex}");
        assert_eq!(
            Source::parse(&text, base).unwrap().to_string(),
            format!("oci:/base/img@sha256:{hex}")
        );
        for bad in [
            "oci:",
            "oci:x:",
            "oci:x@sha512:00",
            "https://quay.io/a",
            "docker-archive:",
            "docker:",
            "docker:A b",
            "",
        ] {
            assert!(Source::parse(bad, base).is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_of_other_tools_are_answered_with_the_way_here() {
        for (text, says) in [
            ("docker-daemon:web:1", "write docker:web:1"),
            (
                "containers-storage:web:1",
                "`skopeo copy containers-storage:web:1 oci-archive:image.oci`",
            ),
            ("oci-archive:x.tar:1.0", "write oci:x.tar:1.0"),
        ] {
            let said = conversion(text).unwrap();
            assert!(said.contains(says), "{said}");
        }
        for other in [
            "oci:x",
            "docker-archive:x",
            "docker.io/a/docker-daemon:1",
            "localhost:5000/a",
        ] {
            assert_eq!(conversion(other), None);
        }
    }
}

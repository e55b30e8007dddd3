//! Where an image comes from, as a release file writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::made::MadeArtifact;
use super::reference::ImageReference;
use crate::domain::{Digest, Tag};

/// Kinds of sources that other tools have.
const DOCKER_ARCHIVE: &str = "docker-archive";
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
    /// A registry.
    Registry(ImageReference),
    /// Something that was made here.
    Made(Arc<MadeArtifact>),
}

/// Which image of a layout.
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
    /// Parses `oci:PATH[:TAG|:NAME|@DIGEST]`, `docker://REFERENCE` or `REFERENCE`; paths are relative to `base`. A path ends at the first
    /// colon behind which a whole name with its tag stands, else before the last one.
    ///
    /// # Errors
    ///
    /// What was found and expected, as text.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("oci:") {
            return layout(rest, base);
        }
        let name = text.strip_prefix("docker://").unwrap_or(text);
        if let Some((scheme, _)) = name.split_once("://") {
            return Err(format!(
                "{:?} names no kind of source; known are oci:PATH, docker://NAME and NAME",
                scheme.chars().take(40).collect::<String>()
            ));
        }
        name.parse().map(Self::Registry)
    }
}

/// Returns the way from a kind of source that other tools have, and airlock does not read, to one that it does.
pub(crate) fn conversion(text: &str) -> Option<String> {
    let (kind, rest) = text.split_once(':')?;
    // The path ends at the first colon, as skopeo has it; a name may stand behind it.
    let (path, name) = rest.split_once(':').unwrap_or((rest, ""));
    let colon = if name.is_empty() { "" } else { ":" };
    let remedy = match kind {
        DOCKER_ARCHIVE => format!(
            "convert it: `skopeo copy docker-archive:{rest} oci-archive:{path}.oci{colon}{name}`, then write oci:{path}.oci{colon}{name}"
        ),
        DOCKER_DAEMON | CONTAINERS_STORAGE => {
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

fn layout(text: &str, base: &Path) -> Result<Source, String> {
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
        return Err("oci: is not followed by a path".to_owned());
    }
    Ok(Source::Layout {
        path: base.join(path),
        pick,
    })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { path, pick } => {
                write!(f, "oci:{}", path.display())?;
                match pick {
                    Pick::Only => Ok(()),
                    Pick::Tag(tag) => write!(f, ":{tag}"),
                    Pick::Name(name) => write!(f, ":{name}"),
                    Pick::Digest(digest) => write!(f, "@{digest}"),
                }
            }
            Self::Registry(reference) => write!(f, "{reference}"),
            Self::Made(artifact) => f.write_str(artifact.label()),
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
            "docker-archive://x",
            "",
        ] {
            assert!(Source::parse(bad, base).is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_of_other_tools_are_answered_with_the_way_here() {
        for (text, says) in [
            (
                "docker-archive:shop.tar",
                "`skopeo copy docker-archive:shop.tar oci-archive:shop.tar.oci`, then write oci:shop.tar.oci",
            ),
            (
                "docker-archive:shop.tar:acme/web:1",
                "oci-archive:shop.tar.oci:acme/web:1`, then write oci:shop.tar.oci:acme/web:1",
            ),
            (
                "docker-daemon:web:1",
                "`skopeo copy docker-daemon:web:1 oci-archive:image.oci`",
            ),
            ("oci-archive:x.tar:1.0", "write oci:x.tar:1.0"),
        ] {
            let said = conversion(text).unwrap();
            assert!(said.contains(says), "{said}");
        }
        for other in [
            "oci:x",
            "docker-archive",
            "docker.io/a/docker-archive:1",
            "localhost:5000/a",
        ] {
            assert_eq!(conversion(other), None);
        }
    }
}

//! Where an image comes from, as a release file writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::made::MadeArtifact;
use super::reference::ImageReference;
use crate::domain::{Digest, Tag};

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
    /// The one with this reference name.
    Tag(Tag),
    /// The one with this digest.
    Digest(Digest),
}

impl Source {
    /// Parses `oci:PATH[:tag|@digest]`, `docker://REFERENCE` or `REFERENCE`; paths are relative to `base`.
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

fn layout(text: &str, base: &Path) -> Result<Source, String> {
    let (path, pick) = if let Some((path, digest)) = text.rsplit_once('@') {
        let digest = digest.parse().map_err(|error| format!("{error}"))?;
        (path, Pick::Digest(digest))
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
}

//! What an OCI or Docker document refers to: the one parser of manifests and indexes.
//!
//! Bytes and digest of a document stay authoritative; what is parsed here only says which other content it
//! needs. Refused are the ambiguities through which one byte string could mean two things to two
//! clients (CVE-2021-41190), references that lead clients elsewhere (`urls`, CVE-2020-15157), and digests that are not
//! `sha256:` in canonical form (CVE-2024-3727).

use std::collections::BTreeMap;

use base64::Engine as _;
use oci_spec::image::{Descriptor as SpecDescriptor, ImageIndex, ImageManifest};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::{Class, Digest, Error, Hash, Result, limits};

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What a media type says a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An image manifest or artifact: config and layers.
    Manifest,
    /// An index or manifest list: other documents.
    Index,
}

impl Kind {
    /// Returns the kind that a media type names, or nothing for content that is no document.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => Some(Self::Manifest),
            OCI_INDEX | DOCKER_INDEX => Some(Self::Index),
            _ => None,
        }
    }
}

/// A reference to content, its digest and size checked for form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Media type of what it points to.
    pub media_type: String,
    /// Digest of what it points to.
    pub digest: Digest,
    /// Size in bytes, at most 2^53−1.
    pub size: u64,
    /// `os/arch` or `os/arch/variant`, for children of an index.
    pub platform: Option<String>,
    /// Type of the artifact, where stated.
    pub artifact_type: Option<String>,
    /// Annotations, as they stand.
    pub annotations: BTreeMap<String, String>,
}

/// A manifest or index, reduced to what it says about other content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Manifest or index.
    pub kind: Kind,
    /// Media type: the document's own, or the one it was referred to by.
    pub media_type: String,
    /// Config of a manifest.
    pub config: Option<Descriptor>,
    /// Layers of a manifest.
    pub layers: Vec<Descriptor>,
    /// Children of an index.
    pub manifests: Vec<Descriptor>,
    /// What the document is about (referrers API).
    pub subject: Option<Descriptor>,
    /// `artifactType`, or the config's media type for a manifest without one (distribution-spec, listing referrers).
    pub artifact_type: Option<String>,
    /// Annotations of the document.
    pub annotations: BTreeMap<String, String>,
}

/// The members whose presence decides what a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

impl Document {
    /// Parses a document that was referred to as `media_type`.
    ///
    /// # Errors
    ///
    /// `E-LIMIT` for size and number of descriptors; `E-CONTENT` for everything else: not JSON, ambiguous, of another
    /// type than stated, with a reference that is not allowed.
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Self> {
        if bytes.len() as u64 > limits::MANIFEST_BYTES {
            return Err(Error::new(
                Class::Limit,
                "manifest-size",
                format!("a manifest has {} bytes", bytes.len()),
            )
            .expected(format!("at most {}", limits::MANIFEST_BYTES)));
        }
        let kind = Kind::of(media_type).ok_or_else(|| {
            content("media-type", format!("a manifest has the media type {media_type:?}"))
                .expected("an OCI or Docker schema 2 manifest or index")
        })?;
        super::oci_members::check(bytes)?;
        let shape: Shape = parse_json(bytes)?;
        if let Some(stated) = &shape.media_type
            && stated != media_type
        {
            return Err(content(
                "ambiguous",
                format!("a manifest says it is {stated:?} but is referred to as {media_type:?}"),
            ));
        }
        let (image, list) = (
            shape.layers.is_some() || shape.config.is_some(),
            shape.manifests.is_some(),
        );
        let fits = match kind {
            Kind::Manifest => image && !list,
            Kind::Index => list && !image,
        };
        if shape.schema_version != Some(2) || shape.fs_layers.is_some() || !fits {
            return Err(content(
                "ambiguous",
                format!("a document referred to as {media_type} does not have that shape"),
            )
            .expected("schemaVersion 2 and either config with layers, or manifests"));
        }
        match kind {
            Kind::Manifest => Self::manifest(&parse_json(bytes)?, media_type),
            Kind::Index => Self::index(&parse_json(bytes)?, media_type),
        }
    }

    fn manifest(manifest: &ImageManifest, media_type: &str) -> Result<Self> {
        check_count(manifest.layers().len())?;
        let config = Descriptor::check(manifest.config())?;
        Ok(Self {
            kind: Kind::Manifest,
            media_type: media_type.to_owned(),
            artifact_type: Some(
                manifest
                    .artifact_type()
                    .as_ref()
                    .map_or_else(|| config.media_type.clone(), ToString::to_string),
            ),
            config: Some(config),
            layers: manifest.layers().iter().map(Descriptor::check).collect::<Result<_>>()?,
            manifests: Vec::new(),
            subject: manifest.subject().as_ref().map(Descriptor::check).transpose()?,
            annotations: sorted(manifest.annotations().as_ref()),
        })
    }

    fn index(index: &ImageIndex, media_type: &str) -> Result<Self> {
        check_count(index.manifests().len())?;
        let manifests = index
            .manifests()
            .iter()
            .map(Descriptor::check)
            .collect::<Result<Vec<_>>>()?;
        if let Some(child) = manifests.iter().find(|child| Kind::of(&child.media_type).is_none()) {
            return Err(content(
                "media-type",
                format!("an index refers to {} as {:?}", child.digest, child.media_type),
            )
            .expected("manifests and indexes only"));
        }
        Ok(Self {
            kind: Kind::Index,
            media_type: media_type.to_owned(),
            config: None,
            layers: Vec::new(),
            manifests,
            subject: index.subject().as_ref().map(Descriptor::check).transpose()?,
            artifact_type: index.artifact_type().as_ref().map(ToString::to_string),
            annotations: sorted(index.annotations().as_ref()),
        })
    }
}

impl Descriptor {
    fn check(spec: &SpecDescriptor) -> Result<Self> {
        let digest: Digest = spec.digest().to_string().parse().map_err(|error| {
            content(
                "digest",
                format!("a descriptor names content by {:?}", spec.digest().to_string()),
            )
            .expected("sha256: and 64 lower-case hex digits")
            .with_source(error)
        })?;
        let media_type = spec.media_type().to_string();
        if spec.size() > limits::JSON_INTEGER_MAX {
            return Err(content(
                "size",
                format!("{digest} has a stated size of {} bytes", spec.size()),
            ));
        }
        if spec.urls().as_ref().is_some_and(|urls| !urls.is_empty()) {
            return Err(content(
                "urls",
                format!("the descriptor of {digest} sends clients to other addresses"),
            )
            .remedy("rebuild the image without foreign layers"));
        }
        if media_type.contains("nondistributable") || media_type.contains("foreign") {
            return Err(content(
                "nondistributable",
                format!("{digest} is a non-distributable layer ({media_type})"),
            )
            .remedy("rebuild the image with ordinary layers"));
        }
        if let Some(data) = spec.data() {
            let matches = base64::engine::general_purpose::STANDARD
                .decode(data)
                .is_ok_and(|bytes| {
                    bytes.len() as u64 == spec.size() && Digest(Hash(Sha256::digest(&bytes).into())) == digest
                });
            if !matches {
                return Err(content(
                    "data",
                    format!("the data embedded in the descriptor of {digest} is other content"),
                ));
            }
        }
        Ok(Self {
            media_type,
            digest,
            size: spec.size(),
            platform: spec.platform().as_ref().map(|platform| {
                let mut text = format!("{}/{}", platform.os(), platform.architecture());
                if let Some(variant) = platform.variant() {
                    text.push('/');
                    text.push_str(variant);
                }
                text
            }),
            artifact_type: spec.artifact_type().as_ref().map(ToString::to_string),
            annotations: sorted(spec.annotations().as_ref()),
        })
    }
}

fn sorted<'a>(annotations: Option<impl IntoIterator<Item = (&'a String, &'a String)>>) -> BTreeMap<String, String> {
    annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn check_count(count: usize) -> Result<()> {
    if count > limits::DESCRIPTORS {
        return Err(Error::new(
            Class::Limit,
            "descriptors",
            format!("a document refers to {count} others"),
        )
        .expected(format!("at most {}", limits::DESCRIPTORS)));
    }
    Ok(())
}

fn parse_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "OCI documents are not canonical; their digest was checked before"
    )]
    serde_json::from_slice(bytes)
        .map_err(|error| content("manifest", format!("a manifest does not parse: {error}")).with_source(error))
}

fn content(code: &'static str, found: String) -> Error {
    Error::new(Class::Content, code, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2"#;

    fn manifest(layer: &str) -> String {
        format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{EMPTY}}},"layers":[{layer}]}}"#)
    }

    #[test]
    fn a_manifest_names_its_config_and_layers() {
        let text = manifest(&format!(r#"{EMPTY},"data":"e30="}}"#));
        let document = Document::parse(text.as_bytes(), OCI_MANIFEST).unwrap();
        assert_eq!(document.layers.len(), 1);
        assert_eq!(
            document.artifact_type.as_deref(),
            Some("application/vnd.oci.empty.v1+json")
        );
    }

    #[test]
    fn what_two_clients_could_read_differently_is_refused() {
        let index = format!(r#"{{"schemaVersion":2,"manifests":[],"layers":[],"config":{EMPTY}}}}}"#);
        for (text, media_type, code) in [
            (index.clone(), OCI_INDEX, "ambiguous"),
            (index, OCI_MANIFEST, "ambiguous"),
            (manifest(""), OCI_INDEX, "ambiguous"),
            (manifest(""), DOCKER_MANIFEST, "ambiguous"),
            (manifest(""), "application/json", "media-type"),
            (
                r#"{"schemaVersion":1,"fsLayers":[]}"#.into(),
                DOCKER_MANIFEST,
                "ambiguous",
            ),
            (
                manifest(&format!(r#"{EMPTY},"urls":["https://x"]}}"#)),
                OCI_MANIFEST,
                "urls",
            ),
            (manifest(&format!(r#"{EMPTY},"data":"e31="}}"#)), OCI_MANIFEST, "data"),
            (
                manifest(&EMPTY.replace("44136f", "44136F")).replace("F\"}", "\"}"),
                OCI_MANIFEST,
                "digest",
            ),
            ("[]".into(), OCI_MANIFEST, "manifest"),
        ] {
            let error = Document::parse(text.as_bytes(), media_type).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, code), "{text}");
        }
    }
}

//! What an OCI or Docker document refers to: the one parser of manifests and indexes.
//!
//! Bytes and digest of a document stay authoritative; what is parsed here only says which other content it
//! needs. Refused are the ambiguities through which one byte string could mean two things to two
//! clients (CVE-2021-41190), references that lead clients elsewhere (`urls`, CVE-2020-15157), and digests that are not
//! `sha256:` in canonical form (CVE-2024-3727).

use std::collections::BTreeMap;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::oci_types::{self, Member, Object, RawDescriptor, RawDocument};
use super::{Class, Digest, Error, Hash, Result, limits, oci_members};

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The one version of both specifications.
const SCHEMA_VERSION: oci_types::Integer = oci_types::Integer(2);

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
    /// Whether a layer sends clients elsewhere or is not to be distributed: only where [`Layers::Any`] are taken.
    pub nondistributable: bool,
}

/// Which layers a manifest may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// Those that every registry has.
    Distributable,
    /// Also those with `urls` or of a non-distributable type, whose bytes are carried all the same (SPEC M-56).
    Any,
}

impl Document {
    /// Parses a document that was referred to as `media_type`, with layers that every registry has.
    ///
    /// # Errors
    ///
    /// As [`Self::parse_with`].
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Self> {
        Self::parse_with(bytes, media_type, Layers::Distributable)
    }

    /// Parses a document that was referred to as `media_type`.
    ///
    /// # Errors
    ///
    /// `E-LIMIT` for size and number of descriptors; `E-CONTENT` for everything else: not JSON, ambiguous, of another
    /// type than stated, with a reference that is not allowed.
    pub fn parse_with(bytes: &[u8], media_type: &str, allowed: Layers) -> Result<Self> {
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
        oci_members::check(bytes)?;
        let mut raw = oci_types::read(bytes).map_err(|error| unreadable(&error))?;
        if let Some(stated) = &raw.media_type
            && stated != media_type
        {
            return Err(content(
                "ambiguous",
                format!("a manifest says it is {stated:?} but is referred to as {media_type:?}"),
            ));
        }
        // Some builders write null for a manifest without layers; to their clients it is an empty list (SPEC M-54).
        let layers = match std::mem::take(&mut raw.layers) {
            Member::Null if kind == Kind::Manifest => Some(Vec::new()),
            layers => layers.value(),
        };
        let (image, list) = (layers.is_some() || raw.config.is_some(), raw.manifests.is_some());
        let fits = match kind {
            Kind::Manifest => image && !list,
            Kind::Index => list && !image,
        };
        if raw.schema_version != Some(SCHEMA_VERSION) || raw.fs_layers.is_some() || !fits {
            return Err(content(
                "ambiguous",
                format!("a document referred to as {media_type} does not have that shape"),
            )
            .expected("schemaVersion 2 and either config with layers, or manifests"));
        }
        match kind {
            Kind::Manifest => Self::manifest(raw, layers, media_type, allowed),
            Kind::Index => Self::index(raw, media_type),
        }
    }

    fn manifest(
        raw: RawDocument,
        layers: Option<Vec<Object<RawDescriptor>>>,
        media_type: &str,
        allowed: Layers,
    ) -> Result<Self> {
        let (Some(config), Some(layers)) = (raw.config, layers) else {
            return Err(content("manifest", "a manifest lacks its config or its layers".into()));
        };
        check_count(layers.len())?;
        let config = Descriptor::check(config)?;
        let nondistributable = layers
            .iter()
            .any(|Object(layer)| layer.has_urls() || layer.is_nondistributable());
        Ok(Self {
            kind: Kind::Manifest,
            media_type: media_type.to_owned(),
            artifact_type: Some(raw.artifact_type.unwrap_or_else(|| config.media_type.clone())),
            config: Some(config),
            layers: layers
                .into_iter()
                .map(|layer| Descriptor::check_with(layer, allowed))
                .collect::<Result<_>>()?,
            manifests: Vec::new(),
            subject: raw.subject.map(Descriptor::check).transpose()?,
            annotations: raw.annotations.unwrap_or_default(),
            nondistributable,
        })
    }

    fn index(raw: RawDocument, media_type: &str) -> Result<Self> {
        let manifests = raw.manifests.unwrap_or_default();
        check_count(manifests.len())?;
        let manifests = checked(manifests)?;
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
            subject: raw.subject.map(Descriptor::check).transpose()?,
            artifact_type: raw.artifact_type,
            annotations: raw.annotations.unwrap_or_default(),
            nondistributable: false,
        })
    }
}

impl RawDescriptor {
    fn has_urls(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }

    fn is_nondistributable(&self) -> bool {
        self.media_type.contains("nondistributable") || self.media_type.contains("foreign")
    }
}

impl Descriptor {
    fn check(raw: Object<RawDescriptor>) -> Result<Self> {
        Self::check_with(raw, Layers::Distributable)
    }

    fn check_with(Object(raw): Object<RawDescriptor>, allowed: Layers) -> Result<Self> {
        let digest: Digest = raw.digest.parse().map_err(|error| {
            content("digest", format!("a descriptor names content by {:?}", raw.digest))
                .expected("sha256: and 64 lower-case hex digits")
                .with_source(error)
        })?;
        let strict = allowed == Layers::Distributable;
        if strict && raw.has_urls() {
            return Err(content(
                "urls",
                format!("the descriptor of {digest} sends clients to other addresses"),
            )
            .remedy("rebuild the image without foreign layers"));
        }
        if strict && raw.is_nondistributable() {
            return Err(content(
                "nondistributable",
                format!("{digest} is a non-distributable layer ({:?})", raw.media_type),
            )
            .remedy("rebuild the image with ordinary layers"));
        }
        let (media_type, size) = (raw.media_type, raw.size.0);
        if let Some(data) = raw.data {
            let matches = base64::engine::general_purpose::STANDARD
                .decode(data)
                .is_ok_and(|bytes| bytes.len() as u64 == size && Digest(Hash(Sha256::digest(&bytes).into())) == digest);
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
            size,
            platform: raw.platform.map(|Object(platform)| {
                let mut text = format!("{}/{}", platform.os, platform.architecture);
                if let Some(variant) = platform.variant {
                    text.push('/');
                    text.push_str(&variant);
                }
                text
            }),
            artifact_type: raw.artifact_type,
            annotations: raw.annotations.unwrap_or_default(),
        })
    }
}

fn checked(descriptors: Vec<Object<RawDescriptor>>) -> Result<Vec<Descriptor>> {
    descriptors.into_iter().map(Descriptor::check).collect()
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

fn unreadable(error: &serde_json::Error) -> Error {
    content("manifest", format!("a manifest does not parse: {error}"))
        .expected("every member of the type that the image specification gives it")
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
    fn null_for_the_layers_of_a_manifest_is_an_empty_list() {
        let null = |text: &str| text.replace(r#""layers":[]"#, r#""layers":null"#);
        let document = Document::parse(null(&manifest("")).as_bytes(), OCI_MANIFEST).unwrap();
        assert!(document.layers.is_empty() && document.config.is_some());
        // It is still the shape of a manifest, and of an index it is a member left out.
        for (text, media_type, code) in [
            (null(&manifest("")), OCI_INDEX, "ambiguous"),
            (r#"{"schemaVersion":2,"layers":null}"#.into(), OCI_MANIFEST, "manifest"),
            (r#"{"schemaVersion":2,"layers":null}"#.into(), OCI_INDEX, "ambiguous"),
        ] {
            let error = Document::parse(text.as_bytes(), media_type).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, code), "{text}");
        }
        Document::parse(br#"{"schemaVersion":2,"manifests":[],"layers":null}"#, OCI_INDEX).unwrap();
    }

    #[test]
    fn layers_from_elsewhere_are_taken_where_it_is_said() {
        let foreign = EMPTY.replace("oci.empty.v1+json", "docker.image.rootfs.foreign.diff.tar.gzip");
        let with_urls = manifest(&format!(r#"{EMPTY},"urls":["https://x"]}}"#));
        for text in [&with_urls, &manifest(&format!("{foreign}}}"))] {
            assert!(Document::parse(text.as_bytes(), OCI_MANIFEST).is_err());
            let document = Document::parse_with(text.as_bytes(), OCI_MANIFEST, Layers::Any).unwrap();
            assert!(document.nondistributable && document.layers.len() == 1);
        }
        let ordinary = Document::parse_with(manifest("").as_bytes(), OCI_MANIFEST, Layers::Any).unwrap();
        assert!(!ordinary.nondistributable);
        // Nothing else may lead elsewhere, and what is embedded must be the content.
        let config = with_urls.replacen('}', r#","urls":["https://x"]}"#, 1);
        let data = with_urls.replace(r#""urls""#, r#""data":"e31=","urls""#);
        for (text, code) in [(config, "urls"), (data, "data")] {
            let error = Document::parse_with(text.as_bytes(), OCI_MANIFEST, Layers::Any).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, code), "{text}");
        }
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
                manifest(&format!("{}}}", EMPTY.replace("44136f", "44136F"))),
                OCI_MANIFEST,
                "digest",
            ),
            ("[]".into(), OCI_MANIFEST, "manifest"),
        ] {
            let error = Document::parse(text.as_bytes(), media_type).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, code), "{text}");
        }
    }

    #[test]
    fn every_member_is_of_the_type_of_the_specification() {
        let layer = |more: &str| manifest(&format!("{EMPTY}{more}}}"));
        let whole = |more: &str| manifest("").replace(r#""layers":[]"#, &format!(r#""layers":[]{more}"#));
        for good in [
            layer(
                r#","platform":{"os":"linux","architecture":"arm64","variant":"v8","os.features":[],"features":["sse4"]}"#,
            ),
            layer(r#","urls":null,"platform":null,"data":null,"annotations":null,"artifactType":null,"x":[1.5]"#),
            whole(
                r#","artifactType":"a/b","annotations":{"a":"b"},"subject":null,"manifests":null,"fsLayers":null,"blobs":{}"#,
            ),
        ] {
            Document::parse(good.as_bytes(), OCI_MANIFEST).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        let size = |text: &str| {
            manifest(&format!(
                "{}}}",
                EMPTY.replace(r#""size":2"#, &format!(r#""size":{text}"#))
            ))
        };
        let version = |text: &str| manifest("").replace(r#"n":2"#, &format!(r#"n":{text}"#));
        let list = r#"["a/b","sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",2,null,null,null,null,null]"#;
        for bad in [
            size("2.0"),
            size("2e0"),
            size("-2"),
            size("-0"),
            size("\"2\""),
            size("9007199254740992"),
            size("18446744073709551616"),
            size("null"),
            size("true"),
            version("2.0"),
            version("\"2\""),
            version("[2]"),
            version("-2"),
            version("true"),
            manifest(list),
            manifest("null"),
            manifest(
                &EMPTY
                    .replace(r#"{"mediaType":"application/vnd.oci.empty.v1+json","#, "{")
                    .replace(r":2", ":2}"),
            ),
            manifest("").replace(&format!("{EMPTY}}}"), list),
            layer(r#","urls":"""#),
            layer(r#","urls":{}"#),
            layer(r#","urls":[1]"#),
            layer(r#","data":0"#),
            layer(r#","platform":"linux/amd64""#),
            layer(r#","platform":["amd64","linux",null,null,null]"#),
            layer(r#","platform":{"os":"linux"}"#),
            layer(r#","platform":{"os":1,"architecture":"amd64"}"#),
            layer(r#","platform":{"os":"linux","architecture":"amd64","os.features":"x"}"#),
            layer(r#","platform":{"os":"linux","architecture":"amd64","features":[1]}"#),
            layer(r#","artifactType":[]"#),
            layer(r#","annotations":["a"]"#),
            layer(r#","annotations":{"a":1}"#),
            whole(r#","annotations":[]"#),
            whole(r#","annotations":{"a":null}"#),
            whole(r#","artifactType":5"#),
            whole(r#","subject":{}"#),
            whole(r#","subject":false"#),
            whole(r#","manifests":{}"#),
            manifest("").replace(r#""layers":[]"#, r#""layers":{}"#),
            manifest("").replace(r#","layers":[]"#, ""),
            manifest("").replace(r#""layers":[]"#, r#""layers":[null]"#),
            manifest("").replace(&format!("\"{OCI_MANIFEST}\""), "7"),
        ] {
            let error = Document::parse(bad.as_bytes(), OCI_MANIFEST).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, "manifest"), "{bad}");
        }
    }
}

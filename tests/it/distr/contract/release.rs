//! Releases with a desired state, made in memory: images, documents, targets, signed and packed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use airlock::bundle::desired::{DesiredState, ImageName};
use airlock::bundle::{BlobSource, BundleContent, BundleLayout, TagLine};
use airlock::crypto::{Chain, SigningKey};
use airlock::domain::{Audience, Class, Digest, DocumentType, Error, Result, Version, oci};

use crate::support::bundles::SMALL_CHUNKS;
use crate::support::site::{chain, digest, noise};

/// The registry that the images here come from; their home, so that they are found without it too.
pub(super) const HOME: &str = "registry.example";

/// Who signs.
pub(super) struct Signer {
    key: SigningKey,
    chain: Chain,
}

/// An image or chart with its content.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) media_type: &'static str,
    pub(super) manifest: Vec<u8>,
    /// Config first, then the layers in order.
    pub(super) parts: Vec<Digest>,
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
}

/// What a release holds.
#[derive(Clone, Default)]
pub(super) struct Draft {
    pub(super) images: Vec<Image>,
    pub(super) documents: BTreeMap<Digest, (DocumentType, Vec<u8>)>,
    pub(super) desired: DesiredState,
    /// Platforms that indexes list and that are not carried.
    pub(super) absent: BTreeMap<Digest, String>,
}

struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(digest);
        let bytes = bytes.ok_or_else(|| Error::new(Class::Io, "test", format!("no {digest}")))?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

impl Image {
    /// A docker image of one layer; the seed makes its content.
    pub(super) fn plain(repository: &str, tag: &str, seed: u64) -> Self {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","author":"{repository} {tag} {seed}"}}"#);
        let types = (
            oci::DOCKER_MANIFEST,
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        );
        Self::build(repository, tag, types, config.into_bytes(), vec![noise(300, seed)])
    }

    /// A chart.
    pub(super) fn chart(repository: &str, version: &str, bytes: usize, config_bytes: usize) -> Self {
        let name = repository.rsplit('/').next().unwrap();
        let mut config = format!(r#"{{"name":"{name}","version":"{version}","apiVersion":"v2","type":"application"}}"#);
        while config.len() < config_bytes {
            config.push(' ');
        }
        let types = (
            oci::OCI_MANIFEST,
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        );
        let archive = noise(bytes, version.bytes().map(u64::from).sum());
        Self::build(repository, version, types, config.into_bytes(), vec![archive])
    }

    /// Makes an image of the given types of manifest, config and layers.
    pub(super) fn build(
        repository: &str,
        tag: &str,
        (media_type, config_type, layer_type): (&'static str, &str, &str),
        config: Vec<u8>,
        layers: Vec<Vec<u8>>,
    ) -> Self {
        let describe = |kind: &str, bytes: &[u8]| {
            format!(
                r#"{{"mediaType":"{kind}","size":{},"digest":"{}"}}"#,
                bytes.len(),
                digest(bytes)
            )
        };
        let described: Vec<String> = layers.iter().map(|layer| describe(layer_type, layer)).collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{},"layers":[{}]}}"#,
            describe(config_type, &config),
            described.join(",")
        );
        let blobs: Vec<Vec<u8>> = std::iter::once(config).chain(layers).collect();
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            media_type,
            manifest: manifest.into_bytes(),
            parts: blobs.iter().map(|blob| digest(blob)).collect(),
            blobs: blobs.into_iter().map(|blob| (digest(&blob), blob)).collect(),
        }
    }

    pub(super) fn digest(&self) -> Digest {
        digest(&self.manifest)
    }

    /// As a desired state names it.
    pub(super) fn name(&self) -> ImageName {
        ImageName {
            digest: self.digest(),
            repository: self.repository.parse().unwrap(),
        }
    }
}

impl Draft {
    /// Adds a document and returns its digest.
    pub(super) fn document(&mut self, kind: DocumentType, bytes: &[u8]) -> Digest {
        let name = digest(bytes);
        self.documents.insert(name, (kind, bytes.to_vec()));
        name
    }
}

impl Signer {
    pub(super) fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let (chain, _) = chain(&key);
        Self { key, chain }
    }

    /// The file that a site pins.
    pub(super) fn chain_file(&self) -> Vec<u8> {
        self.chain.to_file()
    }

    /// Makes the bundle of a release of the product `crm`, channel `stable`.
    pub(super) fn bundle(&self, sequence: u64, draft: &Draft) -> Vec<u8> {
        self.bundle_of("crm", sequence, draft).unwrap()
    }

    /// Makes the bundle of a release of a product.
    pub(super) fn bundle_of(&self, product: &str, sequence: u64, draft: &Draft) -> Result<Vec<u8>> {
        let mut documents: Vec<(DocumentType, Vec<u8>)> = draft.documents.values().cloned().collect();
        documents.push((DocumentType::DesiredState, draft.desired.to_bytes()));
        let content = BundleContent {
            tags: draft.images.iter().map(tag_line).collect(),
            manifests: draft
                .images
                .iter()
                .map(|image| (image.digest(), image.manifest.clone()))
                .collect(),
            absent: draft.absent.clone(),
            documents,
            requires: BTreeSet::new(),
        };
        let blobs = Blobs(draft.images.iter().flat_map(|image| image.blobs.clone()).collect());
        let release = airlock::bundle::ReleaseStatement {
            product: product.parse().unwrap(),
            channel: "stable".parse().unwrap(),
            version: format!("{sequence}.0"),
            epoch: 0,
            sequence,
            issued_at: "2026-11-01T00:00:00Z".parse().unwrap(),
            expires: "2090-01-01T00:00:00Z".parse().unwrap(),
            audience: Audience::ANY,
            home_hosts: vec![HOME.into()],
            minimum_appliance: Version::new(0, 1, 0),
        };
        let plan = BundleLayout::new(&release, &content, &self.chain, SMALL_CHUNKS)?;
        let mut payload = Vec::new();
        let unsigned = plan.write_payload(content, &blobs, &mut payload, |_| ())?;
        let mut bytes = unsigned.prologue(&[unsigned.sign(&self.key)])?;
        bytes.append(&mut payload);
        Ok(bytes)
    }
}

fn tag_line(image: &Image) -> TagLine {
    TagLine {
        digest: image.digest(),
        media_type: image.media_type.into(),
        repository: image.repository.parse().unwrap(),
        size: image.manifest.len() as u64,
        tag: Some(image.tag.parse().unwrap()),
    }
}

//! Bundles made in memory, signed by a vendor of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write};

use airlock::bundle::desired::DesiredState;
use airlock::bundle::{
    BlobSource, BundleContent, BundleLayout, Feature, Packing, ReleaseStatement, TagLine, Travels, VolumesOut,
};
use airlock::crypto::{Chain, Envelope, PayloadType, RootDocument, SigningKey};
use airlock::domain::{Audience, Class, Digest, DocumentType, Error, Result, SiteId, Version, oci};

use airlock::encoding::Encoding;

use super::desired::{self, Desired};
use super::site::{chain_under, digest};
use super::travel::{self, Copied, Travelled};

/// The repository of every image that is made here.
pub(crate) const REPOSITORY: &str = "registry.test/crm/web";

/// Chunks of 1 MiB, so that few bytes make many chunks.
pub(crate) const SMALL_CHUNKS: Packing = Packing {
    chunk_bytes: 1 << 20,
    level: 3,
    reserve: 0,
};

/// What stands for a chart's archive: nothing here unpacks it.
pub(crate) const CHART: &[u8] = b"the archive of a chart";

/// Who signs.
pub(crate) struct Vendor {
    key: SigningKey,
    root: SigningKey,
    chain: Chain,
}

#[derive(Clone)]
/// A release of one image, under the tags `latest` and `v<sequence>`.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    /// Digest of the image's manifest.
    pub(crate) manifest: Digest,
    /// Digests of its layers, in order.
    pub(crate) layers: Vec<Digest>,
}

struct Blobs(BTreeMap<Digest, Vec<u8>>);

/// As [`Blobs`], where some travel in another form.
struct Travelling {
    blobs: Blobs,
    forms: BTreeMap<Digest, Vec<u8>>,
}

impl BlobSource for Travelling {
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        self.blobs.open(digest, size)
    }

    fn open_travel(&self, of: &Digest) -> Result<(Box<dyn Read + Send>, Digest)> {
        let form = self.forms[of].clone();
        let name = digest(&form);
        Ok((Box::new(Cursor::new(form)), name))
    }
}

/// Volumes in memory.
struct Volumes(Vec<Vec<u8>>);

impl Write for Volumes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.last_mut().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl VolumesOut for Volumes {
    fn next_volume(&mut self) -> Result<()> {
        self.0.push(Vec::new());
        Ok(())
    }
}

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(digest);
        let bytes = bytes.ok_or_else(|| Error::new(Class::Io, "test", format!("no {digest}")))?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

impl Vendor {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let root = SigningKey::generate().unwrap();
        let chain = chain_under(&root, &key);
        Self { key, root, chain }
    }

    /// Another tool of a vendor that is there already: with a key of its releases and its roots.
    pub(crate) fn holding(key: SigningKey, chain: Chain) -> Self {
        let root = SigningKey::generate().unwrap();
        Self { key, root, chain }
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Adds a root to the chain, from the next bundle on: the newest one, changed.
    pub(crate) fn rotate(&mut self, change: impl FnOnce(&mut RootDocument)) {
        let mut next = self.chain.newest().clone();
        next.version += 1;
        next.time_reset = false;
        change(&mut next);
        let link = Envelope::sign(PayloadType::TrustRoot, next.to_payload(), &[&self.root]);
        let links: Vec<Envelope> = self.chain.links().cloned().chain([link]).collect();
        let step = self.chain.extend(&links);
        assert!(step.refusal.is_none(), "{:?}", step.refusal);
        self.chain = step.chain;
    }

    /// Issues a root in which another key signs releases, and signs with it from now on.
    pub(crate) fn replace_release_key(&mut self) {
        let (old, new) = (self.key.public().id(), SigningKey::generate().unwrap());
        let public = new.public();
        self.rotate(|root| {
            for key in root.keys.iter_mut().filter(|key| key.id == old) {
                (key.id, key.public) = (public.id(), public);
            }
            root.keys.sort_by_key(|key| key.id);
            root.roles.release[0].keys = vec![public.id()];
        });
        self.key = new;
    }

    /// The root key: for links that this program does not read.
    pub(crate) fn root_key(&self) -> &SigningKey {
        &self.root
    }

    /// The key that signs releases: for what this maker would not sign.
    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The file that a site pins.
    pub(crate) fn chain_file(&self) -> Vec<u8> {
        self.chain.to_file()
    }

    /// Makes the bundle of a release of the product `crm`, channel `stable`.
    pub(crate) fn bundle(&self, sequence: u64, layers: &[Vec<u8>], packing: Packing) -> Made {
        self.pack(("crm", "stable"), sequence, image(sequence, layers), packing)
    }

    /// Makes the bundle of a release whose layers travel encoded where that makes them smaller. `spoil` is given the travel form of each, and
    /// returns what travels instead.
    pub(crate) fn encoded(
        &self,
        sequence: u64,
        layers: &[Vec<u8>],
        packing: Packing,
        spoil: &mut dyn FnMut(Vec<u8>) -> Vec<u8>,
    ) -> Made {
        self.travelling(sequence, layers, packing, &mut |layer| {
            Some((spoil(travel::plain(layer)?), Encoding::Plain))
        })
    }

    /// As [`Vendor::encoded`]; `travels` returns how a layer travels, and what does.
    pub(crate) fn travelling(
        &self,
        sequence: u64,
        layers: &[Vec<u8>],
        packing: Packing,
        travels: &mut dyn FnMut(&[u8]) -> Option<Travelled>,
    ) -> Made {
        self.copying(sequence, layers, packing, &mut |layer| {
            travels(layer).map(|travelled| (travelled, Vec::new()))
        })
    }

    /// As [`Vendor::travelling`]; `travels` returns what a layer is copied from, too.
    pub(crate) fn copying(
        &self,
        sequence: u64,
        layers: &[Vec<u8>],
        packing: Packing,
        travels: &mut dyn FnMut(&[u8]) -> Option<Copied>,
    ) -> Made {
        let (content, blobs, manifest, digests) = image(sequence, layers);
        let (mut forms, mut stated) = (BTreeMap::new(), BTreeMap::new());
        for (name, layer) in digests.iter().zip(layers) {
            if let Some(((form, encoding), bases)) = travels(layer) {
                let size = form.len() as u64;
                stated.insert(*name, Travels { size, encoding, bases });
                forms.insert(*name, form);
            }
        }
        assert!(!forms.is_empty(), "nothing becomes smaller");
        let plan = BundleLayout::new(&statement(("crm", "stable"), sequence), &content, &self.chain, packing);
        let plan = plan.unwrap().encoded(&stated).unwrap();
        let mut payload = Vec::new();
        let source = Travelling { blobs, forms };
        let unsigned = plan.write_payload(content, &source, &mut payload, |_| ()).unwrap();
        let mut bytes = unsigned.prologue(&[unsigned.sign(&self.key)]).unwrap();
        bytes.append(&mut payload);
        Made {
            bytes,
            manifest,
            layers: digests,
        }
    }

    /// Its trust domain.
    pub(crate) fn domain(&self) -> airlock::domain::Hash {
        self.chain.domain()
    }

    /// As [`Vendor::bundle`], in volumes of at most so many bytes, with layers encoded where `travels` gives a form; what it returns besides
    /// has no bytes of its own.
    pub(crate) fn volumes(
        &self,
        sequence: u64,
        layers: &[Vec<u8>],
        most: u64,
        travels: fn(&[u8]) -> Option<Vec<u8>>,
    ) -> (Made, Vec<Vec<u8>>) {
        let (content, blobs, manifest, digests) = image(sequence, layers);
        let (mut forms, mut stated) = (BTreeMap::new(), BTreeMap::new());
        for (name, layer) in digests.iter().zip(layers) {
            if let Some(form) = travels(layer) {
                let travelled = Travels {
                    size: form.len() as u64,
                    encoding: Encoding::Plain,
                    bases: Vec::new(),
                };
                stated.insert(*name, travelled);
                forms.insert(*name, form);
            }
        }
        let plan = BundleLayout::new(
            &statement(("crm", "stable"), sequence),
            &content,
            &self.chain,
            SMALL_CHUNKS,
        );
        let plan = plan.unwrap().encoded(&stated).unwrap().in_volumes(most).unwrap();
        let mut out = Volumes(vec![Vec::new()]);
        let source = Travelling { blobs, forms };
        let unsigned = plan.write_volumes(content, &source, &mut out, |_| ()).unwrap();
        let signatures = [unsigned.sign(&self.key)];
        let prologues = (1..).map(|volume| unsigned.prologue_of(volume, &signatures).unwrap());
        let volumes = prologues.zip(out.0).map(|(head, payload)| [head, payload].concat());
        let made = Made {
            bytes: Vec::new(),
            manifest,
            layers: digests,
        };
        (made, volumes.collect())
    }

    /// Makes the bundle of a release with targets. The image stands in every repository that a desired state of the tests names
    /// ([`desired`]); `make` gets its digest and returns what shall run.
    pub(crate) fn with_targets(&self, sequence: u64, make: impl FnOnce(Digest) -> Desired) -> Made {
        self.with_targets_of("crm", sequence, make)
    }

    /// As [`Vendor::with_targets`], for another product of the vendor: `crm` or `erp`.
    pub(crate) fn with_targets_of(&self, product: &str, sequence: u64, make: impl FnOnce(Digest) -> Desired) -> Made {
        self.with_layers_of(product, sequence, &[b"a layer".to_vec()], make)
    }

    /// As [`Vendor::with_targets_of`], in another channel than `stable`.
    pub(crate) fn with_targets_in(
        &self,
        (product, channel): (&str, &str),
        sequence: u64,
        make: impl FnOnce(Digest) -> Desired,
    ) -> Made {
        self.with_layers_in((product, channel), sequence, &[b"a layer".to_vec()], make)
    }

    /// As [`Vendor::with_targets_of`], with other layers.
    pub(crate) fn with_layers_of(
        &self,
        product: &str,
        sequence: u64,
        layers: &[Vec<u8>],
        make: impl FnOnce(Digest) -> Desired,
    ) -> Made {
        self.with_layers_in((product, "stable"), sequence, layers, make)
    }

    fn with_layers_in(
        &self,
        scope: (&str, &str),
        sequence: u64,
        layers: &[Vec<u8>],
        make: impl FnOnce(Digest) -> Desired,
    ) -> Made {
        self.pack(scope, sequence, with_desired(sequence, layers, make), SMALL_CHUNKS)
    }

    /// As [`Vendor::with_targets`], with a real chart `shop` of version `1.0.0+a` in `registry.test/charts/shop`; `make` gets the
    /// digests of the image and of the chart.
    pub(crate) fn with_chart(&self, sequence: u64, make: impl FnOnce(Digest, Digest) -> Desired) -> Made {
        self.with_chart_of("crm", sequence, CHART, make)
    }

    /// As [`Vendor::with_chart`], for another product, with another archive.
    pub(crate) fn with_chart_of(
        &self,
        product: &str,
        sequence: u64,
        archive: &[u8],
        make: impl FnOnce(Digest, Digest) -> Desired,
    ) -> Made {
        let (mut content, mut blobs, manifest, layers) = image(sequence, &[b"a layer".to_vec()]);
        let config = br#"{"apiVersion":"v2","name":"shop","version":"1.0.0+a","description":"a \"shop\""}"#;
        let mut described = |bytes: &[u8], media_type: &str| {
            let digest = digest(bytes);
            blobs.0.insert(digest, bytes.to_vec());
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#,
                bytes.len()
            )
        };
        let config = described(config, "application/vnd.cncf.helm.config.v1+json");
        let archive = described(archive, "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
        let chart = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{archive}]}}"#,
            oci::OCI_MANIFEST
        );
        let chart_digest = digest(chart.as_bytes());
        let line = content.tags[0].clone();
        for (repository, tag) in desired::REPOSITORIES {
            let is_chart = repository == "registry.test/charts/shop";
            content.tags.push(TagLine {
                repository: repository.parse().unwrap(),
                tag: Some(if is_chart { "1.0.0_a" } else { tag }.parse().unwrap()),
                digest: if is_chart { chart_digest } else { line.digest },
                size: if is_chart { chart.len() as u64 } else { line.size },
                ..line.clone()
            });
        }
        content.manifests.insert(chart_digest, chart.into_bytes());
        content.documents.extend(make(manifest, chart_digest).into_documents());
        self.pack(
            (product, "stable"),
            sequence,
            (content, blobs, manifest, layers),
            SMALL_CHUNKS,
        )
    }

    /// Makes the bundle of a release of another product (`erp`), whose image stands in a repository of its own.
    pub(crate) fn bundle_of(&self, product: &str, repository: &str, sequence: u64, layers: &[Vec<u8>]) -> Made {
        let (mut content, blobs, manifest, digests) = image(sequence, layers);
        for line in &mut content.tags {
            line.repository = repository.parse().unwrap();
        }
        self.pack(
            (product, "stable"),
            sequence,
            (content, blobs, manifest, digests),
            SMALL_CHUNKS,
        )
    }

    /// As [`Vendor::bundle_of`], with one small layer and a head that the caller changes.
    pub(crate) fn bundle_as(&self, product: &str, sequence: u64, change: impl FnOnce(&mut ReleaseStatement)) -> Made {
        let (mut content, blobs, manifest, digests) = image(sequence, &[b"a layer".to_vec()]);
        for line in &mut content.tags {
            line.repository = format!("registry.test/{product}/dated").parse().unwrap();
        }
        let made = (content, blobs, manifest, digests);
        self.pack_as((product, "stable"), sequence, made, SMALL_CHUNKS, change)
    }

    /// As [`Vendor::bundle`], for one site, which it brings an acknowledgement.
    pub(crate) fn answering(&self, sequence: u64, site: &SiteId, acknowledgement: Vec<u8>) -> Made {
        let (mut content, blobs, manifest, digests) = image(sequence, &[vec![1; 64]]);
        content.documents.push((DocumentType::Acknowledgement, acknowledgement));
        content.documents.sort_by_key(|(kind, _)| *kind);
        let made = (content, blobs, manifest, digests);
        self.pack_as(("crm", "stable"), sequence, made, SMALL_CHUNKS, |release| {
            release.audience = Audience::Sites(vec![site.clone()]);
        })
    }

    /// Makes the bundle of a release of any content: manifests are in it, every other blob is in `blobs`.
    pub(crate) fn bundle_with(
        &self,
        sequence: u64,
        content: BundleContent,
        blobs: BTreeMap<Digest, Vec<u8>>,
    ) -> Vec<u8> {
        let manifest = content.tags[0].digest;
        let made = (content, Blobs(blobs), manifest, Vec::new());
        self.pack(("crm", "stable"), sequence, made, SMALL_CHUNKS).bytes
    }

    /// Lays out a release of any content, as `create` does before it packs.
    pub(crate) fn layout(&self, content: &BundleContent) -> Result<BundleLayout> {
        BundleLayout::new(&statement(("crm", "stable"), 1), content, &self.chain, SMALL_CHUNKS)
    }

    fn pack(
        &self,
        scope: (&str, &str),
        sequence: u64,
        made: (BundleContent, Blobs, Digest, Vec<Digest>),
        packing: Packing,
    ) -> Made {
        self.pack_as(scope, sequence, made, packing, |_| ())
    }

    fn pack_as(
        &self,
        scope: (&str, &str),
        sequence: u64,
        made: (BundleContent, Blobs, Digest, Vec<Digest>),
        packing: Packing,
        change: impl FnOnce(&mut ReleaseStatement),
    ) -> Made {
        let (mut content, blobs, manifest, layers) = made;
        if content.documents.iter().any(has_secrets) {
            content.requires.insert(Feature::Secrets);
        }
        let mut release = statement(scope, sequence);
        change(&mut release);
        let plan = BundleLayout::new(&release, &content, &self.chain, packing).unwrap();
        let mut payload = Vec::new();
        let unsigned = plan.write_payload(content, &blobs, &mut payload, |_| ()).unwrap();
        let mut bytes = unsigned.prologue(&[unsigned.sign(&self.key)]).unwrap();
        bytes.append(&mut payload);
        Made {
            bytes,
            manifest,
            layers,
        }
    }
}

/// An image in every repository that a desired state of the tests names, and that state.
fn with_desired(
    sequence: u64,
    layers: &[Vec<u8>],
    make: impl FnOnce(Digest) -> Desired,
) -> (BundleContent, Blobs, Digest, Vec<Digest>) {
    let (mut content, blobs, manifest, layers) = image(sequence, layers);
    let line = content.tags[0].clone();
    for (repository, tag) in desired::REPOSITORIES {
        content.tags.push(TagLine {
            repository: repository.parse().unwrap(),
            tag: Some(tag.parse().unwrap()),
            ..line.clone()
        });
    }
    content.documents.extend(make(manifest).into_documents());
    (content, blobs, manifest, layers)
}

fn statement((product, channel): (&str, &str), sequence: u64) -> ReleaseStatement {
    ReleaseStatement {
        product: product.parse().unwrap(),
        channel: channel.parse().unwrap(),
        version: format!("{sequence}.0"),
        epoch: 0,
        sequence,
        issued_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        expires: "2090-01-01T00:00:00Z".parse().unwrap(),
        audience: Audience::ANY,
        home_hosts: vec!["registry.test".into()],
        minimum_appliance: Version::new(0, 1, 0),
    }
}

fn has_secrets((kind, bytes): &(DocumentType, Vec<u8>)) -> bool {
    let uses = |desired: DesiredState| desired.secrets().next().is_some();
    match kind {
        DocumentType::Secrets => true,
        DocumentType::DesiredState => DesiredState::parse(bytes).is_ok_and(uses),
        _ => false,
    }
}

fn image(sequence: u64, layers: &[Vec<u8>]) -> (BundleContent, Blobs, Digest, Vec<Digest>) {
    let mut blobs = BTreeMap::new();
    let mut put = |bytes: &[u8]| {
        let digest = digest(bytes);
        blobs.insert(digest, bytes.to_vec());
        (digest, format!(r#""digest":"{digest}","size":{}"#, bytes.len()))
    };
    let (_, config) = put(format!(r#"{{"architecture":"amd64","os":"linux","author":"{sequence}"}}"#).as_bytes());
    let (digests, layers): (Vec<_>, Vec<_>) = layers
        .iter()
        .map(|layer| {
            let (digest, described) = put(layer);
            let media_type = "application/vnd.oci.image.layer.v1.tar";
            (digest, format!(r#"{{"mediaType":"{media_type}",{described}}}"#))
        })
        .unzip();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{}]}}"#,
        oci::OCI_MANIFEST,
        layers.join(",")
    );
    let name = digest(manifest.as_bytes());
    let line = |tag: String| TagLine {
        digest: name,
        media_type: oci::OCI_MANIFEST.into(),
        repository: REPOSITORY.parse().unwrap(),
        size: manifest.len() as u64,
        tag: Some(tag.parse().unwrap()),
    };
    let content = BundleContent {
        tags: vec![line("latest".into()), line(format!("v{sequence}"))],
        manifests: BTreeMap::from([(name, manifest.clone().into_bytes())]),
        absent: BTreeMap::new(),
        documents: vec![(DocumentType::Notes, format!("release {sequence}").into_bytes())],
        requires: BTreeSet::new(),
    };
    (content, Blobs(blobs), name, digests)
}

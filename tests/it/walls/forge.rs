//! Bundles that say anything: signed by a vendor of the tests, written from the specification alone.
//!
//! An honest vendor's tools refuse to build most of what is here, so nothing of them is used: names, dates, UUIDs, media types and
//! charts are whatever the test says. Chunks are stored as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use airlock::crypto::{
    Chain, Envelope, Key, PayloadType, Roles, RootDocument, Rule, Scheme, Signature, SigningKey, canonical,
};
use airlock::domain::{Digest, DocumentType, Hash, Timestamp, Uuid, Version, oci};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::site::digest;

const BLOCK: usize = 512;
const CHUNK_BYTES: usize = 1 << 20;
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The other media type that the bytes of an OCI manifest may go by.
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Who signs.
#[derive(Clone)]
pub(super) struct Vendor {
    root: Arc<SigningKey>,
    release: Arc<SigningKey>,
    /// As bundles carry it: root 1 and the links made since.
    chain: Chain,
}

/// What a release says about itself.
#[derive(Clone)]
pub(super) struct Statement {
    pub(super) product: &'static str,
    pub(super) channel: &'static str,
    pub(super) sequence: u64,
    pub(super) issued_at: Timestamp,
    pub(super) expires: Timestamp,
    /// The word `any`, or a list of site ids.
    pub(super) audience: Value,
    pub(super) home_hosts: Vec<&'static str>,
}

/// What a release carries, under which names.
#[derive(Clone, Default)]
pub(super) struct Goods {
    manifests: BTreeMap<Digest, (Vec<u8>, String)>,
    configs: BTreeMap<Digest, Vec<u8>>,
    layers: BTreeMap<Digest, Vec<u8>>,
    documents: BTreeMap<(DocumentType, Digest), Vec<u8>>,
    /// Children of indexes that are left out, with their platform.
    absent: BTreeMap<Digest, &'static str>,
    /// Repository, tag, digest.
    names: Vec<(String, Option<String>, Digest)>,
}

impl Vendor {
    /// Makes a vendor whose root 1 is good until the end of the calendar.
    pub(super) fn new(products: &[&str]) -> Self {
        let keys: Vec<SigningKey> = (0..5).map(|_| SigningKey::generate().unwrap()).collect();
        let rule = |key: &SigningKey| {
            vec![Rule {
                keys: vec![key.public().id()],
                scheme: Scheme::Ed25519,
                threshold: 1,
            }]
        };
        let mut products: Vec<_> = products.iter().map(|product| product.parse().unwrap()).collect();
        products.sort();
        let document = RootDocument {
            epochs: Vec::new(),
            expires: "9999-12-31T23:59:59Z".parse().unwrap(),
            issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            keys: listed(keys.iter()),
            products,
            reader: Version::new(0, 1, 0),
            roles: Roles {
                ack: rule(&keys[2]),
                licence: rule(&keys[3]),
                release: rule(&keys[1]),
                root: rule(&keys[0]),
                withdrawal: rule(&keys[4]),
            },
            time_reset: false,
            vendor: "Test".into(),
            version: 1,
        };
        let envelope = Envelope::sign(PayloadType::TrustRoot, document.to_payload(), &[&keys[0]]);
        let mut keys = keys.into_iter().map(Arc::new);
        Self {
            root: keys.next().unwrap(),
            release: keys.next().unwrap(),
            chain: Chain::start(envelope).unwrap(),
        }
    }

    /// What a site pins.
    pub(super) fn pin(&self) -> Chain {
        self.chain.clone()
    }

    pub(super) fn domain(&self) -> Hash {
        self.chain.domain()
    }

    /// The same vendor after one more root.
    #[must_use]
    pub(super) fn linked(&self, change: impl FnOnce(&mut RootDocument)) -> Self {
        let mut document = self.chain.newest().clone();
        document.version += 1;
        change(&mut document);
        let link = Envelope::sign(PayloadType::TrustRoot, document.to_payload(), &[&self.root]);
        let links: Vec<Envelope> = self.chain.links().cloned().chain([link]).collect();
        let step = self.chain.extend(&links);
        assert!(step.refusal.is_none(), "{:?}", step.refusal);
        Self {
            chain: step.chain,
            ..self.clone()
        }
    }

    /// The same vendor after a root that gives the role of releases to another key.
    #[must_use]
    pub(super) fn rotated(&self, change: impl FnOnce(&mut RootDocument)) -> Self {
        let key = SigningKey::generate().unwrap();
        let old = self.release.public().id();
        let linked = self.linked(|document| {
            document.keys.retain(|listed| listed.id != old);
            document.keys.extend(listed([&key].into_iter()));
            document.keys.sort_by_key(|listed| listed.id);
            document.roles.release[0].keys = vec![key.public().id()];
            change(document);
        });
        Self {
            release: Arc::new(key),
            ..linked
        }
    }

    /// The UUID of a target that follows from the words of a release of this vendor.
    pub(super) fn target_id(&self, product: &str, channel: &str, name: &str) -> Uuid {
        Uuid::derived("target", &[&self.domain().to_string(), product, channel, name])
    }

    /// Writes and signs a bundle.
    pub(super) fn bundle(&self, statement: &Statement, goods: &Goods) -> Vec<u8> {
        let early: Vec<(Digest, &[u8], Option<&str>)> = goods
            .documents
            .iter()
            .map(|((_, digest), bytes)| (*digest, &bytes[..], None))
            .chain(
                goods
                    .manifests
                    .iter()
                    .map(|(digest, (bytes, kind))| (*digest, &bytes[..], Some(&kind[..]))),
            )
            .chain(goods.configs.iter().map(|(digest, bytes)| (*digest, &bytes[..], None)))
            .collect();
        let late: Vec<(Digest, &[u8], Option<&str>)> = goods
            .layers
            .iter()
            .map(|(digest, bytes)| (*digest, &bytes[..], None))
            .collect();
        let chunks: Vec<Vec<u8>> = [&early, &late]
            .iter()
            .map(|blobs| blobs.iter().flat_map(|(_, bytes, _)| bytes.iter().copied()).collect())
            .filter(|chunk: &Vec<u8>| !chunk.is_empty())
            .collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_BYTES), "one chunk each");
        let page = index(goods, early.iter().chain(&late), &chunks);
        let content: usize = chunks.iter().map(Vec::len).sum();
        let documents: Vec<Value> = goods
            .documents
            .iter()
            .map(|((kind, digest), bytes)| json!({"digest": digest, "size": bytes.len(), "type": kind}))
            .collect();
        let mut head = json!({
            "audience": statement.audience, "builder": {"name": "forge", "version": "1"}, "channel": statement.channel,
            "chunk_bytes": CHUNK_BYTES, "documents": documents, "domain": self.domain(), "epoch": 0, "expires": statement.expires,
            "home_hosts": statement.home_hosts, "index": [{"sha256": hash(&page), "size": page.len()}],
            "issued_at": statement.issued_at, "minimum_appliance": "0.1.0", "payload_offset": 0, "product": statement.product,
            "reader": "0.1.0", "requires": [], "root_version": self.chain.newest().version, "sequence": statement.sequence,
            "totals": {"blobs": early.len() + late.len(), "chunks": chunks.len(), "content_bytes": content,
                "early_blobs": early.len(), "needs": 0, "stored_bytes": content},
            "version": format!("{}.0", statement.sequence), "volumes": [chunks.len()],
        });
        let trust = json!({"domain": self.domain(), "roots": self.chain.links().collect::<Vec<_>>()});
        let trust = canonical::to_vec(&trust);
        let format = format!("airlock-bundle 1\nvolume 1/1 chunks 1-{}\n", chunks.len());
        // The offset stands in the head, whose length moves it.
        let mut offset = 0;
        loop {
            head["payload_offset"] = offset.into();
            let bytes = canonical::to_vec(&head);
            let signature = Signature::make(&self.release, PayloadType::BundleHead, &bytes);
            let signatures = canonical::to_vec(&json!({"signatures": [signature]}));
            let mut out = Vec::new();
            for (name, content) in [
                ("00-format", format.as_bytes()),
                ("01-signatures.json", &signatures),
                ("02-trust.json", &trust),
                ("03-head.json", &bytes),
                ("04-approvals.json", br#"{"approvals":[]}"#),
                ("05-index/0001", &page),
            ] {
                entry(&mut out, name, content);
            }
            let end = (out.len() + BLOCK).next_multiple_of(4096);
            if end != offset {
                offset = end;
                continue;
            }
            let fill = vec![0; end - out.len() - BLOCK];
            entry(&mut out, "06-fill", &fill);
            for (number, chunk) in (1..).zip(&chunks) {
                entry(&mut out, &format!("chunks/{number:010}"), chunk);
            }
            out.resize(out.len() + 2 * BLOCK, 0);
            return out;
        }
    }
}

impl Goods {
    /// Adds an image: its digest. The same text makes the same image.
    pub(super) fn image(&mut self, text: &str) -> Digest {
        self.manifest(oci::OCI_MANIFEST, text, &json!({"mediaType": oci::OCI_MANIFEST}))
    }

    /// Adds an image whose manifest does not say what it is: it goes by the media type that the index states.
    pub(super) fn unstated(&mut self, text: &str, media_type: &str) -> Digest {
        self.manifest(media_type, text, &json!({}))
    }

    /// Adds something that is about a manifest which is carried, too.
    pub(super) fn referrer(&mut self, subject: Digest, artifact_type: &str, text: &str) -> Digest {
        let (bytes, kind) = &self.manifests[&subject];
        let subject = descriptor(bytes, kind);
        let more = json!({"mediaType": oci::OCI_MANIFEST, "artifactType": artifact_type, "subject": subject});
        self.manifest(oci::OCI_MANIFEST, text, &more)
    }

    /// Adds an index of an image that is carried and one, of other goods, that is left out.
    pub(super) fn index_without(&mut self, carried: Digest, other: &Self, left_out: Digest) -> Digest {
        const LEFT_OUT: &str = "linux/arm64";
        let of = |goods: &Self, digest: &Digest, architecture: &str| {
            let (bytes, kind) = &goods.manifests[digest];
            let mut described = descriptor(bytes, kind);
            described["platform"] = json!({"architecture": architecture, "os": "linux"});
            described
        };
        let children = [of(self, &carried, "amd64"), of(other, &left_out, "arm64")];
        self.absent.insert(left_out, LEFT_OUT);
        let index = json!({"schemaVersion": 2, "mediaType": oci::OCI_INDEX, "manifests": children});
        self.put_manifest(canonical::to_vec(&index), oci::OCI_INDEX)
    }

    /// Adds an index of manifests which are carried, too.
    pub(super) fn index(&mut self, children: &[Digest]) -> Digest {
        let children: Vec<Value> = children
            .iter()
            .map(|child| {
                let (bytes, kind) = &self.manifests[child];
                descriptor(bytes, kind)
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": oci::OCI_INDEX, "manifests": children});
        self.put_manifest(canonical::to_vec(&index), oci::OCI_INDEX)
    }

    /// Adds a chart as registries hold them. `text` makes its bytes another's.
    pub(super) fn chart(&mut self, name: &str, version: &str, text: &str) -> Digest {
        let config = json!({"apiVersion": "v2", "name": name, "version": version, "description": text});
        let config = self.put_config(canonical::to_vec(&config), CHART_CONFIG);
        let archive = self.put_layer(format!("chart {name} {version} {text}").into_bytes(), CHART_LAYER);
        let manifest =
            json!({"schemaVersion": 2, "mediaType": oci::OCI_MANIFEST, "config": config, "layers": [archive]});
        self.put_manifest(canonical::to_vec(&manifest), oci::OCI_MANIFEST)
    }

    /// Names something that is carried; without a tag it is reachable by digest only.
    pub(super) fn name(&mut self, repository: &str, tag: Option<&str>, digest: Digest) {
        self.names.push((repository.to_owned(), tag.map(str::to_owned), digest));
    }

    /// Adds an image under a tag.
    pub(super) fn tagged(&mut self, repository: &str, tag: &str, text: &str) -> Digest {
        let digest = self.image(text);
        self.name(repository, Some(tag), digest);
        digest
    }

    pub(super) fn document(&mut self, kind: DocumentType, bytes: Vec<u8>) -> Digest {
        let digest = digest(&bytes);
        self.documents.insert((kind, digest), bytes);
        digest
    }

    /// Everything that goes by a digest here.
    pub(super) fn carries(&self, digest: &Digest) -> bool {
        self.manifests.contains_key(digest) || self.configs.contains_key(digest) || self.layers.contains_key(digest)
    }

    /// The manifests that a repository names.
    pub(super) fn named(&self, repository: &str) -> Vec<Digest> {
        let names = self.names.iter().filter(|(name, _, _)| name == repository);
        names.map(|(_, _, digest)| *digest).collect()
    }

    /// Config and layers of a manifest.
    pub(super) fn blobs_of(&self, manifest: &Digest) -> Vec<Digest> {
        let text = std::str::from_utf8(&self.manifests[manifest].0).unwrap();
        let document: Value = serde_json::from_str(text).unwrap();
        let layers = document["layers"].as_array().unwrap().iter();
        layers
            .chain([&document["config"]])
            .map(|descriptor| descriptor["digest"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    fn manifest(&mut self, media_type: &str, text: &str, more: &Value) -> Digest {
        let config = json!({"architecture": "amd64", "os": "linux", "author": text});
        let config = self.put_config(canonical::to_vec(&config), CONFIG);
        let layer = self.put_layer(format!("the layer of {text}").into_bytes(), LAYER);
        let mut manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        for (member, value) in more.as_object().unwrap() {
            manifest[member] = value.clone();
        }
        self.put_manifest(canonical::to_vec(&manifest), media_type)
    }

    fn put_manifest(&mut self, bytes: Vec<u8>, media_type: &str) -> Digest {
        let digest = digest(&bytes);
        self.manifests.insert(digest, (bytes, media_type.to_owned()));
        digest
    }

    fn put_config(&mut self, bytes: Vec<u8>, media_type: &str) -> Value {
        let described = descriptor(&bytes, media_type);
        self.configs.insert(digest(&bytes), bytes);
        described
    }

    fn put_layer(&mut self, bytes: Vec<u8>, media_type: &str) -> Value {
        let described = descriptor(&bytes, media_type);
        self.layers.insert(digest(&bytes), bytes);
        described
    }
}

fn descriptor(bytes: &[u8], media_type: &str) -> Value {
    json!({"digest": digest(bytes), "mediaType": media_type, "size": bytes.len()})
}

fn listed<'a>(keys: impl Iterator<Item = &'a SigningKey>) -> Vec<Key> {
    let mut listed: Vec<Key> = keys
        .map(|key| Key {
            id: key.public().id(),
            public: key.public(),
            scheme: Scheme::Ed25519,
        })
        .collect();
    listed.sort_by_key(|key| key.id);
    listed
}

fn hash(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// The one page of the index.
fn index<'a>(
    goods: &Goods,
    blobs: impl Iterator<Item = &'a (Digest, &'a [u8], Option<&'a str>)>,
    chunks: &[Vec<u8>],
) -> Vec<u8> {
    let mut names = goods.names.clone();
    names.sort();
    names.dedup();
    let mut lines: Vec<Value> = Vec::new();
    for (repository, tag, digest) in names {
        let (bytes, kind) = &goods.manifests[&digest];
        let mut line =
            json!({"digest": digest, "kind": "tag", "media_type": kind, "repository": repository, "size": bytes.len()});
        if let Some(tag) = tag {
            line["tag"] = tag.into();
        }
        lines.push(line);
    }
    for (digest, platform) in &goods.absent {
        lines.push(json!({"digest": digest, "kind": "absent", "platform": platform}));
    }
    for (digest, bytes, kind) in blobs {
        let mut line = json!({"digest": digest, "kind": "blob", "size": bytes.len()});
        if let Some(kind) = kind {
            line["media_type"] = (*kind).into();
        }
        lines.push(line);
    }
    for chunk in chunks {
        lines.push(json!({"codec": "none", "kind": "chunk", "sha256": hash(chunk), "size": chunk.len()}));
    }
    lines
        .iter()
        .flat_map(|line| [canonical::to_vec(line), b"\n".to_vec()].concat())
        .collect()
}

/// Appends header, content and padding of a tar entry.
fn entry(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

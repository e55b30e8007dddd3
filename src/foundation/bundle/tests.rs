//! The whole way in memory: content → bundle → content.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use super::*;
use crate::container::digest_of;
use crate::crypto::{Chain, Envelope, Key, PayloadType, Roles, RootDocument, Rule, RunningHash, Scheme, SigningKey};
use crate::domain::{Audience, Class, Digest, DocumentType, Error, Hash, Result, Uuid, Version, oci};

#[path = "sealed_tests.rs"]
mod sealed_secrets;
#[path = "volume_tests.rs"]
mod volumes;

fn key(number: u8) -> SigningKey {
    SigningKey::from_secret(&[number; 32])
}

fn chain() -> Chain {
    let rule = |number: u8| {
        vec![Rule {
            keys: vec![key(number).public().id()],
            scheme: Scheme::Ed25519,
            threshold: 1,
        }]
    };
    let mut keys: Vec<Key> = (1..=5)
        .map(|n| Key {
            id: key(n).public().id(),
            public: key(n).public(),
            scheme: Scheme::Ed25519,
        })
        .collect();
    keys.sort_by_key(|key| key.id);
    let root = RootDocument {
        epochs: Vec::new(),
        expires: "2036-01-01T00:00:00Z".parse().unwrap(),
        issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        keys,
        products: vec!["acme".parse().unwrap()],
        reader: Version::new(0, 1, 0),
        roles: Roles {
            root: rule(1),
            release: rule(2),
            withdrawal: rule(3),
            licence: rule(4),
            ack: rule(5),
        },
        time_reset: false,
        vendor: "Acme".into(),
        version: 1,
    };
    Chain::start(Envelope::sign(PayloadType::TrustRoot, root.to_payload(), &[&key(1)])).unwrap()
}

struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let bytes = self
            .0
            .get(digest)
            .ok_or_else(|| Error::new(Class::Io, "test", digest.to_string()))?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

/// An image whose layers hold the given bytes.
fn content(layers: &[Vec<u8>]) -> (BundleContent, Blobs) {
    let mut blobs = BTreeMap::new();
    let mut put = |bytes: &[u8]| {
        let digest = digest_of(bytes);
        blobs.insert(digest, bytes.to_vec());
        format!(r#""digest":"{digest}","size":{}"#, bytes.len())
    };
    let config = put(b"{}");
    let layers: Vec<String> = layers
        .iter()
        .map(|layer| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar",{}}}"#,
                put(layer)
            )
        })
        .collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{}]}}"#,
        oci::OCI_MANIFEST,
        layers.join(",")
    );
    let digest = digest_of(manifest.as_bytes());
    let line = TagLine {
        digest,
        media_type: oci::OCI_MANIFEST.into(),
        repository: "registry.example/acme/web".parse().unwrap(),
        size: manifest.len() as u64,
        tag: Some("1.0".parse().unwrap()),
    };
    let content = BundleContent {
        tags: vec![line],
        manifests: BTreeMap::from([(digest, manifest.into_bytes())]),
        absent: BTreeMap::new(),
        documents: vec![(DocumentType::Notes, b"first release".to_vec())],
        requires: BTreeSet::new(),
    };
    (content, Blobs(blobs))
}

fn release() -> ReleaseStatement {
    ReleaseStatement {
        product: "acme".parse().unwrap(),
        channel: "stable".parse().unwrap(),
        version: "1.0".into(),
        epoch: 0,
        sequence: 1,
        issued_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        expires: "2027-11-01T00:00:00Z".parse().unwrap(),
        audience: Audience::ANY,
        home_hosts: vec!["registry.example".into()],
        minimum_appliance: Version::new(0, 1, 0),
    }
}

fn bundle(layers: &[Vec<u8>], packing: Packing) -> Vec<u8> {
    let (content, blobs) = content(layers);
    packed(content, &blobs, packing)
}

fn packed(content: BundleContent, blobs: &Blobs, packing: Packing) -> Vec<u8> {
    let plan = BundleLayout::new(&release(), &content, &chain(), packing).unwrap();
    let mut payload = Vec::new();
    let unsigned = plan.write_payload(content, blobs, &mut payload, |_| ()).unwrap();
    let mut bytes = unsigned.prologue(&[unsigned.sign(&key(2))]).unwrap();
    bytes.extend_from_slice(&payload);
    bytes
}

#[derive(Default)]
struct Collect {
    blobs: BTreeMap<Digest, Vec<u8>>,
    large: Vec<u8>,
    graphs: usize,
    desired: Option<desired::DesiredState>,
    chunks: u64,
    /// Of each chunk; zeros where no blob goes on behind it.
    states: Vec<Hash>,
}

/// The midstates of a blob at the ends of its chunks but the last.
fn midstates(blob: &[u8]) -> Vec<Hash> {
    let mut hash = RunningHash::default();
    let mut states: Vec<_> = blob
        .chunks(1 << 20)
        .map(|piece| {
            hash.update(piece);
            hash.midstate().unwrap_or(Hash([0; 32]))
        })
        .collect();
    states.pop();
    states
}

impl Sink for Collect {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.blobs.insert(blob.digest, bytes.to_vec());
        Ok(())
    }
    fn begin(&mut self, _: &Blob) -> Result<()> {
        self.large.clear();
        Ok(())
    }
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.large.extend_from_slice(bytes);
        Ok(())
    }
    fn end(&mut self, blob: &Blob, states: Vec<Hash>) -> Result<()> {
        assert_eq!(states, midstates(&self.large));
        self.blobs.insert(blob.digest, self.large.clone());
        Ok(())
    }
    fn chunk_done(&mut self, chunks: u64, _: u64, midstate: Option<Hash>) -> Result<()> {
        self.chunks = chunks;
        self.states.push(midstate.unwrap_or(Hash([0; 32])));
        Ok(())
    }
    fn graph(&mut self, graph: Graph) -> Result<()> {
        assert_eq!(graph.tags.len(), 1);
        self.graphs += 1;
        self.desired = graph.desired;
        Ok(())
    }
}

fn read(bytes: Vec<u8>, sink: &mut Collect) -> Result<()> {
    let opened = OpenedBundle::open(Box::new(Cursor::new(bytes)))?;
    assert_eq!(opened.links()?.0, chain().domain());
    let verified = opened.verify(&chain())?.read_index(|_, _| Ok(()))?;
    verified.read_payload(sink)
}

const SMALL: Packing = Packing {
    chunk_bytes: 1 << 20,
    level: 3,
    reserve: 0,
};

/// Bytes that do not compress.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[4]
        })
        .collect()
}

fn layers() -> Vec<Vec<u8>> {
    vec![
        vec![7; 3 << 20],
        noise(2_500_000, 1),
        Vec::new(),
        b"tiny".to_vec(),
        noise(1 << 20, 2),
        vec![1; 5000],
    ]
}

#[test]
fn content_comes_back_and_tar_lists_it() {
    let bytes = bundle(&layers(), SMALL);
    let mut sink = Collect::default();
    read(bytes.clone(), &mut sink).unwrap();
    assert_eq!(sink.graphs, 1);
    for layer in layers() {
        assert_eq!(sink.blobs[&digest_of(&layer)], layer);
    }
    assert_eq!(sink.blobs.len(), 9);
    let names: Vec<String> = tar::Archive::new(&bytes[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(
        names[..4],
        ["00-format", "01-signatures.json", "02-trust.json", "03-head.json"]
    );
    assert_eq!(names.last().unwrap(), &format!("chunks/{:010}", sink.chunks));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    assert!(bundle(&layers(), SMALL) == bundle(&layers(), SMALL));
}

#[test]
fn a_bundle_without_layers_is_whole_too() {
    let mut sink = Collect::default();
    read(bundle(&[], SMALL), &mut sink).unwrap();
    assert_eq!((sink.graphs, sink.blobs.len()), (1, 3));
}

/// Goes on after some chunks with what an earlier reading left.
struct Rest {
    new: Collect,
    done: u64,
    held: BTreeMap<Digest, Vec<u8>>,
    states: Vec<Hash>,
}

impl Sink for Rest {
    fn chunks_done(&self) -> u64 {
        self.done
    }
    fn load(&mut self, blob: &Blob) -> Result<Vec<u8>> {
        Ok(self.held[&blob.digest].clone())
    }
    fn kept_midstates(&mut self, chunks: std::ops::Range<u64>) -> Result<Vec<Hash>> {
        let index = |number: u64| usize::try_from(number - 1).unwrap();
        Ok(self.states[index(chunks.start)..index(chunks.end)].to_vec())
    }
    fn recall(&mut self, blob: &Blob, states: Vec<Hash>) -> Result<()> {
        assert_eq!(states, midstates(&self.held[&blob.digest]));
        Ok(())
    }
    fn prefix(&mut self, blob: &Blob, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        let bytes = &self.held[&blob.digest][..usize::try_from(length).unwrap()];
        for part in bytes.chunks(100_000) {
            take(part);
        }
        Ok(())
    }
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.new.blob(blob, bytes)
    }
    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.new.begin(blob)
    }
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.new.piece(bytes)
    }
    fn end(&mut self, blob: &Blob, states: Vec<Hash>) -> Result<()> {
        let whole = &self.held[&blob.digest];
        assert!(whole.ends_with(&self.new.large));
        assert_eq!(states, midstates(whole));
        Ok(())
    }
    fn chunk_done(&mut self, chunks: u64, bytes: u64, midstate: Option<Hash>) -> Result<()> {
        self.new.chunk_done(chunks, bytes, midstate)
    }
    fn graph(&mut self, graph: Graph) -> Result<()> {
        self.new.graph(graph)
    }
}

#[test]
fn reading_goes_on_after_any_chunk() {
    let bytes = bundle(&layers(), SMALL);
    let mut whole = Collect::default();
    read(bytes.clone(), &mut whole).unwrap();
    // Every third, and the last.
    for chunks in (0..whole.chunks).step_by(3).chain([whole.chunks]) {
        let mut rest = Rest {
            new: Collect::default(),
            done: chunks,
            held: whole.blobs.clone(),
            states: whole.states.clone(),
        };
        let opened = OpenedBundle::open(Box::new(Cursor::new(bytes.clone()))).unwrap();
        let verified = opened.verify(&chain()).unwrap().read_index(|_, _| Ok(())).unwrap();
        verified.read_payload(&mut rest).unwrap();
        assert_eq!(rest.new.graphs, 1, "after {chunks}");
    }
}

/// A desired state larger than a chunk, with one target for each of so many names.
fn large_state(image: desired::ImageName) -> desired::DesiredState {
    let agent = Uuid::derived("agent-version", &["1"]);
    let mut targets: Vec<_> = (0..4000_u32)
        .map(|number| desired::Target {
            agent,
            autoheal_all: false,
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            deployments: Vec::new(),
            docker_socket: None,
            id: Uuid::from_random(*Uuid::derived("target", &[&number.to_string()]).as_bytes()),
            image_cleanup: true,
            kind: desired::TargetKind::Docker,
            kubernetes: None,
            logs: true,
            logs_after: None,
            metrics: true,
            name: format!("{number} {}", "n".repeat(100)),
            site: None,
            verifier: None,
        })
        .collect();
    targets.sort_by_key(|target| target.id);
    desired::DesiredState {
        agents: vec![desired::AgentVersion {
            autoheal: Some(image.clone()),
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            docker: Some(image),
            id: agent,
            kubernetes: None,
            name: "1".into(),
        }],
        removed: Vec::new(),
        targets,
    }
}

#[test]
fn a_desired_state_of_several_chunks_is_read_whole_and_after_any_chunk() {
    let (mut content, blobs) = content(&layers());
    let tag = &content.tags[0];
    let state = large_state(desired::ImageName {
        digest: tag.digest,
        repository: tag.repository.clone(),
    });
    content.documents.push((DocumentType::DesiredState, state.to_bytes()));
    let bytes = packed(content, &blobs, SMALL);
    let mut whole = Collect::default();
    read(bytes.clone(), &mut whole).unwrap();
    assert_eq!(whole.desired.as_ref(), Some(&state));
    assert!(state.to_bytes().len() as u64 > SMALL.chunk_bytes);
    for chunks in 0..=whole.chunks {
        let mut rest = Rest {
            new: Collect::default(),
            done: chunks,
            held: whole.blobs.clone(),
            states: whole.states.clone(),
        };
        let opened = OpenedBundle::open(Box::new(Cursor::new(bytes.clone()))).unwrap();
        let verified = opened.verify(&chain()).unwrap().read_index(|_, _| Ok(())).unwrap();
        verified.read_payload(&mut rest).unwrap();
        assert_eq!(rest.new.desired.as_ref(), Some(&state), "after {chunks}");
    }
}

#[test]
fn a_plan_refuses_what_its_desired_state_lacks() {
    let (mut content, _) = content(&layers());
    let state = large_state(desired::ImageName {
        digest: content.tags[0].digest,
        repository: "registry.example/acme/other".parse().unwrap(),
    });
    content.documents.push((DocumentType::DesiredState, state.to_bytes()));
    let error = BundleLayout::new(&release(), &content, &chain(), SMALL).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Content, "image"));
    assert!(
        error.to_string().contains("registry.example/acme/other@sha256:"),
        "{error}"
    );
    content.documents.clear();
    BundleLayout::new(&release(), &content, &chain(), SMALL).unwrap();
}

#[test]
fn damage_is_named_by_its_place() {
    let good = bundle(&layers(), SMALL);
    for (at, class) in [
        (0, Class::Format),
        (600, Class::Format),
        (good.len() - 1, Class::Format),
        (good.len() - 600_000, Class::Integrity),
    ] {
        let mut bad = good.clone();
        bad[at] ^= 4;
        assert_eq!(read(bad, &mut Collect::default()).unwrap_err().class(), class, "{at}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(
        read(longer, &mut Collect::default()).unwrap_err().code(),
        "trailing-data"
    );
    for (length, class) in [
        (0, Class::Format),
        (700, Class::Format),
        (good.len() - 1, Class::Incomplete),
    ] {
        let cut = good[..length].to_vec();
        assert_eq!(
            read(cut, &mut Collect::default()).unwrap_err().class(),
            class,
            "{length}"
        );
    }
}

#[test]
fn index_lines_are_bounded() {
    let (mut content, _) = content(&[b"layer".to_vec()]);
    let line = content.tags[0].clone();
    let tagged = |number: usize| TagLine {
        tag: Some(format!("v{number:06}").parse().unwrap()),
        ..line.clone()
    };
    let plan = BundleLayout::new(&release(), &content, &chain(), Packing::default()).unwrap();
    content.tags = (0..=100_000).map(tagged).collect();
    let refused = BundleLayout::new(&release(), &content, &chain(), Packing::default()).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Limit, "lines"));
    // What another writer made all the same is refused at the first line that is too much, whatever follows it.
    let lines = Index {
        tags: content.tags.iter().map(Index::raw_tag).collect(),
        ..Index::default()
    };
    let mut reader = index_reader::IndexReader::new(&plan.head);
    let refused = lines
        .to_pages()
        .iter()
        .try_for_each(|page| reader.page(page))
        .unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Limit, "lines"));
    assert!(refused.found().contains(" 100001 tag lines"), "{refused}");
}

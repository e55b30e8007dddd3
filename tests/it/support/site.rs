//! An appliance's state, filled through the database directly: what the registry serves, without bundles.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::live::Live;
use airlock::appliance::registry::Registry;
use airlock::crypto::{
    Chain, Envelope, Key, PayloadType, Roles, RootDocument, Rule, RunningHash, Scheme, Signature, SigningKey,
};
use airlock::db::site::receipts::Signer;
use airlock::db::site::release::ReleaseId;
use airlock::db::site::targets::{TargetSet, Undeploy};
use airlock::db::site::{BlobRow, NameRow, Publication, appliance, instances, publish, release, time_floor, trust};
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{Clock, Counter, Digest, Hash, Result, Scope, Timestamp, Version, oci};
use airlock::http::{Running, Server, Settings};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Size of the pieces at whose ends midstates are kept for large blobs.
pub(crate) const PIECE: usize = 1 << 20;

/// A clock that a test moves.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl TestClock {
    pub(crate) fn at(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

/// An appliance's state folder and the vendors whose roots are pinned in it.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) db: Db,
    pub(crate) clock: TestClock,
    vendors: Vec<(SigningKey, Hash)>,
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

/// Bytes that no run of zeroes or repeated block can stand for.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    // Whole words: a byte at a time costs more than all that the tests do with it, unoptimised.
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::of_vendors(1)
    }

    /// An appliance of several vendors.
    pub(crate) fn of_vendors(count: usize) -> Self {
        let folder = super::appliance::scratch();
        for name in ["blobs/sha256", "roots", "identity"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let db = Db::create(&folder.path().join("airlock.db"), &Schema::SITE).unwrap();
        let site = appliance::ApplianceRow {
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            name: "plant".into(),
            created_at: Timestamp::EPOCH,
        };
        let instance = airlock::domain::InstanceId::from_bytes([7; 16]);
        db.write(|tx| {
            appliance::insert(tx, &site)?;
            instances::begin(tx, &instance, instances::Reason::Init, Timestamp::EPOCH)
        })
        .unwrap();
        let identity = folder.path().join("identity");
        write(
            &identity.join("instance.json"),
            format!(r#"{{"instance":"{instance}"}}"#).as_bytes(),
        );
        write(&folder.path().join("marks"), br#"{"marks":[]}"#);
        for name in ["token.key", "recipient.key"] {
            airlock::crypto::write_secret_file(&identity.join(name), &[7; 32]).unwrap();
        }
        let key = SigningKey::generate().unwrap();
        airlock::crypto::write_signing_key(&identity.join("status.pem"), &key, None).unwrap();
        let vendors = (0..count).map(|_| {
            let key = SigningKey::generate().unwrap();
            let (chain, domain) = chain(&key);
            write(&folder.path().join(format!("roots/{domain}.json")), &chain.to_file());
            db.write(|tx| {
                time_floor::raise(tx, domain, Timestamp::EPOCH)?;
                trust::store_chain(tx, &chain, Timestamp::EPOCH)
            })
            .unwrap();
            (key, domain)
        });
        let vendors = vendors.collect();
        Self {
            folder,
            db,
            // Far enough from 1970 that there is time before it.
            clock: TestClock(Arc::new(AtomicI64::new(1_000_000))),
            vendors,
        }
    }

    /// Pins one more vendor, which calls itself so; returns its place.
    pub(crate) fn pin(&mut self, name: &str) -> usize {
        let key = SigningKey::generate().unwrap();
        let chain = chain_called(&SigningKey::generate().unwrap(), &key, name);
        let domain = chain.domain();
        write(
            &self.folder.path().join(format!("roots/{domain}.json")),
            &chain.to_file(),
        );
        self.db
            .write(|tx| {
                time_floor::raise(tx, domain, Timestamp::EPOCH)?;
                trust::store_chain(tx, &chain, Timestamp::EPOCH)
            })
            .unwrap();
        self.vendors.push((key, domain));
        self.vendors.len() - 1
    }

    /// Trust domain of a vendor.
    pub(crate) fn domain(&self, vendor: usize) -> Hash {
        self.vendors[vendor].1
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.path().join("blobs/sha256").join(&hex[..2]).join(hex)
    }

    /// Starts a release; nothing is visible before it is published.
    pub(crate) fn release(&self, product: &str, sequence: u64) -> Draft<'_> {
        self.release_of(0, product, sequence)
    }

    /// Starts a release of one of the vendors.
    pub(crate) fn release_of(&self, vendor: usize, product: &str, sequence: u64) -> Draft<'_> {
        Draft {
            site: self,
            vendor,
            scope: Scope {
                domain: self.vendors[vendor].1,
                product: product.parse().unwrap(),
                channel: "stable".parse().unwrap(),
            },
            sequence,
            homes: Vec::new(),
            blobs: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Changes the database behind airlock's back.
    pub(crate) fn damage(&self, sql: &str) {
        self.db.write(|tx| tx.execute_batch(sql).sql("damage")).unwrap();
    }

    pub(crate) fn activate(&self, id: ReleaseId) {
        self.db
            .write(|tx| release::activate(tx, id, self.clock.now(), Undeploy::AsSigned, &signer()))
            .unwrap();
    }

    /// Opens the registry with a grace period of an hour.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::new(self.try_registry().unwrap())
    }

    pub(crate) fn try_registry(&self) -> Result<Registry> {
        let live = Live::load(&Arc::new(self.appliance()?), Duration::from_secs(3600))?;
        Registry::new(&live)
    }

    pub(crate) fn appliance(&self) -> Result<Appliance> {
        Appliance::open(self.path(), Arc::new(self.clock.clone()))
    }

    /// Starts a server on a free port of this machine.
    pub(crate) fn serve(&self) -> (Running, SocketAddr) {
        self.serve_with(Settings::default(), &self.registry())
    }

    #[expect(clippy::unused_self, reason = "it is the site that serves")]
    pub(crate) fn serve_with(&self, settings: Settings, registry: &Arc<Registry>) -> (Running, SocketAddr) {
        let settings = Settings {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            ..settings
        };
        let running = Server::start(settings, registry).unwrap();
        let address = running.addresses()[0];
        (running, address)
    }
}

/// A release in the making.
pub(crate) struct Draft<'a> {
    site: &'a Site,
    vendor: usize,
    scope: Scope,
    sequence: u64,
    homes: Vec<String>,
    blobs: Vec<BlobRow>,
    names: Vec<NameRow>,
}

impl Draft<'_> {
    /// Trust domain of its vendor.
    pub(crate) fn domain(&self) -> Hash {
        self.scope.domain
    }

    pub(crate) fn home(mut self, host: &str) -> Self {
        self.homes.push(host.into());
        self
    }

    /// On another channel than `stable`.
    pub(crate) fn on(mut self, channel: &str) -> Self {
        self.scope.channel = channel.parse().unwrap();
        self
    }

    /// Adds a manifest of some type, under a tag or none.
    pub(crate) fn typed(mut self, repository: &str, tag: Option<&str>, media_type: &str, manifest: &[u8]) -> Self {
        let digest = self.put(repository, manifest, Some(media_type));
        self.names.extend(tag.map(|tag| NameRow::Tag {
            repository: repository.parse().unwrap(),
            tag: tag.parse().unwrap(),
            digest,
        }));
        self
    }

    /// Adds content under a repository.
    pub(crate) fn blob(mut self, repository: &str, bytes: &[u8]) -> Self {
        self.put(repository, bytes, None);
        self
    }

    /// Adds a manifest under a tag.
    pub(crate) fn tag(mut self, repository: &str, tag: &str, manifest: &[u8]) -> Self {
        let digest = self.put(repository, manifest, Some(oci::OCI_MANIFEST));
        self.names.push(NameRow::Tag {
            repository: repository.parse().unwrap(),
            tag: tag.parse().unwrap(),
            digest,
        });
        self
    }

    /// Adds a manifest that refers to another one.
    pub(crate) fn referrer(mut self, repository: &str, subject: &Digest, artifact_type: &str, manifest: &[u8]) -> Self {
        let digest = self.put(repository, manifest, Some(oci::OCI_MANIFEST));
        self.names.push(NameRow::Referrer {
            subject: *subject,
            digest,
            artifact_type: Some(artifact_type.into()),
            annotations: r#"{"by":"test"}"#.into(),
        });
        self
    }

    fn put(&mut self, repository: &str, bytes: &[u8], media_type: Option<&str>) -> Digest {
        let digest = digest(bytes);
        let path = self.site.blob_path(&digest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, bytes);
        let pieces = (bytes.len() > 4 << 20).then(|| {
            let mut hash = RunningHash::default();
            let states = bytes.chunks(PIECE).map(|piece| {
                hash.update(piece);
                hash.midstate()
            });
            let mut states: Vec<_> = states.map(|state| state.unwrap_or(Hash([0; 32]))).collect();
            // At the end of the last one is the digest.
            states.pop();
            (PIECE as u64, states)
        });
        self.blobs.push(BlobRow {
            digest,
            size: bytes.len() as u64,
            pieces,
        });
        self.names.push(NameRow::Content {
            repository: repository.parse().unwrap(),
            digest,
            media_type: media_type.map(Into::into),
        });
        digest
    }

    /// Publishes it, and makes it live at once.
    pub(crate) fn live(self) -> ReleaseId {
        self.publish(true)
    }

    pub(crate) fn publish(self, activate: bool) -> ReleaseId {
        let (key, domain) = &self.site.vendors[self.vendor];
        let head = format!("{{\"release\":\"{domain} {} {}\"}}", self.scope, self.sequence);
        let signature = Signature::make(key, PayloadType::BundleHead, head.as_bytes());
        let signatures = airlock::crypto::canonical::to_vec(&serde_json::json!({ "signatures": [signature] }));
        let published = self.site.db.write(|tx| {
            publish(
                tx,
                Publication {
                    scope: self.scope,
                    counter: Counter {
                        epoch: 0,
                        sequence: self.sequence,
                    },
                    head: digest(head.as_bytes()).0,
                    head_bytes: head.as_bytes(),
                    signatures: &signatures,
                    root_version: 1,
                    version: "1.0",
                    imported_at: self.site.clock.now(),
                    confirmed_date: None,
                    home_hosts: &self.homes,
                    pages: &[],
                    time_floor: Timestamp::EPOCH,
                    targets: &TargetSet::default(),
                    activate,
                    waits: false,
                    blobs: &mut self.blobs.into_iter().map(Ok),
                    names: &mut self.names.into_iter().map(Ok),
                    signer: &signer(),
                },
            )
        });
        published.unwrap().id
    }
}

/// Who signs receipts there.
fn signer() -> Signer {
    Signer {
        site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        instance: "11112222333344445555666677778888".parse().unwrap(),
        key: SigningKey::from_secret(&[7; 32]),
    }
}

/// Thousands of small files: none of them needs to survive a power cut.
#[expect(clippy::disallowed_methods, reason = "a test's own files")]
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// A vendor's root 1, with one key for every role but `release`, and one for that.
pub(crate) fn chain(release: &SigningKey) -> (Chain, Hash) {
    let chain = chain_under(&SigningKey::generate().unwrap(), release);
    let domain = chain.domain();
    (chain, domain)
}

/// As [`chain`], with a root key of the caller.
pub(crate) fn chain_under(root: &SigningKey, release: &SigningKey) -> Chain {
    chain_called(root, release, "Test")
}

/// As [`chain_under`], of a vendor that calls itself so.
fn chain_called(root: &SigningKey, release: &SigningKey, name: &str) -> Chain {
    let rule = |key: &SigningKey| {
        vec![Rule {
            keys: vec![key.public().id()],
            scheme: Scheme::Ed25519,
            threshold: 1,
        }]
    };
    let keys: Vec<_> = (0..3).map(|_| SigningKey::generate().unwrap()).collect();
    let mut listed: Vec<Key> = keys
        .iter()
        .chain([release, root])
        .map(|key| Key {
            id: key.public().id(),
            public: key.public(),
            scheme: Scheme::Ed25519,
        })
        .collect();
    listed.sort_by_key(|key| key.id);
    let document = RootDocument {
        epochs: vec![],
        expires: "2100-01-01T00:00:00Z".parse().unwrap(),
        issued_at: Timestamp::EPOCH,
        keys: listed,
        products: vec!["crm".parse().unwrap(), "erp".parse().unwrap()],
        reader: Version::new(0, 1, 0),
        roles: Roles {
            ack: rule(&keys[0]),
            licence: rule(&keys[1]),
            release: rule(release),
            root: rule(root),
            withdrawal: rule(&keys[2]),
        },
        time_reset: false,
        vendor: name.into(),
        version: 1,
    };
    let envelope = Envelope::sign(PayloadType::TrustRoot, document.to_payload(), &[root]);
    Chain::start(envelope).unwrap()
}

//! Appliances to attack, what must not change about them, and the newer bundle that must come in afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use airlock::appliance::{Appliance, Imported, NewAppliance, Options, init};
use airlock::bundle::{BlobSource, BundleContent, BundleLayout, Packing, ReleaseStatement, TagLine};
use airlock::crypto::{Chain, Envelope, PayloadType, RoleName, SigningKey, stream_seal, stream_start};
use airlock::db::site::stream_log;
use airlock::domain::{Audience, Digest, Error, FixedClock, Hash, Result, SiteId, Timestamp, Version, oci};
use sha2::{Digest as _, Sha256};

use crate::format::vectors::{Vector, load};
use crate::support::appliance::import_here;
use crate::support::state_fingerprint::StateFingerprint;

/// When cases are judged that do not say when.
const AT: &str = "2026-12-01T00:00:00Z";
/// When the newer bundle comes, a year after everything.
const LATER: &str = "2027-06-01T00:00:00Z";

/// A state folder of its own for one case.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    now: Timestamp,
}

impl Site {
    /// Makes the appliance that a vector is judged by: its pins, its site id, its mark, its time.
    pub(crate) fn of(vector: &Vector) -> Self {
        let folder = crate::support::appliance::scratch();
        let now: Timestamp = vector.text["at"].as_str().unwrap_or(AT).parse().unwrap();
        let site = Self { folder, now };
        let pins = vector.pins().unwrap();
        let new = NewAppliance {
            name: "test",
            pins: &pins,
            now,
        };
        init(&site.state(), &new).unwrap();
        let appliance = Appliance::open(&site.state(), std::sync::Arc::new(airlock::domain::SystemClock)).unwrap();
        if let Some(id) = vector.text["site"].as_str() {
            let set = |transaction: &rusqlite::Transaction<'_>| {
                transaction.execute("UPDATE appliance SET site = ?", [id]).unwrap();
                seal_again(transaction, &id.parse().unwrap());
                Ok(())
            };
            appliance.db.write(set).unwrap();
        }
        if let Some(mark) = vector.text["mark"].as_str().filter(|_| vector.name != "already") {
            let parts: Vec<&str> = mark.split(':').collect();
            let text = format!(
                r#"{{"marks":[{{"channel":"stable","domain":"{}","epoch":{},"head":"{}","product":"acme-web","sequence":{}}}]}}"#,
                pins[0].domain(),
                parts[0],
                parts[2],
                parts[1]
            );
            write(&site.state().join("marks"), text.as_bytes());
        }
        if let Some(base) = vector.base_path() {
            site.import(&load(&base), &Options::default()).unwrap();
        }
        site
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Imports from any path, for example a named pipe, which must bring 64 KiB within `stall`.
    pub(crate) fn import_from(&self, path: &Path, stall: Duration) -> Result<Imported> {
        let open = || airlock::media::open(path, Some(stall));
        self.open()
            .import(open, &Options::default(), &FixedClock(self.now), &mut |_| ())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn open(&self) -> Appliance {
        Appliance::open(&self.state(), std::sync::Arc::new(airlock::domain::SystemClock)).unwrap()
    }

    pub(crate) fn import(&self, bundle: &[u8], options: &Options) -> Result<Imported> {
        self.import_at(bundle, options, self.now)
    }

    fn import_at(&self, bundle: &[u8], options: &Options, now: Timestamp) -> Result<Imported> {
        let path = self.folder.path().join("bundle.airlock");
        write(&path, bundle);
        import_here(&self.open(), &path, options, &FixedClock(now))
    }

    /// The world fingerprint.
    pub(crate) fn world(&self) -> StateFingerprint {
        StateFingerprint::of(&self.state())
    }

    /// A pristine newer bundle imports, under the newest root; where that has expired, under one more.
    pub(crate) fn import_newer(&self, vector: &Vector) -> Result<Imported> {
        let later: Timestamp = LATER.parse().unwrap();
        let domain = vector.pins()?.last().unwrap().domain();
        let mut chain = self.open().chain(domain)?;
        if chain.newest().expires <= later {
            let mut next = chain.newest().clone();
            next.version += 1;
            next.expires = "2040-01-01T00:00:00Z".parse().unwrap();
            let keys = keys_of(&chain, RoleName::Root);
            let link = Envelope::sign(
                PayloadType::TrustRoot,
                next.to_payload(),
                &keys.iter().collect::<Vec<_>>(),
            );
            let held: Vec<Envelope> = chain.links().cloned().chain([link]).collect();
            chain = chain.extend(&held).chain;
        }
        let bundle = newer(&chain, later);
        self.import_at(&bundle, &Options::default(), later)
    }
}

#[expect(clippy::disallowed_methods, reason = "test files")]
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// The key of `make_vectors.py` with that name.
pub(crate) fn key(name: &str) -> SigningKey {
    let words = format!("NOT-A-SECRET airlock vector key {name}");
    SigningKey::from_secret(&Sha256::digest(words.as_bytes()).into())
}

/// Every key of a role that the vectors know.
fn keys_of(chain: &Chain, role: RoleName) -> Vec<SigningKey> {
    let role = chain.newest().role(role);
    [
        "root",
        "root-a",
        "root-b",
        "root-c",
        "root-d",
        "root-new",
        "other-root",
        "release",
        "release-1",
        "release-2",
        "release-3",
        "release-new",
    ]
    .into_iter()
    .map(key)
    .filter(|key| role.key(key.public().id()).is_some())
    .collect()
}

struct Nothing;

impl BlobSource for Nothing {
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        assert_eq!(size, 2, "{digest}");
        Ok(Box::new(Cursor::new(b"{}")))
    }
}

/// A small good bundle, number 1,000 of the vectors' product.
pub(crate) fn newer(chain: &Chain, now: Timestamp) -> Vec<u8> {
    let empty = Digest(Hash(Sha256::digest(b"{}").into()));
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{empty}","size":2}},"layers":[]}}"#
    )
    .into_bytes();
    let digest = Digest(Hash(Sha256::digest(&manifest).into()));
    let content = BundleContent {
        tags: vec![TagLine {
            digest,
            media_type: oci::OCI_MANIFEST.into(),
            repository: "registry.example.com/acme/web".parse().unwrap(),
            size: manifest.len() as u64,
            tag: Some("newer".parse().unwrap()),
        }],
        manifests: BTreeMap::from([(digest, manifest)]),
        ..BundleContent::default()
    };
    let product = "acme-web".parse().unwrap();
    let channel = "stable".parse().unwrap();
    let release = ReleaseStatement {
        epoch: chain.newest().epoch(&product, &channel),
        product,
        channel,
        version: "newer".into(),
        sequence: 1000,
        issued_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        expires: now.plus_seconds(1000),
        audience: Audience::ANY,
        home_hosts: Vec::new(),
        minimum_appliance: Version::new(0, 1, 0),
    };
    let packing = Packing {
        chunk_bytes: 1 << 20,
        level: 3,
        reserve: 0,
    };
    let plan = BundleLayout::new(&release, &content, chain, packing).unwrap();
    let mut payload = Vec::new();
    let unsigned = plan.write_payload(content, &Nothing, &mut payload, |_| ()).unwrap();
    let signatures: Vec<_> = keys_of(chain, RoleName::Release)
        .iter()
        .map(|key| unsigned.sign(key))
        .collect();
    let mut bundle = unsigned.prologue(&signatures).unwrap();
    bundle.extend_from_slice(&payload);
    bundle
}

/// Class, sub-code and step, as the vectors write them.
pub(crate) fn verdict(error: &Error) -> String {
    let step = error
        .step()
        .map_or_else(|| "no step".to_owned(), |step| step.to_string());
    format!("{} {} at {step}", error.class(), error.code())
}

/// A site's stream logs are sealed with its id: here they begin with another one.
fn seal_again(transaction: &rusqlite::Transaction<'_>, site: &SiteId) {
    for domain in stream_log::domains(transaction).unwrap() {
        let mut seal = stream_start(site, domain);
        for row in stream_log::list(transaction, domain, 0, 100).unwrap() {
            let detail = serde_json::from_str(&row.detail).unwrap();
            seal = stream_seal(seal, row.number, row.at, &row.action, &detail);
            let update = "UPDATE stream_audit SET seal = ?3 WHERE domain = ?1 AND number = ?2";
            transaction
                .execute(update, rusqlite::params![domain, row.number, seal])
                .unwrap();
        }
    }
}

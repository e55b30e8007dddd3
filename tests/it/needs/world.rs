//! A vendor with six images and sites of his, each run by the real commands.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::db::site::release;
use airlock::db::{Db, Schema, ledger};
use airlock::domain::{Digest, Hash, SiteId};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::appliance::{AIRLOCK, Ended, import_command, scratch};
use crate::support::image_set::{ImageSet, MANIFEST, digest};
use crate::support::site::noise;
use crate::support::streams;
use crate::vendor::cli::CommandFolder;

/// Names of the images.
pub(super) const IMAGES: [&str; 6] = ["api", "db", "jobs", "mail", "proxy", "web"];
/// Bytes of the layer that all images stand on.
const SYSTEM: usize = 300 << 10;
/// Bytes of each image's own layer.
const OWN: usize = 100 << 10;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The images of one release.
pub(super) struct Images {
    pub(super) set: ImageSet,
    pub(super) manifests: Vec<Value>,
    /// The layer that all of them stand on.
    pub(super) system: Digest,
    /// The own layer of each, in the order of [`IMAGES`].
    pub(super) own: Vec<Digest>,
    /// Bytes of everything that is no layer: configs and manifests.
    pub(super) documents: u64,
}

/// Makes the six images under tags of a version. `patched` is the image of whose own layer 1 KiB differs.
pub(super) fn images(tag: &str, patched: Option<usize>) -> Images {
    let mut set = ImageSet::default();
    let system = set.blob(LAYER, &noise(SYSTEM, 1));
    let (mut manifests, mut own) = (Vec::new(), Vec::new());
    for (n, name) in IMAGES.iter().enumerate() {
        let mut bytes = noise(OWN, 10 + n as u64);
        if patched == Some(n) {
            bytes[5000..6024].copy_from_slice(&noise(1024, 99));
        }
        let layer = set.blob(LAYER, &bytes);
        let config = json!({
            "os": "linux", "architecture": "amd64", "author": name,
            "rootfs": {"type": "layers", "diff_ids": [system["digest"], layer["digest"]]},
        });
        let config = set.blob(CONFIG, config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [system.clone(), layer.clone()],
        });
        let manifest = set.manifest(&manifest);
        set.tag(&format!("{name}-{tag}"), &manifest);
        manifests.push(manifest);
        own.push(digest(&layer));
    }
    let layers: BTreeSet<Digest> = own.iter().copied().chain([digest(&system)]).collect();
    let documents = set.blobs.iter().filter(|(digest, _)| !layers.contains(digest));
    Images {
        documents: documents.map(|(_, bytes)| bytes.len() as u64).sum(),
        manifests,
        system: digest(&system),
        own,
        set,
    }
}

/// A vendor's folder with his workspace `w`.
pub(super) struct Vendor {
    pub(super) folder: CommandFolder,
}

impl Vendor {
    pub(super) fn new() -> Self {
        Self {
            folder: CommandFolder::new(),
        }
    }

    /// Lays the images of a version out, and the file of the release that carries them; its number is the version's.
    pub(super) fn release(&self, sequence: u64, images: &Images) {
        let layout = format!("images-{sequence}");
        images.set.write_folder(&self.folder.path(&layout), &images.manifests);
        let tag = &images.set.tags.keys().next().unwrap()["api-".len()..];
        let mut text = format!(
            "product: app\nchannel: stable\nversion: \"{sequence}\"\nsequence: {sequence}\nexpires: 2099-01-01T00:00:00Z\nimages:\n"
        );
        for name in IMAGES {
            text += &format!("  - source: oci:{layout}:{name}-{tag}\n    name: registry.test/acme/{name}:{tag}\n");
        }
        fs::write(self.folder.path("release.yaml"), text).unwrap();
    }

    /// Builds `OUT` for sites, or as the file says when none is named, and returns what the command says.
    pub(super) fn create(&self, out: &str, sites: &[&Site], more: &[&str]) -> Value {
        self.folder.good(&arguments(out, sites, more))
    }

    /// The plan of the same.
    pub(super) fn plan(&self, sites: &[&Site], more: &[&str]) -> Value {
        let plan = self.create("plan.airlock", sites, &[more, &["--dry-run"]].concat());
        assert!(!self.folder.path("plan.airlock").exists(), "a plan writes nothing");
        plan
    }

    /// The lines that a person sees of a plan.
    pub(super) fn plan_text(&self, sites: &[&Site], more: &[&str]) -> String {
        let words = arguments("plan.airlock", sites, more);
        let output = self.folder.run_as("human", &[&words[..], &["--dry-run"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn bundle(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// The ledger, as SQL.
    pub(super) fn sql(&self) -> Connection {
        Connection::open(self.folder.path("w/ledger.db")).unwrap()
    }

    /// The ledger, as the program opens it.
    pub(super) fn ledger(&self) -> Db {
        Db::open(&self.folder.path("w/ledger.db"), &Schema::LEDGER).unwrap()
    }
}

fn arguments<'a>(out: &'a str, sites: &[&'a Site], more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", out];
    words.extend(sites.iter().flat_map(|site| ["--site", &site.name]));
    words.extend(more);
    words
}

/// An appliance that a vendor has enrolled.
pub(super) struct Site {
    scratch: TempDir,
    pub(super) name: String,
    pub(super) id: SiteId,
}

impl Site {
    pub(super) fn new(vendor: &Vendor, name: &str) -> Self {
        let scratch = scratch();
        let state = scratch.path().join("state");
        let root = vendor.folder.path("w/root.json");
        let mut init = Command::new(AIRLOCK);
        init.args(["init", "--site", name, "--trust"])
            .arg(&root)
            .arg("--state")
            .arg(&state);
        let output = init.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut outbox = fs::read_dir(state.join("outbox")).unwrap();
        let enrolment = outbox.next().unwrap().unwrap().path();
        let file = enrolment.to_str().unwrap();
        let enrolled = vendor
            .folder
            .good(&["vendor", "enroll", file, "--workspace", "w", "--name", name]);
        let id = enrolled["site"].as_str().unwrap().parse().unwrap();
        Self {
            scratch,
            name: name.to_owned(),
            id,
        }
    }

    pub(super) fn state(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    pub(super) fn import(&self, bundle: &Path) -> Ended {
        self.import_with(bundle, &[])
    }

    pub(super) fn import_with(&self, bundle: &Path, more: &[&str]) -> Ended {
        Ended::of(&import_command(&self.state(), bundle).args(more).output().unwrap())
    }

    /// The file of a blob.
    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.state().join("blobs/sha256").join(&hex[..2]).join(hex)
    }

    /// Changes a byte of a blob.
    pub(super) fn flip(&self, digest: &Digest) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.blob(digest);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, bytes).unwrap();
    }

    /// Tells the vendor what the site holds and what it did: the rows that its next package leaves in the ledger.
    pub(super) fn report(&self, vendor: &Vendor, number: u64) {
        let stream = streams::only(&self.state());
        let db = Db::open(&self.state().join("airlock.db"), &Schema::SITE).unwrap();
        let sql = vendor.sql();
        let instance = "11112222333344445555666677778888";
        sql.execute(
            "INSERT OR IGNORE INTO instance (site, instance, parent, records, receipts, audit) VALUES (?, ?, NULL, 1, 1, 1)",
            params![self.id.as_str(), instance],
        )
        .unwrap();
        let id: i64 = sql
            .query_row("SELECT id FROM instance WHERE site = ?", [self.id.as_str()], |row| {
                row.get(0)
            })
            .unwrap();
        let head = json!({"receipts": {"first": 1, "last": stream.receipts.len()}}).to_string();
        let digest = [u8::try_from(id * 20).unwrap() + u8::try_from(number).unwrap(); 32];
        let now = vendor_now();
        sql.execute(
            "INSERT INTO package (head, instance, number, previous, made_at, ingested_at, bytes) VALUES (?, ?, ?, NULL, ?, ?, ?)",
            params![&digest[..], id, number, now, now, head.as_bytes()],
        )
        .unwrap();
        for receipt in &stream.receipts {
            sql.execute(
                "INSERT OR IGNORE INTO receipt (instance, number, at, head, product, channel, epoch, sequence, result, class, code, matched, envelope)
                 VALUES (?, ?, 0, ?, 'app', 'stable', 0, ?, ?, ?, ?, 1, x'')",
                params![
                    id,
                    receipt.number,
                    &receipt.head.0[..],
                    receipt.sequence,
                    receipt.result.as_str(),
                    receipt.class,
                    receipt.code
                ],
            )
            .unwrap();
        }
        sql.execute("DELETE FROM held WHERE site = ?", [self.id.as_str()])
            .unwrap();
        sql.execute("DELETE FROM damaged WHERE site = ?", [self.id.as_str()])
            .unwrap();
        for release in db.read(release::list).unwrap() {
            sql.execute(
                "INSERT INTO held (site, head, product, channel, epoch, sequence, state, imported_at, since, agrees)
                 VALUES (?, ?, 'app', 'stable', ?, ?, 'active', 0, 0, 1)",
                params![
                    self.id.as_str(),
                    &release.head.0[..],
                    release.counter.epoch,
                    release.counter.sequence
                ],
            )
            .unwrap();
            for (digest, size) in db.read(|connection| release::blobs(connection, release.id)).unwrap() {
                // As the appliance says it: nothing is hashed for it.
                if fs::metadata(self.blob(&digest)).is_ok_and(|file| file.len() == size) {
                    continue;
                }
                sql.execute(
                    "INSERT OR IGNORE INTO damaged (site, digest) VALUES (?, ?)",
                    params![self.id.as_str(), &digest.0.0[..]],
                )
                .unwrap();
            }
        }
    }
}

/// The machine's time, which the commands judge by.
pub(super) fn vendor_now() -> i64 {
    use airlock::domain::Clock as _;
    airlock::domain::SystemClock.now().unix()
}

/// Digests that the release of a number was recorded to need.
pub(super) fn recorded_needs(vendor: &Vendor, head: &Value) -> BTreeSet<Digest> {
    let head: Hash = serde_json::from_value(head.clone()).unwrap();
    let needs = vendor
        .ledger()
        .read(|connection| ledger::needs_of(connection, head))
        .unwrap();
    needs.unwrap().into_keys().collect()
}

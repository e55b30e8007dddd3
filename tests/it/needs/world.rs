//! A vendor with six images and sites of his, each run by the real commands.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::bundle::content_hash;
use airlock::container::Builder;
use airlock::crypto::{KeyFile, stream_start};
use airlock::db::site::instances;
use airlock::db::site::release::{self, State};
use airlock::db::{Db, Schema, ledger};
use airlock::domain::{Clock as _, Digest, Hash, SiteId, SystemClock};
use airlock::package::{
    AuditRow, Damaged, DamagedWord, Line, LineageEntry, Numbers, RecordCounts, Release, ReleaseState, ReleaseWord,
    Room, Shows, SignedReceipt, Statement, UnsignedPackage,
};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::package::made;
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
    images_of(tag, &|n| own_layer(n, patched == Some(n)))
}

/// The own layer of an image, or the same with 1 KiB that differs.
pub(super) fn own_layer(n: usize, is_patched: bool) -> Vec<u8> {
    let mut bytes = noise(OWN, 10 + n as u64);
    if is_patched {
        bytes[5000..6024].copy_from_slice(&noise(1024, 99));
    }
    bytes
}

/// Makes the six images with own layers that are given.
pub(super) fn images_of(tag: &str, own_layer: &dyn Fn(usize) -> Vec<u8>) -> Images {
    let mut set = ImageSet::default();
    let system = set.blob(LAYER, &noise(SYSTEM, 1));
    let (mut manifests, mut own) = (Vec::new(), Vec::new());
    for (n, name) in IMAGES.iter().enumerate() {
        let layer = set.blob(LAYER, &own_layer(n));
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
    // What is left out whole is looked at here; what is copied in part, where a test asks for it.
    if !more.contains(&"--encodings") {
        words.extend(["--encodings", "recipes"]);
    }
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
            .good(&["vendor", "enroll", "--yes", file, "--workspace", "w", "--name", name]);
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

    /// Sends the vendor a package of what the site holds and did, made from its state, which is taken in.
    pub(super) fn report(&self, vendor: &Vendor, number: u64) {
        let package = self.package(vendor, number);
        let file = self.scratch.path().join(format!("{number}.airlock-status"));
        fs::write(&file, package).unwrap();
        let taken = vendor
            .folder
            .good(&["status", "verify", file.to_str().unwrap(), "-w", "w"]);
        assert_eq!(taken[0]["result"], "taken-in", "{taken}");
    }

    fn package(&self, vendor: &Vendor, number: u64) -> Vec<u8> {
        let stream = streams::only(&self.state());
        let db = Db::open(&self.state().join("airlock.db"), &Schema::SITE).unwrap();
        let instance = db.read(instances::newest).unwrap().unwrap().instance;
        // Where the package before is not known, the vendor cannot tell.
        let previous = vendor
            .sql()
            .query_row(
                "SELECT p.head FROM package p JOIN instance i ON i.id = p.instance WHERE i.instance = ? AND p.number = ?",
                params![instance.as_str(), number - 1],
                |row| row.get::<_, [u8; 32]>(0),
            )
            .map_or(Hash([9; 32]), Hash);
        let mut lines = self.holds(&db);
        for envelope in &stream.envelopes {
            let receipt = SignedReceipt::unverified(envelope).unwrap();
            lines.push(Line::Receipt(Box::new(receipt)));
        }
        for row in &stream.rows {
            lines.push(Line::Audit(AuditRow {
                action: row.action.clone(),
                at: row.at.parse().unwrap(),
                detail: row.detail.as_object().unwrap().clone().into_iter().collect(),
                number: row.number,
            }));
        }
        let statement = Statement {
            acknowledged: None,
            before: stream_start(&self.id, stream.domain),
            builder: Builder::current(),
            domain: stream.domain,
            firsts: Numbers::all(1),
            lineage: vec![LineageEntry {
                audit: 1,
                instance: instance.clone(),
                receipts: 1,
                records: 1,
            }],
            instance,
            made_at: SystemClock.now(),
            number,
            previous: (number > 1).then_some(previous),
            shows: Shows::of([]),
            site: self.id.clone(),
            statement: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        let lasts = Numbers {
            audit: stream.rows.len() as u64,
            receipts: stream.receipts.len() as u64,
            records: 0,
        };
        let draft = made::write(statement, Room::default(), &lines, lasts, RecordCounts::default()).unwrap();
        let mut package = UnsignedPackage::open(made::input(&draft.bytes)).unwrap();
        let key = KeyFile::read(&self.state().join("identity/status.pem")).unwrap();
        package.sign(&key.signing_key(None).unwrap());
        let mut signed = Vec::new();
        package.write(&mut Cursor::new(&draft.bytes), &mut signed).unwrap();
        signed
    }

    /// The releases that are here, and what of them the store does not hold: nothing is hashed for it.
    fn holds(&self, db: &Db) -> Vec<Line> {
        let (mut lines, mut damaged) = (Vec::new(), BTreeMap::new());
        let mut releases = db.read(release::list).unwrap();
        releases.sort_by_key(|release| release.counter);
        for row in releases {
            let mut blobs = db.read(|connection| release::blobs(connection, row.id)).unwrap();
            blobs.sort_unstable();
            for (digest, size) in &blobs {
                if !fs::metadata(self.blob(digest)).is_ok_and(|file| file.len() == *size) {
                    damaged.insert(*digest, *size);
                }
            }
            lines.push(Line::Release(Release {
                blobs: blobs.len() as u64,
                channel: row.scope.channel,
                content: content_hash(blobs.iter().map(|(digest, _)| *digest)),
                epoch: row.counter.epoch,
                head: row.head,
                imported_at: row.imported_at,
                kind: ReleaseWord::Word,
                product: row.scope.product,
                root_version: row.root_version,
                sequence: row.counter.sequence,
                since: row.activated_at,
                state: match row.state {
                    State::Active => ReleaseState::Active,
                    State::Available => ReleaseState::Available,
                    State::Retired => ReleaseState::Retired,
                },
            }));
        }
        let kind = DamagedWord::Word;
        lines.extend(
            damaged
                .into_iter()
                .map(|(digest, size)| Line::Damaged(Damaged { digest, kind, size })),
        );
        lines
    }
}

/// The machine's time, which the commands judge by.
pub(super) fn vendor_now() -> i64 {
    SystemClock.now().unix()
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

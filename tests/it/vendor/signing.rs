//! Signing in place: what is there stays, whoever may not sign does not, and the bundle is the old one or the new one whenever the
//! machine stops.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::{CWD, FlockOperation, Mode, flock, mkfifoat};
use serde_json::{Value, json};

use crate::support::strace::{self, Fault};

/// A workspace with a bundle that one of its two release keys has signed.
struct Room {
    folder: tempfile::TempDir,
}

const SIGN: [&str; 5] = ["bundle", "sign", "out.airlock", "--key", "w/keys/release-2.pem"];
const CREATE: [&str; 8] = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "out.airlock"];

impl Room {
    fn new() -> Self {
        let room = Self {
            folder: crate::support::appliance::scratch(),
        };
        room.init("w");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
        let text = format!(
            "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n\
             allow_outside: [{0}]\nimages:\n- source: oci:{0}\n  name: registry.test/acme/app:1.0\n",
            fixture.display()
        );
        fs::write(room.path("release.yaml"), text).unwrap();
        room.good(&CREATE);
        room
    }

    fn init(&self, workspace: &str) {
        let init = ["vendor", "init", "--product", "app", "--vendor", "Test", workspace];
        self.good(&[&init[..], &["--expires", "2100-01-01T00:00:00Z"]].concat());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("out.airlock")).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_airlock"))
            .args(["--format", "json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("AIRLOCK_WORKSPACE")
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .output()
            .unwrap()
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// A command that must be refused and changes nothing of the bundle: class, code, and the whole event.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> (String, String, Value) {
        let before = self.bytes();
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let event: Value = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["event"] == "refused")
            .unwrap_or_else(|| panic!("{arguments:?} was not refused\n{text}"));
        assert_eq!(output.status.code().map(i64::from), event["exit"].as_i64());
        assert!(before == self.bytes(), "the bundle is as it was");
        assert_eq!(self.leftovers(), Vec::<String>::new());
        let word = |name: &str| event[name].as_str().unwrap().to_owned();
        (word("class"), word("code"), event.clone())
    }

    /// What stands beside the bundle and belongs to it.
    fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("out.airlock") && name != "out.airlock")
            .collect();
        names.sort();
        names
    }

    /// The bundle verifies; how many signatures it has.
    #[track_caller]
    fn signatures(&self) -> usize {
        self.good(&["bundle", "verify", "out.airlock", "--trust", "w/root.json"]);
        let shown = self.good(&["bundle", "inspect", "out.airlock"]);
        shown["signatures"].as_array().unwrap().len()
    }

    /// Puts a file where nothing says whose it is.
    fn lone(&self, key: &str) -> String {
        let place = self.path("lone");
        fs::create_dir_all(&place).unwrap();
        let name = key.replace('/', "-");
        fs::copy(self.path(key), place.join(&name)).unwrap();
        format!("lone/{name}")
    }
}

/// Where an entry's header stands, and the entry's size.
fn entry(bytes: &[u8], name: &str) -> (usize, usize) {
    let mut at = 0;
    loop {
        let header = &bytes[at..at + 512];
        let size = usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
        if header.starts_with(format!("{name}\0").as_bytes()) {
            return (at, size);
        }
        at += 512 + size.next_multiple_of(512);
    }
}

fn content<'a>(bytes: &'a [u8], name: &str) -> &'a [u8] {
    let (at, size) = entry(bytes, name);
    &bytes[at + 512..at + 512 + size]
}

#[test]
fn signing_keeps_approvals_and_signatures() {
    let room = Room::new();
    let mut bytes = room.bytes();
    let (at, size) = entry(&bytes, "04-approvals.json");
    assert_eq!(&bytes[at + 512..at + 512 + size], br#"{"approvals":[]}"#);
    // A site's approval, by a key that nobody here knows: one block as before.
    let approval = json!({"approvals": [{"keyid": "ab".repeat(32), "sig": "A".repeat(86) + "=="}]}).to_string();
    assert!(approval.len() < 512);
    bytes[at + 512..at + 512 + approval.len()].copy_from_slice(approval.as_bytes());
    bytes[at + 124..at + 135].copy_from_slice(format!("{:011o}", approval.len()).as_bytes());
    bytes[at + 148..at + 156].fill(b' ');
    let sum: u64 = bytes[at..at + 512].iter().map(|byte| u64::from(*byte)).sum();
    bytes[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(room.path("out.airlock"), &bytes).unwrap();
    assert_eq!(room.signatures(), 1);

    assert_eq!(room.good(&SIGN)["signatures"], 2);
    let signed = room.bytes();
    assert_eq!(content(&signed, "04-approvals.json"), approval.as_bytes());
    assert_eq!(room.signatures(), 2);
    assert_eq!(room.leftovers(), Vec::<String>::new());
    // Only what stands before the payload changed, and signing again changes nothing.
    assert_eq!(content(&bytes, "03-head.json"), content(&signed, "03-head.json"));
    assert_eq!(bytes.len(), signed.len());
    room.good(&SIGN);
    assert!(signed == room.bytes());
}

#[test]
fn whoever_may_not_sign_does_not() {
    let room = Room::new();
    room.init("other");
    let trust = room.good(&["vendor", "trust", "show", "-w", "w"]);
    let release: Vec<&str> = trust["roles"]["release"][0]["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"].as_str().unwrap())
        .collect();
    let sign = |key: &str, more: &[&str]| -> Vec<String> {
        ["bundle", "sign", "out.airlock", "--key", key]
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect()
    };
    let refused = |words: &[String]| room.refused(&words.iter().map(String::as_str).collect::<Vec<_>>());
    for key in ["root-1", "ack-1", "withdrawal-2", "licence-1"] {
        for more in [&[][..], &["--detached", "out.sig"]] {
            let (class, code, event) = refused(&sign(&format!("w/keys/{key}.pem"), more));
            assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "other-role"), "{event}");
            let expected = event["expected"].as_str().unwrap();
            assert!(release.iter().all(|id| expected.contains(id)), "{expected}");
            assert!(!room.path("out.sig").exists());
        }
    }
    // The release key of another vendor, in its workspace, alone, and beside this vendor's root.
    let (class, code, _) = refused(&sign("other/keys/release-1.pem", &[]));
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "unknown-domain"));
    let foreign = room.lone("other/keys/release-1.pem");
    let (_, code, _) = refused(&sign(&foreign, &["--trust", "w/root.json"]));
    assert_eq!(code, "other-role");
    // With nothing that says who may sign, nobody does; the remedy is to say it.
    let own = room.lone("w/keys/release-2.pem");
    for key in [&foreign, &own] {
        let (class, code, event) = refused(&sign(key, &[]));
        assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "no-root"));
        assert!(event["remedy"].as_str().unwrap().contains("--trust ROOT.JSON"));
    }
    let words = sign(&own, &["--trust", "w/root.json", "--detached", "out.sig"]);
    room.good(&words.iter().map(String::as_str).collect::<Vec<_>>());

    // A signature that joins is one that counts.
    let merge = |file: &str| sign("w/keys/release-1.pem", &["--signatures", file]);
    let good: Value = serde_json::from_slice(&fs::read(room.path("out.sig")).unwrap()).unwrap();
    let mut bad = good.clone();
    bad["signatures"][0]["sig"] = json!("A".repeat(86) + "==");
    fs::write(room.path("bad.sig"), bad.to_string()).unwrap();
    let (class, code, _) = refused(&merge("bad.sig"));
    assert_eq!((class.as_str(), code.as_str()), ("E-SIGNATURE", "bad-signature"));
    let mut unknown = good;
    unknown["signatures"][0]["keyid"] = json!("ab".repeat(32));
    fs::write(room.path("bad.sig"), unknown.to_string()).unwrap();
    let (class, code, _) = refused(&merge("bad.sig"));
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "other-role"));
    let words = merge("out.sig");
    room.good(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(room.signatures(), 2);
}

/// A bundle made under a later root carries it: then the bundle itself says who may sign.
#[test]
fn the_links_of_a_bundle_say_who_may_sign_it() {
    let room = Room::new();
    let old = room.lone("w/keys/release-1.pem");
    let trust = room.good(&["vendor", "trust", "show", "-w", "w"]);
    let keys = trust["roles"]["release"][0]["keys"].as_array().unwrap();
    let first = keys.iter().find(|key| key["file"] == "release-1.pem").unwrap();
    let first = first["id"].as_str().unwrap();
    room.good(&[
        "vendor",
        "trust",
        "rotate",
        "release",
        first,
        "-w",
        "w",
        "--issued-at",
        "2026-02-01T00:00:00Z",
        "--expires",
        "2100-01-01T00:00:00Z",
    ]);
    room.good(
        &[
            &CREATE[..],
            &[
                "--sequence",
                "2",
                "--unsigned",
                "--replace",
                "--issued-at",
                "2026-03-01T00:00:00Z",
            ],
        ]
        .concat(),
    );
    let (class, code, _) = room.refused(&["bundle", "sign", "out.airlock", "--key", &old]);
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "other-role"));
    let own = room.lone("w/keys/release-2.pem");
    room.good(&["bundle", "sign", "out.airlock", "--key", &own]);
    assert_eq!(room.signatures(), 1);
}

#[test]
fn folders_pipes_and_other_files_are_told_apart() {
    let room = Room::new();
    fs::create_dir(room.path("medium")).unwrap();
    fs::copy(room.path("out.airlock"), room.path("medium/a.airlock")).unwrap();
    mkfifoat(CWD, room.path("pipe"), Mode::RWXU).unwrap();
    fs::write(
        room.path("text"),
        "no bundle at all, but long enough to be one's first block".repeat(20),
    )
    .unwrap();
    let key = ["--key", "w/keys/release-2.pem"];
    for (name, class, code, says) in [
        ("medium", "E-USAGE", "not-a-file", "is a folder"),
        ("pipe", "E-USAGE", "not-a-file", "is a pipe"),
        ("/dev/null", "E-USAGE", "not-a-file", "is a device"),
        ("text", "E-FORMAT", "header", "no airlock bundle"),
    ] {
        let (found, sub, event) = room.refused(&[&["bundle", "sign", name][..], &key].concat());
        assert_eq!((found.as_str(), sub.as_str()), (class, code), "{event}");
        assert!(event["found"].as_str().unwrap().contains(says), "{event}");
    }
    // The remedy for the folder: the file in it, by name.
    room.good(&[&["bundle", "sign", "medium/a.airlock"][..], &key].concat());
    // Nothing of a bundle that was not finished counts as another bundle of the folder.
    let old = fs::read(room.path("medium/a.airlock")).unwrap();
    let offset = entry(&old, "chunks/0000000001").0;
    fs::write(room.path("medium/a.airlock.old-head"), &old[..offset]).unwrap();
    fs::write(room.path("medium/b.airlock.partial"), &old).unwrap();
    room.good(&["bundle", "verify", "medium", "--trust", "w/root.json"]);
}

#[test]
fn one_at_a_time_signs() {
    let room = Room::new();
    let held = File::open(room.path("out.airlock")).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let (class, code, _) = room.refused(&SIGN);
    assert_eq!((class.as_str(), code.as_str()), ("E-BUSY", "signing"));
    flock(&held, FlockOperation::Unlock).unwrap();
    room.good(&SIGN);
}

/// A head that is half old and half new, wherever the two differ: the old head beside it counts, and signing puts it back.
#[test]
fn a_torn_head_is_read_from_the_old_one_and_put_back() {
    let room = Room::new();
    let old = room.bytes();
    room.good(&SIGN);
    let new = room.bytes();
    let offset = entry(&old, "chunks/0000000001").0;
    let differing: Vec<usize> = (0..offset).filter(|at| old[*at] != new[*at]).step_by(25).collect();
    assert!(differing.len() > 5, "{differing:?}");
    for (number, at) in differing.iter().enumerate() {
        let torn = [&new[..=*at], &old[*at + 1..]].concat();
        fs::write(room.path("out.airlock"), &torn).unwrap();
        fs::write(room.path("out.airlock.old-head"), &old[..offset]).unwrap();
        let output = room.run(&["bundle", "verify", "out.airlock", "--trust", "w/root.json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("signing was cut off"), "{said}");
        assert!(torn == room.bytes(), "looking changes nothing");
        assert_eq!(room.leftovers(), ["out.airlock.old-head"]);
        if number % 2 == 0 {
            // Signing goes on from the old head, also one that is refused.
            let words = ["bundle", "sign", "out.airlock", "--key", "w/keys/ack-1.pem"];
            assert_eq!(room.run(&words).status.code(), Some(13));
            assert!(old == room.bytes());
        } else {
            room.good(&SIGN);
            assert!(new == room.bytes());
        }
        assert_eq!(room.leftovers(), Vec::<String>::new());
    }
    // What belongs to another release under the same name is nobody's old head.
    fs::write(room.path("out.airlock.old-head"), &old[..offset]).unwrap();
    room.good(&[&CREATE[..], &["--sequence", "2", "--replace"]].concat());
    assert_eq!(
        room.leftovers(),
        Vec::<String>::new(),
        "a new bundle of the name ends it"
    );
    fs::write(room.path("out.airlock.old-head"), &old[..offset]).unwrap();
    let shown = room.good(&["bundle", "inspect", "out.airlock"]);
    assert_eq!(shown["head"]["sequence"], 2);
    room.good(&SIGN);
    assert_eq!(room.good(&["bundle", "inspect", "out.airlock"])["head"]["sequence"], 2);
    assert_eq!(room.signatures(), 2);
}

/// Calls that change something, or on which something that changed depends.
const CHANGING: [&str; 13] = [
    "openat",
    "openat2",
    "flock",
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
];

#[test]
fn a_signing_that_is_killed_or_finds_the_disk_broken_anywhere_leaves_the_old_bundle_or_the_new() {
    if !strace::available() {
        return;
    }
    let room = Room::new();
    let old = room.bytes();
    let arguments: Vec<OsString> = ["--format", "json", "bundle", "sign"]
        .into_iter()
        .map(OsString::from)
        .chain([
            room.path("out.airlock").into_os_string(),
            "--key".into(),
            room.path("w/keys/release-2.pem").into_os_string(),
        ])
        .collect();
    let trace = vec!["-e".to_owned(), format!("trace={}", CHANGING.join(","))];
    let whole = strace::run(&trace, &arguments);
    assert_eq!(whole.ended.code, Some(0), "{}", whole.ended.stderr);
    let new = room.bytes();
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    let mut points = Vec::new();
    for call in &whole.calls {
        let name = CHANGING.into_iter().find(|name| *name == call.name).unwrap();
        let count = counts.entry(name).or_default();
        *count += 1;
        points.push((name, *count));
    }
    assert!(counts["pwrite64"] > 0 && counts["fsync"] > 2, "{counts:?}");
    let (mut fired, mut kept, mut done) = (0, 0, 0);
    for (name, nth) in points {
        for fault in [Fault::Kill, Fault::Io] {
            fs::write(room.path("out.airlock"), &old).unwrap();
            fs::remove_file(room.path("out.airlock.old-head")).ok();
            let run = strace::strike(fault, name, nth, &arguments);
            fired += usize::from(run.fired(fault, name, nth));
            let signatures = room.signatures();
            let is_new = room.bytes() == new && !room.path("out.airlock.old-head").exists();
            assert!(
                signatures == if is_new { 2 } else { 1 },
                "{name} {nth} {fault:?}: {signatures} signatures"
            );
            if run.ended.code == Some(0) {
                assert!(is_new, "{name} {nth} {fault:?}: what was reported is there");
            }
            if is_new {
                done += 1;
            } else {
                kept += 1;
            }
            assert!(room.bytes()[..] == old[..] || is_new || room.path("out.airlock.old-head").exists());
            room.good(&SIGN);
            assert!(room.bytes() == new, "{name} {nth} {fault:?}");
            assert_eq!(room.leftovers(), Vec::<String>::new(), "{name} {nth} {fault:?}");
        }
    }
    println!("{fired} faults hit; {kept} times the old bundle was left, {done} times the new one");
    assert!(fired > 20 && kept > 5 && done > 0);
}

/// The old head is kept and synced before the first byte of the bundle changes, and goes only when the new bytes are synced.
#[test]
fn the_real_old_head_stands_beside_the_bundle_while_it_is_rewritten() {
    if !strace::available() {
        return;
    }
    let room = Room::new();
    let old = room.bytes();
    let offset = entry(&old, "chunks/0000000001").0;
    let arguments: Vec<OsString> = ["bundle", "sign"]
        .into_iter()
        .map(OsString::from)
        .chain([
            room.path("out.airlock").into_os_string(),
            "--key".into(),
            room.path("w/keys/release-2.pem").into_os_string(),
        ])
        .collect();
    let run = strace::strike(Fault::Kill, "pwrite64", 1, &arguments);
    assert!(run.fired(Fault::Kill, "pwrite64", 1));
    assert_eq!(fs::read(room.path("out.airlock.old-head")).unwrap(), old[..offset]);
    // Whatever stands there now, the bundle is whole.
    let file = File::options().write(true).open(room.path("out.airlock")).unwrap();
    file.write_all_at(&vec![0xff; offset], 0).unwrap();
    assert_eq!(room.signatures(), 1);
    room.good(&SIGN);
    assert_eq!(room.signatures(), 2);
}

//! Remedies that are said of a whole class of errors, or of what the operating system answers: each where it is printed.
#![allow(clippy::disallowed_methods, reason = "tests read and write files of their own")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::follow::{Operator, Ran, commands, copy, filled};
use super::workshop::{HEAD, IMAGES, Workshop};
use crate::format::vectors::{Vector, vectors};
use crate::support::appliance::{AIRLOCK, read};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::strace;

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.write("release.yaml", &format!("{HEAD}{IMAGES}"));
    shop
}

/// The program under strace, which lets calls on a path fail.
fn failing(call: &str, path: &Path, error: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-P"]);
    command.arg(path);
    command.args(["-e", &format!("inject={call}:error={error}"), AIRLOCK]);
    command
}

#[test]
fn paths_are_put_right_as_the_system_asks() {
    let shop = shop();
    let create = |out: &str| shop.run(&format!("bundle create -f release.yaml -o {out}"));
    let remedy = create("stick/out.airlock").remedy("E-IO", "io");
    assert_eq!(remedy, "check the path, and that the medium is mounted");
    fs::create_dir(shop.path("stick")).unwrap();
    create("stick/out.airlock").succeeded();
    let remedy = create("release.yaml/out.airlock").remedy("E-IO", "io");
    assert_eq!(remedy, "check the path");
    create("out.airlock").succeeded();
    // A folder stands where the file is written.
    fs::create_dir(shop.path("two.airlock.partial")).unwrap();
    let remedy = create("two.airlock").remedy("E-IO", "io");
    assert_eq!(remedy, "name another file, or move that folder away");
    create("three.airlock").succeeded();
    fs::rename(shop.path("two.airlock.partial"), shop.path("away")).unwrap();
    create("two.airlock").succeeded();
    // The output of a command goes where nothing more goes in.
    let inspect = || {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "bundle", "inspect"]);
        command.arg(shop.path("out.airlock"));
        command
    };
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let refused = Ran::of(&inspect().stdout(full).output().unwrap());
    assert_eq!(
        refused.remedy("E-IO", "stdout"),
        "send the output elsewhere, and try again"
    );
    Ran::of(&inspect().output().unwrap()).succeeded();
}

#[test]
fn a_file_of_another_user_is_read_as_the_message_says() {
    let shop = shop();
    shop.create("").succeeded();
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(shop.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let root = rustix::process::geteuid().is_root();
    mode("", 0o755);
    mode("w", 0o755);
    mode("out.airlock", if root { 0o600 } else { 0 });
    // Somebody else; who is not root is locked out himself.
    let verify = |other: bool| {
        let mut command = Command::new(AIRLOCK);
        if other && root {
            command.uid(65_534).gid(65_534);
        }
        shop.run_as(command, "bundle verify out.airlock --trust w/root.json")
    };
    let remedy = verify(true).remedy("E-IO", "io");
    assert_eq!(
        remedy,
        "run the command as the user that owns it, or change its owner or mode"
    );
    if root {
        verify(false).succeeded();
    }
    mode("out.airlock", 0o644);
    verify(true).succeeded();
}

#[test]
fn media_are_mounted_looked_at_or_tried_again_as_the_message_says() {
    if !strace::available() {
        return;
    }
    let shop = shop();
    // strace compares paths as they are given.
    let out = shop.path("out.airlock").display().to_string();
    let create = &format!("bundle create -f release.yaml -o {out}");
    let partial = shop.path("out.airlock.partial");
    let remedy = shop
        .run_as(failing("?open,openat", &partial, "EROFS"), create)
        .remedy("E-IO", "io");
    assert_eq!(remedy, "mount it for writing, or name another place");
    fs::create_dir(shop.path("elsewhere")).unwrap();
    shop.good(&create.replace("/out.", "/elsewhere/out."));
    shop.good(create);
    let remedy = shop
        .run_as(failing("?open,openat", &partial, "EIO"), create)
        .remedy("E-IO", "io");
    assert!(remedy.ends_with("(`dmesg`), and try again"), "{remedy}");
    shop.good(create);
    // Somebody made the same file at the same moment.
    let key = shop.path("w/keys/release-3.pem");
    let add = &format!("vendor trust add release -w {}", shop.path("w").display());
    let remedy = shop
        .run_as(failing("?open,openat", &key, "EEXIST"), add)
        .remedy("E-IO", "io");
    assert!(remedy.starts_with("try again; where it stays, "), "{remedy}");
    shop.good(add);
    // What stops being read in the middle.
    let root = shop.path("w/root.json");
    let verify = &format!("bundle verify out.airlock --trust {}", root.display());
    let remedy = shop.run_as(failing("read", &root, "EIO"), verify).remedy("E-IO", "io");
    assert_eq!(
        remedy,
        "try again; from a medium, put it back first, or use another copy"
    );
    copy(&root, &shop.path("copy.json"));
    shop.good("bundle verify out.airlock --trust copy.json");
    shop.good(verify);
}

/// What is said of a class, of bundles that somebody must copy again or make anew.
#[test]
fn bundles_that_a_class_is_said_of_are_copied_or_made_again() {
    let again = "copy the file again and compare its SHA-256 with the sender's; if it is the same, the sender must make it again";
    let smaller = "it must be made smaller where it comes from; nothing on this side raises the bound";
    let content = "correct it where the release is made; at a site, ask the vendor for a corrected bundle";
    let status = "a status package goes back to the vendor; take the bundle that came from there";
    let cases = [
        ("index-kind", "E-FORMAT", "grammar", again),
        ("index-order", "E-FORMAT", "index-order", again),
        ("k06-weak-key", "E-TRUST", "weak-key", again),
        ("k07-33", "E-LIMIT", "signatures", smaller),
        ("j09-dots", "E-CONTENT", "name", content),
        ("b01-status-package", "E-FORMAT", "wrong-type", status),
    ];
    let (operator, bad, good) = (Operator::new(), vectors("bad"), vectors("good"));
    let find = |list: &'_ [Vector], name: &str| list.iter().position(|vector| vector.name == name).unwrap();
    let verify = |vector: &Vector, trust: &Vector| {
        let (bundle, pin) = (vector.bundle_path(), trust.pin_paths()[0].clone());
        operator.run(&[
            "bundle",
            "verify",
            bundle.to_str().unwrap(),
            "--trust",
            pin.to_str().unwrap(),
        ])
    };
    for (name, class, code, says) in cases {
        let bad = &bad[find(&bad, name)];
        let twin = &good[find(&good, bad.text["twin"].as_str().unwrap())];
        assert_eq!(verify(bad, bad).remedy(class, code), says, "{name}");
        verify(twin, twin).succeeded();
    }
}

/// What the help of a command shows is how it is written.
#[test]
fn the_help_of_the_command_shows_how_it_is_written() {
    let shop = shop();
    shop.edit("release.yaml", "expires: 2099-01-01T00:00:00Z", "expires_in: 90");
    let remedy = shop.create("").remedy("E-USAGE", "value");
    let option = remedy.split('`').nth(1).unwrap();
    let help = Command::new(AIRLOCK)
        .args(["bundle", "create", option])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let line = help
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("expires_in: "))
        .unwrap();
    shop.edit("release.yaml", "expires_in: 90", line);
    // Ninety days from a day that is not over.
    let today = airlock::domain::Clock::now(&airlock::domain::SystemClock);
    shop.create(&format!("--issued-at {today}")).succeeded();
}

#[test]
fn sites_and_keys_are_named_as_the_messages_say() {
    let (shop, site) = (shop(), Operator::new());
    shop.edit("release.yaml", "audience: any", "audience: [plant-1]");
    // None is known: it is enrolled, and its name is looked up.
    let remedy = shop.create("").remedy("E-USAGE", "value");
    let [look, enrol] = commands(&remedy).try_into().unwrap();
    let root = shop.path("w/root.json");
    let chain = airlock::crypto::Chain::parse(&read(&root)).unwrap();
    let fingerprint = chain.fingerprint().to_hex();
    let pin = ["trust", "add", root.to_str().unwrap(), "--fingerprint", &fingerprint];
    site.run(&pin).succeeded();
    let file = format!("outbox/enrolment-{}.json", &chain.domain().to_hex()[..8]);
    let file = site.state().join(file);
    let enrol = filled(&enrol, &[("FILE", file.to_str().unwrap())]);
    shop.follow(&enrol, "--yes --name plant-1").succeeded();
    let listed = shop.follow(&look, "").succeeded().clone();
    assert!(listed.to_string().contains("plant-1"), "{listed}");
    shop.create("").succeeded();
    // One that is mistyped is guessed.
    shop.edit("release.yaml", "[plant-1]", "[plnt-1]");
    let remedy = shop.create("").remedy("E-USAGE", "value");
    let meant = remedy.strip_prefix("did you mean ").unwrap().trim_end_matches('?');
    shop.edit("release.yaml", "plnt-1", meant);
    shop.create("").succeeded();
    // A public key is no private one; nor is a folder, or something long.
    shop.create("--unsigned").succeeded();
    let sign = |key: &str| shop.run(&format!("bundle sign out.airlock --trust w/root.json --key {key}"));
    shop.write("long.pem", &"x".repeat(100_000));
    shop.write(
        "other.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    for name in ["long.pem", "other.pem"] {
        fs::set_permissions(shop.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    for wrong in ["w/keys/release-1.pub", "w/keys", "long.pem", "other.pem"] {
        let remedy = sign(wrong).remedy("E-TRUST", "key-file");
        let lies = remedy.split("one that ends in ").nth(1).unwrap();
        assert_eq!(lies, ".pem lies in keys/ of the workspace", "{wrong}");
    }
    let named = fs::read_dir(shop.path("w/keys")).unwrap();
    let mut names: Vec<String> = named
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("release") && name.to_ascii_lowercase().ends_with(".pem"))
        .collect();
    names.sort();
    sign(&format!("w/keys/{}", names[0])).succeeded();
    assert!(!read(&shop.path("out.airlock")).is_empty());
}

/// A database that cannot be written, or is gone: the disk is looked at, room is made, or a copy takes the folder's place.
#[test]
fn a_database_that_fails_is_answered_as_the_message_says() {
    if !strace::available() {
        return;
    }
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[b"a layer".to_vec()], SMALL_CHUNKS);
    let file = operator.bundle(&made);
    let kept = operator.state().with_extension("kept");
    copy(&operator.state(), &kept);
    let cases = [
        (
            "EIO",
            "E-IO",
            "database-io",
            "check the disk and the permissions of the folder",
        ),
        ("ENOSPC", "E-SPACE", "no-space", "free space and try again"),
    ];
    let fails = |error: &str| {
        let mut command = failing("pwrite64", &operator.state().join("airlock.db-wal"), error);
        command.args(["--format", "json", "import"]).arg(&file);
        command.arg("--state").arg(operator.state());
        Ran::of(&command.output().unwrap())
    };
    for (error, class, code, says) in cases {
        assert_eq!(fails(error).remedy(class, code), says);
    }
    operator.import(&made).succeeded();
    // Without the database, what is left of the folder is no appliance.
    fs::remove_file(operator.state().join("airlock.db")).unwrap();
    let list = || operator.run(&["release", "list"]);
    let remedy = list().remedy("E-STATE", "database-missing");
    assert!(
        remedy.starts_with("end airlock serve, then put a whole copy of this folder in its place, "),
        "{remedy}"
    );
    let elsewhere = kept.to_str().unwrap();
    operator.run(&["release", "list", "--state", elsewhere]).succeeded();
    fs::remove_dir_all(operator.state()).unwrap();
    copy(&kept, &operator.state());
    list().succeeded();
}

//! Remedies about the files that a vendor reads and writes: sources, outputs, signatures, enrolments.
#![allow(clippy::disallowed_methods, reason = "tests read and write files of their own")]

use std::fs;
use std::process::Command;

use airlock::crypto::{Chain, KeyFile};

use super::follow::{commands, copy, filled};
use super::workshop::{HEAD, IMAGES, Workshop};
use crate::support::appliance::{AIRLOCK, read, write};
use crate::support::bundles::Vendor;
use crate::support::strace;

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.write("release.yaml", &format!("{HEAD}{IMAGES}"));
    shop
}

/// What is called one thing and holds another, among manifests and among layers: the source is put right.
#[test]
fn a_source_that_is_damaged_is_put_right() {
    let shop = shop();
    let blobs = shop.path("hello/blobs/sha256");
    let mut damaged = 0;
    for entry in fs::read_dir(&blobs).unwrap() {
        let path = entry.unwrap().path();
        let whole = read(&path);
        let mut bytes = whole.clone();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        write(&path, &bytes);
        let refused = shop.create("");
        if refused.ended.code == Some(0) {
            // Of the other image in that layout.
            write(&path, &whole);
            continue;
        }
        let remedy = refused.remedy("E-INTEGRITY", "source");
        assert_eq!(remedy, "check the source; it changed or is damaged");
        write(&path, &whole);
        shop.create("").succeeded();
        damaged += 1;
    }
    assert!(damaged >= 3, "a manifest, a configuration and a layer");
}

/// A bundle with signatures or approvals that this command does not make is not replaced, unless that is said.
#[test]
fn a_bundle_that_others_signed_is_kept_or_replaced_as_the_message_says() {
    let shop = shop();
    shop.good("vendor trust add release");
    shop.create("--key w/keys/release-1.pem").succeeded();
    shop.good("bundle sign out.airlock --key w/keys/release-3.pem --trust w/root.json");
    let create = |out: &str, more: &str| shop.run(&format!("bundle create -f release.yaml -o {out} {more}"));
    let first = || create("out.airlock", "--key w/keys/release-1.pem");
    let remedy = first().remedy("E-USAGE", "output");
    let option = remedy.split_whitespace().last().unwrap();
    create("other.airlock", "--key w/keys/release-1.pem").succeeded();
    copy(&shop.path("out.airlock"), &shop.path("away.airlock"));
    create("out.airlock", &format!("--key w/keys/release-1.pem {option}")).succeeded();
    fs::rename(shop.path("away.airlock"), shop.path("out.airlock")).unwrap();
    first().remedy("E-USAGE", "output");
    fs::rename(shop.path("out.airlock"), shop.path("away.airlock")).unwrap();
    first().succeeded();
}

/// Another tool may leave no room for more signatures in front of the payload: they go into files of their own.
#[test]
fn signatures_that_do_not_fit_are_kept_beside_the_bundle() {
    let shop = shop();
    for _ in 0..4 {
        shop.good("vendor trust add release");
    }
    let key = KeyFile::read(&shop.path("w/keys/release-1.pem")).unwrap();
    let chain = Chain::parse(&read(&shop.path("w/root.json"))).unwrap();
    let tool = Vendor::holding(key.signing_key(None).unwrap(), chain);
    let room = |bytes: &[u8]| {
        let at = bytes.windows(8).position(|name| name == b"06-fill\0").unwrap() + 124;
        u64::from_str_radix(std::str::from_utf8(&bytes[at..at + 11]).unwrap(), 8).unwrap()
    };
    // The one whose bytes before the payload end nearest to it.
    let bundles = (1..60).map(|hosts| {
        let made = tool.bundle_as("shop", 1, |release| {
            release.home_hosts = (10..10 + hosts)
                .map(|n| format!("{n}{}.test", "h".repeat(60)))
                .collect();
        });
        made.bytes
    });
    write(
        &shop.path("out.airlock"),
        &bundles.min_by_key(|bytes| room(bytes)).unwrap(),
    );
    let sign = |key: usize, more: &str| {
        shop.run(&format!(
            "bundle sign out.airlock --key w/keys/release-{key}.pem --trust w/root.json {more}"
        ))
    };
    let (key, refused) = (2..=6)
        .map(|key| (key, sign(key, "")))
        .find(|(_, ran)| ran.ended.code != Some(0))
        .unwrap();
    let remedy = refused.remedy("E-LIMIT", "reserve");
    let [sign, import] = commands(&remedy).try_into().unwrap();
    let key = format!("w/keys/release-{key}.pem");
    let at_hand = [("BUNDLE", "out.airlock"), ("KEY", key.as_str()), ("FILE", "out.sig")];
    shop.follow(&filled(&sign, &at_hand), "--trust w/root.json").succeeded();
    let option = import.split(' ').find(|word| word.starts_with("--")).unwrap();
    shop.good(&format!(
        "bundle verify out.airlock --trust w/root.json {option} out.sig"
    ));
}

/// A medium that does not give back what was written: another one.
#[test]
fn what_a_medium_does_not_give_back_is_written_to_another() {
    if !strace::available() {
        return;
    }
    let shop = shop();
    fs::create_dir(shop.path("stick")).unwrap();
    let mut faulty = Command::new("strace");
    faulty
        .args(["-f", "-o", "/dev/null", "-e", "trace=pread64", "-P"])
        .arg(shop.path("stick/out.airlock.partial"))
        .args(["-e", "inject=pread64:retval=0", AIRLOCK]);
    let create = |to: &str| format!("bundle create -f release.yaml -o {to}/out.airlock");
    let remedy = shop.run_as(faulty, &create("stick")).remedy("E-IO", "read-back");
    assert_eq!(remedy, "use another medium; this one cannot be trusted");
    assert_eq!(fs::read_dir(shop.path("stick")).unwrap().count(), 0);
    fs::create_dir(shop.path("another")).unwrap();
    shop.good(&create("another"));
}

/// What only an older release had is removed by the UUID that its bundle shows.
#[test]
fn what_only_an_older_release_had_is_removed_by_its_uuid() {
    let shop = shop();
    shop.write("one.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    let release = |n: u64, more: &str| {
        format!(
            "{HEAD}agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  \
             autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n\
             applications:\n- {{name: one, version: \"1\", compose: one.yaml, images: {{'example.com/web:2': 'oci:hello:1.0'}}}}\n\
             targets:\n- {{name: press-1, kind: docker, deployments: [{{application: one}}]}}\n{more}"
        )
        .replace("sequence: 1", &format!("sequence: {n}"))
    };
    // Its id came from elsewhere: it does not follow from the name.
    let cellar =
        "- {name: cellar, kind: docker, id: 7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b, deployments: [{application: one}]}\n";
    shop.build(&release(1, cellar)).succeeded();
    copy(&shop.path("out.airlock"), &shop.path("old.airlock"));
    shop.build(&release(2, "removed: [cellar]\n")).succeeded();
    shop.build(&release(3, "")).succeeded();
    let refused = shop.build(&release(4, "removed: [cellar]\n"));
    let remedy = refused.remedy("E-USAGE", "value");
    let at_hand = [("BUNDLE", "old.airlock"), ("ROOT.JSON", "w/root.json")];
    let command = filled(&commands(&remedy)[0], &at_hand);
    let shown = shop.follow(&command, "").succeeded().clone();
    let targets = shown["desired"]["targets"].as_array().unwrap();
    let old = targets.iter().find(|target| target["name"] == "cellar").unwrap();
    shop.build(&release(4, &format!("removed: [{}]\n", old["id"].as_str().unwrap())))
        .succeeded();
}

/// A list of sites that makes the head too large is shared out over several releases.
#[test]
fn sites_that_are_too_many_get_several_releases() {
    let shop = shop();
    let release = |n: u64, sites: std::ops::Range<u32>| {
        let list: Vec<String> = sites.map(|site| format!("{site:032x}")).collect();
        format!("{HEAD}{IMAGES}")
            .replace("sequence: 1", &format!("sequence: {n}"))
            .replace("audience: any", &format!("audience: ['{}']", list.join("', '")))
    };
    let remedy = shop.build(&release(1, 0..8000)).remedy("E-LIMIT", "head-size");
    assert!(remedy.starts_with("make several releases"), "{remedy}");
    shop.build(&release(1, 0..4000)).succeeded();
    shop.build(&release(2, 4000..8000)).succeeded();
}

/// Whoever slips at a new passphrase each time starts again: nothing was changed.
#[test]
fn a_new_passphrase_that_was_mistyped_is_given_again() {
    if !crate::vendor::passphrases::terminal() {
        return;
    }
    let shop = shop();
    let before = read(&shop.path("w/keys/release-1.pem"));
    let typed = |answers: &[[&str; 2]]| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/vendor/terminal.py");
        let mut command = crate::support::python::python();
        command.args([script, &serde_json::json!(answers).to_string(), AIRLOCK]);
        command.args(["vendor", "trust", "passphrase", "w/keys/release-1.pem"]);
        let output = command
            .current_dir(shop.path(""))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let slips = [["new passphrase", "correct horse"], ["the same again", "battery"]].repeat(3);
    let (code, shown) = typed(&slips);
    assert_eq!(code, Some(13), "{shown}");
    assert!(shown.contains("start again; nothing was changed"), "{shown}");
    assert_eq!(read(&shop.path("w/keys/release-1.pem")), before);
    let (code, shown) = typed(&[["new passphrase", "correct horse"], ["the same again", "correct horse"]]);
    assert_eq!(code, Some(0), "{shown}");
    assert_ne!(read(&shop.path("w/keys/release-1.pem")), before);
}

/// A folder of somebody's is no place for the demo; another one is.
#[test]
fn the_demo_is_given_another_folder() {
    let shop = shop();
    let demo = |option: &str| shop.run(&format!("demo --once --listen 127.0.0.1:0 {option}"));
    let remedy = demo("--dir shop").remedy("E-USAGE", "folder-in-use");
    let option = remedy.split([' ', ';']).find(|word| word.starts_with("--")).unwrap();
    demo(&format!("{option} another")).succeeded();
}

//! A bundle that brings another trust root says so, before and when it is taken in, and a copy of the log is not written over unsaid.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::appliance::{AIRLOCK, read, scratch, write};
use crate::support::image_set::ImageSet;

/// Runs a command in a folder, and returns how it ended, what it said, and its result.
fn airlock(folder: &Path, words: &str) -> (i32, String, Value) {
    let output = Command::new(AIRLOCK)
        .args(["--format", "json"])
        .args(words.split(' '))
        .current_dir(folder)
        .env("AIRLOCK_STATE", folder.join("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = String::from_utf8_lossy(&output.stdout).parse().unwrap_or(Value::Null);
    (output.status.code().unwrap(), said, value)
}

fn done(folder: &Path, words: &str) -> (String, Value) {
    let (code, said, value) = airlock(folder, words);
    assert_eq!(code, 0, "{words}: {said}");
    (said, value)
}

#[test]
fn a_root_that_a_bundle_brings_is_told() {
    let folder = scratch();
    let at = folder.path();
    let mut images = ImageSet::default();
    let image = images.image("linux/amd64", b"layer");
    images.tag("1", &image);
    write(&at.join("app.tar"), &images.tar(&[image]));
    done(at, "vendor init --vendor Acme --product shop acme");
    write(&at.join("images"), b"oci:app.tar registry.example/app:1\n");
    let create = "bundle create --images images -w acme";
    done(at, &format!("{create} -o 1.airlock"));
    done(at, "init --trust acme/root.json --site plant");
    let (_, first) = done(at, "import 1.airlock");
    assert_eq!(first["root"], Value::Null);

    done(at, "vendor trust set --expires-years 6 -w acme");
    done(at, &format!("{create} -o 2.airlock"));
    let newest = |at: &Path| {
        let (_, shown) = done(at, "trust show");
        shown.to_string().replace(' ', "").contains("\"root_version\":2")
    };
    let (said, told) = done(at, "import 2.airlock --dry-run");
    assert!(
        said.contains("trust root of Acme: 1 → 2") && said.contains("would hold until"),
        "{said}"
    );
    assert_eq!((&told["root"]["from"], &told["root"]["to"]), (&1.into(), &2.into()));
    assert!(!newest(at), "a dry run keeps nothing");
    let (said, told) = done(at, "import 2.airlock");
    assert!(
        said.contains("trust root of Acme: 1 → 2") && said.contains("holds until"),
        "{said}"
    );
    assert_eq!(told["root"]["to"], 2);
    assert!(newest(at));

    // A copy of the log stays what it is unless somebody says otherwise.
    done(at, "audit export -o log");
    let kept = read(&at.join("log"));
    let (code, said, _) = airlock(at, "audit export -o log");
    assert!(code == 2 && said.contains("--replace"), "{said}");
    assert_eq!(read(&at.join("log")), kept);
    done(at, "import 2.airlock");
    done(at, "audit export -o log --replace");
    assert_ne!(read(&at.join("log")), kept);
}

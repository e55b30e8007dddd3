//! Releases without a release file, release files to begin with, and their numbers.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;

use serde_json::{Value, json};

use super::cli::{CommandFolder, refusal_of};
use crate::support::docker_archive::{DockerArchive, layer};
use crate::support::image_set::ImageSet;
use crate::support::registry::{Behaviour, TestRegistry};

fn registry() -> TestRegistry {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    image_set.tag("1.0", &image);
    TestRegistry::start(image_set, Behaviour::default())
}

/// An archive of an engine, under a name that a bundle can store.
fn archive(folder: &CommandFolder, name: &str) {
    let mut archive = DockerArchive::default();
    archive.image(&[name], &[&layer("file", name.as_bytes())]);
    fs::write(folder.path("app.tar"), archive.tar(0)).unwrap();
}

fn names(result: &Value) -> Vec<String> {
    let names = result["names"].as_array().unwrap();
    let one = |name: &Value| {
        format!(
            "{}:{}",
            name["repository"].as_str().unwrap(),
            name["tag"].as_str().unwrap()
        )
    };
    names.iter().map(one).collect()
}

#[test]
fn a_first_bundle_needs_no_release_file() {
    let folder = CommandFolder::new();
    archive(&folder, "acme/web:1.0");
    let create = ["bundle", "create", "--image", "docker-archive:app.tar", "-w", "w"];
    let plan = folder.good(&[&create[..], &["--dry-run"]].concat());
    assert_eq!(names(&plan), ["docker.io/acme/web:1.0"]);
    assert_eq!(
        (
            &plan["product"],
            &plan["channel"],
            &plan["sequence"],
            &plan["version"],
            &plan["audience"]
        ),
        (&json!("app"), &json!("stable"), &json!(1), &json!("1"), &json!("any"))
    );
    let output = folder.run(&[&create[..], &["-o", "one.airlock"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("app/stable, release 1, issued 2026-01-01T00:00:00Z"),
        "{said}"
    );
    // A host with a port names nothing in a bundle: what the message says is written into a list.
    let registry = registry();
    let image = registry.image(":1.0");
    let (class, code, event) = folder.refused(&[&create[..], &["--image", &image, "-o", "x.airlock"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "reference"), "{event}");
    assert!(event["found"].as_str().unwrap().contains("--image:2:1: "), "{event}");
    let remedy = event["remedy"].as_str().unwrap();
    let line = remedy.strip_prefix("write the line ").unwrap();
    let (line, _) = line.split_once(", with a name of yours, into a file").unwrap();
    // A list beside it, and the next number.
    let list = format!("# what runs there\n{line} # renamed\n\n");
    fs::write(folder.path("images.txt"), list).unwrap();
    let more = [
        "--images",
        "images.txt",
        "--site",
        &"a".repeat(32),
        "--version",
        "v2",
        "-o",
        "two.airlock",
    ];
    let made = folder.good(&[&create[..], &more].concat());
    assert_eq!((&made["sequence"], &made["version"]), (&json!(2), &json!("v2")));
    assert_eq!(made["audience"], json!(["a".repeat(32)]));
    let listed = folder.good(&["bundle", "inspect", "two.airlock", "--trust", "w/root.json", "--list"]);
    assert!(listed.to_string().contains("registry.example.com/app"), "{listed}");
}

#[test]
fn lists_that_name_nothing_leave_nothing() {
    let folder = CommandFolder::new();
    fs::write(folder.path("bad.txt"), "https://quay.io/a\na b c\n").unwrap();
    fs::write(folder.path("empty.txt"), "# nothing\n").unwrap();
    fs::write(folder.path("binary.txt"), [0xff, 0xfe]).unwrap();
    let create = ["bundle", "create", "-w", "w", "-o", "out.airlock"];
    for (more, class, code, says) in [
        (["--images", "bad.txt"], "E-USAGE", "value", "bad.txt:2:1"),
        (["--images", "empty.txt"], "E-USAGE", "images", "names no image"),
        (["--images", "binary.txt"], "E-USAGE", "images", "no UTF-8 text"),
        (["--images", "none.txt"], "E-IO", "io", "none.txt"),
        (["--image", "A/b"], "E-USAGE", "value", "--image:1:1"),
        (["--image", "docker-archive:none.tar"], "E-IO", "io", "none.tar"),
    ] {
        let (found_class, found_code, event) = folder.refused(&[&create[..], &more].concat());
        assert_eq!((found_class.as_str(), found_code.as_str()), (class, code), "{event}");
        assert!(event.to_string().contains(says), "{event}");
        assert!(!folder.path("out.airlock").exists());
    }
    for wrong in [
        &["-f", "release.yaml", "--image", "x"][..],
        &["--sequence", "1", "--next", "--image", "x"],
        &[],
    ] {
        assert_eq!(
            folder.run(&[&create[..], wrong].concat()).status.code(),
            Some(2),
            "{wrong:?}"
        );
    }
    archive(&folder, "acme/web:1.0");
    // What is wrong with one line hides nothing of the others: each is told with its place.
    let registry = registry();
    let list = format!(
        "oci:nolayout\ndocker-archive:app.tar\ndocker-archive:none.tar\n{} a.example.com/b:1\ndocker-archive:app.tar:9\n",
        registry.image(":9")
    );
    fs::write(folder.path("some.txt"), &list).unwrap();
    let (class, code, event) = folder.refused(&[&create[..], &["--images", "some.txt"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "problems"), "{event}");
    let said = event["found"].as_str().unwrap();
    assert!(said.starts_with("4 things"), "{said}");
    for place in [1, 3, 4, 5] {
        assert!(said.contains(&format!("some.txt:{place}:1: ")), "{said}");
    }
    // So it is where nothing is collected, for a name is none.
    let ported = list.replace(" a.example.com/b:1", "");
    fs::write(folder.path("some.txt"), ported).unwrap();
    let (.., event) = folder.refused(&[&create[..], &["--images", "some.txt"]].concat());
    let said = event["found"].as_str().unwrap();
    for place in [1, 3, 4, 5] {
        assert!(said.contains(&format!("some.txt:{place}:1: ")), "{said}");
    }
    assert!(!folder.path("out.airlock").exists());
    folder.good(&[&create[..], &["--image", "docker-archive:app.tar"]].concat());
}

#[test]
fn a_release_file_to_begin_with_becomes_a_bundle() {
    let folder = CommandFolder::new();
    archive(&folder, "acme/web:1.0");
    let made = folder.good(&["vendor", "release", "new", "-w", "w", "-o", "release.yaml"]);
    assert_eq!(
        (&made["product"], &made["channel"], &made["sequence"]),
        (&json!("app"), &json!("stable"), &json!(1))
    );
    let text = fs::read_to_string(folder.path("release.yaml")).unwrap();
    let printed = folder.run(&["vendor", "release", "new", "-w", "w"]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), text);
    // The names of its images, and nothing else.
    assert_eq!(text.matches("\n  - registry.example.com/team/app:1.0").count(), 1);
    let filled = text.replace("- registry.example.com/team/app:1.0 ", "- docker-archive:app.tar ");
    fs::write(folder.path("release.yaml"), &filled).unwrap();
    let create = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "out.airlock"];
    assert_eq!(folder.good(&create)["sequence"], json!(1));
    // What was written by hand stays.
    let (class, code, _) = folder.refused(&["vendor", "release", "new", "-w", "w", "-o", "release.yaml"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "output"));
    assert_eq!(fs::read_to_string(folder.path("release.yaml")).unwrap(), filled);
    // The next file has the next number, and --next gives it to one that was not changed.
    let made = folder.good(&["vendor", "release", "new", "-w", "w", "-o", "next.yaml"]);
    assert_eq!(made["sequence"], json!(2));
    assert_eq!(
        folder.good(&[&create[..], &["--next", "--replace"]].concat())["sequence"],
        json!(2)
    );
    assert_eq!(
        folder.good(&[&create[..], &["--next", "--replace"]].concat())["sequence"],
        json!(3)
    );
    // In another channel numbers begin anew; where several were released in, one is to be said.
    let beta = folder.good(&[
        "vendor",
        "release",
        "new",
        "-w",
        "w",
        "--channel",
        "beta",
        "-o",
        "beta.yaml",
    ]);
    assert_eq!((&beta["channel"], &beta["sequence"]), (&json!("beta"), &json!(1)));
    let source = [
        "bundle",
        "create",
        "--image",
        "docker-archive:app.tar",
        "-w",
        "w",
        "-o",
        "out.airlock",
        "--replace",
    ];
    folder.good(&[&source[..], &["--channel", "beta"]].concat());
    let (class, code, event) = folder.refused(&source);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "channel"));
    assert!(event["found"].as_str().unwrap().contains("beta, stable"), "{event}");
}

#[test]
fn all_missing_keys_are_said_in_one_run() {
    let folder = CommandFolder::new();
    archive(&folder, "acme/web:1.0");
    fs::write(
        folder.path("release.yaml"),
        "version: v1\nimages: [docker-archive:app.tar]\n",
    )
    .unwrap();
    let create = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "out.airlock"];
    let listed = |more: &[&str]| {
        let (class, code, event) = folder.refused(&[&create[..], more].concat());
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "missing-key"), "{event}");
        let list = event["list"].as_array().unwrap().iter();
        let words = list.map(|line| line.as_str().unwrap().split(',').next().unwrap().to_owned());
        words.collect::<Vec<_>>()
    };
    // SOURCE_DATE_EPOCH says the time here.
    assert_eq!(
        listed(&[]),
        ["product", "channel", "sequence", "expires or expires_in", "audience"]
    );
    assert_eq!(
        listed(&["--next", "--expires", "2099-01-01"]),
        ["product", "channel", "audience"]
    );
    let scope = "product: app\nchannel: stable\nimages: [docker-archive:app.tar]\n";
    fs::write(folder.path("release.yaml"), scope).unwrap();
    assert_eq!(
        listed(&[]),
        ["version", "sequence", "expires or expires_in", "audience"]
    );
    let all = [
        "--version",
        "1",
        "--next",
        "--expires",
        "2099-01-01",
        "--site",
        &"a".repeat(32),
    ];
    folder.good(&[&create[..], &all].concat());
}

#[test]
fn numbers_that_are_dates_are_warned_of() {
    let folder = CommandFolder::new();
    archive(&folder, "acme/web:1.0");
    let create = [
        "bundle",
        "create",
        "--image",
        "docker-archive:app.tar",
        "-w",
        "w",
        "--dry-run",
        "--sequence",
    ];
    let warned = |number: &str| {
        let output = folder.run(&[&create[..], &[number]].concat());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stderr).contains("looks like a date")
    };
    assert!(warned("20261130") && !warned("7"));
    let output = folder.run(&["bundle", "create", "--image", "x", "-w", "none", "--dry-run"]);
    assert_eq!(refusal_of(&output)["code"], "no-workspace");
}

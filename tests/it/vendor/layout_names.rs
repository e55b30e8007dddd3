//! Which image of a layout is meant: names as tools write them, what is listed where that is not clear, and what is no layout at all.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::docker_archive::{DockerArchive, layer};
use crate::support::image_set::{ImageSet, digest};
use crate::support::vendor::{names, refusal, take};
use crate::support::vendor_folder::VendorFolder;

const REF: &str = "org.opencontainers.image.ref.name";
const FULL: &str = "io.containerd.image.name";

/// An entry of `index.json` with these annotations.
fn entry(image: &Value, annotations: &[(&str, &str)]) -> Value {
    let mut entry = image.clone();
    for (key, value) in annotations {
        entry["annotations"][key] = json!(value);
    }
    entry
}

/// Images `one`, `two`, … of one layer each.
fn images(count: usize) -> (ImageSet, Vec<Value>) {
    let mut image_set = ImageSet::default();
    let images = (0..count)
        .map(|n| image_set.image("linux/amd64", format!("layer {n}").as_bytes()))
        .collect();
    (image_set, images)
}

fn several() -> (TempDir, Vec<Value>) {
    let (image_set, images) = images(4);
    let folder = crate::support::appliance::scratch();
    let entries = [
        // As containerd, nerdctl and newer docker write several images into one layout.
        entry(&images[0], &[(FULL, "docker.io/acme/web:1.0"), (REF, "1.0")]),
        entry(&images[1], &[(FULL, "docker.io/acme/db:1.0"), (REF, "1.0")]),
        // As podman does, and as skopeo.
        entry(&images[2], &[(REF, "registry.example.com/acme/job:2.0")]),
        entry(&images[3], &[(REF, "3.0")]),
        // One more name of the first.
        entry(&images[0], &[(REF, "acme/web:latest")]),
    ];
    image_set.write_folder(folder.path(), &entries);
    (folder, images)
}

#[test]
fn images_of_a_layout_are_found_by_every_name_that_tools_give() {
    let (folder, images) = several();
    for (name, n, tag) in [
        ("docker.io/acme/web:1.0", 0, "1.0"),
        ("acme/web:1.0", 0, "1.0"),
        ("acme/web:latest", 0, "latest"),
        ("acme/db:1.0", 1, "1.0"),
        ("registry.example.com/acme/job:2.0", 2, "2.0"),
        // By the tag alone where only one image has it.
        ("2.0", 2, "2.0"),
        ("3.0", 3, "3.0"),
        ("latest", 0, "latest"),
    ] {
        let (content, _) = take(&format!("oci:{}:{name}", folder.path().display()), &[]).unwrap();
        assert_eq!(names(&content), [(Some(tag.to_owned()), digest(&images[n]))], "{name}");
    }
}

#[test]
fn what_could_be_meant_is_listed_and_where_nothing_is_what_there_is() {
    let (folder, images) = several();
    let of = |name: &str| refusal(take(&format!("oci:{}{name}", folder.path().display()), &[]));
    let (class, code, text) = of(":1.0");
    assert_eq!((class, code), ("E-CONTENT", "which-image"), "{text}");
    assert!(
        text.contains("holds 2 images that could be meant:\n  docker.io/acme/web:1.0 (sha256:"),
        "{text}"
    );
    assert!(
        text.contains(&format!("docker.io/acme/db:1.0 ({})", digest(&images[1]))),
        "{text}"
    );
    assert!(!text.contains("job"), "{text}");
    let (class, code, text) = of("");
    assert_eq!((class, code), ("E-CONTENT", "which-image"), "{text}");
    assert!(text.contains("holds 4 images"), "{text}");
    for name in [":4.0", ":acme/none:1.0", ":registry.example.com/acme/web:1.0"] {
        let (class, code, text) = of(name);
        assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
        for known in [
            "docker.io/acme/web:1.0",
            "docker.io/acme/db:1.0",
            "acme/job:2.0",
            "\n  3.0\n",
        ] {
            assert!(text.contains(known), "{known}: {text}");
        }
    }
    // As many as a person reads, and as long.
    let (image_set, images) = self::images(60);
    let long = "x".repeat(2000);
    let entries: Vec<Value> = images
        .iter()
        .map(|image| entry(image, &[(REF, long.as_str())]))
        .collect();
    image_set.write_folder(folder.path(), &entries);
    let (_, code, text) = of(":4.0");
    assert!(code == "missing" && text.len() < 50 * 300, "{text}");
    // Nothing at all.
    image_set.write_folder(folder.path(), &[]);
    let (class, code, text) = of("");
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
}

#[test]
fn an_image_is_stored_under_the_name_that_its_layout_has_for_it() {
    let mut shop = VendorFolder::new();
    let (image_set, images) = images(2);
    let entries = [
        entry(&images[0], &[(FULL, "docker.io/acme/web:1.0"), (REF, "1.0")]),
        entry(
            &images[1],
            &[(FULL, "registry.example.com:5000/acme/db:1.0"), (REF, "1.0")],
        ),
    ];
    image_set.write_folder(&shop.path("all"), &entries);
    let release = |entry: &str| format!("images:\n- {entry}\n");
    shop.build(&release("oci:all:acme/web:1.0"), 1).unwrap();
    // A name with a port is no name here, whoever wrote it.
    let ported = "oci:all:registry.example.com:5000/acme/db:1.0";
    let (class, code, text) = shop.refused(&release(ported), 2);
    assert_eq!((class, code), ("E-CONTENT", "reference"), "{text}");
    assert!(text.contains("registry.example.com:5000/acme/db:1.0"), "{text}");
    let named = format!("{{source: '{ported}', name: 'registry.example.com/acme/db:1.0'}}");
    shop.build(&release(&named), 2).unwrap();
}

#[test]
fn archives_of_docker_are_known_by_what_they_hold() {
    let (mut image_set, images) = images(1);
    image_set.tag("1.0", &images[0]);
    let old = |tar: &mut tar::Builder<Vec<u8>>| {
        for (name, text) in [
            (
                "manifest.json",
                r#"[{"Config":"a.json","RepoTags":["acme/web:1.0"],"Layers":["b/layer.tar"]}]"#,
            ),
            ("a.json", "{}"),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
    };
    let folder = crate::support::appliance::scratch();
    let of = |name: &str| take(&format!("oci:{}", folder.path().join(name).display()), &[]);
    let mut tar = tar::Builder::new(Vec::new());
    old(&mut tar);
    fs::write(folder.path().join("old.tar"), tar.into_inner().unwrap()).unwrap();
    fs::create_dir(folder.path().join("unpacked")).unwrap();
    fs::write(folder.path().join("unpacked/manifest.json"), "[]").unwrap();
    for (name, says) in [("old.tar", "write docker-archive:"), ("unpacked", "`tar -cf ")] {
        let (class, code, text) = refusal(of(name));
        assert_eq!((class, code), ("E-FORMAT", "docker-archive"), "{text}");
        assert!(text.contains("write docker-archive:") && text.contains(says), "{text}");
    }
    // Newer engines write both into one file: that is a layout.
    let layout = image_set.tar(&images);
    let mut tar = tar::Builder::new(layout[..layout.len() - 1024].to_vec());
    old(&mut tar);
    fs::write(folder.path().join("new.tar"), tar.into_inner().unwrap()).unwrap();
    let (content, _) = of("new.tar").unwrap();
    assert_eq!(names(&content), [(Some("1.0".to_owned()), digest(&images[0]))]);
}

#[test]
fn an_image_is_stored_under_every_name_that_its_source_has_for_it() {
    let mut shop = VendorFolder::new();
    let mut archive = DockerArchive::default();
    let called = [
        "acme/web:1.0",
        "acme/web:latest",
        "registry.example.com/erp/web:1.0",
        "a.b:5000/web:1.0",
    ];
    archive.image(&called, &[&layer("file", b"bytes")]);
    shop.write("app.tar", archive.tar(0));
    let (image_set, images) = images(1);
    let entries = [
        entry(&images[0], &[(FULL, "docker.io/acme/db:2.0"), (REF, "2.0")]),
        entry(&images[0], &[(FULL, "docker.io/acme/db:latest"), (REF, "latest")]),
        entry(&images[0], &[(REF, "registry.example.com/erp/db:2.0")]),
        // As skopeo adds it: a tag that whole names have, and one that none has.
        entry(&images[0], &[(REF, "2.0")]),
        entry(&images[0], &[(REF, "stable")]),
    ];
    image_set.write_folder(&shop.path("all"), &entries);
    let web = [
        "docker.io/acme/web:1.0",
        "docker.io/acme/web:latest",
        "registry.example.com/erp/web:1.0",
    ];
    let db = [
        "docker.io/acme/db:2.0",
        "docker.io/acme/db:latest",
        "registry.example.com/erp/db:2.0",
    ];
    let digest = format!("oci:all@{}", images[0]["digest"].as_str().unwrap());
    for (sequence, (source, names, told)) in (1..).zip([
        ("docker-archive:app.tar", &web[..], Some("a.b:5000/web:1.0")),
        ("docker-archive:app.tar:latest", &web[1..2], None),
        ("docker-archive:app.tar:acme/web:1.0", &web[..1], None),
        ("oci:all", &db[..], Some("the tag stable")),
        ("oci:all:acme/db:latest", &db[1..2], None),
        (digest.as_str(), &db[..], None),
        // Whoever gives it a name has said how it is called.
        (
            "{source: 'oci:all', name: 'example.com/db:7'}",
            &["example.com/db:7"][..],
            None,
        ),
        (
            "{source: 'oci:all', name: example.com/db}",
            &["example.com/db:2.0", "example.com/db:latest", "example.com/db:stable"][..],
            None,
        ),
    ]) {
        shop.build(&format!("images:\n- {source}\n"), sequence).unwrap();
        assert_eq!(shop.names(), names, "{source}");
        let left_out: Vec<&String> = shop
            .warnings
            .iter()
            .filter(|text| text.contains("is not stored as"))
            .collect();
        assert_eq!(left_out.len(), usize::from(told.is_some()), "{source}: {left_out:?}");
        assert!(left_out.iter().all(|text| text.contains(told.unwrap())), "{left_out:?}");
    }
}

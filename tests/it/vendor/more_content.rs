//! What a release carries beside single images: whole repositories, plain files; and how big all of it is, said before it is read.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use airlock::domain::Class;
use serde_json::{Value, json};

use super::cli::{CREATE, CommandFolder};
use crate::support::image_set::{ImageSet, digest_of};
use crate::support::registry::{Behaviour, TestRegistry};
use crate::support::vendor_folder::VendorFolder;

const HEAD: &str =
    "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n";

#[test]
fn plain_files_travel_with_name_type_and_mode() {
    let mut shop = VendorFolder::new();
    shop.write("docs/Installation (EN).pdf", b"how to");
    shop.write("build/firmware.bin", vec![7; 200_000]);
    shop.write("empty", b"");
    let files = "files:\n- docs/Installation (EN).pdf\n- empty\n- path: build/firmware.bin\n  name: firmware/press.bin\n  \
                 title: press.bin\n  media_type: application/x-firmware\n  mode: 0755\n";
    let (_, first) = shop.build(files, 1).unwrap();
    let host = format!("files.airlock.internal/{}/shop/stable", shop.chain().domain());
    assert_eq!(
        shop.names(),
        [
            format!("{host}/empty:latest"),
            format!("{host}/firmware/press.bin:latest"),
            format!("{host}/installation-en-pdf:latest"),
        ]
    );
    let contents = shop.contents().0;
    let manifests: BTreeMap<String, Value> = contents
        .values()
        .filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok())
        .filter(|document| document["artifactType"] == "application/vnd.airlock.file.v1")
        .map(|document| {
            (
                document["layers"][0]["annotations"]["org.opencontainers.image.title"].to_string(),
                document,
            )
        })
        .collect();
    assert_eq!(manifests.len(), 3);
    let layer = |title: &str| manifests[&format!("{title:?}")]["layers"][0].clone();
    assert_eq!(
        layer("press.bin"),
        json!({
            "mediaType": "application/x-firmware", "digest": digest_of(&vec![7; 200_000]), "size": 200_000,
            "annotations": {"org.opencontainers.image.title": "press.bin", "internal.airlock.file.mode": "0755"},
        })
    );
    let plain = layer("Installation (EN).pdf");
    assert_eq!(
        (&plain["mediaType"], &plain["annotations"]["internal.airlock.file.mode"]),
        (&json!("application/octet-stream"), &json!("0644"))
    );
    // The same files are the same bundle, wherever they lie and whatever their own times and modes.
    fs::rename(shop.path("build"), shop.path("elsewhere")).unwrap();
    let (_, again) = shop.build(&files.replace("build/", "elsewhere/"), 1).unwrap();
    assert!(first == again);
}

#[test]
fn the_name_of_anothers_file_is_nobody_elses() {
    let mut shop = VendorFolder::new();
    shop.write("manual", b"how to");
    let own = format!("{}/shop/stable", shop.chain().domain());
    for repository in [
        format!("{}/shop/stable", "07".repeat(32)),
        own.replace("shop", "erp"),
        "shop/stable".to_owned(),
    ] {
        let images =
            format!("images:\n- source: oci:hello:1.0\n  name: files.airlock.internal/{repository}/manual:latest\n");
        let error = shop.build(&images, 1).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Content, "file-name"), "{error}");
    }
    shop.build("files: [manual]\n", 1).unwrap();
    assert_eq!(shop.names(), [format!("files.airlock.internal/{own}/manual:latest")]);
}

#[test]
fn files_that_are_none_or_lie_elsewhere_are_refused() {
    let mut shop = VendorFolder::new();
    shop.write("a.txt", b"a");
    shop.write("sub/a.txt", b"b");
    symlink("/etc/hostname", shop.path("out")).unwrap();
    for (files, class, code, says) in [
        ("[no.txt]", "E-IO", "io", "no.txt"),
        ("[sub]", "E-USAGE", "not-a-file", "sub"),
        ("[out]", "E-USAGE", "outside", "/etc/hostname"),
        ("[/etc/hostname]", "E-USAGE", "outside", "/etc/hostname"),
        ("[a.txt, sub/a.txt]", "E-USAGE", "value", "two files would be stored as"),
        ("[{path: a.txt, name: A/b}]", "E-USAGE", "value", "cannot name a file"),
        (
            "[{path: a.txt, title: ../x}]",
            "E-USAGE",
            "value",
            "is no name of a file",
        ),
        ("[{path: a.txt, title: ''}]", "E-USAGE", "value", "is no name of a file"),
        ("[{path: a.txt, mode: '4755'}]", "E-USAGE", "value", "is no mode"),
        ("[{path: a.txt, mode: rwx}]", "E-USAGE", "value", "is no mode"),
        (
            "[{path: a.txt, media_type: text}]",
            "E-USAGE",
            "value",
            "is no media type",
        ),
        (
            "[{path: a.txt, media_type: application/vnd.oci.image.manifest.v1+json}]",
            "E-USAGE",
            "value",
            "is no media type",
        ),
    ] {
        let (found_class, found_code, text) = shop.refused(&format!("files: {files}\n"), 1);
        assert_eq!((found_class, found_code), (class, code), "{files}: {text}");
        assert!(text.contains(says), "{text}");
    }
    shop.build("files: [a.txt]\n", 1).unwrap();
}

fn repository() -> TestRegistry {
    let mut image_set = ImageSet::default();
    for tag in ["1.0.0", "1.1.0", "v1.2", "2.0.0-rc.1", "2.0.0", "latest"] {
        let image = image_set.image("linux/amd64", tag.as_bytes());
        image_set.tag(tag, &image);
    }
    let signature = image_set.image("linux/amd64", b"signature");
    let signed = image_set.tags["1.1.0"];
    image_set.tag(&format!("sha256-{}.sig", signed.0), &signature);
    TestRegistry::start(image_set, Behaviour::default())
}

#[test]
fn tags_of_a_repository_are_chosen_when_it_is_planned() {
    let registry = repository();
    let folder = CommandFolder::new();
    let source = registry.image("");
    let release = |more: &str| {
        fs::write(
            folder.path("release.yaml"),
            format!("{HEAD}repositories: [{{source: '{source}', name: registry.test/acme/app, {more}}}]\n"),
        )
        .unwrap();
    };
    let tags = |plan: &Value| -> Vec<String> {
        let names = plan["names"].as_array().unwrap().iter();
        names
            .filter_map(|name| Some(name["tag"].as_str()?.to_owned()))
            .collect()
    };
    release("versions: '>=1.1, <2', tags: ['1.*', 'v*']");
    let plan = folder.good(&[&CREATE[..], &["--dry-run"]].concat());
    // What refers to an image goes with it, and is no version.
    let signature = tags(&plan).into_iter().find(|tag| tag.starts_with("sha256-")).unwrap();
    assert_eq!(tags(&plan), ["1.1.0", signature.as_str(), "v1.2"]);
    release("versions: '>=1', newest: 2");
    assert_eq!(
        tags(&folder.good(&[&CREATE[..], &["--dry-run"]].concat())),
        ["2.0.0", "v1.2"]
    );
    folder.good(&CREATE);
    // Nothing of it: what there is.
    release("versions: '>=3'");
    let (class, code, event) = folder.refused(&[&CREATE[..], &["--next"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "missing"), "{event}");
    assert!(
        event["list"].as_array().unwrap().contains(&json!("2.0.0-rc.1")),
        "{event}"
    );
    for (more, code) in [
        ("versions: newest", "value"),
        ("newest: 2, tags: '*'", "value"),
        ("platforms: [linux/amd64]", "missing-key"),
    ] {
        release(more);
        let (class, found, event) = folder.refused(&CREATE);
        assert_eq!((class.as_str(), found.as_str()), ("E-USAGE", code), "{event}");
    }
    let text = format!("{HEAD}repositories: [{{source: '{source}:1.0.0', tags: '*'}}]\n");
    fs::write(folder.path("release.yaml"), text).unwrap();
    let (_, code, event) = folder.refused(&CREATE);
    assert!(
        code == "value" && event["found"].as_str().unwrap().contains("names one image"),
        "{event}"
    );
    let missing = source.replace("acme/app", "acme/none");
    let text = format!("{HEAD}repositories: [{{source: '{missing}', name: registry.test/x, tags: '*'}}]\n");
    fs::write(folder.path("release.yaml"), text).unwrap();
    let (class, code, _) = folder.refused(&CREATE);
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "missing"));
}

#[test]
fn a_dry_run_says_how_big_everything_is_and_reads_no_layer() {
    let mut image_set = ImageSet::default();
    let shared = vec![1; 100_000];
    let one = image_set.image("linux/amd64", &shared);
    let two = image_set.image("linux/arm64", &shared);
    image_set.tag("1.0", &one);
    image_set.tag("2.0", &two);
    let registry = TestRegistry::start(image_set, Behaviour::default());
    let folder = CommandFolder::new();
    let lines = [":1.0", ":2.0"].map(|tag| format!("{} registry.test/acme/app{tag}\n", registry.image(tag)));
    fs::write(folder.path("images.txt"), lines.concat()).unwrap();
    let before: Vec<_> = fs::read_dir(folder.path("w"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let create = ["bundle", "create", "--images", "images.txt", "-w", "w"];
    let plan = folder.good(&[&create[..], &["--dry-run"]].concat());
    let read: Vec<String> = registry
        .log()
        .into_iter()
        .filter(|line| line.starts_with("GET /v2/acme/app/blobs/"))
        .collect();
    assert_eq!(read, [""; 0]);
    let after: Vec<_> = fs::read_dir(folder.path("w"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(before, after, "nothing was written");
    let sizes: Vec<u64> = plan["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name["bytes"].as_u64().unwrap())
        .collect();
    assert!(
        sizes.len() == 2 && sizes.iter().all(|size| (100_000..101_000).contains(size)),
        "{plan}"
    );
    let fetched = plan["fetch_bytes"].as_u64().unwrap();
    assert!(
        (100_000..101_000).contains(&fetched) && plan["kept_bytes"] == 0,
        "what is shared comes once: {plan}"
    );
    // For people, and once it is here.
    folder.good(&[&create[..], &["-o", "out.airlock"]].concat());
    let output = folder.run_as("human", &[&create[..], &["--dry-run"]].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("fetches      0 B from registries; 97.8 KiB is here from earlier runs")
            && said.matches("  98.1 KiB").count() == 2,
        "{said}"
    );
}

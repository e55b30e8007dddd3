//! The README's main job: its lines from top to bottom, in a shell, with its own release file. A person carries files in between.
//!
//! Three things are others than printed: the image of a registry that nobody reaches comes from a layout, the release is of this hour, and
//! the server takes a free port.

use std::fs;
use std::path::Path;
use std::process::Command;

use airlock::domain::{Clock as _, SystemClock};

use crate::support::appliance::{AIRLOCK, Serving, read, scratch, write};
use crate::support::client;
use crate::support::image_set::{ImageSet, digest_of};

/// The examples of a section, by the language that they are in.
fn examples(page: &str, section: &str) -> Vec<(String, String)> {
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let mut parts = section.split("\n```").skip(1);
    let mut found = Vec::new();
    while let Some(example) = parts.next() {
        let (language, lines) = example.split_once('\n').unwrap();
        found.push((language.to_owned(), lines.to_owned()));
        parts.next();
    }
    found
}

/// An image in a layout, and what its manifest holds.
fn layout(tag: &str, layer: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut images = ImageSet::default();
    let image = images.image("linux/amd64", layer);
    images.tag(tag, &image);
    let manifest = images.blobs[&crate::support::image_set::digest(&image)].clone();
    (images.tar(&[image]), manifest)
}

/// Runs lines in a shell, in which a line that fails ends it.
fn shell(folder: &Path, lines: &str) {
    let program = Path::new(AIRLOCK).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-e", "-u", "-c", lines])
        .current_dir(folder)
        .env("PATH", path)
        .env("AIRLOCK_STATE", folder.join("state"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{lines}\n{said}");
}

#[test]
fn the_main_job_of_the_readme_works_as_printed() {
    let readme = String::from_utf8(read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))).unwrap();
    let examples = examples(&readme, "The main job");
    let of = |language: &str| &examples.iter().find(|(found, _)| found == language).unwrap().1;
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);

    let (web, web_manifest) = layout("7.0", b"web");
    let (worker, worker_manifest) = layout("7.0", b"worker");
    fs::create_dir_all(at("build")).unwrap();
    write(&at("build/web.tar"), &web);
    write(&at("build/worker.tar"), &worker);
    let now = SystemClock.now().to_string();
    let mut release = of("yaml").replace("2026-11-21T08:00:00Z", &now);
    let source = "source: registry.acme.example/erp/web:7.0";
    assert!(release.contains(source));
    release = release.replace(
        source,
        "source: oci:build/web.tar\n    name: registry.acme.example/erp/web:7.0",
    );
    write(&at("release.yaml"), release.as_bytes());
    fs::create_dir(at("usb")).unwrap();

    let lines = of("sh").replace("/media/usb", "usb");
    let steps: Vec<&str> = lines.split("\n\n").collect();
    let [vendor, site, bundle, import] = steps.as_slice() else {
        panic!("{steps:#?}");
    };
    shell(folder.path(), vendor);
    fs::copy(at("acme/root.json"), at("root.json")).unwrap();
    shell(folder.path(), site);
    shell(folder.path(), bundle);
    fs::copy(at("release-7.airlock"), at("usb/release-7.airlock")).unwrap();
    let serve = import
        .lines()
        .position(|line| line.starts_with("airlock serve"))
        .unwrap();
    shell(
        folder.path(),
        &import.lines().take(serve).collect::<Vec<_>>().join("\n"),
    );

    let serving = Serving::start(&at("state"));
    for (name, manifest) in [("web", web_manifest), ("worker", worker_manifest)] {
        let path = format!("/v2/registry.acme.example/erp/{name}/manifests/7.0");
        let reply = client::get(serving.address, &path);
        assert_eq!(
            (reply.status, digest_of(&reply.body)),
            (200, digest_of(&manifest)),
            "{name}"
        );
    }
}

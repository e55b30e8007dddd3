//! What engines save, and what they hand out: the manifest that is made where none comes along, and what is refused.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::io::Write as _;

use airlock::bundle::BundleContent;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::cli::{CREATE, CommandFolder};
use crate::support::docker_archive::{DockerArchive, FakeEngine, layer};
use crate::support::image_set::{INDEX, ImageSet, MANIFEST, digest, digest_of};
use crate::support::vendor::{names, pack, refusal, take};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn written(bytes: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = crate::support::appliance::scratch();
    let path = folder.path().join("app.tar");
    fs::write(&path, bytes).unwrap();
    let source = format!("docker-archive:{}", path.display());
    (folder, source)
}

fn refuse(bytes: impl AsRef<[u8]>, rest: &str) -> (&'static str, &'static str, String) {
    let (_folder, source) = written(bytes);
    refusal(take(&format!("{source}{rest}"), &[]))
}

fn manifest(content: &BundleContent) -> Value {
    assert_eq!(content.manifests.len(), 1);
    serde_json::from_slice(content.manifests.values().next().unwrap()).unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn an_archive_without_manifests_gets_one_of_its_own_bytes() {
    let (base, top) = (layer("base", b"base"), layer("top", b"top"));
    let mut archive = DockerArchive::default();
    let config = archive.image(&["acme/web:1.0", "acme/web:latest"], &[&base, &top, &base]);
    let (_folder, source) = written(archive.tar(0));
    let (content, sources) = take(&source, &["linux/amd64"]).unwrap();
    let made = manifest(&content);
    assert_eq!(made["mediaType"], DOCKER_MANIFEST);
    // The config is the engine's own, so the image keeps its id.
    assert_eq!(digest(&made["config"]), digest_of(&config));
    let layers: Vec<_> = made["layers"].as_array().unwrap().iter().map(digest).collect();
    assert_eq!(layers, [digest_of(&base), digest_of(&top), digest_of(&base)]);
    assert_eq!(
        made["layers"][0]["mediaType"],
        "application/vnd.docker.image.rootfs.diff.tar"
    );
    let tags: Vec<_> = names(&content).into_iter().map(|(tag, _)| tag.unwrap()).collect();
    assert_eq!(tags, ["1.0", "latest"], "none of its tags is left behind");
    let payload = pack(&content, &sources).unwrap();

    // Saved again at another time, by another tool's order, compressed: the same image.
    archive.files.reverse();
    for bytes in [
        archive.tar(1_700_000_000),
        gzipped(&archive.tar(7)),
        zstd::encode_all(&archive.tar(7)[..], 1).unwrap(),
    ] {
        let (_folder, source) = written(bytes);
        let (again, sources) = take(&source, &[]).unwrap();
        assert_eq!(again.manifests, content.manifests);
        assert!(pack(&again, &sources).unwrap() == payload);
    }
    let (_folder, source) = written(archive.tar(0));
    let (class, code, text) = refusal(take(&source, &["linux/arm64"]));
    assert_eq!((class, code), ("E-CONTENT", "platform"), "{text}");
}

#[test]
fn compressed_layers_are_what_they_are() {
    let plain = layer("file", b"bytes");
    let mut archive = DockerArchive::default();
    archive.image(&["acme/web:1.0"], &[&plain]);
    let at = archive.files.iter().position(|(_, bytes)| *bytes == plain).unwrap();
    archive.files[at].1 = gzipped(&plain);
    let (_folder, source) = written(archive.tar(0));
    let (content, sources) = take(&source, &[]).unwrap();
    let made = manifest(&content);
    assert_eq!(digest(&made["layers"][0]), digest_of(&gzipped(&plain)));
    assert_eq!(
        made["layers"][0]["mediaType"],
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    );
    pack(&content, &sources).unwrap();

    archive.files[at].1 = gzipped(&layer("file", b"other"));
    let (class, code, text) = refuse(archive.tar(0), "");
    assert_eq!((class, code), ("E-INTEGRITY", "source"), "{text}");
    archive.files[at].1 = gzipped(&plain)[..20].to_vec();
    let (class, code, text) = refuse(archive.tar(0), "");
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"));
    assert!(text.contains("cannot be expanded"), "{text}");
    // Docker has no type for zstd that everybody reads, OCI has one.
    archive.files[at].1 = zstd::encode_all(&plain[..], 1).unwrap();
    let (_folder, source) = written(archive.tar(0));
    let (content, sources) = take(&source, &[]).unwrap();
    let made = manifest(&content);
    assert_eq!(made["mediaType"], MANIFEST);
    assert_eq!(
        made["layers"][0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+zstd"
    );
    pack(&content, &sources).unwrap();
    archive.files[at].1.truncate(20);
    let (class, code, text) = refuse(archive.tar(0), "");
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"), "{text}");
}

#[test]
fn images_of_an_archive_are_found_by_name_tag_and_id() {
    let mut archive = DockerArchive::default();
    let one = archive.image(&["acme/web:1.0", "registry.example.com/acme/web:1.0"], &[b"one"]);
    let two = archive.image(&["acme/db:2.0"], &[b"two"]);
    let none = archive.image(&[], &[b"none"]);
    let (_folder, source) = written(archive.tar(0));
    let id = |config: &[u8]| format!("@{}", digest_of(config));
    for (rest, config, tag) in [
        (":acme/web:1.0".to_owned(), &one, Some("1.0")),
        (":registry.example.com/acme/web:1.0".to_owned(), &one, Some("1.0")),
        (":2.0".to_owned(), &two, Some("2.0")),
        (id(&two), &two, Some("2.0")),
        (id(&none), &none, None),
    ] {
        let (content, _) = take(&format!("{source}{rest}"), &[]).unwrap();
        assert_eq!(digest(&manifest(&content)["config"]), digest_of(config), "{rest}");
        assert_eq!(names(&content)[0].0.as_deref(), tag, "{rest}");
    }
    let (class, code, text) = refuse(archive.tar(0), "");
    assert_eq!((class, code), ("E-CONTENT", "which-image"));
    assert!(
        text.contains("docker.io/acme/db:2.0") && text.contains(&id(&none)),
        "{text}"
    );
    let (class, code, text) = refuse(archive.tar(0), ":9.0");
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert!(text.contains("docker.io/acme/web:1.0"), "{text}");
}

#[test]
fn what_is_wrong_with_an_archive_is_said() {
    let mut archive = DockerArchive::default();
    let bytes = layer("file", &[7; 2000]);
    archive.image(&["acme/web:1.0"], &[&bytes]);
    let whole = archive.tar(0);
    let (_folder, source) = written(&whole);
    let (content, sources) = take(&source, &[]).unwrap();
    pack(&content, &sources).unwrap();

    let (class, code, _) = refuse(&whole[..1000], "");
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"));
    let (class, code, _) = refuse(b"no archive of anything", "");
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"));
    let changed = |change: &dyn Fn(&mut DockerArchive)| {
        let mut archive = archive.clone();
        change(&mut archive);
        archive.tar(0)
    };
    let (class, code, text) = refuse(changed(&|archive| archive.list.clear()), "");
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
    let (class, code, text) = refuse(changed(&|archive| archive.list[0]["Layers"] = json!([])), "");
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"), "{text}");
    let (class, code, text) = refuse(changed(&|archive| drop(archive.files.remove(0))), "");
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert!(
        text.contains("layer.tar") && text.contains("does not hold it"),
        "{text}"
    );
    // Another config under the name of this one.
    let (class, code, text) = refuse(changed(&|archive| archive.files[1].1.push(b' ')), "");
    assert_eq!((class, code), ("E-INTEGRITY", "source"), "{text}");
    let (class, code, text) = refuse(changed(&|archive| archive.list[0]["Config"] = json!(7)), "");
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"), "{text}");
    // A link that leads out of the tar, and one that leads in a circle.
    for to in ["../../etc/passwd", "layer.tar"] {
        let (class, code, text) = refuse(
            changed(&|archive| {
                let (name, _) = archive.files.remove(0);
                archive.links.push((name, to.to_owned()));
            }),
            "",
        );
        assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
    }
    // Another layer under the name of this one is met when it is read, and nothing is left of the bundle.
    let (_folder, source) = written(changed(&|archive| archive.files[0].1[1500] ^= 1));
    let (content, sources) = take(&source, &[]).unwrap();
    let (class, code, _) = refusal(pack(&content, &sources));
    assert_eq!((class, code), ("E-INTEGRITY", "source"));
}

#[test]
fn archives_of_newer_engines_keep_their_manifests() {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    image_set.tag("1.0", &image);
    let (_folder, source) = written(image_set.tar(std::slice::from_ref(&image)));
    let (content, sources) = take(&source, &[]).unwrap();
    assert_eq!(names(&content), [(Some("1.0".to_owned()), digest(&image))]);
    pack(&content, &sources).unwrap();
}

#[test]
fn an_engine_that_forgets_its_layers_is_read_by_its_list() {
    let plain = layer("file", b"bytes");
    let mut archive = DockerArchive::default();
    let config = archive.image(&["acme/web:1.0"], &[&plain]);
    let hollow = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(&config), "size": config.len()},
    })
    .to_string()
    .into_bytes();
    let entry = json!({
        "mediaType": MANIFEST, "digest": digest_of(&hollow), "size": hollow.len(),
        "annotations": {"io.containerd.image.name": "docker.io/acme/web:1.0", "org.opencontainers.image.ref.name": "1.0"},
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).to_string();
    for bytes in [config.clone(), hollow] {
        archive
            .files
            .push((format!("blobs/sha256/{}", digest_of(&bytes).0), bytes));
    }
    archive.files.push(("index.json".to_owned(), index.into_bytes()));
    let (_folder, source) = written(archive.tar(0));
    let (content, sources) = take(&source, &[]).unwrap();
    assert_eq!(digest(&manifest(&content)["layers"][0]), digest_of(&plain));
    pack(&content, &sources).unwrap();
    let layout = source.replace("docker-archive:", "oci:");
    let (class, code, text) = refusal(take(&layout, &[]));
    assert_eq!((class, code), ("E-FORMAT", "docker-archive"));
    assert!(text.ends_with(&format!("write {source}")), "{text}");
}

#[test]
fn an_engine_hands_out_its_images_and_says_why_not() {
    let folder = CommandFolder::new();
    let socket = folder.path("docker.sock");
    let mut archive = DockerArchive::default();
    archive.image(&["acme/web:1.0"], &[&layer("file", b"bytes")]);
    let host = format!("unix://{}", socket.display());
    let run = |source: &str| {
        folder.release_file(source);
        folder.run_with("json", &[("DOCKER_HOST", &host)], &CREATE)
    };
    let refused = |source: &str, class: &str, code: &str| {
        let output = run(source);
        let event = super::cli::refusal_of(&output);
        assert_eq!(
            (event["class"].as_str(), event["code"].as_str()),
            (Some(class), Some(code)),
            "{event}"
        );
        assert!(!folder.path("out.airlock").exists(), "nothing is left");
        event
    };
    let event = refused("docker:acme/web:1.0", "E-IO", "engine");
    assert!(event["found"].as_str().unwrap().contains("docker.sock"), "{event}");
    let engine = FakeEngine::start(&socket);
    engine.answer("acme/web:1.0", 500, br#"{"message":"the disk is on fire"}"#.to_vec());
    let event = refused("docker:acme/web:1.0", "E-IO", "engine");
    assert!(
        event["found"].as_str().unwrap().contains("the disk is on fire"),
        "{event}"
    );
    let event = refused("docker:acme/web", "E-CONTENT", "missing");
    assert!(event["found"].as_str().unwrap().contains("acme/web:latest"), "{event}");
    engine.answer("acme/web:1.0", 200, archive.tar(0)[..700].to_vec());
    refused("docker:acme/web:1.0", "E-FORMAT", "docker-archive");

    engine.answer("acme/web:1.0", 200, archive.tar(0));
    let output = run("docker:acme/web:1.0");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is airlock's own, and no registry's"), "{said}");
    // The same bytes out of a file.
    let first = fs::read(folder.path("out.airlock")).unwrap();
    fs::write(folder.path("app.tar"), archive.tar(7)).unwrap();
    let output = run("docker-archive:app.tar");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(first == fs::read(folder.path("out.airlock")).unwrap());
    fs::remove_file(folder.path("out.airlock")).unwrap();

    folder.release_file("docker:acme/web:1.0");
    let output = folder.run_with("json", &[("DOCKER_HOST", "tcp://127.0.0.1:2375")], &CREATE);
    let event = super::cli::refusal_of(&output);
    assert_eq!(
        (event["class"].as_str(), event["code"].as_str()),
        (Some("E-USAGE"), Some("engine"))
    );
}

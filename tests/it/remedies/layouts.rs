//! Remedies about what a release is made of: layouts, tars of them, charts, and keys of the files that name them.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::io::Write as _;
use std::process::Command;

use super::workshop::{HEAD, IMAGES, Workshop};
use serde_json::json;

use crate::support::appliance::AIRLOCK;
use crate::support::docker_archive::{DockerArchive, FakeEngine, layer};
use crate::support::image_set::{ImageSet, MANIFEST, digest};

/// Runs a line of shell as a person would type it there.
fn shell(shop: &Workshop, line: &str) {
    let ran = Command::new("sh")
        .args(["-ec", line])
        .current_dir(shop.path(""))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn of(source: &str) -> String {
    format!("{HEAD}images:\n- {{source: 'oci:{source}', name: 'registry.test/shop/web:1.0'}}\n")
}

#[test]
fn compressed_layouts_are_expanded_as_the_message_says() {
    let shop = Workshop::new();
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", &vec![0; 1 << 20]);
    image_set.tag("1.0", &image);
    fs::write(shop.path("app.tar"), image_set.tar(&[image])).unwrap();
    // Compressed with zstd it is read as it is, whatever it is called.
    shell(&shop, "zstd -q app.tar -o app; gzip app.tar");
    shop.build(&of("app:1.0")).succeeded();
    // More than the bound: another bound, or the plain tar.
    let text = of("app.tar.gz:1.0").replace("sequence: 1", "sequence: 3");
    shop.write("release.yaml", &text);
    let remedy = shop.create("--expand-limit 64KiB").remedy("E-LIMIT", "expanded");
    let words: Vec<&str> = remedy.split([' ', ',']).collect();
    let at = words.iter().position(|word| word.starts_with("--")).unwrap();
    assert_eq!(words[at + 1], "SIZE");
    shop.create(&format!("{} 2MiB", words[at])).succeeded();
    shell(&shop, "gzip -dkf app.tar.gz");
    shop.write("release.yaml", &text.replace("app.tar.gz", "app.tar"));
    shop.create("--expand-limit 64KiB").succeeded();
    // Twice the same: written again.
    shell(
        &shop,
        "mkdir it; tar -xf app.tar -C it; tar -rf app.tar -C it ./index.json",
    );
    let remedy = shop.create("").remedy("E-FORMAT", "layout");
    assert_eq!(remedy, "write the tar again");
    shell(&shop, "tar -cf app.tar -C it .");
    shop.create("").succeeded();
}

#[test]
fn images_of_layouts_are_chosen_as_the_message_says() {
    let shop = Workshop::new();
    let mut image_set = ImageSet::default();
    let one = image_set.image("linux/amd64", b"one");
    let two = image_set.image("linux/amd64", b"two");
    image_set.tag("1.0", &one);
    image_set.tag("2.0", &two);
    // A tag that claims to be an index of what refers to the first.
    let mut wrong = image_set.clone();
    wrong.tag(&format!("sha256-{}", digest(&one).0), &two);
    image_set.write_folder(&shop.path("several"), &[one.clone(), two.clone()]);
    let numbered = |source: &str, n: u64| of(source).replace("sequence: 1", &format!("sequence: {n}"));
    let remedy = shop.build(&numbered("several", 1)).remedy("E-CONTENT", "which-image");
    assert!(
        remedy.starts_with("name one of them in the source: oci:PATH:NAME"),
        "{remedy}"
    );
    shop.build(&numbered("several:1.0", 1)).succeeded();
    let none = shop.build(&numbered("several:9.0", 2)).remedy("E-CONTENT", "missing");
    assert_eq!(none, remedy);
    shop.build(&numbered(&format!("several@{}", digest(&two)), 2))
        .succeeded();
    // Two images under one name.
    let both = |name: &str| {
        let more = format!("- {{source: 'oci:several:2.0', name: 'registry.test/shop/{name}'}}\n");
        numbered("several:1.0", 3) + &more
    };
    let remedy = shop.build(&both("web:1.0")).remedy("E-CONTENT", "tag-twice");
    assert_eq!(remedy, "give one of the images another name");
    shop.build(&both("web:2.0")).succeeded();
    wrong.write_folder(&shop.path("wrong"), &[one.clone(), two]);
    let remedy = shop
        .build(&numbered("wrong:1.0", 4))
        .remedy("E-CONTENT", "referrers-tag");
    assert_eq!(remedy, "delete that tag in the source");
    wrong.tags.remove(&format!("sha256-{}", digest(&one).0));
    fs::remove_dir_all(shop.path("wrong")).unwrap();
    let listed = wrong.manifests.clone();
    wrong.write_folder(&shop.path("wrong"), &listed);
    shop.build(&numbered("wrong:1.0", 4)).succeeded();
}

#[test]
fn archives_of_docker_are_named_as_the_message_says() {
    let shop = Workshop::new();
    let archived = |config: Option<&[u8]>| {
        let mut archive = DockerArchive::default();
        archive.image(&["acme/web:1.0"], &[&layer("file", &vec![0; 1 << 20])]);
        let at = archive.files.len() - 1;
        archive.files[at].1.extend_from_slice(config.unwrap_or_default());
        archive
    };
    let numbered = |source: &str, n: u64| {
        of("x")
            .replace("oci:x", source)
            .replace("sequence: 1", &format!("sequence: {n}"))
    };
    fs::write(shop.path("app.tar"), archived(None).tar(0)).unwrap();
    // Named as a layout: a file, and unpacked before.
    let remedy = shop
        .build(&numbered("oci:app.tar", 1))
        .remedy("E-FORMAT", "docker-archive");
    shop.build(&numbered(remedy.strip_prefix("write ").unwrap(), 1))
        .succeeded();
    shell(&shop, "mkdir unpacked; tar -xf app.tar -C unpacked");
    let remedy = shop
        .build(&numbered("oci:unpacked", 2))
        .remedy("E-FORMAT", "docker-archive");
    shell(&shop, remedy.split('`').nth(1).unwrap());
    let source = remedy.rsplit_once("then write ").unwrap().1;
    shop.build(&numbered(source, 2)).succeeded();
    // One of several.
    let mut several = archived(None);
    several.image(&["acme/db:1.0"], &[b"another"]);
    fs::write(shop.path("several.tar"), several.tar(0)).unwrap();
    for (source, code) in [
        ("docker-archive:several.tar", "which-image"),
        ("docker-archive:several.tar:9.0", "missing"),
    ] {
        let remedy = shop.build(&numbered(source, 3)).remedy("E-CONTENT", code);
        let said = remedy.split("source: ").nth(1).unwrap().split(',').next().unwrap();
        shop.build(&numbered(
            &said.replace("PATH", "several.tar").replace("NAME", "acme/db:1.0"),
            3,
        ))
        .succeeded();
    }
    // Damaged: saved again.
    fs::write(shop.path("app.tar"), archived(Some(b" ")).tar(0)).unwrap();
    let remedy = shop
        .build(&numbered("docker-archive:app.tar", 4))
        .remedy("E-INTEGRITY", "source");
    assert_eq!(remedy, "save the image again");
    fs::write(shop.path("app.tar"), archived(None).tar(0)).unwrap();
    shop.build(&numbered("docker-archive:app.tar", 4)).succeeded();
    // A compressed layer that expands beyond the bound.
    let mut archive = archived(None);
    let plain = archive.files[0].1.clone();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    archive.files[0].1 = gzip.finish().unwrap();
    fs::write(shop.path("app.tar"), archive.tar(0)).unwrap();
    shop.write("release.yaml", &numbered("docker-archive:app.tar", 5));
    let remedy = shop.create("--expand-limit 64KiB").remedy("E-LIMIT", "expanded");
    let option = remedy.strip_prefix("raise the bound with ").unwrap();
    shop.create(&option.replace("SIZE", "2MiB")).succeeded();
}

#[test]
fn an_engine_is_found_as_the_message_says() {
    let shop = Workshop::new();
    let mut archive = DockerArchive::default();
    archive.image(&["acme/web:1.0"], &[&layer("file", b"bytes")]);
    let socket = shop.path("engine.sock");
    let here = format!("unix://{}", socket.display());
    let create = |source: &str, host: &str, n: u64| {
        let text = of("x")
            .replace("oci:x", source)
            .replace("sequence: 1", &format!("sequence: {n}"));
        shop.write("release.yaml", &text);
        fs::remove_file(shop.path("out.airlock")).ok();
        let command = Command::new("env");
        let words = format!("DOCKER_HOST={host} {AIRLOCK} --format json bundle create -f release.yaml -o out.airlock");
        shop.run_plain(command, &words)
    };
    // Kinds of sources that other tools have.
    let remedy = create("docker-daemon:acme/web:1.0", &here, 1).remedy("E-USAGE", "value");
    let source = remedy.strip_prefix("write ").unwrap().to_owned();
    // An engine elsewhere, and one that does not run.
    let elsewhere = create(&source, "tcp://127.0.0.1:1", 1).remedy("E-USAGE", "engine");
    let away = create(&source, &here, 1).remedy("E-IO", "engine");
    assert_eq!(elsewhere, away);
    // The other way: saved there, and brought here as a file.
    fs::write(shop.path("FILE"), archive.tar(0)).unwrap();
    let saved = away.rsplit_once("write ").unwrap().1;
    create(saved, &here, 1).succeeded();
    let option = away
        .split("with DOCKER_HOST=")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let host = option.replace("/PATH", socket.to_str().unwrap());
    let engine = FakeEngine::start(&socket);
    let remedy = create(&source, &host, 2).remedy("E-CONTENT", "missing");
    assert_eq!(remedy, "pull or build it there: `docker pull acme/web:1.0`");
    engine.answer("acme/web:1.0", 200, archive.tar(0));
    create(&source, &host, 2).succeeded();
    // Podman keeps its images where no engine is asked; here a file stands for that.
    let remedy = create("containers-storage:acme/web:1.0", &here, 3).remedy("E-USAGE", "value");
    let command = remedy.split('`').nth(1).unwrap();
    shell(
        &shop,
        &command.replace("containers-storage:acme/web:1.0", "docker-archive:FILE:acme/web:1.0"),
    );
    create(remedy.rsplit_once("then write ").unwrap().1, &here, 3).succeeded();
    // An archive of a layout is a layout.
    let remedy = create("oci-archive:image.oci", &here, 4).remedy("E-USAGE", "value");
    create(remedy.strip_prefix("write ").unwrap(), &here, 4).succeeded();
}

#[test]
fn what_an_image_lacks_is_allowed_or_put_right_as_the_message_says() {
    let shop = Workshop::new();
    let mut image_set = ImageSet::default();
    let (whole, [image, _, attestation, _]) = image_set.multi_platform();
    let index = image_set.index(std::slice::from_ref(&attestation));
    let about = image_set.referrer(&image, "signature");
    let listed = [whole.clone(), index.clone(), about.clone()];
    image_set.write_folder(&shop.path("both"), &listed);
    image_set.blobs.remove(&digest(&image));
    image_set.write_folder(&shop.path("copied"), &listed);
    let release = |source: String, more: &str, n: u64| {
        of(&source)
            .replace("'}", &format!("'{more}}}"))
            .replace("sequence: 1", &format!("sequence: {n}"))
    };
    // An index of attestations alone: the source that has the image.
    let remedy = shop
        .build(&release(format!("both@{}", digest(&index)), "", 1))
        .remedy("E-CONTENT", "no-image");
    assert!(
        remedy.starts_with("name a source that has the image itself"),
        "{remedy}"
    );
    shop.build(&release(format!("both@{}", digest(&whole)), "", 1))
        .succeeded();
    // What is about an image that was left behind: the source with both, or the word of the vendor.
    let alone = format!("copied@{}", digest(&about));
    let remedy = shop
        .build(&release(alone.clone(), "", 2))
        .remedy("E-CONTENT", "missing");
    let said = remedy
        .split_once("say ")
        .unwrap()
        .1
        .strip_suffix(" on the image")
        .unwrap();
    shop.build(&release(format!("both@{}", digest(&about)), "", 2))
        .succeeded();
    shop.build(&release(alone, &format!(", {said}"), 3)).succeeded();
    // Layers from elsewhere likewise.
    let config = image_set.blob("application/vnd.oci.image.config.v1+json", b"{}");
    let layer = image_set.blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"foreign");
    let image = image_set.manifest(&json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
    }));
    image_set.write_folder(&shop.path("foreign"), std::slice::from_ref(&image));
    let remedy = shop
        .build(&release("foreign".to_owned(), "", 4))
        .remedy("E-CONTENT", "nondistributable");
    let said = remedy
        .split_once("with ")
        .unwrap()
        .1
        .strip_suffix(" on the image")
        .unwrap();
    shop.build(&release("foreign".to_owned(), &format!(", {said}"), 4))
        .succeeded();
}

#[test]
fn charts_are_completed_and_made_smaller_as_the_message_says() {
    let shop = Workshop::new();
    let release = format!(
        "{HEAD}agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'a.example.com/k:1'}}\n\
         images:\n- {{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}\n\
         applications:\n- name: hello\n  version: \"1\"\n  chart: chart\n  image_values: [image]\n\
         targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: hello\n"
    );
    fs::create_dir(shop.path("chart/dump")).unwrap();
    for part in 0..13 {
        let file = fs::File::create(shop.path(&format!("chart/dump/{part}"))).unwrap();
        file.set_len(5 << 20).unwrap();
    }
    let remedy = shop.build(&release).remedy("E-LIMIT", "chart");
    let file = remedy.rsplit(' ').next().unwrap();
    shell(&shop, &format!("echo dump/ >> chart/{file}"));
    shop.build(&release).succeeded();
    // A chart that another one needs: put there as `helm dependency build` does.
    shop.write("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n");
    shell(
        &shop,
        "printf 'dependencies:\\n- {name: db, version: 1.0.0, repository: \"file://../db\"}\\n' >> chart/Chart.yaml",
    );
    let release = release.replace("sequence: 1", "sequence: 2");
    let remedy = shop.build(&release).remedy("E-CONTENT", "missing");
    assert!(remedy.starts_with("run `helm dependency build`"), "{remedy}");
    shell(&shop, "mkdir chart/charts; tar -czf chart/charts/db-1.0.0.tgz db");
    shop.build(&release).succeeded();
    // A schema that refers to what is elsewhere, which nobody asks for it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let schema = format!("{{\"properties\": {{\"replicas\": {{\"$ref\": \"http://{address}/number.json\"}}}}}}");
    shop.write("chart/values.schema.json", &schema);
    let release = release.replace("sequence: 2", "sequence: 3").replace(
        "image_values: [image]\n",
        "image_values: [image]\n  images_complete: true\n",
    );
    let remedy = shop.build(&release).remedy("E-CONTENT", "value-schema");
    assert!(remedy.ends_with("under $defs"), "{remedy}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody asked for the schema");
    shop.write(
        "chart/values.schema.json",
        "{\"$defs\": {\"number\": {}}, \"properties\": {\"replicas\": {\"$ref\": \"#/$defs/number\"}}}",
    );
    shop.build(&release).succeeded();
}

#[test]
fn keys_of_targets_and_values_of_compose_files_are_put_right_as_the_message_says() {
    let shop = Workshop::new();
    let release = |n: u64, more: &str| {
        format!(
            "{HEAD}agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  \
             autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n{IMAGES}\
             applications:\n- {{name: one, version: \"1\", compose: one.yaml, images: {{'example.com/web:2': 'oci:hello:1.0'}}}}\n\
             targets:\n- name: press-1\n  kind: docker\n{more}  deployments: [{{application: one}}]\n"
        )
        .replace("sequence: 1", &format!("sequence: {n}"))
    };
    let compose = "services:\n  a:\n    image: example.com/web:2\n    labels: {day: 2026-01-01}\n";
    shop.write("one.yaml", compose);
    let remedy = shop.build(&release(1, "")).remedy("E-USAGE", "yaml");
    assert_eq!(remedy, "put it in quotes");
    shop.write("one.yaml", &compose.replace("2026-01-01", "\"2026-01-01\""));
    shop.build(&release(1, "")).succeeded();
    // A key of another kind of target.
    let more = "  namespace: shop\n";
    let remedy = shop.build(&release(2, more)).remedy("E-USAGE", "value");
    let key = remedy.strip_prefix("take ").unwrap().strip_suffix(" out").unwrap();
    let line = format!("  {key}: shop\n");
    shop.build(&release(2, more).replace(&line, "")).succeeded();
    // An id that was derived from another name.
    let remedy = shop
        .build(&release(3, "  id: 0190c0de-0000-8000-8000-000000000000\n"))
        .remedy("E-USAGE", "value");
    assert!(remedy.starts_with("leave id out;"), "{remedy}");
    shop.build(&release(3, "")).succeeded();
    let renamed = release(4, "").replace("press-1", "press-2");
    shop.build(&format!("{renamed}removed: [press-1]\n")).succeeded();
}

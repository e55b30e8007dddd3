//! Remedies about what a release is made of: layouts, tars of them, charts, and keys of the files that name them.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::process::Command;

use super::workshop::{HEAD, IMAGES, Workshop};
use serde_json::json;

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
    // Under the usual name, and under one that does not say what it is.
    shell(
        &shop,
        "zstd -q app.tar -o app.tar.zst; cp app.tar.zst app; gzip app.tar",
    );
    for (name, sequence) in [("app.tar.zst", "sequence: 1"), ("app", "sequence: 2")] {
        let text = of(&format!("{name}:1.0")).replace("sequence: 1", sequence);
        let remedy = shop.build(&text).remedy("E-FORMAT", "layout");
        let command = remedy.split('`').nth(1).unwrap();
        shell(&shop, command);
        let plain = command.split(' ').next_back().unwrap().rsplit('/').next().unwrap();
        shop.build(&text.replace(&format!("oci:{name}:"), &format!("oci:{plain}:")))
            .succeeded();
    }
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
fn archives_of_docker_are_converted_as_the_message_says() {
    let shop = Workshop::new();
    // Two engines' files of one image: as `docker save` of older ones writes it.
    shell(
        &shop,
        "skopeo copy -q --override-arch amd64 --override-os linux oci:hello:1.0 docker-archive:app.tar:acme/web:1.0",
    );
    let commands = |remedy: &str| -> Vec<String> { remedy.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let write = |remedy: &str| remedy.rsplit_once("then write oci:").unwrap().1.to_owned();
    // Named as one.
    let text = of("app.tar").replace("oci:app.tar", "docker-archive:app.tar:acme/web:1.0");
    let remedy = shop.build(&text).remedy("E-USAGE", "value");
    shell(&shop, &commands(&remedy)[0]);
    shop.build(&of(&write(&remedy))).succeeded();
    // Named as a layout, and unpacked before.
    shell(&shop, "mkdir unpacked; tar -xf app.tar -C unpacked");
    for (name, sequence) in [("app.tar", 2), ("unpacked", 3)] {
        let numbered = |source: &str| of(source).replace("sequence: 1", &format!("sequence: {sequence}"));
        shell(&shop, "rm -f app.tar.oci");
        let remedy = shop.build(&numbered(name)).remedy("E-FORMAT", "docker-archive");
        for command in commands(&remedy) {
            shell(&shop, &command);
        }
        shop.build(&numbered(&write(&remedy))).succeeded();
    }
    // What an engine has is saved to a file; here a file stands for the engine.
    let text = of("x")
        .replace("oci:x", "docker-daemon:acme/web:1.0")
        .replace("sequence: 1", "sequence: 4");
    let remedy = shop.build(&text).remedy("E-USAGE", "value");
    shell(
        &shop,
        &commands(&remedy)[0].replace("docker-daemon:acme/web:1.0", "docker-archive:app.tar:acme/web:1.0"),
    );
    shop.build(&of(&write(&remedy)).replace("sequence: 1", "sequence: 4"))
        .succeeded();
    // An archive of a layout is a layout.
    let text = of("image.oci")
        .replace("oci:image.oci", "oci-archive:image.oci")
        .replace("sequence: 1", "sequence: 5");
    let remedy = shop.build(&text).remedy("E-USAGE", "value");
    let source = remedy.strip_prefix("write oci:").unwrap();
    shop.build(&of(source).replace("sequence: 1", "sequence: 5"))
        .succeeded();
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

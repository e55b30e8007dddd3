//! What an image entry may ask for, and what is carried only then: platforms of its own, subjects that are gone, layers from elsewhere.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use airlock::bundle::OpenedBundle;
use serde_json::{Value, json};

use crate::support::image_set::{ImageSet, MANIFEST, digest};
use crate::support::registry::{Behaviour, TestRegistry};
use crate::support::vendor_folder::VendorFolder;

/// What the head of the last bundle requires of its readers.
fn requires(shop: &VendorFolder) -> Vec<String> {
    let source = airlock::media::open(&shop.path("out.airlock"), None).unwrap();
    let opened = OpenedBundle::open(source.input).unwrap();
    opened.verify(shop.chain()).unwrap().head().requires.clone()
}

fn entry(source: &str, more: &str) -> String {
    format!("images:\n- {{source: 'oci:{source}', name: 'registry.test/acme/app:1.0'{more}}}\n")
}

/// A folder with a layout of these manifests.
fn shop(image_set: &ImageSet, listed: &[Value]) -> VendorFolder {
    let shop = VendorFolder::new();
    image_set.write_folder(&shop.path("layout"), listed);
    shop
}

#[test]
fn an_image_may_be_for_other_platforms_than_the_release() {
    let mut image_set = ImageSet::default();
    let (index, [amd, arm, ..]) = image_set.multi_platform();
    let mut shop = shop(&image_set, &[index]);
    let both = entry("layout", ", platforms: [linux/arm64]")
        + "- {source: 'oci:hello:1.0', name: 'registry.test/acme/hello:1.0'}\n";
    shop.build(&format!("platforms: [linux/amd64]\n{both}"), 1).unwrap();
    let contents = shop.contents();
    assert!(contents.0.contains_key(&digest(&arm)) && !contents.0.contains_key(&digest(&amd)));
    // An empty list is all of them; without one the release's counts.
    for (own, carried) in [(", platforms: []", [true, true]), ("", [true, false])] {
        shop.build(
            &format!("platforms: [linux/amd64]\n{}", entry("layout", own)),
            2 + u64::from(carried[1]),
        )
        .unwrap();
        let contents = shop.contents();
        assert_eq!(
            [&amd, &arm].map(|image| contents.0.contains_key(&digest(image))),
            carried,
            "{own}"
        );
    }
    let (class, code, text) = shop.refused(&entry("layout", ", platforms: [linux/s390x]"), 4);
    assert_eq!((class, code), ("E-CONTENT", "platform"), "{text}");
    assert!(
        text.contains("linux/s390x") && text.contains("linux/amd64, linux/arm64"),
        "{text}"
    );
    let (class, code, text) = shop.refused(&entry("layout", ", platforms: [arm64]"), 4);
    assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
    assert!(text.contains("release.yaml:"), "{text}");
}

#[test]
fn an_index_without_an_image_is_refused_with_what_it_holds() {
    let mut image_set = ImageSet::default();
    let (_, [amd, _, about_amd, about_arm]) = image_set.multi_platform();
    let attestations = image_set.index(&[about_amd.clone(), about_arm]);
    let empty = image_set.index(&[]);
    let outer = image_set.index(std::slice::from_ref(&attestations));
    let good = image_set.index(&[amd, about_amd]);
    // Artifacts say no platform, and run wherever somebody fetches them.
    let artifact = image_set.referrer(&good, "notes");
    let artifacts = image_set.index(&[artifact]);
    let mut shop = shop(
        &image_set,
        &[
            attestations.clone(),
            empty.clone(),
            outer.clone(),
            good.clone(),
            artifacts.clone(),
        ],
    );
    for (index, says) in [
        (&attestations, "2 manifests for unknown/unknown"),
        (&outer, "2 manifests for unknown/unknown"),
        (&empty, "nothing at all"),
    ] {
        let (class, code, text) = shop.refused(&entry(&format!("layout@{}", digest(index)), ""), 1);
        assert_eq!((class, code), ("E-CONTENT", "no-image"), "{text}");
        assert!(
            text.contains(says) && text.contains(&digest(index).to_string()),
            "{text}"
        );
    }
    for (index, sequence) in [(&good, 1), (&artifacts, 2)] {
        shop.build(&entry(&format!("layout@{}", digest(index)), ""), sequence)
            .unwrap();
    }
}

#[test]
fn what_is_about_something_that_is_gone_is_carried_when_the_vendor_says_so() {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    let about = image_set.referrer(&image, "signature");
    let whole = image_set.clone();
    image_set.blobs.remove(&digest(&image));
    let mut shop = shop(&image_set, std::slice::from_ref(&about));
    let source = format!("layout@{}", digest(&about));
    let (class, code, text) = shop.refused(&entry(&source, ""), 1);
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
    assert!(
        text.contains("subject") && text.contains("allow_missing_subject: true"),
        "{text}"
    );
    shop.build(&entry(&source, ", allow_missing_subject: true"), 1).unwrap();
    assert_eq!(requires(&shop), ["missing-subjects-1"]);
    assert!(shop.contents().0.contains_key(&digest(&about)));
    assert!(
        shop.warnings
            .iter()
            .any(|warning| warning.contains("is carried without it")),
        "{:?}",
        shop.warnings
    );
    // Where it is there, it travels, and nothing is required of anybody.
    whole.write_folder(&shop.path("layout"), &[image.clone(), about]);
    shop.build(&entry(&source, ", allow_missing_subject: true"), 2).unwrap();
    assert!(requires(&shop).is_empty() && shop.warnings.is_empty());
    assert!(shop.contents().0.contains_key(&digest(&image)));
}

/// An image with a layer that says it is elsewhere, and one that is not to be distributed.
fn foreign(image_set: &mut ImageSet) -> Value {
    let config = image_set.blob("application/vnd.oci.image.config.v1+json", b"{}");
    let mut urls = image_set.blob("application/vnd.oci.image.layer.v1.tar", b"elsewhere too");
    urls["urls"] = json!(["https://elsewhere.test/x"]);
    let foreign = image_set.blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"foreign");
    image_set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [urls, foreign]}))
}

#[test]
fn layers_from_elsewhere_are_carried_when_the_vendor_says_so_and_they_are_there() {
    let mut image_set = ImageSet::default();
    let image = foreign(&mut image_set);
    let mut shop = shop(&image_set, std::slice::from_ref(&image));
    let allowed = ", allow_nondistributable_artifacts: true";
    let (class, code, text) = shop.refused(&entry("layout", ""), 1);
    assert_eq!((class, code), ("E-CONTENT", "urls"), "{text}");
    assert!(text.contains("allow_nondistributable_artifacts: true"), "{text}");
    // One entry that allows it allows it to no other.
    let both = entry("layout", allowed) + "- {source: 'oci:layout', name: 'registry.test/acme/other:1.0'}\n";
    let (class, code, text) = shop.refused(&both, 1);
    assert_eq!((class, code), ("E-CONTENT", "urls"), "{text}");
    shop.build(&entry("layout", allowed), 1).unwrap();
    assert_eq!(requires(&shop), ["nondistributable-layers-1"]);
    assert!(
        shop.warnings
            .iter()
            .any(|warning| warning.contains("containerd and podman")),
        "{:?}",
        shop.warnings
    );
    let layer = crate::support::image_set::digest_of(b"foreign");
    assert!(shop.contents().0.contains_key(&digest(&image)));
    // What the source lacks is missing, whatever is allowed.
    std::fs::remove_file(shop.path("layout").join(format!("blobs/sha256/{}", layer.0))).unwrap();
    let (class, code, text) = shop.refused(&entry("layout", allowed), 2);
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
}

#[test]
fn a_manifest_with_null_for_its_layers_is_carried_as_it_is() {
    let mut image_set = ImageSet::default();
    let config = image_set.blob("application/vnd.oci.empty.v1+json", b"{}");
    let image =
        image_set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": null}));
    let mut shop = shop(&image_set, std::slice::from_ref(&image));
    shop.build(&entry("layout", ""), 1).unwrap();
    assert_eq!(shop.contents().0[&digest(&image)], image_set.blobs[&digest(&image)]);
    assert!(requires(&shop).is_empty());
}

#[test]
fn kinds_of_sources_that_are_not_read_are_refused_by_name() {
    let mut shop = VendorFolder::new();
    for (source, says) in [
        ("docker-daemon:acme/web:1", "write docker:acme/web:1"),
        (
            "containers-storage:acme/web:1",
            "`skopeo copy containers-storage:acme/web:1 oci-archive:image.oci`",
        ),
        ("oci-archive:hello:1.0", "write oci:hello:1.0"),
    ] {
        for form in [
            format!("'{source}'"),
            format!("{{source: '{source}', name: 'a.example.com/x:1'}}"),
        ] {
            let (class, code, text) = shop.refused(&format!("images:\n- {form}\n"), 1);
            assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
            assert!(text.contains("release.yaml:") && text.contains(says), "{text}");
        }
    }
    shop.build("images:\n- {source: 'oci:hello:1.0', name: 'a.example.com/x:1'}\n", 1)
        .unwrap();
}

#[test]
fn a_name_with_a_port_is_refused_wherever_it_stands_and_a_source_with_one_is_none() {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    image_set.tag("1.0", &image);
    let registry = TestRegistry::start(image_set, Behaviour::default());
    let source = registry.image(":1.0");
    let mut shop = VendorFolder::new();
    shop.write("one.yaml", format!("services:\n  a:\n    image: {source}\n"));
    let agents = "agents:\n- name: 3.1.0\n  autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}\n  docker: ";
    let application = "applications:\n- {name: one, version: \"1\", compose: one.yaml";
    let image = |form: &str| format!("images:\n- {form}\n");
    let agent = |form: &str| format!("{agents}{form}\n");
    let compose = |form: &str| format!("{application}{form}}}\n");
    let other = "name: 'registry.example.com/acme/app:1.0'";
    let cases = [
        (
            image(&format!("'{source}'")),
            image(&format!("{{source: '{source}', {other}}}")),
            "release.yaml:",
        ),
        (
            image("{source: 'oci:hello:1.0', name: 'registry.example.com:5000/acme/app:1.0'}"),
            image(&format!("{{source: 'oci:hello:1.0', {other}}}")),
            "release.yaml:",
        ),
        (
            agent(&format!("'{source}'")),
            agent(&format!("{{source: '{source}', {other}}}")),
            "release.yaml:",
        ),
        (
            compose(""),
            compose(&format!(", images: {{'{source}': {{source: '{source}', {other}}}}}")),
            "one.yaml:3:",
        ),
    ];
    for ((refused, taken, place), sequence) in cases.into_iter().zip(1..) {
        let (class, code, text) = shop.refused(&refused, sequence);
        assert_eq!((class, code), ("E-CONTENT", "reference"), "{text}");
        assert!(
            text.contains(place) && text.contains("{source: where it comes from, name:"),
            "{text}"
        );
        shop.build(&taken, sequence)
            .unwrap_or_else(|error| panic!("{taken}: {error}"));
    }
    // Nor is a home host one: what it would answer for has no name.
    let home = |host: &str| {
        format!("home_hosts: ['{host}']\n")
            + &image("{source: 'oci:hello:1.0', name: 'registry.example.com/acme/app:1.0'}")
    };
    let (class, code, text) = shop.refused(&home("registry.example.com:5000"), 5);
    assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
    assert!(
        text.contains("release.yaml:") && text.contains("a host without a port"),
        "{text}"
    );
    shop.build(&home("registry.example.com"), 5).unwrap();
}

#[test]
fn an_image_that_no_service_uses_is_named_as_one_does_or_taken_out() {
    let mut shop = VendorFolder::new();
    let digest = format!("sha256:{}", "a".repeat(64));
    let release = |images: &str| {
        format!("applications:\n- {{name: shop, version: \"1\", compose: c.yaml, images: {{{images}}}}}\n")
    };
    let used = format!("example.com/web:2@{digest}");
    shop.write(
        "c.yaml",
        format!("services: {{a: {{image: '{used}'}}, b: {{image: 'example.com/b:1', profiles: [off]}}}}\n"),
    );
    let (_, _, text) = shop.refused(&release("'example.com/web:2': 'oci:hello:1.0'"), 1);
    assert!(
        text.contains("images names \"example.com/web:2\", which no service that runs uses")
            && text.contains(&format!("did you mean {used}?")),
        "{text}"
    );
    shop.write(
        "c.yaml",
        "services: {a: {image: 'example.com/web:2'}, b: {image: 'quay.io/other/thing:1', profiles: [off]}}\n",
    );
    let both = "'example.com/web:2': 'oci:hello:1.0', 'quay.io/other/thing:1': 'oci:hello:1.0'";
    let (_, _, text) = shop.refused(&release(both), 1);
    assert!(
        text.contains("take it out, or activate the profile of the service that uses it"),
        "{text}"
    );
    shop.build(&release("'example.com/web:2': 'oci:hello:1.0'"), 1).unwrap();
    shop.build(
        &release(both).replace("compose: c.yaml", "compose: c.yaml, profiles: [off]"),
        2,
    )
    .unwrap();
}

//! Collecting from OCI layouts: folders, tars, gzipped tars; platforms; what refers to an image; what is refused.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::image_set::{ImageSet, MANIFEST, digest, digest_of};
use crate::support::vendor::{names, pack, refusal, take};

fn source(path: &Path, rest: &str) -> String {
    format!("oci:{}{rest}", path.display())
}

/// Writes a layout that lists these manifests, collects from it and packs it.
fn collect_from(
    image_set: &ImageSet,
    listed: &[Value],
    rest: &str,
    platforms: &[&str],
) -> airlock::bundle::BundleContent {
    let folder = crate::support::appliance::scratch();
    image_set.write_folder(folder.path(), listed);
    let (content, sources) = take(&source(folder.path(), rest), platforms).unwrap();
    pack(&content, &sources).unwrap();
    content
}

fn refuse(
    image_set: &ImageSet,
    listed: &[Value],
    rest: &str,
    platforms: &[&str],
) -> (&'static str, &'static str, String) {
    let folder = crate::support::appliance::scratch();
    image_set.write_folder(folder.path(), listed);
    refusal(take(&source(folder.path(), rest), platforms))
}

#[test]
fn a_folder_a_tar_and_compressed_tars_give_the_same_bundle() {
    let mut image_set = ImageSet::default();
    let (index, _) = image_set.multi_platform();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    let big = image_set.image("linux/amd64", &large);
    image_set.tag("1.0", &index);
    image_set.tag("big", &big);
    let listed = [index, big];
    let folder = crate::support::appliance::scratch();
    let (plain, tar, tar_gz, tar_zst) = (
        folder.path().join("plain"),
        folder.path().join("image.tar"),
        folder.path().join("image.tar.gz"),
        folder.path().join("image.tar.zst"),
    );
    image_set.write_folder(&plain, &listed);
    fs::write(&tar, image_set.tar(&listed)).unwrap();
    fs::write(&tar_gz, image_set.tar_gz(&listed)).unwrap();
    fs::write(&tar_zst, zstd::encode_all(&image_set.tar(&listed)[..], 1).unwrap()).unwrap();
    for tag in [":1.0", ":big"] {
        let packed: Vec<Vec<u8>> = [&plain, &tar, &tar_gz, &tar_zst]
            .iter()
            .map(|path| {
                let (content, sources) = take(&source(path, tag), &[]).unwrap();
                pack(&content, &sources).unwrap()
            })
            .collect();
        assert!(packed.iter().all(|bytes| *bytes == packed[0]), "{tag}");
    }
}

#[test]
fn the_fixtures_are_carried_with_everything_that_refers_to_them() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let (content, sources) = take(&source(&fixtures.join("signed"), ":1.0"), &[]).unwrap();
    pack(&content, &sources).unwrap();
    let tags: Vec<String> = names(&content)
        .into_iter()
        .map(|(tag, _)| tag.unwrap_or_default())
        .collect();
    assert_eq!(tags.len(), 3);
    assert!(tags[0].is_empty() && tags[1] == "1.0" && tags[2].strip_suffix(".sig").is_some());
    let (content, sources) = take(&source(&fixtures.join("hello"), ""), &["linux/amd64"]).unwrap();
    pack(&content, &sources).unwrap();
    assert_eq!((content.manifests.len(), content.absent.len()), (2, 1));
}

#[test]
fn platforms_leave_children_out_and_keep_the_index() {
    let mut image_set = ImageSet::default();
    let (index, [amd, arm, about_amd, about_arm]) = image_set.multi_platform();
    image_set.tag("1.0", &index);
    let listed = [index.clone()];
    let all = collect_from(&image_set, &listed, ":1.0", &[]);
    assert_eq!((all.manifests.len(), all.absent.len()), (5, 0));

    let some = collect_from(&image_set, &listed, ":1.0", &["linux/amd64"]);
    assert_eq!(names(&some), [(Some("1.0".to_owned()), digest(&index))]);
    assert_eq!(some.manifests[&digest(&index)], image_set.blobs[&digest(&index)]);
    assert!(some.manifests.contains_key(&digest(&amd)) && some.manifests.contains_key(&digest(&about_amd)));
    assert_eq!(some.absent[&digest(&arm)], "linux/arm64");
    assert_eq!(some.absent[&digest(&about_arm)], "unknown/unknown");
    assert_eq!(some.absent.len(), 2);

    // What is left out need not be there.
    image_set.blobs.remove(&digest(&arm));
    collect_from(&image_set, &listed, ":1.0", &["linux/amd64"]);
    let (class, code, _) = refuse(&image_set, &listed, ":1.0", &[]);
    assert_eq!((class, code), ("E-CONTENT", "missing"));

    let (class, code, text) = refuse(&image_set, &listed, ":1.0", &["linux/amd64", "linux/s390x"]);
    assert_eq!((class, code), ("E-CONTENT", "platform"));
    assert!(
        text.contains("linux/s390x") && text.contains("linux/amd64, linux/arm64"),
        "{text}"
    );
}

#[test]
fn an_image_without_index_is_for_one_platform() {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    let listed = [image];
    assert_eq!(
        collect_from(&image_set, &listed, "", &["linux/amd64", "linux/arm64"])
            .manifests
            .len(),
        1
    );
    let (class, code, text) = refuse(&image_set, &listed, "", &["linux/arm64"]);
    assert_eq!((class, code), ("E-CONTENT", "platform"));
    assert!(text.contains("linux/amd64"), "{text}");
}

#[test]
fn referrers_travel_by_every_way_they_are_found() {
    let mut image_set = ImageSet::default();
    let (index, [amd, arm, ..]) = image_set.multi_platform();
    image_set.tag("1.0", &index);
    let listed_one = image_set.referrer(&index, "bill of materials");
    let of_referrer = image_set.referrer(&listed_one, "signature of the bill of materials");
    let by_schema = image_set.referrer(&amd, "by tag schema");
    let fallback = image_set.index(std::slice::from_ref(&by_schema));
    image_set.tag(&format!("sha256-{}", digest(&amd).0), &fallback);
    let cosign = image_set.image("linux/amd64", b"simple signing");
    image_set.tag(&format!("sha256-{}.sig", digest(&index).0), &cosign);
    let of_arm = image_set.image("linux/arm64", b"attestation of arm64");
    image_set.tag(&format!("sha256-{}.att", digest(&arm).0), &of_arm);
    let listed = [
        index.clone(),
        listed_one.clone(),
        of_referrer.clone(),
        fallback.clone(),
        cosign.clone(),
        of_arm.clone(),
    ];
    let content = collect_from(&image_set, &listed, ":1.0", &[]);
    let mut expected = vec![
        (None, digest(&listed_one)),
        (None, digest(&of_referrer)),
        (Some("1.0".to_owned()), digest(&index)),
        (Some(format!("sha256-{}", digest(&amd).0)), digest(&fallback)),
        (Some(format!("sha256-{}.sig", digest(&index).0)), digest(&cosign)),
        (Some(format!("sha256-{}.att", digest(&arm).0)), digest(&of_arm)),
    ];
    expected.sort();
    assert_eq!(names(&content), expected);
    assert!(content.manifests.contains_key(&digest(&by_schema)));

    // What refers to a child that is left out stays as well.
    let content = collect_from(&image_set, &listed, ":1.0", &["linux/amd64"]);
    assert!(!content.manifests.contains_key(&digest(&of_arm)));
    assert!(content.manifests.contains_key(&digest(&cosign)));
}

#[test]
fn a_subject_is_carried_with_what_is_about_it() {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    let about = image_set.referrer(&image, "signature");
    let rest = format!("@{}", digest(&about));
    let content = collect_from(&image_set, &[image.clone(), about.clone()], &rest, &[]);
    let mut expected = vec![(None, digest(&image)), (None, digest(&about))];
    expected.sort();
    assert_eq!(names(&content), expected);

    image_set.blobs.remove(&digest(&image));
    let (class, code, text) = refuse(&image_set, &[about], &rest, &[]);
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert!(text.contains("subject"), "{text}");
}

#[test]
fn blobs_shared_by_images_are_carried_once() {
    let mut image_set = ImageSet::default();
    let one = image_set.image("linux/amd64", b"shared layer");
    let other = image_set.image("linux/arm64", b"shared layer");
    let index = image_set.index(&[one, other]);
    image_set.tag("1.0", &index);
    let folder = crate::support::appliance::scratch();
    image_set.write_folder(folder.path(), &[index]);
    let (content, sources) = take(&source(folder.path(), ":1.0"), &[]).unwrap();
    let payload = pack(&content, &sources).unwrap();
    let needle = b"shared layer";
    let count = payload.windows(needle.len()).filter(|window| window == needle).count();
    assert!(count <= 1, "{count}");
}

#[test]
fn the_whole_list_of_what_cannot_be_carried_is_the_error() {
    let mut image_set = ImageSet::default();
    let layer = |image_set: &mut ImageSet, change: &dyn Fn(&mut Value)| {
        let config = image_set.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let mut layer = image_set.blob("application/vnd.oci.image.layer.v1.tar", b"layer");
        change(&mut layer);
        image_set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}))
    };
    let urls = layer(&mut image_set, &|layer| {
        layer["urls"] = json!(["https://elsewhere.test/x"]);
    });
    let sha512 = layer(&mut image_set, &|layer| {
        layer["digest"] = json!(format!("sha512:{}", "a".repeat(128)));
    });
    let foreign = layer(&mut image_set, &|layer| {
        layer["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    });
    let missing = layer(&mut image_set, &|layer| {
        layer["digest"] = json!(digest_of(b"not there"));
    });
    let good = layer(&mut image_set, &|_| {});
    let problems = [
        (urls, "urls", "elsewhere"),
        (sha512, "digest", "sha512"),
        (foreign, "nondistributable", "foreign"),
        (missing, "missing", "not there"),
    ];
    for (image, code, _) in &problems {
        let (class, found, _) = refuse(&image_set, std::slice::from_ref(image), "", &[]);
        assert_eq!((class, found), ("E-CONTENT", *code));
    }
    let children: Vec<Value> = problems.iter().map(|(image, ..)| image.clone()).collect();
    let all = image_set.index(&children);
    let (class, code, text) = refuse(&image_set, &[all], "", &[]);
    assert_eq!((class, code), ("E-CONTENT", "problems"));
    assert!(text.starts_with("4 things"), "{text}");
    for (image, ..) in &problems[..3] {
        assert!(text.contains(&digest(image).to_string()), "{text}");
    }
    assert!(text.contains(&digest_of(b"not there").to_string()), "{text}");
    collect_from(&image_set, &[good], "", &[]);
}

#[test]
fn ambiguous_old_and_false_documents_are_refused() {
    let mut image_set = ImageSet::default();
    let good = image_set.image("linux/amd64", b"layer");
    let schema1 = image_set.manifest(&json!({
        "schemaVersion": 1, "mediaType": "application/vnd.docker.distribution.manifest.v1+json", "fsLayers": [],
    }));
    let both = image_set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [], "manifests": []}));
    for (image, code) in [(&schema1, "media-type"), (&both, "ambiguous")] {
        let (class, found, _) = refuse(&image_set, std::slice::from_ref(image), "", &[]);
        assert_eq!((class, found), ("E-CONTENT", code));
    }
    let mut nested = good.clone();
    for _ in 0..3 {
        nested = image_set.index(&[nested]);
    }
    collect_from(&image_set, std::slice::from_ref(&nested), "", &[]);
    let too_deep = image_set.index(&[nested]);
    let (class, code, _) = refuse(&image_set, &[too_deep], "", &[]);
    assert_eq!((class, code), ("E-LIMIT", "nesting"));

    // A tag of the referrers schema that is something else.
    let mut false_tag = image_set.clone();
    false_tag.tag("1.0", &good);
    false_tag.tag(&format!("sha256-{}", digest(&good).0), &good);
    let (class, code, _) = refuse(&false_tag, std::slice::from_ref(&good), ":1.0", &[]);
    assert_eq!((class, code), ("E-CONTENT", "referrers-tag"));

    // Content that is not what its name says: a manifest while collecting, a layer while packing.
    let folder = crate::support::appliance::scratch();
    let path = |blob| folder.path().join(format!("blobs/sha256/{}", digest_of(blob).0));
    image_set.write_folder(folder.path(), std::slice::from_ref(&good));
    fs::write(path(b"layer"), b"LAYER").unwrap();
    let (content, sources) = take(&source(folder.path(), ""), &[]).unwrap();
    let (class, code, _) = refusal(pack(&content, &sources));
    assert_eq!((class, code), ("E-INTEGRITY", "source"));
    fs::write(path(b"layer"), b"longer layer").unwrap();
    let (class, code, text) = refusal(take(&source(folder.path(), ""), &[]));
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert!(text.contains("12 bytes instead of 5"), "{text}");
    let manifest = image_set.blobs[&digest(&good)].clone();
    fs::write(path(&manifest), [manifest.as_slice(), b" "].concat()).unwrap();
    let (class, code, _) = refusal(take(&source(folder.path(), ""), &[]));
    assert_eq!((class, code), ("E-INTEGRITY", "source"));
}

#[test]
fn the_image_that_is_meant_must_be_clear() {
    let mut image_set = ImageSet::default();
    let (one, other) = (
        image_set.image("linux/amd64", b"one"),
        image_set.image("linux/amd64", b"other"),
    );
    image_set.tag("1.0", &one);
    image_set.tag("2.0", &other);
    let listed = [one.clone(), other];
    let (class, code, text) = refuse(&image_set, &listed, "", &[]);
    assert_eq!((class, code), ("E-CONTENT", "which-image"));
    assert!(text.contains("1.0") && text.contains("2.0"), "{text}");
    let (class, code, _) = refuse(&image_set, &listed, ":3.0", &[]);
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert_eq!(
        collect_from(&image_set, &listed, ":1.0", &[]).tags[0].digest,
        digest(&one)
    );
    let by_digest = collect_from(&image_set, &listed, &format!("@{}", digest(&one)), &[]);
    assert_eq!(names(&by_digest), [(None, digest(&one))]);
}

#[test]
fn what_is_no_layout_is_said_to_be_none() {
    let folder = crate::support::appliance::scratch();
    let path = folder.path().join("x");
    let (class, code, _) = refusal(take(&source(&path, ""), &[]));
    assert_eq!((class, code), ("E-IO", "io"));
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    let good = image_set.tar(std::slice::from_ref(&image));
    let twice = [&good[..good.len() - 1024], good.as_slice()].concat();
    let cut = &good[..520];
    let packed = image_set.tar_gz(&[image]);
    for bytes in [
        b"no tar".as_slice(),
        &[0; 1024],
        &twice,
        cut,
        &packed[..packed.len() / 2],
    ] {
        fs::write(&path, bytes).unwrap();
        let (class, code, _) = refusal(take(&source(&path, ""), &[]));
        assert_eq!((class, code), ("E-FORMAT", "layout"));
    }
    fs::write(&path, &good).unwrap();
    take(&source(&path, ""), &[]).unwrap();
}

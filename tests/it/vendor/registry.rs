//! Collecting from a registry: what it may demand, what may go wrong on the way, and what is never accepted.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use airlock::vendor_side::collect::RegistryOptions;
use serde_json::Value;

use crate::support::image_set::{ImageSet, digest, digest_of};
use crate::support::registry::{Access, Behaviour, Fault, TestRegistry, closed_port};
use crate::support::vendor::{names, pack, refusal, take, take_with};

const LAYER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// One image, `1.0`.
fn image_set() -> (ImageSet, Value) {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", LAYER);
    image_set.tag("1.0", &image);
    (image_set, image)
}

fn start(behaviour: Behaviour) -> TestRegistry {
    TestRegistry::start(image_set().0, behaviour)
}

#[test]
fn an_image_is_collected_by_tag_and_by_digest() {
    let (image_set, image) = image_set();
    let registry = TestRegistry::start(image_set, Behaviour::default());
    let (content, sources) = take(&registry.image(":1.0"), &["linux/amd64"]).unwrap();
    let payload = pack(&content, &sources).unwrap();
    assert!(payload.windows(LAYER.len()).any(|window| window == LAYER));
    assert_eq!(names(&content), [(Some("1.0".to_owned()), digest(&image))]);
    let manifests = |log: &[String]| log.iter().filter(|line| line.contains("/manifests/1.0")).count();
    assert_eq!(manifests(&registry.log()), 1, "a tag is looked up once");

    let (content, _) = take(&registry.image(&format!("@{}", digest(&image))), &[]).unwrap();
    assert_eq!(names(&content), [(None, digest(&image))]);
    let (class, code, _) = refusal(take(&registry.image(":2.0"), &[]));
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    let (class, code, _) = refusal(take(&registry.image(":1.0"), &["linux/arm64"]));
    assert_eq!((class, code), ("E-CONTENT", "platform"));
}

#[test]
fn referrers_are_found_with_the_api_over_pages_and_without_it() {
    let mut image_set = ImageSet::default();
    let (index, [amd, ..]) = image_set.multi_platform();
    image_set.tag("1.0", &index);
    let referrers: Vec<Value> = (0..5)
        .map(|n| image_set.referrer(&index, &format!("referrer {n}")))
        .collect();
    let of_referrer = image_set.referrer(&referrers[0], "referrer of a referrer");
    let by_schema = image_set.index(&referrers[..2]);
    image_set.tag(&format!("sha256-{}", digest(&index).0), &by_schema);
    let signature = image_set.image("linux/amd64", b"signature");
    image_set.tag(&format!("sha256-{}.sig", digest(&amd).0), &signature);

    let paged = Behaviour {
        referrers_page: 2,
        ..Behaviour::default()
    };
    let registry = TestRegistry::start(image_set.clone(), paged);
    let (content, sources) = take(&registry.image(":1.0"), &[]).unwrap();
    pack(&content, &sources).unwrap();
    for manifest in referrers.iter().chain([&of_referrer, &by_schema, &signature]) {
        assert!(content.manifests.contains_key(&digest(manifest)));
    }
    assert!(registry.log().iter().any(|line| line.contains("?from=4")));

    let old = Behaviour {
        no_referrers_api: true,
        ..Behaviour::default()
    };
    let registry = TestRegistry::start(image_set, old);
    let (content, sources) = take(&registry.image(":1.0"), &[]).unwrap();
    pack(&content, &sources).unwrap();
    assert!(content.manifests.contains_key(&digest(&referrers[1])));
    assert!(content.manifests.contains_key(&digest(&signature)));
    assert!(!content.manifests.contains_key(&digest(&referrers[4])));
}

#[test]
fn passing_troubles_pass_unnoticed() {
    let target = "blobs/sha256:";
    for (fault, retried) in [
        (Fault::Status("manifests/1.0", 503, "0"), "manifests/1.0"),
        (Fault::Status("manifests/1.0", 429, "0"), "manifests/1.0"),
        (Fault::Status(target, 502, "0"), target),
        (Fault::Cut("manifests/1.0", 10), "manifests/1.0"),
        (Fault::Cut("manifests/1.0", 0), "manifests/1.0"),
    ] {
        let registry = start(Behaviour {
            faults: vec![fault.clone()],
            ..Behaviour::default()
        });
        let (content, sources) = take(&registry.image(":1.0"), &[]).unwrap();
        pack(&content, &sources).unwrap();
        assert_eq!(registry.faults_left(), 0, "{fault:?} happened");
        assert!(
            registry.log().iter().filter(|line| line.contains(retried)).count() > 1,
            "{fault:?}"
        );
    }
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    for (no_ranges, cuts) in [(false, vec![10]), (true, vec![10]), (false, vec![7, 5, 3])] {
        let (image_set, _) = image_set();
        let registry = TestRegistry::start(
            image_set,
            Behaviour {
                no_ranges,
                ..Behaviour::default()
            },
        );
        let (content, sources) = take(&registry.image(":1.0"), &[]).unwrap();
        let blob = format!("blobs/{}", digest_of(LAYER));
        registry.add_faults(cuts.iter().map(|after| Fault::Cut("blobs/", *after)));
        let mut reader = {
            use airlock::bundle::BlobSource as _;
            sources.open(&digest_of(LAYER), LAYER.len() as u64).unwrap()
        };
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
        assert_eq!(bytes, LAYER);
        assert_eq!(registry.faults_left(), 0);
        let ranges: Vec<String> = registry
            .log()
            .into_iter()
            .filter(|line| line.starts_with("GET") && line.contains(&blob))
            .collect();
        assert_eq!(ranges.len(), 1 + cuts.len());
        assert!(
            ranges[1].ends_with("bytes=10-") || ranges[1].ends_with("bytes=7-"),
            "{ranges:?}"
        );
        pack(&content, &sources).unwrap();
    }
}

#[test]
fn lasting_trouble_ends_with_the_registry_named() {
    let registry = start(Behaviour {
        faults: vec![Fault::Status("manifests/1.0", 503, "0"); 6],
        ..Behaviour::default()
    });
    let (class, code, text) = refusal(take(&registry.image(":1.0"), &[]));
    assert_eq!((class, code), ("E-IO", "registry"));
    assert!(text.contains(&registry.host()) && text.contains("503"), "{text}");
    assert_eq!(registry.faults_left(), 0);
    // The next try succeeds.
    take(&registry.image(":1.0"), &[]).unwrap();

    let (class, code, text) = refusal(take(&format!("{}/acme/app:1.0", closed_port()), &[]));
    assert_eq!((class, code), ("E-IO", "registry"));
    assert!(text.contains("refused"), "{text}");

    let registry = start(Behaviour::default());
    let (content, sources) = take(&registry.image(":1.0"), &[]).unwrap();
    registry.add_faults(std::iter::repeat_n(Fault::Cut("blobs/", 0), 20));
    let (class, code, _) = refusal(pack(&content, &sources));
    assert_eq!((class, code), ("E-IO", "source"));
}

#[test]
fn false_content_is_never_accepted() {
    let (image_set, image) = image_set();
    let manifest = image_set.blobs[&digest(&image)].clone();
    let lie = |name: String, bytes: Vec<u8>| Behaviour {
        false_bytes: BTreeMap::from([(name, bytes)]),
        ..Behaviour::default()
    };
    // By digest the manifest is compared with its name.
    let by_digest = format!("@{}", digest(&image));
    let registry = TestRegistry::start(
        image_set.clone(),
        lie(digest(&image).to_string(), [&manifest[..], b" "].concat()),
    );
    let (class, code, _) = refusal(take(&registry.image(&by_digest), &[]));
    assert_eq!((class, code), ("E-INTEGRITY", "source"));

    let layer = digest_of(LAYER).to_string();
    let mut same_size = LAYER.to_vec();
    same_size[0] ^= 1;
    let registry = TestRegistry::start(image_set.clone(), lie(layer.clone(), same_size));
    let (content, sources) = take(&registry.image(":1.0"), &[]).unwrap();
    let (class, code, _) = refusal(pack(&content, &sources));
    assert_eq!((class, code), ("E-INTEGRITY", "source"));

    let registry = TestRegistry::start(image_set.clone(), lie(layer, LAYER[1..].to_vec()));
    let (class, code, text) = refusal(take(&registry.image(":1.0"), &[]));
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert!(text.contains("35 bytes instead of 36"), "{text}");

    let registry = TestRegistry::start(image_set.clone(), lie(digest(&image).to_string(), vec![b' '; 5 << 20]));
    let (class, code, _) = refusal(take(&registry.image(":1.0"), &[]));
    assert_eq!((class, code), ("E-LIMIT", "size"));

    let mut gone = image_set;
    gone.blobs.remove(&digest_of(LAYER));
    let registry = TestRegistry::start(gone, Behaviour::default());
    let (class, code, text) = refusal(take(&registry.image(":1.0"), &[]));
    assert_eq!((class, code), ("E-CONTENT", "missing"));
    assert!(text.contains(&digest_of(LAYER).to_string()), "{text}");
}

#[test]
fn https_needs_a_certificate_that_is_trusted() {
    let registry = start(Behaviour {
        tls: true,
        ..Behaviour::default()
    });
    let tls = |ca: Option<&str>| RegistryOptions {
        ca_files: ca.iter().map(|name| tls_file(name)).collect(),
        ..RegistryOptions::default()
    };
    let (class, code, text) = refusal(take_with(&registry.image(":1.0"), &[], tls(None)));
    assert_eq!((class, code), ("E-IO", "registry"));
    assert!(text.contains("certificate"), "{text}");
    let (content, sources) = take_with(&registry.image(":1.0"), &[], tls(Some("ca.pem"))).unwrap();
    pack(&content, &sources).unwrap();
    let (class, code, _) = refusal(take_with(
        &registry.image(":1.0"),
        &[],
        tls(Some("NOT-A-SECRET-server.key.pem")),
    ));
    assert_eq!((class, code), ("E-USAGE", "ca-file"));
}

fn tls_file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/it/support/tls", name]
        .iter()
        .collect()
}

#[test]
fn a_registry_that_wants_credentials_and_gets_none_is_a_matter_of_usage() {
    for access in [Access::Basic, Access::Bearer, Access::Closed] {
        let registry = start(Behaviour {
            access,
            ..Behaviour::default()
        });
        let (class, code, text) = refusal(take(&registry.image(":1.0"), &[]));
        assert_eq!((class, code), ("E-USAGE", "registry-credentials"), "{access:?}");
        assert!(text.contains("docker login"), "{text}");
    }
}

//! Limits and absences are told: no connection is closed in silence, and what was left out on purpose is not called missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read as _, Write as _};

use airlock::bundle::{BundleContent, TagLine};
use airlock::domain::{Digest, oci};
use airlock::http::Settings;

use crate::support::agents::{Serving, basic, credentials};
use crate::support::appliance::{self, Serving as Process, read, wait_for, write};
use crate::support::bundles::{REPOSITORY as CRM, SMALL_CHUNKS};
use crate::support::client::{Reply, connect, get, read_reply, request};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{digest, noise};

const REPOSITORY: &str = "registry.test/crm/many";

#[test]
fn a_connection_that_has_no_room_is_answered_503_and_logged() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.bundle(1, &[noise(16 << 20, 1)], SMALL_CHUNKS);
    instance.import(&made, false).unwrap();
    let folder = appliance::scratch();
    let (log, config) = (folder.path().join("log"), folder.path().join("airlock.toml"));
    write(&config, b"[limits]\nconnections = 16\nconnections_per_address = 4\n");
    let serving = Process::start_limited(&instance.state(), Some(&config), &log);
    // As many as one address may have, all at work: they ask for a layer, and take no more than its beginning.
    let held: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = connect(serving.address);
            let line = format!(
                "GET /v2/{CRM}/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                made.layers[0]
            );
            stream.write_all(line.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 64]).unwrap();
            stream
        })
        .collect();
    let mut stream = connect(serving.address);
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").ok();
    let reply = read_reply(&mut BufReader::new(stream), false).unwrap();
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (503, "TOOMANYREQUESTS"),
        "{reply:?}"
    );
    assert_eq!(
        (reply.header("connection"), reply.header("retry-after")),
        (Some("close"), Some("1"))
    );
    assert!(
        String::from_utf8_lossy(&reply.body).contains("every connection is taken"),
        "{reply:?}"
    );
    let said = || String::from_utf8_lossy(&read(&log)).contains("connections are answered 503");
    wait_for("a line of the log", said);
    drop(held);
    // Who has room again is served.
    wait_for("an answer", || {
        std::panic::catch_unwind(|| get(serving.address, "/v2/").status).is_ok_and(|status| status == 200)
    });
    assert!(serving.stop().success());
}

#[test]
fn nothing_is_said_of_the_length_of_what_the_client_has() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.bundle(1, &[b"a layer".to_vec()], SMALL_CHUNKS);
    instance.import(&made, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    let etag = format!("\"{}\"", made.manifest);
    let manifest = format!("/v2/registry.test/crm/web/manifests/{}", made.manifest);
    let blob = format!("/v2/registry.test/crm/web/blobs/{}", made.layers[0]);
    for (path, etag) in [(&manifest, &etag), (&blob, &format!("\"{}\"", made.layers[0]))] {
        for method in ["HEAD", "GET"] {
            let reply = request(serving.address, method, path, &[("If-None-Match", etag)]);
            assert_eq!(
                (reply.status, reply.header("content-length")),
                (304, None),
                "{method} {path} {reply:?}"
            );
            assert_eq!(reply.header("etag"), Some(etag.as_str()));
        }
        // The twin: a length where there is something to be had.
        let reply = request(serving.address, "HEAD", path, &[]);
        assert_eq!(reply.status, 200);
        assert_ne!(reply.header("content-length"), Some("0"));
    }
}

/// An index of two platforms of which one is carried: its digest, and those of the two.
pub(super) fn partial(instance: &InProcessAppliance) -> (Vec<u8>, [Digest; 3]) {
    partial_beside(instance, None)
}

/// As [`partial`], with the manifest that is carried in another repository too, without the index.
fn partial_beside(instance: &InProcessAppliance, other: Option<&str>) -> (Vec<u8>, [Digest; 3]) {
    let mut blobs = BTreeMap::new();
    let mut put = |bytes: &[u8], media_type: &str| {
        blobs.insert(digest(bytes), bytes.to_vec());
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
            digest(bytes),
            bytes.len()
        )
    };
    let config = put(
        br#"{"architecture":"amd64","os":"linux"}"#,
        "application/vnd.oci.image.config.v1+json",
    );
    let layer = put(b"a layer", "application/vnd.oci.image.layer.v1.tar");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{layer}]}}"#,
        oci::OCI_MANIFEST
    );
    let (amd, arm) = (digest(manifest.as_bytes()), digest(b"a manifest for arm"));
    let child = |digest: Digest, size: usize, architecture: &str| {
        format!(
            r#"{{"mediaType":"{}","digest":"{digest}","size":{size},"platform":{{"architecture":"{architecture}","os":"linux"}}}}"#,
            oci::OCI_MANIFEST
        )
    };
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}]}}"#,
        oci::OCI_INDEX,
        child(amd, manifest.len(), "amd64"),
        child(arm, 18, "arm64")
    );
    let name = digest(index.as_bytes());
    let mut tags = vec![TagLine {
        digest: name,
        media_type: oci::OCI_INDEX.into(),
        repository: REPOSITORY.parse().unwrap(),
        size: index.len() as u64,
        tag: Some("1".parse().unwrap()),
    }];
    tags.extend(other.map(|other| TagLine {
        digest: amd,
        media_type: oci::OCI_MANIFEST.into(),
        repository: other.parse().unwrap(),
        size: manifest.len() as u64,
        tag: Some("1".parse().unwrap()),
    }));
    let content = BundleContent {
        tags,
        manifests: BTreeMap::from([(name, index.into_bytes()), (amd, manifest.into_bytes())]),
        absent: BTreeMap::from([(arm, "linux/arm64".to_owned())]),
        documents: Vec::new(),
        requires: BTreeSet::new(),
    };
    (instance.vendor.bundle_with(1, content, blobs), [name, amd, arm])
}

#[test]
fn a_platform_that_was_left_out_is_told_from_one_that_is_missing() {
    let instance = InProcessAppliance::new();
    let (bytes, [index, amd, arm]) = partial_beside(&instance, Some("registry.test/zzz/beside"));
    let made = crate::support::bundles::Made {
        bytes,
        manifest: index,
        layers: Vec::new(),
    };
    instance.import(&made, false).unwrap();
    let serving = Serving::start(instance, credentials());
    let name = "ops".parse().unwrap();
    let appliance = serving.hub.live().appliance();
    let (secret, _) = appliance
        .add_access(airlock::appliance::access::NewAccess {
            name: &name,
            patterns: &["crm/stable:*".to_owned()],
        })
        .unwrap();
    serving.hub.refresh().unwrap();
    let header = basic("ops", secret.as_str());
    let ask = |repository: &str, digest: &Digest| -> Reply {
        let path = format!("/v2/{repository}/manifests/{digest}");
        serving.send("GET", &path, &[("Authorization", &header)], b"")
    };
    assert_eq!(
        (ask(REPOSITORY, &index).status, ask(REPOSITORY, &amd).status),
        (200, 200)
    );
    let left_out = ask(REPOSITORY, &arm);
    assert_eq!((left_out.status, left_out.code().as_str()), (404, "MANIFEST_UNKNOWN"));
    assert_eq!(left_out.header("airlock-left-out"), Some("linux/arm64"));
    let message = left_out.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("left out on purpose") && message.contains("linux/arm64"),
        "{message}"
    );
    // The twins: something that nobody knows, and other repositories: one that is not here, and one whose indexes do not name it.
    assert_eq!(ask("registry.test/zzz/beside", &amd).status, 200);
    for reply in [
        ask(REPOSITORY, &digest(b"nobody's")),
        ask("registry.test/zzz/beside", &arm),
        ask("registry.test/crm/other", &arm),
    ] {
        assert_eq!(
            (reply.status, reply.header("airlock-left-out")),
            (404, None),
            "{reply:?}"
        );
    }
    // Who has shown nothing learns nothing.
    let path = format!("/v2/{REPOSITORY}/manifests/{arm}");
    let nobody = serving.send("GET", &path, &[], b"");
    assert_eq!((nobody.status, nobody.header("airlock-left-out")), (401, None));
}

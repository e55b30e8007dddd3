//! Pulling: what is sent is what was stored, whoever asks for it in whatever way (R02, R04, R06, D8, D18).

use airlock::domain::oci;

use crate::support::client::{Reply, get, head, request};
use crate::support::site::{Site, digest, noise};

const A: &str = "docker.io/library/a";

#[test]
fn a_pull_gets_the_stored_bytes_and_head_says_the_same() {
    let (manifest, small, large) = (b"{\"a\":1}".as_slice(), noise(5000, 1), noise(5 << 20, 2));
    let site = Site::new();
    let draft = site.release("erp", 1).tag(A, "v1", manifest);
    draft.blob(A, &small).blob(A, &large).blob(A, b"").live();
    let (_server, address) = site.serve();
    let manifest_digest = digest(manifest);
    let paths = [
        (format!("/v2/{A}/manifests/v1"), manifest, oci::OCI_MANIFEST),
        (
            format!("/v2/{A}/manifests/{manifest_digest}"),
            manifest,
            oci::OCI_MANIFEST,
        ),
        (
            format!("/v2/{A}/blobs/{manifest_digest}"),
            manifest,
            "application/octet-stream",
        ),
        (
            format!("/v2/{A}/blobs/{}", digest(&small)),
            &small,
            "application/octet-stream",
        ),
        (
            format!("/v2/{A}/blobs/{}", digest(&large)),
            &large,
            "application/octet-stream",
        ),
        (
            format!("/v2/{A}/blobs/{}", digest(b"")),
            b"",
            "application/octet-stream",
        ),
    ];
    // Twice: from the disk, then with what is remembered.
    for (path, bytes, media_type) in paths.iter().chain(&paths) {
        for accept in [
            "",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "text/html",
        ] {
            let reply = request(address, "GET", path, &[("Accept", accept)]);
            let headers = request(address, "HEAD", path, &[("Accept", accept)]);
            let text = digest(bytes).to_string();
            assert_eq!(reply.status, 200, "{path}");
            assert!(reply.body == *bytes, "{path}: other bytes");
            assert_eq!(reply.header("content-type"), Some(*media_type));
            assert_eq!(reply.header("content-length"), Some(bytes.len().to_string().as_str()));
            assert_eq!(reply.header("docker-content-digest"), Some(text.as_str()));
            assert_eq!(reply.header("etag"), Some(format!("\"{text}\"").as_str()));
            assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
            assert_eq!(
                (headers.status, headers.stable_headers()),
                (200, reply.stable_headers())
            );
        }
    }
}

#[test]
fn the_base_and_the_unknown() {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, b"x").live();
    let (_server, address) = site.serve();
    for path in ["/v2/", "/v2"] {
        let reply = get(address, path);
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"{}".as_slice()));
    }
    let (none, blob) = (digest(b"none"), digest(b"x"));
    for (path, status, code) in [
        (format!("/v2/{A}/manifests/v2"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{A}/manifests/{none}"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{A}/manifests/{blob}"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{A}/blobs/{none}"), 404, "BLOB_UNKNOWN"),
        ("/v2/quay.io/none/manifests/v1".into(), 404, "NAME_UNKNOWN"),
        (format!("/v2/quay.io/none/blobs/{blob}"), 404, "NAME_UNKNOWN"),
        ("/v2/quay.io/none/tags/list".into(), 404, "NAME_UNKNOWN"),
        ("/v2/none/tags/list".into(), 404, "NAME_UNKNOWN"),
        ("/v2/nothing".into(), 404, "UNSUPPORTED"),
        ("/elsewhere".into(), 404, "UNSUPPORTED"),
    ] {
        let reply = get(address, &path);
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let headers = head(address, &path);
        assert_eq!(
            (headers.status, headers.stable_headers()),
            (status, reply.stable_headers())
        );
    }
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, b"x").live();
    let (_server, address) = site.serve();
    for (path, bytes) in [
        (format!("/v2/{A}/manifests/v1"), b"{}".as_slice()),
        (format!("/v2/{A}/blobs/{}", digest(b"x")), b"x"),
    ] {
        let own = format!("\"{}\"", digest(bytes));
        for (value, status) in [
            (own.clone(), 304),
            (format!("W/{own}"), 304),
            (format!("\"other\", {own}"), 304),
            ("*".into(), 304),
            ("\"other\"".into(), 200),
            (String::new(), 200),
        ] {
            for method in ["GET", "HEAD"] {
                let reply = request(address, method, &path, &[("If-None-Match", &value)]);
                assert_eq!(reply.status, status, "{method} {path} {value}");
                assert_eq!(reply.header("etag"), Some(own.as_str()));
                assert!(status == 200 || reply.body.is_empty());
            }
        }
    }
}

#[test]
fn one_range_of_a_blob_is_answered() {
    let (small, large) = (noise(100, 3), noise((9 << 20) + 7, 4));
    let site = Site::new();
    site.release("erp", 1)
        .tag(A, "v1", b"{}")
        .blob(A, &small)
        .blob(A, &large)
        .live();
    let (_server, address) = site.serve();
    for blob in [&small, &large] {
        let path = format!("/v2/{A}/blobs/{}", digest(blob));
        let size = blob.len();
        for (range, from, to) in [
            ("bytes=0-".to_owned(), 0, size),
            ("bytes=7-".into(), 7, size),
            ("bytes=7-7".into(), 7, 8),
            (format!("bytes=90-{}", size + 5), 90, size),
            (format!("bytes={}-", size - 1), size - 1, size),
            ("bytes=-9".into(), size - 9, size),
            (format!("bytes={}-{}", size / 2, size / 2 + 20), size / 2, size / 2 + 21),
        ] {
            let reply = request(address, "GET", &path, &[("Range", &range)]);
            assert_eq!(reply.status, 206, "{range}");
            assert!(reply.body == blob[from..to], "{range}: other bytes");
            assert_eq!(
                reply.header("content-range"),
                Some(format!("bytes {from}-{}/{size}", to - 1).as_str())
            );
            assert_eq!(reply.header("accept-ranges"), Some("bytes"));
        }
        for range in [
            format!("bytes={size}-"),
            "bytes=-0".into(),
            format!("bytes={}-", u128::MAX),
        ] {
            let reply = request(address, "GET", &path, &[("Range", &range)]);
            assert_eq!((reply.status, reply.code().as_str()), (416, "RANGE_INVALID"), "{range}");
            assert_eq!(reply.header("content-range"), Some(format!("bytes */{size}").as_str()));
        }
        let many = format!("bytes={}", vec!["0-1"; 1000].join(","));
        for range in ["bytes=0-1,3-4", "bytes=5-2", "pages=1-2", many.as_str()] {
            let reply = request(address, "GET", &path, &[("Range", range)]);
            assert!((reply.status, &reply.body) == (200, blob), "{range}");
        }
        let other = [("Range", "bytes=7-"), ("If-Range", "\"other\"")];
        assert_eq!(request(address, "GET", &path, &other).status, 200);
        let own = format!("\"{}\"", digest(blob));
        let own = [("Range", "bytes=7-"), ("If-Range", own.as_str())];
        assert_eq!(request(address, "GET", &path, &own).status, 206);
        assert_eq!(request(address, "HEAD", &path, &[("Range", "bytes=7-")]).status, 200);
    }
    let reply = request(
        address,
        "GET",
        &format!("/v2/{A}/manifests/v1"),
        &[("Range", "bytes=1-")],
    );
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"{}".as_slice()));
}

#[test]
fn a_name_is_found_by_namespace_by_host_and_under_a_home() {
    let site = Site::new();
    let draft = site.release("erp", 1).home("docker.io").home("registry.distr.sh");
    let draft = draft.tag(A, "v1", b"{\"n\":1}");
    draft
        .tag("registry.distr.sh/acme/web", "v1", b"{\"n\":2}")
        .tag("quay.io/x/y", "v1", b"{\"n\":3}")
        .live();
    let (_server, address) = site.serve();
    for (path, body) in [
        ("/v2/docker.io/library/a/manifests/v1", Some("{\"n\":1}")),
        ("/v2/library/a/manifests/v1?ns=docker.io", Some("{\"n\":1}")),
        ("/v2/library/a/manifests/v1", Some("{\"n\":1}")),
        ("/v2/a/manifests/v1", Some("{\"n\":1}")),
        ("/v2/acme/web/manifests/v1", Some("{\"n\":2}")),
        ("/v2/x/y/manifests/v1?ns=quay.io", Some("{\"n\":3}")),
        ("/v2/quay.io/x/y/manifests/v1", Some("{\"n\":3}")),
        // quay.io is no home of the release.
        ("/v2/x/y/manifests/v1", None),
        ("/v2/library/a/manifests/v1?ns=quay.io", None),
        ("/v2/a/manifests/v1?ns=docker.io", None),
    ] {
        let reply = get(address, path);
        match body {
            Some(body) => assert_eq!((reply.status, reply.body.as_slice()), (200, body.as_bytes()), "{path}"),
            None => assert_eq!((reply.status, reply.code().as_str()), (404, "NAME_UNKNOWN"), "{path}"),
        }
    }
}

#[test]
fn a_blob_is_reached_through_its_own_repositories_only() {
    let site = Site::new();
    let draft = site.release("erp", 1).tag(A, "v1", b"{}").blob(A, b"mine");
    draft.blob("quay.io/b", b"other").live();
    site.release("erp", 2)
        .tag(A, "v2", b"{}")
        .blob(A, b"later")
        .publish(false);
    let (_server, address) = site.serve();
    let blob = |bytes: &[u8]| -> Reply { get(address, &format!("/v2/{A}/blobs/{}", digest(bytes))) };
    assert_eq!(blob(b"mine").body, b"mine");
    let replies = [b"other".as_slice(), b"later", b"nowhere"].map(blob);
    for reply in &replies {
        assert_eq!((reply.status, &reply.body), (404, &replies[0].body));
        assert_eq!(reply.stable_headers(), replies[0].stable_headers());
    }
    assert_eq!(
        get(address, &format!("/v2/{A}/manifests/v2")).code(),
        "MANIFEST_UNKNOWN"
    );
}

//! Lists: pages, links, filters, and bounds that do not depend on what is asked (R08).

use airlock::domain::oci;
use serde_json::json;

use crate::support::client::{Reply, get};
use crate::support::site::{Site, digest};

const A: &str = "docker.io/library/a";

fn next(reply: &Reply) -> Option<String> {
    let link = reply.header("link")?;
    Some(link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?.to_owned())
}

/// Follows links from a path and returns every page's list.
fn walk(address: std::net::SocketAddr, path: &str, member: &str) -> Vec<Vec<serde_json::Value>> {
    let (mut pages, mut path) = (Vec::new(), Some(path.to_owned()));
    while let Some(at) = path {
        let reply = get(address, &at);
        assert_eq!(reply.status, 200, "{at}");
        pages.push(reply.json()[member].as_array().unwrap().clone());
        path = next(&reply);
    }
    pages
}

#[test]
fn tags_come_in_pages_in_byte_order() {
    let site = Site::new();
    let mut draft = site.release("erp", 1).home("docker.io");
    for n in 0..1005 {
        draft = draft.tag(A, &format!("t{n:04}"), b"{}");
    }
    draft.tag(A, "Z", b"{}").live();
    let (_server, address) = site.serve();
    let path = format!("/v2/{A}/tags/list");
    let first = get(address, &path).json();
    assert_eq!(first["name"], A);
    assert_eq!(first["tags"][0], "Z");
    let lengths = |path: &str| -> Vec<usize> { walk(address, path, "tags").iter().map(Vec::len).collect() };
    assert_eq!(lengths(&path), [1000, 6]);
    assert_eq!(lengths(&format!("{path}?n=500")), [500, 500, 6]);
    assert_eq!(lengths("/v2/library/a/tags/list?n=1000&ns=docker.io"), [1000, 6]);
    for n in ["1001", "9223372036854775808", "340282366920938463463374607431768211456"] {
        assert_eq!(lengths(&format!("{path}?n={n}")), [1000, 6], "{n}");
    }
    assert_eq!(lengths(&format!("{path}?n=0")), [0]);
    assert_eq!(lengths(&format!("{path}?last=t1000")), [4]);
    assert_eq!(lengths(&format!("{path}?last={}", "z".repeat(3000))), [0]);
    assert_eq!(lengths(&format!("{path}?n=3&last=t1001")), [3]);
    for n in ["-1", "x", "", "1e3", "0x10", "+5"] {
        let reply = get(address, &format!("{path}?n={n}"));
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, "PAGINATION_NUMBER_INVALID"),
            "{n}"
        );
    }
    let reply = get(address, &format!("{path}?last=%ff"));
    assert_eq!((reply.status, reply.code().as_str()), (400, "UNSUPPORTED"));
}

#[test]
fn the_catalogue_shows_what_is_live() {
    let site = Site::new();
    let mut draft = site.release("erp", 1);
    for n in 0..1003 {
        draft = draft.blob(&format!("quay.io/r{n:04}"), b"x");
    }
    draft.live();
    site.release("crm", 1).tag("quay.io/hidden", "v1", b"{}").publish(false);
    let (_server, address) = site.serve();
    let pages = walk(address, "/v2/_catalog", "repositories");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 3]);
    assert_eq!(pages[0][0], "quay.io/r0000");
    assert_eq!(pages[1][2], "quay.io/r1002");
    assert_eq!(walk(address, "/v2/_catalog?n=700", "repositories").len(), 2);
    for (query, code) in [
        ("n=9223372036854775808", None),
        ("n=-1", Some("PAGINATION_NUMBER_INVALID")),
        ("n=x", Some("PAGINATION_NUMBER_INVALID")),
        ("n=1&n=2", Some("UNSUPPORTED")),
    ] {
        let reply = get(address, &format!("/v2/_catalog?{query}"));
        match code {
            None => assert_eq!(reply.json()["repositories"].as_array().unwrap().len(), 1000),
            Some(code) => assert_eq!((reply.status, reply.code().as_str()), (400, code), "{query}"),
        }
    }
}

#[test]
fn referrers_are_filtered_and_come_in_pages() {
    let subject = digest(b"{}");
    let site = Site::new();
    let mut draft = site.release("erp", 1).tag(A, "v1", b"{}");
    for n in 0..7 {
        let kind = if n < 3 {
            "application/vnd.sbom+json"
        } else {
            "application/vnd.sig"
        };
        draft = draft.referrer(A, &subject, kind, format!("{{\"n\":{n}}}").as_bytes());
    }
    draft.live();
    let (_server, address) = site.serve();
    let path = format!("/v2/{A}/referrers/{subject}");
    let reply = get(address, &path);
    assert_eq!(reply.header("content-type"), Some(oci::OCI_INDEX));
    assert_eq!(reply.header("oci-filters-applied"), None);
    let index = reply.json();
    assert_eq!(
        (&index["schemaVersion"], &index["mediaType"]),
        (&json!(2), &json!(oci::OCI_INDEX))
    );
    assert_eq!(index["manifests"].as_array().unwrap().len(), 7);
    assert_eq!(
        index["manifests"][0],
        json!({"mediaType": oci::OCI_MANIFEST, "digest": digest(b"{\"n\":0}"), "size": 7,
            "artifactType": "application/vnd.sbom+json", "annotations": {"by": "test"}})
    );
    for (query, expected) in [
        ("?artifactType=application%2Fvnd.sbom%2Bjson", 3),
        ("?artifactType=application/vnd.sbom+json", 3),
        ("?artifactType=application/vnd.sig", 4),
        ("?artifactType=none", 0),
        ("?artifactType=.*", 0),
    ] {
        let reply = get(address, &format!("{path}{query}"));
        assert_eq!(reply.json()["manifests"].as_array().unwrap().len(), expected, "{query}");
        assert_eq!(reply.header("oci-filters-applied"), Some("artifactType"));
    }
    let pages = walk(
        address,
        &format!("{path}?n=3&artifactType=application%2Fvnd.sig"),
        "manifests",
    );
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    let pages = walk(address, &format!("{path}?n=2"), "manifests");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 1]);
    for nothing in [
        format!("/v2/{A}/referrers/{}", digest(b"none")),
        format!("/v2/quay.io/none/referrers/{subject}"),
    ] {
        let reply = get(address, &nothing);
        assert_eq!((reply.status, &reply.json()["manifests"]), (200, &json!([])));
    }
    let reply = get(address, &format!("/v2/{A}/referrers/sha256:x"));
    assert_eq!((reply.status, reply.code().as_str()), (400, "DIGEST_INVALID"));
}

#[test]
fn many_referrers_are_cut_to_a_page() {
    let subject = digest(b"{}");
    let site = Site::new();
    let mut draft = site.release("erp", 1).tag(A, "v1", b"{}");
    for n in 0..2500 {
        draft = draft.referrer(A, &subject, "t", format!("{{\"n\":{n}}}").as_bytes());
    }
    draft.live();
    let (_server, address) = site.serve();
    let pages = walk(
        address,
        &format!("/v2/{A}/referrers/{subject}?n=99999999999999999999"),
        "manifests",
    );
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
}

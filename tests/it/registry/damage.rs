//! Content that changed on the disk (R05): never sent whole, set aside, written down, and of no effect on other content.

use std::fs;
use std::os::unix::fs::FileExt as _;

use airlock::db::site::audit;
use airlock::domain::Digest;

use crate::support::client::{Reply, get, raw, request};
use crate::support::site::{PIECE, Site, digest, noise};

const A: &str = "docker.io/library/a";

fn path(digest: &Digest) -> String {
    format!("/v2/{A}/blobs/{digest}")
}

fn flip(site: &Site, digest: &Digest, at: usize) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(site.blob_path(digest))
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}

fn audited(site: &Site) -> Vec<String> {
    let rows = site.db.read(|c| audit::list(c, 0, 1000)).unwrap();
    site.db.read(audit::verify).unwrap();
    rows.into_iter()
        .filter(|row| row.action == "set-aside")
        .map(|row| row.detail)
        .collect()
}

fn refused(reply: &Reply) {
    assert_eq!((reply.status, reply.code().as_str()), (500, "UNKNOWN"));
    assert_eq!(reply.json()["errors"][0]["message"], "E-STATE blob-damaged");
}

#[test]
fn a_small_blob_with_a_flipped_bit_is_not_sent() {
    let (bad, good) = (noise(10_000, 1), noise(10_000, 2));
    let site = Site::new();
    site.release("erp", 1)
        .tag(A, "v1", b"{}")
        .blob(A, &bad)
        .blob(A, &good)
        .live();
    flip(&site, &digest(&bad), 9_999);
    let (_server, address) = site.serve();
    refused(&request(
        address,
        "GET",
        &path(&digest(&bad)),
        &[("Range", "bytes=0-1")],
    ));
    refused(&get(address, &path(&digest(&bad))));
    assert_eq!(audited(&site).len(), 1);
    assert!(audited(&site)[0].contains(&digest(&bad).to_string()));
    assert_eq!(fs::read_dir(site.path().join("evidence")).unwrap().count(), 1);
    assert!(!site.blob_path(&digest(&bad)).try_exists().unwrap());
    assert_eq!(get(address, &path(&digest(&good))).body, good);
}

#[test]
fn a_blob_that_changes_after_its_first_read_is_noticed() {
    let (small, large) = (noise(10_000, 3), noise((5 << 20) + 3, 4));
    let site = Site::new();
    site.release("erp", 1)
        .tag(A, "v1", b"{}")
        .blob(A, &small)
        .blob(A, &large)
        .live();
    let (_server, address) = site.serve();
    for blob in [&small, &large] {
        for _ in 0..2 {
            assert!(get(address, &path(&digest(blob))).body == **blob);
        }
        flip(&site, &digest(blob), 1);
        refused(&get(address, &path(&digest(blob))));
    }
    assert_eq!(audited(&site).len(), 2);
}

#[test]
fn a_large_blob_breaks_off_before_its_first_wrong_piece() {
    let large = noise(6 << 20, 5);
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, &large).live();
    let at = 4 * PIECE + 17;
    flip(&site, &digest(&large), at);
    let (_server, address) = site.serve();
    // A range before it is answered, for its bytes are what was imported.
    let before = request(address, "GET", &path(&digest(&large)), &[("Range", "bytes=0-99999")]);
    assert_eq!((before.status, before.body.as_slice()), (206, &large[..100_000]));
    let text = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        path(&digest(&large))
    );
    assert!(raw(address, text.as_bytes(), false).is_err(), "the answer is complete");
    assert_eq!(audited(&site).len(), 1);
    refused(&request(
        address,
        "GET",
        &path(&digest(&large)),
        &[("Range", "bytes=0-9")],
    ));
}

#[test]
fn a_range_into_the_wrong_piece_is_not_sent() {
    let large = noise(6 << 20, 6);
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, &large).live();
    flip(&site, &digest(&large), 4 * PIECE + 17);
    let (_server, address) = site.serve();
    let range = format!("bytes={}-", 4 * PIECE + 500);
    refused(&request(address, "GET", &path(&digest(&large)), &[("Range", &range)]));
}

#[test]
fn truncated_missing_and_linked_files_are_refused() {
    let blobs: Vec<_> = (0..4).map(|n| noise(5000, 10 + n)).collect();
    let site = Site::new();
    let mut draft = site.release("erp", 1).tag(A, "v1", b"{\"a\":\"b\"}");
    for blob in &blobs {
        draft = draft.blob(A, blob);
    }
    draft.live();
    let file = |n: usize| site.blob_path(&digest(&blobs[n]));
    fs::OpenOptions::new()
        .write(true)
        .open(file(0))
        .unwrap()
        .set_len(4999)
        .unwrap();
    fs::remove_file(file(1)).unwrap();
    fs::remove_file(file(2)).unwrap();
    std::os::unix::fs::symlink(file(3), file(2)).unwrap();
    flip(&site, &digest(b"{\"a\":\"b\"}"), 3);
    let (_server, address) = site.serve();
    for blob in &blobs[..3] {
        refused(&get(address, &path(&digest(blob))));
        refused(&get(address, &path(&digest(blob))));
    }
    refused(&get(address, &format!("/v2/{A}/manifests/v1")));
    assert_eq!(get(address, &path(&digest(&blobs[3]))).body, blobs[3]);
    assert_eq!(audited(&site).len(), 3);
}

/// Damages something of an appliance.
type Strike<'a> = &'a dyn Fn(&Site);

#[test]
fn a_damaged_head_or_pin_concerns_its_own_vendor() {
    const B: &str = "registry.other/b";
    let pin = |site: &Site, vendor: usize| site.path().join(format!("roots/{}.json", site.domain(vendor)));
    let damages: [(&str, Strike<'_>); 5] = [
        ("head", &|site| {
            site.damage("UPDATE release SET head_bytes = CAST('{}' AS BLOB) WHERE id = 1");
        }),
        ("signatures", &|site| {
            site.damage("UPDATE release SET signatures = CAST('{\"signatures\":[]}' AS BLOB) WHERE id = 1");
        }),
        ("root version", &|site| {
            site.damage("UPDATE release SET root_version = 2 WHERE id = 1");
        }),
        ("pin", &|site| {
            let file = fs::OpenOptions::new().write(true).open(pin(site, 0)).unwrap();
            file.write_all_at(b"x", 40).unwrap();
        }),
        ("no pin", &|site| fs::remove_file(pin(site, 0)).unwrap()),
    ];
    for (what, damage) in damages {
        let site = Site::of_vendors(2);
        site.release_of(0, "erp", 1).tag(A, "v1", b"{}").live();
        site.release_of(1, "crm", 1).tag(B, "v1", b"{\"b\":1}").live();
        damage(&site);
        let (_server, address) = site.serve();
        for path in [
            format!("/v2/{A}/manifests/v1"),
            path(&digest(b"{}")),
            format!("/v2/{A}/tags/list"),
        ] {
            let reply = get(address, &path);
            assert_eq!(reply.status, 500, "{what}: {path}");
            assert_eq!(
                reply.json()["errors"][0]["message"],
                "E-STATE release-damaged",
                "{what}"
            );
        }
        assert_eq!(
            get(address, &format!("/v2/{B}/manifests/v1")).body,
            b"{\"b\":1}",
            "{what}"
        );
        let ready = get(address, "/readyz");
        assert_eq!(ready.status, 503, "{what}");
        let told = &ready.json()["damage"];
        assert_eq!(told.as_array().unwrap().len(), 1, "{what}: {told}");
        assert_eq!(told[0]["product"], "erp", "{what}");
        assert_eq!(ready.json()["checks"]["releases"], "E-STATE release-damaged", "{what}");
        // Nobody else's name is answered otherwise than before.
        assert_eq!(get(address, "/v2/registry.none/x/manifests/v1").status, 404, "{what}");
    }
}

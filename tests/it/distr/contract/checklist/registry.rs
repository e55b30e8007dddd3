//! Points 39 to 46: the registry as agents' engines, helm and containerd use it, with the agents' credentials.

use airlock::domain::{Digest, oci};
use serde_json::{Value, json};

use super::super::release::{Draft, HOME, Image};
use super::super::sample::{EDGE, Sample, web, web_repository};
use super::super::served_appliance::{CREDENTIALS, ServedAppliance, basic};
use crate::support::client::Reply;
use crate::support::site::{digest, noise};

struct Pulling {
    served: ServedAppliance,
    credentials: String,
}

impl Pulling {
    fn new(draft: &Draft) -> Self {
        let served = ServedAppliance::serving(CREDENTIALS, draft);
        let credentials = basic("-", &served.token(EDGE));
        Self { served, credentials }
    }

    fn send(&self, method: &str, path: &str, more: &[(&str, &str)]) -> Reply {
        let mut headers = vec![("Authorization", self.credentials.as_str())];
        headers.extend(more);
        self.served.send(method, path, &headers, None)
    }

    fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[])
    }
}

fn pulling() -> Pulling {
    Pulling::new(&Sample::default().draft())
}

#[test]
fn point_39_the_base_path_asks_for_basic_credentials() {
    let pulling = pulling();
    for path in ["/v2/", "/v2/acme/team/web/manifests/1.0"] {
        let reply = pulling.served.get(path);
        assert_eq!(reply.status, 401, "{path}");
        let asked = reply.header("www-authenticate").unwrap();
        assert!(asked.starts_with("Basic realm=\""), "{asked}");
    }
    let reply = pulling.get("/v2/");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
    // By policy: readers on loopback need none.
    let open = ServedAppliance::serving("", &Sample::default().draft());
    assert_eq!(open.get("/v2/").status, 200);
    assert_eq!(open.get("/v2/acme/team/web/manifests/1.0").status, 200);
}

/// An image for two platforms, one of which the release does not carry: the index, what is there, what is not.
fn sparse(draft: &mut Draft) -> (Image, Image, Digest) {
    let here = Image::plain(&format!("{HOME}/acme/two"), "1-amd64", 21);
    let missing = digest(b"a manifest for arm64");
    let entry = |digest: Digest, size: usize, architecture: &str| {
        json!({
            "mediaType": oci::DOCKER_MANIFEST, "digest": digest.to_string(), "size": size,
            "platform": {"architecture": architecture, "os": "linux"},
        })
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": oci::OCI_INDEX,
        "manifests": [entry(here.digest(), here.manifest.len(), "amd64"), entry(missing, 500, "arm64")],
    });
    let index = Image {
        repository: here.repository.clone(),
        tag: "1".into(),
        media_type: oci::OCI_INDEX,
        manifest: manifest.to_string().into_bytes(),
        parts: Vec::new(),
        blobs: [].into(),
    };
    draft.images.extend([index.clone(), here.clone()]);
    draft.absent.insert(missing, "linux/arm64".into());
    (index, here, missing)
}

#[test]
fn point_40_tags_digests_heads_ranges_and_sparse_indexes_are_served() {
    let mut draft = Sample::default().draft();
    let (index, here, missing) = sparse(&mut draft);
    let pulling = Pulling::new(&draft);
    let found = pulling.get("/v2/acme/two/manifests/1");
    assert_eq!(
        (found.status, &found.body),
        (200, &index.manifest),
        "byte for byte, with the platform that is missing"
    );
    assert_eq!(found.header("content-type"), Some(oci::OCI_INDEX));
    let child = pulling.get(&format!("/v2/acme/two/manifests/{}", here.digest()));
    assert_eq!((child.status, &child.body), (200, &here.manifest));
    assert_eq!(pulling.get(&format!("/v2/acme/two/manifests/{missing}")).status, 404);
    let image = web(1);
    let base = format!("/v2/{}", web_repository());
    let name = image.digest().to_string();
    for reference in ["1.0", name.as_str()] {
        let path = format!("{base}/manifests/{reference}");
        let (head, get) = (pulling.send("HEAD", &path, &[]), pulling.get(&path));
        assert_eq!((head.status, get.status), (200, 200), "{path}");
        for reply in [&head, &get] {
            assert_eq!(reply.header("docker-content-digest"), Some(name.as_str()));
            assert_eq!(reply.header("content-type"), Some(oci::DOCKER_MANIFEST));
            assert_eq!(
                reply.header("content-length"),
                Some(image.manifest.len().to_string().as_str())
            );
        }
        assert!(head.body.is_empty() && get.body == image.manifest);
    }
    let layer = image.parts[1];
    let path = format!("{base}/blobs/{layer}");
    let whole = pulling.get(&path);
    assert_eq!((whole.status, digest(&whole.body)), (200, layer));
    assert_eq!(
        pulling.send("HEAD", &path, &[]).header("content-length"),
        Some(whole.body.len().to_string().as_str())
    );
    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=290-", 290, whole.body.len()),
        ("bytes=5-5", 5, 6),
    ] {
        let part = pulling.send("GET", &path, &[("Range", range)]);
        assert_eq!(
            (part.status, part.body.as_slice()),
            (206, &whole.body[from..to]),
            "{range}"
        );
    }
    assert_eq!(pulling.send("GET", &path, &[("Range", "bytes=99999-")]).status, 416);
}

#[test]
fn point_41_repositories_have_as_many_segments_as_they_like() {
    let mut draft = Sample::default().draft();
    let deep = Image::plain(&format!("{HOME}/acme/a/b/c/d"), "1", 7);
    draft.images.push(deep.clone());
    let pulling = Pulling::new(&draft);
    for path in [
        "/v2/acme/a/b/c/d/manifests/1",
        "/v2/registry.example/acme/a/b/c/d/manifests/1",
    ] {
        assert_eq!(pulling.get(path).body, deep.manifest, "{path}");
    }
    assert_eq!(pulling.get("/v2/acme/a/b/c/manifests/1").status, 404);
}

#[test]
fn point_42_ns_chooses_the_namespace_and_paths_never_mix() {
    let mut draft = Sample::default().draft();
    let (one, two) = (
        Image::plain("one.example/library/same", "1", 11),
        Image::plain("two.example/library/same", "1", 12),
    );
    draft.images.extend([one.clone(), two.clone()]);
    let pulling = Pulling::new(&draft);
    for (host, image) in [("one.example", &one), ("two.example", &two)] {
        let mirrored = pulling.get(&format!("/v2/library/same/manifests/1?ns={host}"));
        assert_eq!((mirrored.status, &mirrored.body), (200, &image.manifest), "{host}");
        let spelled = pulling.get(&format!("/v2/{host}/library/same/manifests/1"));
        assert_eq!(spelled.body, image.manifest);
    }
    assert_eq!(pulling.get("/v2/library/same/manifests/1?ns=three.example").status, 404);
    let crossed = format!("/v2/library/same/manifests/{}?ns=two.example", one.digest());
    assert_eq!(pulling.get(&crossed).status, 404);
}

#[test]
fn point_43_tags_are_listed_for_version_ranges() {
    let mut draft = Sample::default().draft();
    for version in ["1.2.1", "1.10.0", "2.0.0_rc.1"] {
        draft
            .images
            .push(Image::chart(&format!("{HOME}/acme/charts/shop"), version, 100, 80));
    }
    let pulling = Pulling::new(&draft);
    let list = |query: &str| pulling.get(&format!("/v2/acme/charts/shop/tags/list{query}"));
    assert_eq!(
        list("").json()["tags"],
        json!(["1.10.0", "1.2.0", "1.2.1", "2.0.0_rc.1"])
    );
    let page = list("?n=2");
    assert_eq!(page.json()["tags"], json!(["1.10.0", "1.2.0"]));
    assert!(page.header("link").unwrap().contains("rel=\"next\""));
    assert_eq!(list("?n=2&last=1.2.0").json()["tags"], json!(["1.2.1", "2.0.0_rc.1"]));
    assert_eq!(pulling.get("/v2/acme/charts/none/tags/list").status, 404);
}

#[test]
fn point_44_manifests_are_the_vendors_bytes_under_their_own_type() {
    let mut draft = Sample::default().draft();
    // White space and an order of members that no encoder would choose.
    let mut odd = Image::build(
        &format!("{HOME}/acme/odd"),
        "1",
        (
            oci::OCI_MANIFEST,
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.layer.v1.tar",
        ),
        b"{\"architecture\":\"amd64\",\"os\":\"linux\"}".to_vec(),
        vec![noise(40, 5)],
    );
    let text = String::from_utf8(odd.manifest.clone()).unwrap();
    odd.manifest = format!(
        " {}\n\n",
        text.replace("\"schemaVersion\":2,", "\"annotations\":{ },\n\t\"schemaVersion\":2,")
    )
    .into();
    draft.images.push(odd.clone());
    let pulling = Pulling::new(&draft);
    let reply = pulling.get("/v2/acme/odd/manifests/1");
    assert_eq!(reply.body, odd.manifest);
    assert_eq!(reply.header("content-type"), Some(oci::OCI_MANIFEST));
    assert_eq!(
        reply.header("docker-content-digest"),
        Some(digest(&odd.manifest).to_string().as_str())
    );
    // Other wishes of a client change nothing.
    let asked = pulling.send("GET", "/v2/acme/odd/manifests/1", &[("Accept", oci::DOCKER_MANIFEST)]);
    assert_eq!(asked.body, odd.manifest);
}

#[test]
fn point_45_what_is_not_there_is_404_in_the_registrys_words() {
    let pulling = pulling();
    let zero = format!("sha256:{}", "0".repeat(64));
    let web = web_repository();
    for (path, code) in [
        (format!("/v2/{web}/manifests/nope"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{web}/manifests/{zero}"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{web}/blobs/{zero}"), "BLOB_UNKNOWN"),
        ("/v2/acme/none/manifests/1".into(), "NAME_UNKNOWN"),
    ] {
        let reply = pulling.get(&path);
        assert_eq!((reply.status, reply.code().as_str()), (404, code), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
        assert!(reply.json()["errors"][0]["message"].is_string());
    }
}

#[test]
fn point_46_no_answer_leads_away() {
    let pulling = pulling();
    let image = web(1);
    let mut paths = vec![
        "/v2/".to_owned(),
        "/".to_owned(),
        "/v2".to_owned(),
        "/charts/registry.example/acme/charts/classic/index.yaml".into(),
    ];
    paths.extend(
        image
            .parts
            .iter()
            .map(|part| format!("/v2/{}/blobs/{part}", web_repository())),
    );
    paths.push(format!("/v2/{}/manifests/1.0", web_repository()));
    for path in paths {
        let reply = pulling.get(&path);
        assert!(!(300..400).contains(&reply.status), "{path}: {}", reply.status);
        assert_eq!(reply.header("location"), None, "{path}");
    }
    let index = pulling
        .served
        .get("/charts/registry.example/acme/charts/classic/index.yaml");
    let index: Value = serde_saphyr::from_str(std::str::from_utf8(&index.body).unwrap()).unwrap();
    for entry in index["entries"]["classic"].as_array().unwrap() {
        for url in entry["urls"].as_array().unwrap() {
            let url = url.as_str().unwrap();
            let here = format!("http://{}/", pulling.served.address());
            assert!(url.starts_with(&here) || !url.contains("://"), "{url}");
        }
    }
}

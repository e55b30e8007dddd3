//! The registry for those who show credentials: what they see, what nobody sees, what everybody sees (R02, R07 to R10, R13, D19).

use airlock::bundle::desired::ChartSource;
use airlock::http::{Network, ReadPolicy, Settings};

use crate::support::agents::{Serving, basic, credentials};
use crate::support::bundles::{CHART, REPOSITORY};
use crate::support::client::Reply;
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;
use crate::support::tls;

/// Where the chart of the tests is found as in a classic repository.
const BASE: &str = "/charts/registry.test/charts/shop";
const AGENT: &str = "registry.test/distr/docker-agent";

fn serving(settings: Settings) -> (Serving, String) {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    instance.import(&made, false).unwrap();
    let manifest = made.manifest.to_string();
    (Serving::start(instance, settings), manifest)
}

fn get(serving: &Serving, path: &str, credentials: &[(&str, &str)]) -> Reply {
    serving.send("GET", path, credentials, b"")
}

/// The one answer to everybody who has shown nothing that counts.
fn assert_challenge(reply: &Reply) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "UNAUTHORIZED"),
        "{reply:?}"
    );
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"airlock\""));
    let body = String::from_utf8_lossy(&reply.body);
    assert!(
        !body.contains("registry.test") && !body.contains(env!("CARGO_PKG_VERSION")),
        "{body}"
    );
}

/// dockerd's older image store asks the base path once and does as it is told there.
#[test]
fn dockerd_pulls_agent_images_without_credentials_and_the_rest_with_a_token() {
    const DOCKERD: (&str, &str) = ("User-Agent", "docker/20.10.24 go/go1.19.8 os/linux arch/amd64");
    let (serving, manifest) = serving(credentials());
    let told = get(&serving, "/v2/", &[DOCKERD]);
    assert_eq!((told.status, told.code().as_str()), (401, "UNAUTHORIZED"));
    let challenge = told.header("www-authenticate").unwrap().to_owned();
    let realm = challenge
        .strip_prefix("Bearer realm=\"")
        .and_then(|rest| rest.strip_suffix("\",service=\"airlock\""))
        .unwrap_or_else(|| panic!("{challenge}"));
    let (_, path) = realm.split_once("/v2/").unwrap();
    let path = format!("/v2/{path}?service=airlock&scope=repository%3Ax%3Apull");
    let granted = |credentials: &[(&str, &str)]| {
        let reply = get(&serving, &path, credentials);
        assert_eq!(
            (reply.status, reply.header("cache-control")),
            (200, Some("no-store")),
            "{reply:?}"
        );
        let answer: serde_json::Value = serde_json::from_str(&String::from_utf8_lossy(&reply.body)).unwrap();
        format!("Bearer {}", answer["token"].as_str().unwrap())
    };
    let (agent, private) = (
        format!("/v2/{AGENT}/manifests/{manifest}"),
        format!("/v2/{REPOSITORY}/manifests/latest"),
    );
    let nobody = granted(&[DOCKERD]);
    assert_eq!(
        get(&serving, &agent, &[DOCKERD, ("Authorization", &nobody)]).status,
        200
    );
    assert_challenge(&get(&serving, &private, &[DOCKERD, ("Authorization", &nobody)]));
    let token = serving.token("edge-0");
    let shown = basic("-", &token);
    let somebody = granted(&[DOCKERD, ("Authorization", &shown)]);
    assert_eq!(somebody, format!("Bearer {token}"));
    assert_eq!(
        get(&serving, &private, &[DOCKERD, ("Authorization", &somebody)]).status,
        200
    );
    assert_eq!(
        get(&serving, "/v2/", &[DOCKERD, ("Authorization", &somebody)]).status,
        200
    );
    // Wrong ones stay wrong, and a bearer of another client is no credential.
    assert_challenge(&get(
        &serving,
        &path,
        &[DOCKERD, ("Authorization", &basic("-", "wrong"))],
    ));
    assert_challenge(&get(&serving, &private, &[DOCKERD, ("Authorization", "Bearer wrong")]));
    assert_challenge(&get(&serving, &private, &[("Authorization", &somebody)]));
    assert_eq!(serving.send("POST", &path, &[DOCKERD], b"").status, 405);
}

#[test]
fn r13_without_credentials_there_is_one_answer() {
    let (serving, manifest) = serving(credentials());
    let constant = get(&serving, "/v2/", &[]);
    assert_challenge(&constant);
    for path in [
        "/v2/_catalog".to_owned(),
        format!("/v2/{REPOSITORY}/tags/list"),
        format!("/v2/{REPOSITORY}/manifests/latest"),
        format!("/v2/{REPOSITORY}/manifests/{manifest}"),
        format!("/v2/{REPOSITORY}/blobs/{manifest}"),
        format!("/v2/{REPOSITORY}/referrers/{manifest}"),
        "/v2/registry.test/none/manifests/latest".to_owned(),
        "/v2/A/tags/list".to_owned(),
        "/v2/../x".to_owned(),
        "/v2/_catalog?n=x".to_owned(),
    ] {
        let reply = get(&serving, &path, &[]);
        assert_challenge(&reply);
        assert_eq!(reply.body, constant.body, "{path}");
        // What does not count as credentials is as good as none.
        for value in ["Bearer abc", "Negotiate x", &basic("-", "")] {
            assert_challenge(&get(&serving, &path, &[("Authorization", value)]));
        }
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let path = format!("/v2/{REPOSITORY}/blobs/uploads/");
        assert_challenge(&serving.send(method, &path, &[], b""));
    }
}

#[test]
fn a_token_reads_under_any_user_name_and_writes_under_none() {
    let (serving, manifest) = serving(credentials());
    let token = serving.token("edge-0");
    for user in ["-", "user", ""] {
        let header = basic(user, &token);
        let shown = [("Authorization", header.as_str())];
        assert_eq!(get(&serving, "/v2/", &shown).status, 200);
        let reply = get(&serving, &format!("/v2/{REPOSITORY}/manifests/latest"), &shown);
        assert_eq!(reply.header("docker-content-digest"), Some(manifest.as_str()));
        let layer = reply.json()["layers"][0]["digest"].as_str().unwrap().to_owned();
        let blob = get(&serving, &format!("/v2/{REPOSITORY}/blobs/{layer}"), &shown);
        assert_eq!((blob.status, blob.body.as_slice()), (200, b"a layer".as_slice()));
        let catalogue = get(&serving, "/v2/_catalog", &shown).json();
        assert!(
            catalogue["repositories"]
                .as_array()
                .unwrap()
                .contains(&REPOSITORY.into())
        );
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let path = format!("/v2/{REPOSITORY}/blobs/uploads/?mount={layer}&from=x");
            let reply = serving.send(method, &path, &shown, b"");
            assert_eq!((reply.status, reply.code().as_str()), (405, "UNSUPPORTED"));
        }
    }
    for wrong in [
        basic("-", "wrong"),
        basic("-", &format!("{token}x")),
        basic("-", &token.replacen('.', ".A", 1)),
        "Basic %%%".to_owned(),
    ] {
        assert_challenge(&get(&serving, "/v2/", &[("Authorization", &wrong)]));
        assert_challenge(&get(
            &serving,
            &format!("/v2/{AGENT}/tags/list"),
            &[("Authorization", &wrong)],
        ));
    }
}

#[test]
fn the_same_over_https() {
    let (serving, manifest) = serving(credentials());
    let token = serving.token("edge-0");
    let address = serving.running.tls_addresses()[0];
    let config = tls::trusting(serving.authority.as_ref().unwrap().certificate_pem());
    assert_challenge(&tls::get(&config, address, "/v2/", ""));
    let path = format!("/v2/{REPOSITORY}/manifests/{manifest}");
    assert_challenge(&tls::get(&config, address, &path, ""));
    let header = format!("Authorization: {}\r\n", basic("-", &token));
    assert_eq!(tls::get(&config, address, "/v2/", &header).status, 200);
    assert_eq!(tls::get(&config, address, &path, &header).status, 200);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_challenge(&tls::get(&config, address, "/v2/", &bearer));
    assert_eq!(
        tls::get(&config, address, "/api/v1/agent/resources", &bearer).status,
        200
    );
    // Manifests name this very address, and the authority travels in them.
    let manifest = tls::get(&config, address, "/api/v1/agent/manifest", &bearer);
    let text = String::from_utf8(manifest.body).unwrap();
    assert!(
        text.contains(&format!("https://{address}/api/v1/agent/login")),
        "{text}"
    );
    assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
}

#[test]
fn agent_images_are_for_everybody_in_every_mode() {
    let networks: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
    for read in [
        ReadPolicy::Credentials,
        ReadPolicy::Loopback,
        ReadPolicy::Networks(networks),
    ] {
        let settings = Settings {
            read,
            ..Settings::default()
        };
        let (serving, manifest) = serving(settings);
        for path in [
            format!("/v2/{AGENT}/manifests/{manifest}"),
            format!("/v2/registry.test/distr/docker-autoheal/manifests/{manifest}"),
            format!("/v2/distr/docker-agent/manifests/{manifest}?ns=registry.test"),
        ] {
            assert_eq!(get(&serving, &path, &[]).status, 200, "{path}");
        }
    }
    // Exactly their manifests, configurations and layers: by digest, in their own repositories.
    let (serving, manifest) = serving(credentials());
    let document = get(&serving, &format!("/v2/{AGENT}/manifests/{manifest}"), &[]).json();
    for part in [&document["config"], &document["layers"][0]] {
        let digest = part["digest"].as_str().unwrap();
        let blob = get(&serving, &format!("/v2/distr/docker-agent/blobs/{digest}"), &[]);
        assert_eq!(blob.status, 200);
        assert_challenge(&get(&serving, &format!("/v2/{REPOSITORY}/blobs/{digest}"), &[]));
    }
    let none = format!("sha256:{}", "0".repeat(64));
    for path in [
        format!("/v2/{REPOSITORY}/manifests/{manifest}"),
        format!("/v2/{AGENT}/manifests/3.1.0"),
        format!("/v2/{AGENT}/manifests/{none}"),
        format!("/v2/{AGENT}/tags/list"),
        format!("/v2/{AGENT}/referrers/{manifest}"),
        "/v2/_catalog".to_owned(),
    ] {
        assert_challenge(&get(&serving, &path, &[]));
    }
}

#[test]
fn in_the_other_modes_credentials_are_checked_when_they_are_shown() {
    let (serving, _) = serving(Settings::default());
    let token = serving.token("edge-0");
    let path = format!("/v2/{REPOSITORY}/manifests/latest");
    for (value, status) in [
        (basic("-", &token), 200),
        (basic("-", ""), 200),
        ("Bearer x".to_owned(), 200),
        (basic("-", "wrong"), 401),
        ("Basic %".to_owned(), 401),
    ] {
        assert_eq!(
            get(&serving, &path, &[("Authorization", &value)]).status,
            status,
            "{value}"
        );
    }
    assert_eq!(get(&serving, &path, &[]).status, 200);
}

/// Two products, each with one target, one image of their own under the same names, and one tag `latest`.
fn two_products(settings: Settings) -> (Serving, [String; 2]) {
    let instance = InProcessAppliance::new();
    let crm = instance
        .vendor
        .with_targets_of("crm", 1, |image| Desired::docker(image, 2, "a").without(&["edge-1"]));
    let erp = instance
        .vendor
        .with_targets_of("erp", 2, |image| Desired::docker(image, 2, "b").without(&["edge-0"]));
    for made in [&crm, &erp] {
        instance.import(made, false).unwrap();
    }
    let manifests = [crm.manifest.to_string(), erp.manifest.to_string()];
    (Serving::start(instance, settings), manifests)
}

#[test]
fn r02_d18_a_token_sees_its_own_product_and_nothing_else() {
    let (serving, manifests) = two_products(credentials());
    let headers = ["edge-0", "edge-1"].map(|name| basic("-", &serving.token(name)));
    let show = |who: usize| [("Authorization", headers[who].as_str())];
    for (own, other) in [(0, 1), (1, 0)] {
        let path = |reference: &str| format!("/v2/{REPOSITORY}/manifests/{reference}");
        // The same tag means another image to each of them.
        let latest = get(&serving, &path("latest"), &show(own));
        assert_eq!(latest.header("docker-content-digest"), Some(manifests[own].as_str()));
        assert_eq!(get(&serving, &path(&manifests[own]), &show(own)).status, 200);
        let config = latest.json()["config"]["digest"].as_str().unwrap().to_owned();
        let blob = format!("/v2/{REPOSITORY}/blobs/{config}");
        assert_eq!(get(&serving, &blob, &show(own)).status, 200);
        // What is another's is not here: the same answer as for what is nobody's.
        let none = format!("sha256:{}", "0".repeat(64));
        let foreign = get(&serving, &path(&manifests[other]), &show(own));
        let unknown = get(&serving, &path(&none), &show(own));
        assert_eq!((foreign.status, foreign.code().as_str()), (404, "MANIFEST_UNKNOWN"));
        assert_eq!(
            (foreign.body, foreign.headers.len()),
            (unknown.body, unknown.headers.len())
        );
        let foreign = get(&serving, &blob, &show(other));
        let unknown = get(&serving, &format!("/v2/{REPOSITORY}/blobs/{none}"), &show(other));
        assert_eq!((foreign.status, foreign.code().as_str()), (404, "BLOB_UNKNOWN"));
        assert_eq!(foreign.body, unknown.body);
        let tags = get(&serving, &format!("/v2/{REPOSITORY}/tags/list"), &show(own)).json();
        assert_eq!(tags["tags"], serde_json::json!(["latest", format!("v{}", own + 1)]));
    }
    // Agent images are everybody's, whichever product brought them.
    let agent = format!("/v2/{AGENT}/manifests/{}", manifests[1]);
    assert_eq!(get(&serving, &agent, &show(0)).status, 200);
    // Who is no agent gets a tag of the product that had it live first (D18).
    let (open, manifests) = two_products(Settings::default());
    let latest = get(&open, &format!("/v2/{REPOSITORY}/manifests/latest"), &[]);
    assert_eq!(latest.header("docker-content-digest"), Some(manifests[0].as_str()));
    for manifest in &manifests {
        assert_eq!(
            get(&open, &format!("/v2/{REPOSITORY}/manifests/{manifest}"), &[]).status,
            200
        );
    }
    let header = basic("-", &open.token("edge-1"));
    let latest = get(
        &open,
        &format!("/v2/{REPOSITORY}/manifests/latest"),
        &[("Authorization", &header)],
    );
    assert_eq!(latest.header("docker-content-digest"), Some(manifests[1].as_str()));
}

#[test]
fn charts_of_classic_repositories_have_an_index() {
    let chart = |source: ChartSource, settings: Settings| {
        let instance = InProcessAppliance::new();
        let made = instance.vendor.with_chart(1, |image, chart| {
            let mut desired = Desired::both(image, 1, "a");
            let deployment = &mut desired.target("cluster").deployments[0];
            for named in &mut deployment.images {
                if named.repository.as_str() == "registry.test/charts/shop" {
                    named.digest = chart;
                }
            }
            deployment.images.sort();
            let helm = deployment.helm.as_mut().unwrap();
            helm.source = source;
            helm.chart_version = "1.0.0+a".into();
            helm.tag = "1.0.0_a".parse().unwrap();
            desired
        });
        instance.import(&made, false).unwrap();
        Serving::start(instance, settings)
    };
    for settings in [Settings::default(), credentials()] {
        let serving = chart(ChartSource::Repository, settings);
        let index = get(&serving, &format!("{BASE}/index.yaml"), &[]);
        assert_eq!(
            (index.status, index.header("content-type")),
            (200, Some("application/yaml"))
        );
        let document = index.json();
        let entry = &document["entries"]["shop"][0];
        assert_eq!(
            (&document["apiVersion"], &entry["version"]),
            (&"v1".into(), &"1.0.0+a".into())
        );
        assert_eq!(entry["description"], "a \"shop\"");
        assert_eq!(entry["digest"], crate::support::site::digest(CHART).0.to_hex());
        let file = entry["urls"][0].as_str().unwrap();
        for file in [file.to_owned(), file.replace('+', "%2B")] {
            let archive = get(&serving, &format!("{BASE}/{file}"), &[]);
            assert_eq!((archive.status, archive.body.as_slice()), (200, CHART), "{file}");
        }
        for path in [
            format!("{BASE}/shop-2.0.0.tgz"),
            format!("{BASE}/"),
            format!("{BASE}/../shop/index.yaml"),
            format!("/charts/{REPOSITORY}/index.yaml"),
            "/charts/index.yaml".to_owned(),
            "/charts/x".to_owned(),
        ] {
            assert_eq!(get(&serving, &path, &[]).status, 404, "{path}");
        }
        assert_eq!(serving.send("PUT", &format!("{BASE}/index.yaml"), &[], b"").status, 405);
    }
    // Charts that are fetched from the registry have no index here.
    let serving = chart(ChartSource::Oci, Settings::default());
    assert_eq!(get(&serving, &format!("{BASE}/index.yaml"), &[]).status, 404);
}

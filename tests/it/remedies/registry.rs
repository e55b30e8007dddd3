//! Remedies about registries and chart repositories: a name, a certificate, a login, a host that asks for one.

use base64::Engine as _;
use serde_json::json;

use super::workshop::{HEAD, Workshop};
use crate::support::image_set::{ImageSet, digest_of};
use crate::support::registry::{Access, Behaviour, TestRegistry};

const LAYER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn start(behaviour: Behaviour) -> TestRegistry {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", LAYER);
    image_set.tag("1.0", &image);
    TestRegistry::start(image_set, behaviour)
}

/// Writes a release of the registry's image.
fn shop(registry: &TestRegistry) -> Workshop {
    let shop = Workshop::new();
    let image = registry.image(":1.0");
    let text = format!("{HEAD}images:\n- {{source: '{image}', name: 'registry.test/shop/web:1.0'}}\n");
    shop.write("release.yaml", &text);
    shop
}

/// What `docker login` leaves behind.
fn log_in(shop: &Workshop, host: &str) {
    let pair = base64::engine::general_purpose::STANDARD.encode("user:secret");
    shop.write(
        "docker/config.json",
        &json!({"auths": {host: {"auth": pair}}}).to_string(),
    );
}

fn asked_to_log_in(remedy: &str) -> &str {
    let command = remedy.split('`').nth(1).unwrap();
    command.strip_prefix("docker login ").unwrap()
}

#[test]
fn a_registry_is_reached_as_the_message_says() {
    let registry = start(Behaviour {
        tls: true,
        ..Behaviour::default()
    });
    let shop = shop(&registry);
    let remedy = shop.create("").remedy("E-IO", "registry");
    let option = remedy.split([' ', ',']).find(|word| word.starts_with("--")).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/tls");
    shop.create(&format!("{option} {folder}/ca.pem")).succeeded();
    // A file in which a certificate is none.
    let garbage = base64::engine::general_purpose::STANDARD.encode("no certificate");
    shop.write(
        "ca.pem",
        &format!("-----BEGIN CERTIFICATE-----\n{garbage}\n-----END CERTIFICATE-----\n"),
    );
    let remedy = shop.create(&format!("{option} ca.pem")).remedy("E-USAGE", "tls");
    let option = remedy.split(' ').next_back().unwrap();
    shop.create(&format!("{option} {folder}/ca.pem")).succeeded();
}

#[test]
fn a_person_logs_in_as_the_message_says() {
    let registry = start(Behaviour {
        access: Access::Basic,
        ..Behaviour::default()
    });
    let shop = shop(&registry);
    let remedy = shop.create("").remedy("E-USAGE", "registry-credentials");
    log_in(&shop, asked_to_log_in(&remedy));
    shop.create("").succeeded();
    // A file that is no JSON; a helper that is not there.
    let helper = json!({"credsStore": "that-is-not-there"}).to_string();
    for broken in ["{", &helper] {
        shop.write("docker/config.json", broken);
        let remedy = shop.create("").remedy("E-USAGE", "registry-credentials");
        assert!(
            remedy.starts_with("put that file and its credential helper right"),
            "{remedy}"
        );
        log_in(&shop, asked_to_log_in(&remedy));
        shop.create("").succeeded();
    }
}

#[test]
fn a_token_service_is_allowed_as_the_message_says() {
    let registry = start(Behaviour {
        access: Access::Bearer,
        realm_host: Some("localhost".to_owned()),
        ..Behaviour::default()
    });
    let shop = shop(&registry);
    log_in(&shop, &registry.host());
    let remedy = shop.create("").remedy("E-USAGE", "token-realm");
    let option = &remedy[remedy.find("--token-realm").unwrap()..];
    shop.create(option).succeeded();
}

#[test]
fn what_a_registry_says_falsely_is_put_right_there() {
    let registry = start(Behaviour {
        said_digest: Some(digest_of(b"another").to_string()),
        ..Behaviour::default()
    });
    let shop = shop(&registry);
    let remedy = shop.create("").remedy("E-INTEGRITY", "source");
    assert!(remedy.starts_with("check the registry"), "{remedy}");
    registry.change(|behaviour| behaviour.said_digest = None);
    shop.create("").succeeded();
}

#[test]
fn charts_of_repositories_are_fetched_as_the_message_says() {
    let shop = Workshop::new();
    let packed = std::process::Command::new("tar")
        .args([
            "-C",
            shop.path("").to_str().unwrap(),
            "--transform",
            "s/^chart/hello/",
            "-czf",
        ])
        .arg(shop.path("hello.tgz"))
        .arg("chart")
        .status()
        .unwrap();
    assert!(packed.success());
    let archive = crate::support::appliance::read(&shop.path("hello.tgz"));
    let index = format!(
        "apiVersion: v1\nentries:\n  hello:\n  - version: 1.0.0\n    digest: {}\n    urls: [hello.tgz]\n",
        digest_of(&archive).0
    );
    // An address that makes no repository name, on a host without TLS, which sends another archive.
    let registry = start(Behaviour {
        listens_on: Some("127.0.0.2"),
        files: [
            ("/Stable/index.yaml".to_owned(), index.into_bytes()),
            ("/Stable/hello.tgz".to_owned(), b"another".to_vec()),
        ]
        .into(),
        ..Behaviour::default()
    });
    let release = |chart: &str| {
        format!(
            "{HEAD}agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'a.example.com/k:1'}}\n\
             images:\n- {{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}\n\
             applications:\n- name: hello\n  version: \"1\"\n  chart: {chart}\n  image_values: [image]\n\
             targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: hello\n"
        )
    };
    let fetched = release(&format!(
        "{{repository: 'http://{}/Stable', name: hello, version: 1.0.0}}",
        registry.host()
    ));
    let remedy = shop.build(&fetched).remedy("E-USAGE", "plain-http");
    let option = remedy.strip_prefix("allow it with ").unwrap();
    let remedy = shop.create(option).remedy("E-INTEGRITY", "source");
    assert!(remedy.starts_with("check the repository"), "{remedy}");
    registry.change(|behaviour| {
        behaviour.files.insert("/Stable/hello.tgz".to_owned(), archive);
    });
    let remedy = shop.create(option).remedy("E-CONTENT", "chart");
    let entry = remedy.strip_prefix("fetch the archive and name it: chart: ").unwrap();
    let entry = entry
        .replace("FILE", "hello")
        .replace("HOST/PATH/CHART", "registry.example.com/charts/hello");
    shop.build(&release(&entry)).succeeded();
}

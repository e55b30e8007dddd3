//! Release files: what is read, and where mistakes are said to be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::{AudienceText, Expiry, Notes, ReleaseFile};
use crate::bundle::desired::{ChartSource, KubernetesScope, TargetKind};
use crate::domain::{Class, Result};
use crate::release_file::{ApplicationKind, ChartLocation, Pin};

const WHOLE: &str = "\
product: erp
channel: stable
version: 1.10
sequence: 7
epoch: 0
issued_at: 2026-11-21T10:00:00Z
expires_in: 90d
audience:
  - plant-7
  - 0123456789abcdef0123456789abcdef
minimum_appliance: 0.1.0
home_hosts: [docker.io]
platforms: [linux/amd64, linux/arm64]
notes: |
  First line.
  Second line.
images:
  - source: oci:images/web.tar:1.0
    name: registry.example.com/acme/web
  - source: docker://postgres:16
";

fn parse(text: &str) -> Result<ReleaseFile> {
    ReleaseFile::parse(Path::new("/base/release.yaml"), text)
}

#[test]
fn a_whole_file_is_read() {
    let file = parse(WHOLE).unwrap();
    assert_eq!(file.version.as_deref(), Some("1.10"));
    assert_eq!(file.sequence, Some(7));
    assert_eq!(file.expires, Some(Expiry::After(90 * 86_400)));
    let Some(AudienceText::Sites(sites)) = &file.audience else {
        panic!("a list of sites")
    };
    assert_eq!((sites[0].value.as_str(), sites[0].place), ("plant-7", (9, 5)));
    assert_eq!(file.notes, Some(Notes::Text("First line.\nSecond line.\n".into())));
    assert_eq!(file.images[0].source.to_string(), "oci:/base/images/web.tar:1.0");
    assert_eq!(
        file.images[0].name,
        Some(("registry.example.com/acme/web".parse().unwrap(), None))
    );
    assert_eq!(file.images[1].source.to_string(), "docker.io/library/postgres:16");
    assert_eq!(file.platforms.len(), 2);
    let any = parse("product: a\nchannel: b\naudience: any\nimages: [{source: x}]\n").unwrap();
    assert_eq!(any.audience, Some(AudienceText::Any));
}

#[test]
fn every_mistake_names_its_place() {
    let head = "product: erp\nchannel: stable\n";
    let tail = "images:\n  - source: oci:x\n";
    for (text, code, start, says) in [
        (
            format!("{head}verison: 1\n{tail}"),
            "unknown-key",
            "3:1",
            "did you mean version?",
        ),
        (
            format!("{head}{tail}    nmae: x\n"),
            "unknown-key",
            "5:5",
            "did you mean name?",
        ),
        (format!("product: erp\n{tail}"), "missing-key", "3:1", "channel"),
        (head.to_owned(), "missing-key", "2:1", "images"),
        (format!("{head}images: [ftp://x]\n"), "value", "3:10", "oci:PATH"),
        (
            format!("{head}images: [registry.airlock.internal/a/b:1]\n"),
            "value",
            "3:10",
            "stands for the appliance",
        ),
        (format!("{head}images: []\n"), "value", "3:9", "at least one"),
        (format!("product: Erp\nchannel: x\n{tail}"), "value", "1:10", "\"Erp\""),
        (format!("{head}sequence: -1\n{tail}"), "value", "3:11", "\"-1\""),
        (
            format!("{head}sequence: 9007199254740992\n{tail}"),
            "value",
            "3:11",
            "2^53",
        ),
        (format!("{head}sequence: 1.0\n{tail}"), "value", "3:11", "1.0"),
        (format!("{head}issued_at: yesterday\n{tail}"), "value", "3:12", "YYYY"),
        (format!("{head}expires_in: 3 months\n{tail}"), "value", "3:13", "90d"),
        (
            format!("{head}expires_in: 3d\nexpires: 2027-01-01T00:00:00Z\n{tail}"),
            "value",
            "3:13",
            "one of them",
        ),
        (format!("{head}audience: all\n{tail}"), "value", "3:11", "any"),
        (
            format!("{head}platforms: [linux]\n{tail}"),
            "value",
            "3:13",
            "linux/amd64",
        ),
        (format!("{head}home_hosts: [x]\n{tail}"), "value", "3:14", "docker.io"),
        (
            format!("{head}images:\n  - source: ftp://x\n"),
            "value",
            "4:13",
            "oci:PATH",
        ),
        (
            format!("{head}{tail}    name: A/b\n"),
            "value",
            "5:11",
            "image reference",
        ),
        (format!("{head}product: x\n{tail}"), "yaml", "3:1", "product"),
        (format!("{head}sequence: [1]\n{tail}"), "yaml", "3:", ""),
        (format!("{head}version: \"x\n"), "yaml", "", ""),
        (format!("{head}{tail}---\nx: 1\n"), "yaml", "", ""),
    ] {
        let error = parse(&text).unwrap_err();
        let message = error.to_string();
        assert_eq!((error.class(), error.code()), (Class::Usage, code), "{text}\n{message}");
        assert!(
            message.starts_with(&format!("/base/release.yaml:{start}")) && message.contains(says),
            "{text}\n{message}"
        );
    }
}

#[test]
fn all_missing_keys_are_told_at_once() {
    let path = Path::new("/base/release.yaml");
    let error = ReleaseFile::parse_alone(path, "version: 1\n", &["version", "sequence", "audience"]).unwrap_err();
    let said = error.to_string();
    assert_eq!((error.class(), error.code()), (Class::Usage, "missing-key"));
    assert_eq!(error.things().len(), 5, "{said}");
    for key in [
        "product",
        "channel",
        "images",
        "sequence, or as an option: --sequence or --next",
        "audience",
    ] {
        assert!(
            error.things().iter().any(|thing| thing.starts_with(key)),
            "{key}: {said}"
        );
    }
    // Nothing at all lacks everything.
    let error = ReleaseFile::parse_alone(path, "", &["version"]).unwrap_err();
    assert_eq!((error.code(), error.things().len()), ("missing-key", 4));
    // What options can say is left to them.
    let error = ReleaseFile::parse_alone(path, "version: 1\n", &[]).unwrap_err();
    assert_eq!(error.things().len(), 3);
}

const FLEET: &str = "\
product: erp
channel: stable
agents:
  - name: 3.1.0
    docker: agents.example.com/docker-agent:3.1.0
    autoheal: {source: oci:heal, name: agents.example.com/heal:1}
    kubernetes: agents.example.com/kubernetes-agent:3.1.0
applications:
  - name: shop
    version: 1.4
    compose: [compose.yaml, compose.prod.yaml]
    profiles: [web]
    env_file: shop.env
    images:
      web:1.4: oci:web
  - name: erp
    version: 2.0.0
    chart: {repository: https://charts.example.com/, name: erp, version: 2.0.0}
    serve: repository
    values: values.yaml
    image_values: [image, {path: 'side\\.cars.0.image', pin: tag}]
    images: [a:1, {source: oci:b, name: b.example.com/b}]
targets:
  - name: press-1
    kind: docker
    site: plant-7
    autoheal: all
    verifier: {salt: 00112233445566778899aabbccddeeff, hash: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}
    deployments:
      - application: shop
        id: 7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b
        mode: swarm
  - name: hall
    kind: kubernetes
    namespace: erp
    scope: cluster
    deployments:
      - application: erp
        options: {timeout: 10m}
removed: [press-2, press-1/old]
";

#[test]
fn agents_applications_and_targets_are_read() {
    let file = parse(FLEET).unwrap();
    assert!(file.images.is_empty());
    let agent = &file.agents[0];
    assert_eq!((agent.name.value.as_str(), agent.id), ("3.1.0", None));
    assert_eq!(agent.autoheal.as_ref().unwrap().source.to_string(), "oci:/base/heal");
    let ApplicationKind::Compose(shop) = &file.applications[0].kind else {
        panic!("compose")
    };
    assert_eq!(file.applications[0].version, "1.4");
    assert_eq!(
        shop.files,
        ["/base/compose.yaml", "/base/compose.prod.yaml"].map(PathBuf::from)
    );
    assert_eq!(
        (shop.profiles.as_slice(), shop.images.len()),
        (&["web".to_owned()][..], 1)
    );
    let ApplicationKind::Helm(erp) = &file.applications[1].kind else {
        panic!("a chart")
    };
    let ChartLocation::Repository { address, .. } = &erp.chart else {
        panic!("a repository")
    };
    assert_eq!(
        (address.as_str(), erp.serve),
        ("https://charts.example.com", ChartSource::Repository)
    );
    assert_eq!(erp.image_values[1].path, ["side.cars", "0", "image"]);
    assert_eq!((erp.image_values[1].pin, erp.images.len()), (Some(Pin::Tag), 2));
    let [press, hall] = file.targets.as_slice() else {
        panic!("two targets")
    };
    assert!(press.autoheal_all && press.verifier.as_ref().unwrap().memory_kib == 65_536);
    assert_eq!(
        (hall.kind, hall.scope),
        (TargetKind::Kubernetes, KubernetesScope::Cluster)
    );
    let options = hall.deployments[0].options.as_ref().unwrap();
    assert_eq!((options.timeout.as_str(), options.rollback_on_failure), ("10m", true));
    assert_eq!(file.removed[1].value, "press-1/old");
}

#[test]
fn mistakes_in_sections_name_their_place() {
    for (from, to, code, start, says) in [
        (
            "    kind: docker",
            "    knid: docker",
            "unknown-key",
            "25:5",
            "did you mean kind?",
        ),
        (
            "    kind: docker",
            "    kind: dokcer",
            "value",
            "25:11",
            "did you mean docker?",
        ),
        (
            "application: shop",
            "application: shp",
            "value",
            "30:22",
            "did you mean shop?",
        ),
        (
            "application: shop",
            "application: erp",
            "value",
            "30:22",
            "compose files",
        ),
        (
            "        mode: swarm",
            "        values: v.yaml",
            "value",
            "32:17",
            "charts",
        ),
        (
            "    autoheal: all",
            "    namespace: x",
            "value",
            "27:16",
            "kubernetes targets",
        ),
        ("    namespace: erp\n", "", "missing-key", "33:11", "namespace"),
        ("hash: 0011", "hash: 001", "value", "28:", "32 bytes"),
        ("id: 7b1c", "id: 7B1c", "value", "31:13", "lower case"),
        ("name: hall", "name: press-1", "value", "33:11", "twice"),
        ("name: hall", "name: a/b", "value", "33:11", "without /"),
        (
            "    docker: agents",
            "    dokcer: agents",
            "unknown-key",
            "5:5",
            "did you mean docker?",
        ),
        (
            "    autoheal: {source: oci:heal, name: agents.example.com/heal:1}\n",
            "",
            "missing-key",
            "4:11",
            "autoheal",
        ),
        (
            "{source: oci:heal, name",
            "{source: oci:heal, nmae",
            "unknown-key",
            "6:",
            "did you mean name?",
        ),
        (
            "compose: [compose.yaml,",
            "compose: [https://x/y,",
            "value",
            "11:14",
            "remote",
        ),
        (
            "    compose: [compose.yaml, compose.prod.yaml]\n",
            "",
            "missing-key",
            "9:11",
            "compose or chart",
        ),
        (
            "    profiles: [web]",
            "    serve: oci",
            "value",
            "12:12",
            "belongs to charts",
        ),
        ("      web:1.4: oci:web", "      - web:1.4", "value", "15:7", "mapping"),
        ("https://charts", "ftp://charts", "value", "18:25", "https://"),
        (", version: 2.0.0}", "}", "missing-key", "18:12", "version"),
        (
            "chart: {repository: https://charts.example.com/, name: erp, version: 2.0.0}",
            "chart: oci://a.b/c",
            "value",
            "18:12",
            "VERSION",
        ),
        ("serve: repository", "serve: web", "value", "19:12", "oci, repository"),
        ("pin: tag", "pin: tga", "value", "21:", "did you mean tag?"),
        ("[image, {", "[image., {", "value", "21:20", "path"),
        ("namespace: erp", "namespace: Erp", "value", "35:16", "a-z"),
        ("timeout: 10m", "timeout: 10x", "value", "39:28", "5m0s"),
        (
            "    namespace: erp\n",
            "    namespace: erp\n    resources: {cpu_limit: '-', cpu_request: '1', memory_limit: '1', memory_request: '1'}\n",
            "value",
            "36:16",
            "quantities",
        ),
        (
            "    autoheal: all",
            "    docker_socket: x",
            "value",
            "27:20",
            "absolute",
        ),
        (
            "        options: {timeout",
            "        release_name: A_b\n        options: {timeout",
            "value",
            "39:23",
            "at most 53",
        ),
        ("name: 3.1.0", "name: 3 1", "value", "4:11", "3.1.0"),
    ] {
        let text = FLEET.replacen(from, to, 1);
        assert_ne!(text, FLEET, "{from}");
        let error = parse(&text).unwrap_err();
        let message = error.to_string();
        assert_eq!((error.class(), error.code()), (Class::Usage, code), "{to}\n{message}");
        assert!(
            message.starts_with(&format!("/base/release.yaml:{start}")) && message.contains(says),
            "{to}\n{message}"
        );
    }
    let no_agents = FLEET
        .replace("agents:\n", "agents: []\n")
        .lines()
        .filter(|line| !line.contains("agents.example"))
        .fold(String::new(), |text, line| text + line + "\n");
    let error = parse(&no_agents.replace("  - name: 3.1.0\n", "")).unwrap_err();
    assert_eq!(error.code(), "missing-key");
}

#[test]
fn the_example_says_everything() {
    let text = include_str!("../../../bundle-spec/schemas/examples/release.example.yaml");
    let file = parse(text).unwrap();
    assert_eq!(
        (file.targets.len(), file.applications.len(), file.removed.len()),
        (2, 2, 3)
    );
    // Every key, but for those of which only one of two may stand, and the number of a fork.
    let schema: serde_json::Value = include_str!("../../../bundle-spec/schemas/release.schema.json")
        .parse()
        .unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        let is_said = text.contains(&format!("\n{key}:"));
        assert_eq!(
            is_said,
            !["epoch", "expires", "notes_file"].contains(&key.as_str()),
            "{key}"
        );
    }
    for key in ["site", "length", "alphabet", "file", "env", "ask", "targets", "sites"] {
        assert!(text.contains(&format!("{key}: ")), "{key}");
    }
}

#[test]
fn the_published_schema_has_the_same_keys() {
    let schema: serde_json::Value = include_str!("../../../bundle-spec/schemas/release.schema.json")
        .parse()
        .unwrap();
    let keys = |schema: &serde_json::Value| -> BTreeSet<String> {
        assert_eq!(schema["additionalProperties"], false);
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let required = |schema: &serde_json::Value| -> BTreeSet<String> {
        schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|key| key.as_str().unwrap().to_owned())
            .collect()
    };
    // What the parser knows is asked from the parser itself.
    let known = |text: &str| -> BTreeSet<String> {
        let error = parse(text).unwrap_err();
        let list = error.expectation().unwrap().strip_prefix("one of ").unwrap().to_owned();
        list.split(", ").map(str::to_owned).collect()
    };
    assert_eq!(keys(&schema), known("no_such_key: 1\n"));
    let head = "product: a\nchannel: b\n";
    let app = |text: &str| format!("{head}applications: [{{{text}}}]\n");
    let helm = |text: &str| app(&format!("name: c, version: d, chart: e, {text}"));
    let target = |text: &str| format!("{head}targets: [{{{text}}}]\n");
    let deployment = |text: &str| target(&format!("name: e, kind: docker, deployments: [{{{text}}}]"));
    for (definition, text, needed) in [
        (
            "image",
            format!("{head}images: [{{no_such_key: 1}}]\n"),
            &["source"][..],
        ),
        (
            "repository",
            format!("{head}repositories: [{{no_such_key: 1}}]\n"),
            &["source"],
        ),
        ("file", format!("{head}files: [{{no_such_key: 1}}]\n"), &["path"]),
        ("agent", format!("{head}agents: [{{no_such_key: 1}}]\n"), &["name"]),
        ("application", app("no_such_key: 1"), &["name", "version"]),
        ("chart", app("name: c, version: d, chart: {no_such_key: 1}"), &[]),
        ("imageValue", helm("image_values: [{no_such_key: 1}]"), &["path"]),
        ("target", target("no_such_key: 1"), &["name", "kind"]),
        (
            "resources",
            target("name: e, kind: kubernetes, resources: {no_such_key: 1}"),
            &["cpu_limit", "cpu_request", "memory_limit", "memory_request"],
        ),
        (
            "verifier",
            target("name: e, kind: docker, verifier: {no_such_key: 1}"),
            &["salt", "hash"],
        ),
        ("deployment", deployment("no_such_key: 1"), &["application"]),
        ("options", deployment("application: f, options: {no_such_key: 1}"), &[]),
        ("secret", format!("{head}secrets: [{{no_such_key: 1}}]\n"), &["name"]),
        (
            "secretValue",
            format!("{head}secrets: [{{name: A, value: {{no_such_key: 1}}}}]\n"),
            &[],
        ),
    ] {
        let part = &schema["$defs"][definition];
        assert_eq!(keys(part), known(&text), "{definition}");
        let needed: BTreeSet<String> = needed.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(required(part), needed, "{definition}");
    }
    assert_eq!(required(&schema), ["product", "channel"].map(str::to_owned).into());
}

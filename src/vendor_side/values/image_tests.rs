//! Values of charts: every shape found, pinned, and told where it is not listed.

use serde_json::json;

use super::super::candidates::candidates;
use super::*;

const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn chart(defaults: Value) -> Chart {
    Chart {
        name: "erp".to_owned(),
        version: "2.0.0".to_owned(),
        metadata: Value::Null,
        defaults,
        app_versions: BTreeMap::from([(vec![], "1.0".to_owned()), (vec!["db".to_owned()], "16.2".to_owned())]),
        templates: Vec::new(),
        schemas: Vec::new(),
        files: Vec::new(),
        crds: Vec::new(),
        missing: Vec::new(),
        private_keys: Vec::new(),
        tokens: Vec::new(),
        warnings: Vec::new(),
    }
}

fn at(path: &str) -> ImageValue {
    ImageValue {
        path: path.split('.').map(str::to_owned).collect(),
        pin: None,
        tag: None,
        registry: None,
        place: (1, 1),
    }
}

fn uses(values: &Values, entries: &[ImageValue], app_versions: &BTreeMap<Vec<String>, String>) -> Vec<ImageUse> {
    entries
        .iter()
        .map(|entry| values.listed(entry, app_versions, &[]).unwrap())
        .collect()
}

fn target(name: &str) -> Target {
    Target {
        repository: name.parse().unwrap(),
        tag: Some("7".parse().unwrap()),
        digest: format!("sha256:{HEX}").parse().unwrap(),
    }
}

#[test]
fn every_form_is_found_and_pinned() {
    let defaults = json!({
        "image": {"repository": "acme/web", "tag": ""},
        "side": [{"image": "docker.io/a:1", "args": ["x"]}],
        "db": {"image": {"registry": "quay.io", "repository": "pg", "tag": "", "digest": ""}},
        "controller": {"image": {"registry": "registry.k8s.io", "image": "c/d", "tag": "v1"}},
        "old": {"image": {"repository": "g/h", "tag": "8", "sha": ""}},
        "imageRepository": "e/f", "imageTag": "3",
    });
    let chart = chart(defaults);
    let values = Values::new(
        json!({"replicas": 2, "image": {"repository": "example.com/acme/web"}}),
        &chart,
    );
    let split = ImageValue {
        tag: Some(vec!["imageTag".to_owned()]),
        ..at("imageRepository")
    };
    let listed = [
        at("image"),
        at("side.0.image"),
        at("db.image"),
        at("controller.image"),
        at("old.image"),
        split,
    ];
    let images = uses(&values, &listed, &chart.app_versions);
    let references: Vec<_> = images.iter().map(|image| image.reference.as_str()).collect();
    assert_eq!(
        references,
        [
            "example.com/acme/web:1.0",
            "docker.io/a:1",
            "quay.io/pg:16.2",
            "registry.k8s.io/c/d:v1",
            "g/h:8",
            "e/f:3"
        ]
    );
    let names = [
        "example.com/acme/web",
        "docker.io/library/a",
        "quay.io/pg",
        "registry.k8s.io/c/d",
        "docker.io/g/h",
        "docker.io/e/f",
    ];
    let targets: Vec<Target> = names.into_iter().map(target).collect();
    let host = "registry.airlock.internal";
    assert_eq!(
        values.rewritten(&images, &targets),
        json!({
            "replicas": 2,
            "image": {"repository": format!("{host}/example.com/acme/web@sha256"), "tag": HEX},
            "side": [{"image": format!("{host}/docker.io/library/a@sha256:{HEX}"), "args": ["x"]}],
            "db": {"image": {"registry": host, "repository": "quay.io/pg", "digest": format!("sha256:{HEX}")}},
            "controller": {"image": {"registry": host, "image": "registry.k8s.io/c/d@sha256", "tag": HEX}},
            "old": {"image": {"repository": format!("{host}/docker.io/g/h"), "sha": HEX}},
            "imageRepository": format!("{host}/docker.io/e/f@sha256"), "imageTag": HEX,
        })
    );
}

#[test]
fn a_registry_over_all_images_is_rewritten_with_them() {
    let defaults = json!({"global": {"imageRegistry": "mirror.example.com"},
        "image": {"registry": "docker.io", "repository": "a/b", "tag": "1"}});
    let chart = chart(defaults);
    let values = Values::new(json!({}), &chart);
    let seen = ["mirror.example.com/a/b:1".parse().unwrap()];
    let image = values.listed(&at("image"), &chart.app_versions, &seen).unwrap();
    assert_eq!(image.reference, "mirror.example.com/a/b:1");
    let written = values.rewritten(&[image], &[target("mirror.example.com/a/b")]);
    assert_eq!(written["global"]["imageRegistry"], "registry.airlock.internal");
    assert_eq!(written["image"]["repository"], "mirror.example.com/a/b@sha256");
}

#[test]
fn where_a_digest_does_not_fit_the_tag_says_it() {
    let chart = chart(json!({"image": {"repository": "a/b", "tag": "1", "digest": "x"}, "text": "c/d"}));
    let values = Values::new(json!({}), &chart);
    let mut images = uses(&values, &[at("image"), at("text")], &chart.app_versions);
    while images[0].next_form() {}
    while images[1].next_form() {}
    assert_eq!((images[0].form(), images[1].form()), (Form::Name, Form::Name));
    let written = values.rewritten(&images, &[target("docker.io/a/b"), target("docker.io/c/d")]);
    assert_eq!(
        written,
        json!({
            "image": {"repository": "registry.airlock.internal/docker.io/a/b", "tag": "7", "digest": ""},
            "text": "registry.airlock.internal/docker.io/c/d",
        })
    );
}

#[test]
fn what_is_not_there_is_a_problem_and_what_is_not_listed_is_found() {
    let chart = chart(
        json!({"image": "a:1", "extra": {"initImage": "b:1"}, "m": {"repository": "c", "tag": "1"},
        "repository": "https://git.example.com"}),
    );
    let values = Values::new(json!({}), &chart);
    let error = values.listed(&at("no.such"), &chart.app_versions, &[]).unwrap_err();
    assert!(error.found().contains("no.such"), "{error}");
    let known = vec!["image".to_owned()];
    let found: Vec<_> = candidates(&values.whole, &[&known])
        .iter()
        .map(|one| show(&one.path))
        .collect();
    assert_eq!(found, ["extra.initImage", "m"]);
}

#[test]
fn lists_of_pull_secrets_are_named_as_a_line_to_add() {
    let chart =
        chart(json!({"imagePullSecrets": [], "web": {"image": {"pullSecrets": []}}, "list": [{"pullSecrets": []}]}));
    let (lists, own) = Values::new(json!({}), &chart).pull_secrets();
    assert_eq!(
        (lists, own),
        (
            vec!["imagePullSecrets".to_owned(), "web.image.pullSecrets".to_owned()],
            false
        )
    );
    assert!(Values::new(json!({"imagePullSecrets": []}), &chart).pull_secrets().1);
    assert_eq!(
        empty_list_at("web.image.pullSecrets"),
        "web: {image: {pullSecrets: []}}"
    );
}

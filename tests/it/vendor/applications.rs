//! From a release file with compose applications and targets to the desired state in a bundle.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use airlock::bundle::desired::{DesiredState, DockerMode, TargetKind};
use airlock::domain::{Digest, Uuid};

use crate::support::docker_archive::{DockerArchive, layer};
use crate::support::image_set::ImageSet;
use crate::support::registry::{Access, Behaviour, TestRegistry};
use crate::support::vendor_folder::{VendorFolder, desired};

const FIXTURE: &str = "shop/release.yaml";

fn only(state: &DesiredState) -> &airlock::bundle::desired::Deployment {
    let [target] = state.targets.as_slice() else {
        panic!("one target")
    };
    let [deployment] = target.deployments.as_slice() else {
        panic!("one deployment")
    };
    deployment
}

#[test]
fn the_fixture_becomes_a_desired_state_with_documents_for_the_placeholder_host() {
    let mut folder = VendorFolder::new();
    let (built, _) = folder.build_file(FIXTURE, 1).unwrap();
    assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
    let state = desired(&built);
    let contents = folder.contents();
    let (target, deployment) = (&state.targets[0], only(state));
    assert_eq!((target.name.as_str(), target.kind), ("counter", TargetKind::Docker));
    assert_eq!(target.agent, state.agents[0].id);
    let [image] = deployment.images.as_slice() else {
        panic!("one image")
    };
    assert_eq!(image.repository.as_str(), "registry.example.com/shop/web");
    let docker = deployment.docker.as_ref().unwrap();
    assert_eq!(docker.mode, DockerMode::Compose);
    let compose = contents.text(docker.compose);
    let pinned = format!(
        "\"registry.airlock.internal/registry.example.com/shop/web@{}\"",
        image.digest
    );
    assert!(compose.contains(&pinned), "{compose}");
    assert!(compose.contains("${GREETING:-hello}"), "variables stay: {compose}");
    assert!(!compose.contains("ticker"), "the profile is not active: {compose}");
    assert!(compose.starts_with("name: \"project-airlock-internal\"\n"), "{compose}");
    let env = std::fs::read_to_string(folder.path("shop/shop.env")).unwrap();
    assert_eq!(contents.text(docker.env.unwrap()), env);
    let document = contents.0.values().find(|bytes| **bytes == state.to_bytes());
    assert!(document.is_some(), "the desired state travels");
    assert_eq!(&DesiredState::parse(&state.to_bytes()).unwrap(), state);
}

#[test]
fn an_image_of_the_release_counts_under_every_name_that_its_source_has() {
    let mut folder = VendorFolder::new();
    let mut archive = DockerArchive::default();
    // Nobody answers under this host: what is not found in the release cannot be collected.
    let called = [
        "registry.acme.invalid/erp/web:7.0",
        "registry.acme.invalid/erp/web:stable",
    ];
    archive.image(&called, &[&layer("file", b"bytes")]);
    folder.write("web.tar", archive.tar(0));
    folder.write(
        "app/c.yaml",
        "services:\n  a: {image: 'registry.acme.invalid/erp/web:7.0'}\n  b: {image: 'registry.acme.invalid/erp/web:stable'}\n",
    );
    folder.write("k/Chart.yaml", "apiVersion: v2\nname: k\nversion: 1.0.0\n");
    folder.write("k/values.yaml", "image: registry.acme.invalid/erp/web:7.0\n");
    folder.write(
        "k/templates/a.yaml",
        "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: \"{{ .Values.image }}\"}]}\n",
    );
    let release = |source: &str| {
        format!(
            "images:\n- {source}\n\
             agents:\n- name: 1.0.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n  kubernetes: {{source: 'oci:hello:1.0', name: 'a.example.com/k:1'}}\n\
             applications:\n- {{name: one, version: \"1\", compose: app/c.yaml}}\n- {{name: two, version: \"1\", chart: k, image_values: [image]}}\n\
             targets:\n- {{name: t, kind: docker, deployments: [{{application: one}}]}}\n- {{name: u, kind: kubernetes, namespace: n, deployments: [{{application: two}}]}}\n"
        )
    };
    let (built, _) = folder.build(&release("docker-archive:web.tar"), 1).unwrap();
    let images = |state: &DesiredState| -> Vec<Vec<(String, Digest)>> {
        let deployments = state.targets.iter().flat_map(|target| &target.deployments);
        let mut all: Vec<Vec<_>> = deployments
            .map(|deployment| {
                let named = deployment
                    .images
                    .iter()
                    .map(|image| (image.repository.to_string(), image.digest));
                named.filter(|(name, _)| !name.starts_with("charts.")).collect()
            })
            .collect();
        all.sort();
        all
    };
    let found = images(desired(&built));
    let web = found[0][0].clone();
    assert_eq!(web.0, "registry.acme.invalid/erp/web");
    assert_eq!(found, [vec![web.clone()], vec![web]]);
    let names = folder.names();
    assert!(
        called.iter().all(|name| names.iter().any(|known| known == name)),
        "{names:?}"
    );
    // The same where the source names one of them, as for a name that the author gives; another one is not of the release.
    folder.edit("app/c.yaml", ":stable", ":7.0");
    for (source, sequence) in [
        ("docker-archive:web.tar:registry.acme.invalid/erp/web:7.0", 2),
        (
            "{source: 'docker-archive:web.tar:7.0', name: registry.acme.invalid/erp/web}",
            3,
        ),
    ] {
        let (built, _) = folder.build(&release(source), sequence).unwrap();
        assert_eq!(images(desired(&built)), found, "{source}");
    }
    let (class, code, text) = folder.refused(
        &release("docker-archive:web.tar:registry.acme.invalid/erp/web:stable"),
        4,
    );
    assert_eq!((class, code), ("E-IO", "registry"), "{text}");
}

#[test]
fn the_env_file_beside_a_compose_file_is_read_as_compose_reads_it() {
    let mut folder = VendorFolder::new();
    folder.write(
        "app/c.yaml",
        "services:\n  a: {image: 'web:${TAG:-9}', env_file: .env}\n",
    );
    let release = |more: &str| {
        format!(
            "agents:\n- name: 1.0.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n\
             applications:\n- {{name: one, version: \"1\", compose: app/c.yaml, images: {{'web:2': 'oci:hello:1.0'}}{more}}}\n\
             targets:\n- {{name: t, kind: docker, deployments: [{{application: one}}]}}\n"
        )
    };
    let error = folder.build(&release(""), 1).map(|_| ()).unwrap_err();
    assert_eq!(error.class().name(), "E-CONTENT", "{error}");
    folder.write("app/.env", "TAG=2\n");
    let (built, _) = folder.build(&release(""), 1).unwrap();
    let [warning] = folder.warnings.as_slice() else {
        panic!("one warning: {:?}", folder.warnings)
    };
    assert!(warning.contains("app/.env is its environment file"), "{warning}");
    let docker = only(desired(&built)).docker.clone().unwrap();
    let contents = folder.contents();
    assert_eq!(contents.text(docker.env.unwrap()), "TAG=2\n");
    let compose = contents.text(docker.compose);
    assert!(compose.contains("env_file:\n      - \".env\""), "{compose}");
    // Named, nothing needs to be said; and another one takes its place.
    folder.build(&release(", env_file: app/.env"), 2).unwrap();
    assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
    folder.write("other.env", "TAG=2\nMORE=x\n");
    let (built, _) = folder.build(&release(", env_file: other.env"), 3).unwrap();
    let docker = only(desired(&built)).docker.clone().unwrap();
    assert_eq!(folder.contents().text(docker.env.unwrap()), "TAG=2\nMORE=x\n");
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let mut folder = VendorFolder::new();
    let (_, first) = folder.build_file(FIXTURE, 1).unwrap();
    let (_, again) = folder.build_file(FIXTURE, 1).unwrap();
    assert!(first == again);
}

#[test]
fn uuids_stay_and_revisions_change_exactly_with_what_is_applied() {
    let mut folder = VendorFolder::new();
    let ids = |state: &DesiredState| (state.targets[0].id, only(state).id, state.agents[0].id);
    let (built, _) = folder.build_file(FIXTURE, 1).unwrap();
    let first = desired(&built).clone();
    let mut sequence = 1;
    let mut next = |folder: &mut VendorFolder| {
        sequence += 1;
        let (built, _) = folder.build_file(FIXTURE, sequence).unwrap();
        let state = desired(&built).clone();
        assert_eq!(ids(&state), ids(&first), "UUIDs stay");
        only(&state).revision
    };
    let mut last = only(&first).revision;
    // What no agent applies: labels, times, switches of the target, comments of the compose file.
    for (file, from, to) in [
        (
            FIXTURE,
            "    version: \"1.0\"\n    compose",
            "    version: \"1.1\"\n    compose",
        ),
        (FIXTURE, "    kind: docker\n", "    kind: docker\n    autoheal: all\n"),
        ("shop/compose.yaml", "# Two services", "# Several services"),
    ] {
        folder.edit(file, from, to);
        assert_eq!(next(&mut folder), last, "{to}");
    }
    // What an agent applies: the file, the environment, the image, the mode, a restart.
    for (file, from, to) in [
        ("shop/compose.yaml", "unless-stopped", "always"),
        ("shop/shop.env", "good day", "good night"),
        (
            FIXTURE,
            "      - application: shop\n",
            "      - application: shop\n        force_restart: true\n",
        ),
        (FIXTURE, "web:1.0: oci:../hello:1.0", "web:1.0: oci:../hello2:1.0"),
    ] {
        if to.contains("hello2") {
            std::fs::create_dir(folder.path("hello2")).unwrap();
            other_image(&folder);
            folder.edit(FIXTURE, "[../hello]", "[../hello, ../hello2]");
        }
        folder.edit(file, from, to);
        let revision = next(&mut folder);
        assert_ne!(revision, last, "{to}");
        last = revision;
    }
    // Back to the first one: the revision follows from what is applied and from nothing else.
    for (file, from, to) in [
        ("shop/compose.yaml", "always", "unless-stopped"),
        ("shop/shop.env", "good night", "good day"),
        (FIXTURE, "        force_restart: true\n", ""),
        (FIXTURE, "hello2", "hello"),
    ] {
        folder.edit(file, from, to);
    }
    assert_eq!(next(&mut folder), only(&first).revision);
}

/// Another image under the same tag.
fn other_image(folder: &VendorFolder) {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"another");
    image_set.tag("1.0", &image);
    image_set.write_folder(&folder.path("hello2"), std::slice::from_ref(&image));
}

#[test]
fn everything_missing_is_one_list() {
    let mut folder = VendorFolder::new();
    folder.write(
        "bad/compose.yaml",
        "services:\n  a:\n    build: .\n  b:\n    image: oci.invalid.example\n  c:\n    image: web:9\n  d:\n    image: db:9\n",
    );
    let rest = "applications:\n- {name: bad, version: \"1\", compose: bad/compose.yaml, images: {\
                oci.invalid.example: 'oci:hello:9', 'web:9': 'oci:hello:8', 'db:9': 'oci:hello:7'}}\n";
    // What is wrong with files comes before anything is read from a source.
    let (class, code, text) = folder.refused(rest, 1);
    assert_eq!((class, code), ("E-CONTENT", "build"), "{text}");
    assert!(text.contains("compose.yaml:3") && !text.contains("hello"), "{text}");
    folder.edit("bad/compose.yaml", "    build: .\n", "    image: web:9\n");
    let (class, code, text) = folder.refused(rest, 1);
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
    assert!(text.starts_with("3 things"), "{text}");
    for says in ["hello:9", "hello:8", "hello:7"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let good = rest
        .replace("hello:9", "hello:1.0")
        .replace("hello:8", "hello:1.0")
        .replace("hello:7", "hello:1.0");
    folder.build(&good, 1).unwrap();
}

#[test]
fn a_registry_that_lets_nobody_in_is_one_problem_among_others() {
    let behaviour = Behaviour {
        access: Access::Closed,
        ..Behaviour::default()
    };
    let registry = TestRegistry::start(ImageSet::default(), behaviour);
    let mut folder = VendorFolder::new();
    let (one, two) = (registry.image(":1"), registry.image(":2"));
    folder.write(
        "c.yaml",
        format!("services:\n  a:\n    image: {one}\n  b:\n    image: {two}\n  c:\n    image: web:9\n"),
    );
    // A registry with a port cannot be named under another's name, so the images get names.
    let named = |image: &str, name: &str| format!("'{image}': {{source: '{image}', name: 'a.example.com/{name}'}}");
    let rest = format!(
        "applications:\n- {{name: c, version: \"1\", compose: c.yaml, images: {{'web:9': 'oci:hello:9', {}, {}}}}}\n",
        named(&one, "app:1"),
        named(&two, "app:2")
    );
    let (class, code, text) = folder.refused(&rest, 1);
    assert_eq!((class, code), ("E-CONTENT", "problems"), "{text}");
    for says in [one.as_str(), two.as_str(), "hello:9", "credentials"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert_eq!(
        registry.log().len(),
        1,
        "the second image is not asked for: {:?}",
        registry.log()
    );
}

#[test]
fn a_digest_in_a_compose_file_is_what_travels() {
    let mut folder = VendorFolder::new();
    let index = std::fs::read_to_string(folder.path("hello/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let compose = |digest: &str| format!("services:\n  a:\n    image: a.example.com/b@{digest}\n");
    let release = |digest: &str| {
        format!(
            "applications:\n- {{name: pin, version: \"1\", compose: pin.yaml, images: \
             {{'a.example.com/b@{digest}': 'oci:hello:1.0'}}}}\n"
        )
    };
    folder.write("pin.yaml", compose(&digest));
    folder.build(&release(&digest), 1).unwrap();
    let other = format!("sha256:{}", "a".repeat(64));
    folder.write("pin.yaml", compose(&other));
    let (class, code, text) = folder.refused(&release(&other), 2);
    assert_eq!((class, code), ("E-CONTENT", "pin"), "{text}");
}

#[test]
fn targets_of_other_sites_stay_out_and_images_of_applications_travel() {
    let mut folder = VendorFolder::new();
    let (here, there) = ("0".repeat(32), "1".repeat(32));
    let text = std::fs::read_to_string(folder.path(FIXTURE)).unwrap();
    let two = text.clone()
        + &format!(
            "  - name: other\n    kind: docker\n    site: {there}\n    deployments:\n      - application: shop\n        mode: swarm\n"
        );
    folder.write(
        FIXTURE,
        two.replace(
            "    kind: docker\n    deployments",
            &format!("    kind: docker\n    site: \"{here}\"\n    deployments"),
        )
        .replace(&format!("site: {there}"), &format!("site: \"{there}\"")),
    );
    let (built, _) = folder.build_file(FIXTURE, 1).unwrap();
    assert_eq!(desired(&built).targets.len(), 2);
    folder.overrides.sites = vec![here.clone()];
    let (built, _) = folder.build_file(FIXTURE, 2).unwrap();
    let state = desired(&built);
    assert_eq!((state.targets.len(), state.targets[0].name.as_str()), (1, "counter"));
    // A site that no target stands at gets no target and nothing is dropped.
    folder.overrides.sites = vec!["2".repeat(32)];
    let (built, _) = folder.build_file(FIXTURE, 3).unwrap();
    assert!(desired(&built).targets.is_empty() && !desired(&built).agents.is_empty());
    assert!(built.names > 0);
    folder.contents();
}

#[test]
fn given_uuids_and_verifiers_cross_unchanged() {
    let mut folder = VendorFolder::new();
    let target: Uuid = "7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b".parse().unwrap();
    let deployment: Uuid = "425f763a-63c6-4c4b-a1d1-0181d368e8fc".parse().unwrap();
    folder.edit(
        FIXTURE,
        "  - name: counter\n",
        &format!(
            "  - name: counter\n    id: {target}\n    verifier: {{salt: \"{}\", hash: {}}}\n",
            "0f".repeat(16),
            "e1".repeat(32)
        ),
    );
    folder.edit(
        FIXTURE,
        "      - application: shop\n",
        &format!("      - application: shop\n        id: {deployment}\n"),
    );
    let (built, _) = folder.build_file(FIXTURE, 1).unwrap();
    let state = desired(&built);
    assert_eq!((state.targets[0].id, only(state).id), (target, deployment));
    assert_eq!(state.targets[0].verifier.as_ref().unwrap().hash, "e1".repeat(32));
}

#[test]
fn what_does_not_fit_together_names_its_place() {
    for (from, to, says) in [
        (
            "    kind: docker\n",
            "    kind: docker\n    site: nowhere\n",
            "release.yaml:24:11",
        ),
        (
            "    kind: docker\n",
            "    kind: docker\n    agent: 3.1.1\n",
            "did you mean 3.1.0?",
        ),
        (
            "agents:\n",
            "agents:\n  - {name: 9.0.0, docker: \"a.b/c:1\", autoheal: \"a.b/d:1\"}\n",
            "agent: one of",
        ),
    ] {
        let mut folder = VendorFolder::new();
        folder.edit(FIXTURE, from, to);
        // The images of the extra agent are there, so that only what is asked for is wrong.
        let text = std::fs::read_to_string(folder.path(FIXTURE)).unwrap();
        folder.write(
            FIXTURE,
            text.replace("\"a.b/c:1\"", "{source: 'oci:../hello:1.0', name: 'a.b/c:1'}")
                .replace("\"a.b/d:1\"", "{source: 'oci:../hello:1.0', name: 'a.b/d:1'}"),
        );
        let error = folder.build_file(FIXTURE, 1).map(|_| ()).unwrap_err();
        assert_eq!((error.class().name(), error.code()), ("E-USAGE", "value"), "{error}");
        assert!(
            error.to_string().contains(says) && error.found().contains("release.yaml:"),
            "{error}"
        );
    }
}

#[test]
fn an_image_of_the_release_serves_an_application_by_its_name() {
    let mut folder = VendorFolder::new();
    folder.write("one.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    let rest = "images:\n- {source: 'oci:hello:1.0', name: 'example.com/web:2'}\n\
                applications:\n- {name: one, version: \"1\", compose: one.yaml}\n";
    let (built, _) = folder.build(rest, 1).unwrap();
    assert_eq!(built.names, 1);
    assert!(built.desired.is_none(), "no target, no desired state");
    assert!(
        folder
            .warnings
            .iter()
            .any(|warning| warning.contains("deployed on no target"))
    );
}

#[test]
fn the_placeholder_is_not_for_authors() {
    for file in ["shop/compose.yaml", "shop/shop.env"] {
        let mut folder = VendorFolder::new();
        let text = std::fs::read_to_string(folder.path(file)).unwrap();
        folder.write(file, text + "# registry.airlock.internal\n");
        let error = folder.build_file(FIXTURE, 1).map(|_| ()).unwrap_err();
        assert_eq!(
            (error.class().name(), error.code()),
            ("E-USAGE", "placeholder"),
            "{error}"
        );
    }
}

#[test]
fn targets_that_run_the_same_share_documents() {
    let mut folder = VendorFolder::new();
    let mut more = String::new();
    for n in 0..20 {
        more += &format!("  - {{name: c{n}, kind: docker, deployments: [{{application: shop}}]}}\n");
    }
    folder.edit(FIXTURE, "targets:\n", &format!("targets:\n{more}"));
    let (built, _) = folder.build_file(FIXTURE, 1).unwrap();
    assert_eq!(desired(&built).targets.len(), 21);
    assert_eq!(
        built.packed.head.documents.len(),
        3,
        "compose, environment, desired state"
    );
    let revisions: std::collections::BTreeSet<Uuid> = desired(&built)
        .deployments()
        .map(|(_, deployment)| deployment.revision)
        .collect();
    assert_eq!(revisions.len(), 21);
}

#[test]
fn a_head_that_nobody_could_read_is_not_signed() {
    let mut folder = VendorFolder::new();
    let image = "images: [{source: 'oci:hello:1.0', name: 'a.example.com/b:1'}]\n";
    folder.overrides.sites = (0..8000).map(|n| format!("{n:032x}")).collect();
    let (class, code, text) = folder.refused(image, 1);
    assert_eq!((class, code), ("E-LIMIT", "head-size"), "{text}");
    folder.overrides.sites.truncate(7000);
    folder.build(image, 1).unwrap();
    folder.contents();
}

/// J10: what a site could not fetch, and what two readers could understand differently.
#[test]
fn compose_files_that_reach_outside_are_refused() {
    let mut bomb = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for n in 1..9 {
        bomb += &format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 10].join(", "));
    }
    let good = "services:\n  a:\n    image: example.com/web:2\n";
    let rest =
        "applications:\n- {name: c, version: \"1\", compose: c.yaml, images: {'example.com/web:2': 'oci:hello:1.0'}}\n";
    for (text, says) in [
        (good.replace("image: example.com/web:2", "build: ."), "c.yaml:3"),
        (format!("include: ['https://example.com/x.yaml']\n{good}"), "c.yaml:1"),
        (format!("include: ['oci://example.com/x']\n{good}"), "c.yaml:1"),
        (
            good.replace(
                "image:",
                "extends: {file: 'https://example.com/x', service: y}\n    image:",
            ),
            "c.yaml:3",
        ),
        (format!("{good}    image: example.com/web:3\n"), "c.yaml:4"),
        (format!("{bomb}{good}"), "c.yaml:"),
        (
            good.replace("example.com/web:2", "registry.airlock.internal/a/b:1"),
            "c.yaml:3",
        ),
        (good.replace("example.com/web:2", "${UNSET_IMAGE}"), "c.yaml:3"),
    ] {
        let mut folder = VendorFolder::new();
        folder.write("c.yaml", &text);
        let (class, _, said) = folder.refused(rest, 1);
        assert!(["E-CONTENT", "E-USAGE", "E-LIMIT"].contains(&class), "{class}: {said}");
        assert!(said.contains(says), "{text}\n{said}");
        folder.write("c.yaml", good);
        folder.build(rest, 1).unwrap();
    }
}

/// Platforms that are left out change what is carried and not what is applied.
#[test]
fn platforms_are_no_part_of_a_revision() {
    let mut folder = VendorFolder::new();
    let (whole, _) = folder.build_file(FIXTURE, 1).unwrap();
    folder.overrides.platforms = vec!["linux/amd64".parse().unwrap()];
    let (part, _) = folder.build_file(FIXTURE, 2).unwrap();
    assert_eq!((whole.absent, part.absent), (0, 1));
    assert_eq!(only(desired(&whole)).revision, only(desired(&part)).revision);
    let _: Digest = only(desired(&part)).images[0].digest;
}

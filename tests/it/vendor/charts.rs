//! Charts from a folder, an archive, a registry and a chart repository, their values, and what must be refused of them (J10).
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::io::Write as _;

use airlock::bundle::desired::{ChartSource, DesiredState, HelmDeployment};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::image_set::{ImageSet, MANIFEST, digest_of};
use crate::support::registry::{Behaviour, TestRegistry};
use crate::support::vendor_folder::{VendorFolder, desired};

const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

/// A release with one chart on one target; `more` are further keys of the application.
fn release(chart: &str, more: &str) -> String {
    format!(
        "agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'agents.example.com/k:3.1.0'}}\n\
         images:\n- {{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}\n\
         applications:\n- name: hello\n  version: \"1\"\n  chart: {chart}\n{more}\
         targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: hello\n"
    )
}

const IMAGE: &str = "  image_values: [image]\n";

fn helm(state: &DesiredState) -> &HelmDeployment {
    state.targets[0].deployments[0].helm.as_ref().unwrap()
}

/// An archive of files.
fn tgz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(1_234_567);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

/// A chart that is called as the test registry's only repository.
fn app() -> Vec<u8> {
    tgz(&[
        ("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 2.0.0+build.1\n"),
        ("app/values.yaml", "image: registry.example.com/shop/web:1.0\n"),
        ("app/templates/a.yaml", "image: {{ .Values.image }}\n"),
    ])
}

#[test]
fn a_folder_is_packed_the_same_each_time_and_its_values_are_pinned() {
    let mut folder = VendorFolder::new();
    let (built, first) = folder.build(&release("chart", IMAGE), 1).unwrap();
    let state = desired(&built);
    let (chart, contents) = (helm(state), folder.contents());
    assert_eq!(chart.chart.as_str(), "charts.airlock.internal/shop/hello");
    assert_eq!((chart.chart_name.as_str(), chart.tag.as_str()), ("hello", "1.0.0"));
    assert_eq!((chart.source, chart.release_name.as_str()), (ChartSource::Oci, "hello"));
    let images = &state.targets[0].deployments[0].images;
    let image = images
        .iter()
        .find(|image| image.repository.as_str().ends_with("web"))
        .unwrap();
    let values: Value = contents.text(chart.values).parse().unwrap();
    assert_eq!(
        values,
        json!({"image": {
            "registry": "registry.airlock.internal", "repository": "registry.example.com/shop/web", "digest": image.digest,
        }})
    );
    let made = images.iter().find(|image| image.repository == chart.chart).unwrap();
    let manifest: Value = contents.text(made.digest).parse().unwrap();
    assert_eq!(manifest["config"]["mediaType"], CONFIG);
    assert_eq!(manifest["layers"][0]["mediaType"], LAYER);
    let config: Value = contents
        .text(manifest["config"]["digest"].as_str().unwrap().parse().unwrap())
        .parse()
        .unwrap();
    assert_eq!(
        (&config["name"], &config["appVersion"]),
        (&json!("hello"), &json!("1.0"))
    );
    let archive = &contents.0[&manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap()];
    let mut names = Vec::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()))
        .entries()
        .unwrap()
    {
        let entry = entry.unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        names.push(entry.path().unwrap().display().to_string());
    }
    assert_eq!(
        names,
        [
            "hello/.helmignore",
            "hello/Chart.yaml",
            "hello/templates/deployment.yaml",
            "hello/values.yaml"
        ]
    );
    let (_, again) = folder.build(&release("chart", IMAGE), 1).unwrap();
    assert!(first == again);
}

#[test]
fn an_archive_keeps_its_bytes_and_may_be_named() {
    let mut folder = VendorFolder::new();
    folder.write("app.tgz", app());
    let more = "  image_values: [image]\n  serve: repository\n";
    let (built, _) = folder
        .build(
            &release("{source: app.tgz, name: registry.example.com/charts/app}", more),
            1,
        )
        .unwrap();
    let chart = helm(desired(&built));
    assert_eq!(chart.chart.as_str(), "registry.example.com/charts/app");
    assert_eq!(
        (chart.chart_version.as_str(), chart.tag.as_str()),
        ("2.0.0+build.1", "2.0.0_build.1")
    );
    assert_eq!(chart.source, ChartSource::Repository);
    let contents = folder.contents();
    assert!(contents.0.values().any(|bytes| *bytes == app()), "byte for byte");
    let (class, code, text) = folder.refused(
        &release("{source: app.tgz, name: registry.example.com/charts/other}", IMAGE),
        2,
    );
    assert_eq!((class, code), ("E-CONTENT", "chart"), "{text}");
}

#[test]
fn a_chart_of_a_registry_keeps_its_digest() {
    let mut folder = VendorFolder::new();
    let mut image_set = ImageSet::default();
    let config = image_set.blob(CONFIG, br#"{"name":"app","version":"2.0.0+build.1"}"#);
    let layer = image_set.blob(LAYER, &app());
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    let chart = image_set.manifest(&manifest);
    image_set.tag("2.0.0_build.1", &chart);
    image_set.tag("3.0.0", &chart);
    let registry = TestRegistry::start(image_set, Behaviour::default());
    let source = format!("oci://{}", registry.image(":2.0.0_build.1"));
    let (built, _) = folder.build(&release(&source, IMAGE), 1).unwrap();
    let state = desired(&built);
    let helm = helm(state);
    assert_eq!(helm.chart.to_string(), registry.image(""));
    let images = &state.targets[0].deployments[0].images;
    let carried = images.iter().find(|image| image.repository == helm.chart).unwrap();
    assert_eq!(json!(carried.digest), chart["digest"]);
    folder.contents();
    // A tag that is not the chart's version, and one that is not there.
    for (tag, code) in [(":3.0.0", "chart"), (":4.0.0", "missing")] {
        let source = format!("oci://{}", registry.image(tag));
        let (class, found, text) = folder.refused(&release(&source, IMAGE), 2);
        assert_eq!((class, found), ("E-CONTENT", code), "{text}");
    }
}

#[test]
fn a_chart_repository_is_believed_only_as_far_as_its_digests() {
    let archive = app();
    let index = |digest: &str, url: &str| {
        format!(
            "apiVersion: v1\nentries:\n  app:\n  - version: 1.0.0\n    urls: [x.tgz]\n  - version: 2.0.0+build.1\n    \
             digest: {digest}\n    urls: [{url}]\n"
        )
    };
    let hex = digest_of(&archive).0.to_string();
    let serve = |index: String, archive: &[u8]| {
        let behaviour = Behaviour {
            files: [
                ("/stable/index.yaml".to_owned(), index.into_bytes()),
                ("/stable/app-2.tgz".to_owned(), archive.to_vec()),
            ]
            .into(),
            ..Behaviour::default()
        };
        TestRegistry::start(ImageSet::default(), behaviour)
    };
    let source = |registry: &TestRegistry, version: &str| {
        format!(
            "{{repository: 'http://{}/stable', name: app, version: {version}}}",
            registry.host()
        )
    };
    let mut folder = VendorFolder::new();
    let registry = serve(index(&hex, "app-2.tgz"), &archive);
    let (built, _) = folder
        .build(&release(&source(&registry, "2.0.0+build.1"), IMAGE), 1)
        .unwrap();
    assert_eq!(
        helm(desired(&built)).chart.to_string(),
        format!("{}/stable/app", registry.host())
    );
    let contents = folder.contents();
    assert!(contents.0.values().any(|bytes| *bytes == archive), "byte for byte");
    assert_eq!(registry.log(), ["GET /stable/index.yaml", "GET /stable/app-2.tgz"]);

    let (_, code, text) = folder.refused(&release(&source(&registry, "9.0.0"), IMAGE), 2);
    assert!(code == "missing" && text.contains("2.0.0+build.1"), "{text}");
    let (class, code, text) = folder.refused(&release(&source(&registry, "1.0.0"), IMAGE), 2);
    assert_eq!((class, code), ("E-CONTENT", "chart"), "no digest: {text}");
    let false_archive = serve(index(&hex, "app-2.tgz"), &tgz(&[("app/Chart.yaml", "x")]));
    let (class, code, text) = folder.refused(&release(&source(&false_archive, "2.0.0+build.1"), IMAGE), 2);
    assert_eq!((class, code), ("E-INTEGRITY", "source"), "{text}");
    let gone = serve(index(&hex, "gone.tgz"), &archive);
    let (class, code, text) = folder.refused(&release(&source(&gone, "2.0.0+build.1"), IMAGE), 2);
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
    let (class, code, text) = folder.refused(
        &release(
            "{repository: 'http://charts.example.com', name: app, version: 1.0.0}",
            IMAGE,
        ),
        2,
    );
    assert_eq!((class, code), ("E-USAGE", "plain-http"), "{text}");
}

#[test]
fn hostile_archives_are_refused_by_name() {
    let chart = ("app/Chart.yaml", "name: app\nversion: 1.0.0\n");
    let linked = |kind: tar::EntryType| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        tar.append_link(&mut header, "app/Chart.yaml", "/etc/passwd").unwrap();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    };
    let large = "x".repeat((5 << 20) + 1);
    let nested = |depth: usize| {
        let mut inner = tgz(&[("app/Chart.yaml", chart.1)]);
        for _ in 0..depth {
            let mut tar = tar::Builder::new(Vec::new());
            for (name, bytes) in [("app/Chart.yaml", chart.1.as_bytes()), ("app/charts/app-1.tgz", &inner)] {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, name, bytes).unwrap();
            }
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&tar.into_inner().unwrap()).unwrap();
            inner = gzip.finish().unwrap();
        }
        inner
    };
    let mut folder = VendorFolder::new();
    for (archive, class, says) in [
        (linked(tar::EntryType::Symlink), "E-CONTENT", "link"),
        (linked(tar::EntryType::Link), "E-CONTENT", "link"),
        (
            tgz(&[("app/Chart.yaml", "name: ..\nversion: 1.0.0\n")]),
            "E-CONTENT",
            "\"..\"",
        ),
        (tgz(&[chart, ("other/x", "")]), "E-CONTENT", "several folders"),
        (tgz(&[chart, ("app/x", &large)]), "E-LIMIT", "5 MiB"),
        (nested(9), "E-LIMIT", "without end"),
        (
            tgz(&[(
                "app/Chart.yaml",
                "name: app\nversion: 1.0.0\ndependencies:\n- name: db\n  version: 1.0.0\n",
            )]),
            "E-CONTENT",
            "Chart.yaml:4: the chart db is declared",
        ),
        (
            tgz(&[chart, ("app/values.yaml", "a: 1\nb: [\n")]),
            "E-CONTENT",
            "values.yaml:",
        ),
        (b"no archive".to_vec(), "E-CONTENT", "no chart"),
    ] {
        folder.write("bad.tgz", archive);
        let (found, _, text) = folder.refused(&release("bad.tgz", ""), 1);
        assert_eq!(found, class, "{text}");
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.write("bad.tgz", nested(3));
    folder.build(&release("bad.tgz", ""), 1).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path("chart/templates/link.yaml")).unwrap();
    let (class, code, text) = folder.refused(&release("chart", IMAGE), 2);
    assert_eq!((class, code), ("E-CONTENT", "chart"), "{text}");
}

#[test]
fn images_that_values_do_not_reach_are_listed_or_refused() {
    let mut folder = VendorFolder::new();
    // Nothing says where the image stands.
    let (class, code, text) = folder.refused(&release("chart", ""), 1);
    assert_eq!((class, code), ("E-CONTENT", "image-value"), "{text}");
    assert!(text.contains("image_values") && text.contains("value image"), "{text}");
    let (class, code, text) = folder.refused(&release("chart", "  image_values: [image, other.image]\n"), 1);
    assert_eq!((class, code), ("E-CONTENT", "image-value"), "{text}");
    // A template that names an image by itself.
    folder.write(
        "chart/templates/job.yaml",
        "kind: Job\n  image: registry.example.com/shop/web:1.0\n",
    );
    let (class, code, text) = folder.refused(&release("chart", IMAGE), 1);
    assert_eq!((class, code), ("E-CONTENT", "written-image"), "{text}");
    assert!(text.contains("templates/job.yaml:2"), "{text}");
    let listed = format!("{IMAGE}  images: [{{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}]\n");
    folder.build(&release("chart", &listed), 1).unwrap();
    assert!(
        folder.warnings.iter().any(|warning| warning.contains("job.yaml:2")),
        "{:?}",
        folder.warnings
    );
    // An image that nothing has is missing together with everything else.
    folder.write(
        "over.yaml",
        "image: {registry: \"oci.invalid\", repository: x, tag: \"1\"}\n",
    );
    let elsewhere = format!("{listed}  values: over.yaml\n").replace(
        "name: 'registry.example.com/shop/web:1.0'}",
        "name: 'registry.example.com/shop/web:1.0'}, {source: 'oci:hello:9', name: 'oci.invalid/x:1'}",
    );
    let (class, code, text) = folder.refused(&release("chart", &elsewhere), 2);
    assert_eq!((class, code), ("E-CONTENT", "missing"), "{text}");
}

#[test]
fn values_merge_in_order_and_change_the_revision() {
    let mut folder = VendorFolder::new();
    folder.write("a.yaml", "replicas: 2\nextra: {a: 1, list: [1, 2]}\n");
    folder.write("b.yaml", "extra: {b: 2, list: [3]}\n");
    let more = format!("{IMAGE}  values: [a.yaml, b.yaml]\n");
    let (built, _) = folder.build(&release("chart", &more), 1).unwrap();
    let first = helm(desired(&built)).values;
    let values: Value = folder.contents().text(first).parse().unwrap();
    assert_eq!(values["extra"], json!({"a": 1, "b": 2, "list": [3]}));
    let revision = desired(&built).targets[0].deployments[0].revision;
    folder.write("b.yaml", "# the same\nextra: {b: 2, list: [3]}\n");
    let (built, _) = folder.build(&release("chart", &more), 2).unwrap();
    assert_eq!(desired(&built).targets[0].deployments[0].revision, revision);
    folder.write("c.yaml", "replicas: 3\n");
    let own = release("chart", &more) + "    values: c.yaml\n    options: {timeout: 10m0s}\n";
    let (built, _) = folder.build(&own, 3).unwrap();
    assert_ne!(desired(&built).targets[0].deployments[0].revision, revision);
    let values: Value = folder.contents().text(helm(desired(&built)).values).parse().unwrap();
    assert_eq!(values["replicas"], 3);
    folder.write("b.yaml", "extra: 5\n");
    let (class, code, text) = folder.refused(&release("chart", &more), 4);
    assert_eq!((class, code), ("E-USAGE", "values"), "{text}");
    assert!(text.contains("b.yaml: extra"), "{text}");
}

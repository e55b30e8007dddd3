//! Charts that decide by what their images are called: at a site these are called otherwise, and nothing else may come of it unsaid.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use airlock::vendor_side::{ChartWay, HelmChoice};
use serde_json::Value;

use super::chart_table::helm;
use crate::support::vendor_folder::{VendorFolder, desired};

const CHART: &str = "applications: [{name: app, version: \"1\", chart: own, values: v.yaml}]\n";

fn release(application: &str) -> String {
    format!(
        "agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'agents.example.com/k:3.1.0'}}\n\
         images: [{{source: 'oci:hello:1.0', name: 'docker.io/acme/web:16-alpine'}}]\n\
         {application}targets:\n- {{name: hall, kind: kubernetes, namespace: shop, deployments: [{{application: app}}]}}\n"
    )
}

const SPLIT: &str = "image: {repository: acme/web, tag: 16-alpine}\n";
const ONE: &str = "image: acme/web:16-alpine\n";
const SPLIT_POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"}]}\n";
const ONE_POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: \"{{ .Values.image }}\"}]}\n";

/// A folder with the chart, whose template is a pod and this; nothing where there is no helm.
fn folder(values: &str, template: &str) -> Option<VendorFolder> {
    let Some(helm) = helm() else {
        println!("left out: no helm on this machine");
        return None;
    };
    let mut folder = VendorFolder::new();
    folder.overrides.helm = HelmChoice::Named(helm);
    folder.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 1.0.0\n");
    folder.write("v.yaml", "");
    with(&folder, values, template);
    Some(folder)
}

fn with(folder: &VendorFolder, values: &str, template: &str) {
    let pod = if values == ONE { ONE_POD } else { SPLIT_POD };
    folder.write("own/values.yaml", values);
    folder.write("own/templates/a.yaml", format!("{pod}---\n{template}"));
}

fn values_of(folder: &mut VendorFolder, number: u64) -> Value {
    let (built, _) = folder.build(&release(CHART), number).unwrap();
    let digest = desired(&built).targets[0].deployments[0].helm.as_ref().unwrap().values;
    folder.contents().text(digest).parse().unwrap()
}

fn warnings<'a>(folder: &'a VendorFolder, of: &str) -> Vec<&'a String> {
    folder.warnings.iter().filter(|text| text.contains(of)).collect()
}

#[test]
fn a_template_that_decides_by_a_tag_finds_it_or_that_is_told() {
    let decides = "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {securityContext: {runAsUser: {{ if contains \"alpine\" .Values.image.tag }}70{{ else }}999{{ end }}}}\n";
    let Some(mut folder) = folder(SPLIT, decides) else {
        return;
    };
    let values = values_of(&mut folder, 1);
    let tag = values["image"]["tag"].as_str().unwrap();
    assert!(tag.contains("16-alpine"), "{values}");
    assert!(warnings(&folder, "decides by").is_empty(), "{:?}", folder.warnings);
    // Of what is decided by the repository nothing can be left as it was.
    with(
        &folder,
        SPLIT,
        "kind: ConfigMap\nmetadata: {name: c}\ndata: {mode: \"{{ if hasPrefix \"acme/\" .Values.image.repository }}own{{ else }}other{{ end }}\"}\n",
    );
    folder.build(&release(CHART), 2).unwrap();
    let told = warnings(&folder, "decides by");
    assert!(
        told.len() == 1
            && told[0].contains("own/templates/a.yaml: ConfigMap 1.data.mode: \"other\" comes out and not \"own\""),
        "{:?}",
        folder.warnings
    );
    // An object that comes out at a site alone is told too.
    with(
        &folder,
        ONE,
        "{{ if contains \"@\" .Values.image }}\nkind: ConfigMap\nmetadata: {name: c}\n{{ end }}\n",
    );
    folder.build(&release(CHART), 3).unwrap();
    assert!(warnings(&folder, "decides by").is_empty(), "{:?}", folder.warnings);
}

#[test]
fn what_names_an_image_or_comes_by_chance_is_no_decision() {
    let Some(mut folder) = folder(SPLIT, "") else { return };
    for (number, template) in (1..).zip([
        "kind: ConfigMap\nmetadata: {name: c, annotations: {checksum/x: {{ .Values.image | toYaml | sha256sum }}}}\n",
        "kind: ConfigMap\nmetadata: {name: c}\ndata: {i: \"{{ .Values.image.repository }}\", t: \"{{ .Values.image.tag }}\"}\n",
        "kind: Secret\nmetadata: {name: c}\ndata: {i: {{ printf \"a %s\" .Values.image.repository | b64enc }}, p: {{ randAlphaNum 12 | b64enc | quote }}}\n",
        "kind: Job\nmetadata: {name: \"j-{{ .Values.image.tag | sha256sum | trunc 8 }}\"}\n",
    ]) {
        with(&folder, SPLIT, template);
        let values = values_of(&mut folder, number);
        assert!(warnings(&folder, "decides by").is_empty(), "{template}: {:?}", folder.warnings);
        assert!(values.to_string().contains("sha256"), "{template}: {values}");
    }
}

#[test]
fn labels_that_kubernetes_does_not_take_are_written_otherwise_or_refused() {
    let label =
        |text: &str| format!("kind: ConfigMap\nmetadata: {{name: c, labels: {{v: {{{{ {text} | quote }}}}}}}}\n");
    let Some(mut folder) = folder(
        ONE,
        &label(".Values.image | trunc 63 | replace \"/\" \"_\" | replace \":\" \"_\""),
    ) else {
        return;
    };
    let values = values_of(&mut folder, 1);
    assert_eq!(
        values["image"],
        "registry.airlock.internal/docker.io/acme/web:16-alpine"
    );
    // No way of writing it makes a label of a path.
    with(&folder, ONE, &label(".Values.image | replace \"acme/web:\" \"\""));
    let (class, code, text) = folder.refused(&release(CHART), 2);
    assert_eq!((class, code), ("E-CONTENT", "rewritten-image"), "{text}");
    assert!(
        text.contains("ConfigMap c: metadata.labels.v: ") && text.contains("which kubernetes does not take there"),
        "{text}"
    );
    assert!(
        text.contains("have the template make labels and names of a value of their own"),
        "{text}"
    );
    with(&folder, ONE, &label(".Chart.Name"));
    folder.build(&release(CHART), 2).unwrap();
}

#[test]
fn a_chart_that_wants_another_kubernetes_is_told_of_one() {
    let Some(mut folder) = folder(ONE, "") else { return };
    folder.write(
        "own/Chart.yaml",
        "apiVersion: v2\nname: own\nversion: 1.0.0\nkubeVersion: \"<1.22\"\n",
    );
    let (class, code, text) = folder.refused(&release(CHART), 1);
    assert_eq!((class, code), ("E-CONTENT", "render"), "{text}");
    assert!(
        text.contains("say kube_version, the version that its clusters have, beside chart: in the release file"),
        "{text}"
    );
    let said = CHART.replace("chart: own", "chart: own, kube_version: \"1.21\"");
    folder.build(&release(&said), 1).unwrap();
}

#[test]
fn addresses_of_every_kind_are_tried_and_told() {
    let Some(mut folder) = folder(ONE, "") else { return };
    let kinds = |folder: &mut VendorFolder, number: u64| {
        let (built, _) = folder.build(&release(CHART), number).unwrap();
        let report = built.charts.first().unwrap().clone();
        assert!(matches!(report.way, ChartWay::Rendered { .. }));
        report.addresses
    };
    assert_eq!(kinds(&mut folder, 1), Vec::<String>::new());
    // Without quotes an address in brackets is a list.
    folder.write(
        "own/templates/a.yaml",
        ONE_POD.replace("\"{{ .Values.image }}\"", "{{ .Values.image }}"),
    );
    let told = kinds(&mut folder, 2);
    assert!(told.len() == 1 && told[0].contains("[fd00::1]:5443"), "{told:?}");
    assert!(
        warnings(&folder, "at an appliance with").is_empty(),
        "{:?}",
        folder.warnings
    );
    folder.write(
        "own/templates/a.yaml",
        ONE_POD.replace(
            "{{ .Values.image }}",
            "{{ $f := first (splitList \\\"/\\\" .Values.image) }}{{ if contains \\\".\\\" $f }}{{ .Values.image }}{{ else }}docker.io/{{ .Values.image }}{{ end }}"
                .replace("\\\"", "`")
                .as_str(),
        ),
    );
    let told = kinds(&mut folder, 3);
    assert!(
        told.iter().any(|kind| kind.starts_with("a name without a point")),
        "{told:?}"
    );
    let warned = warnings(
        &folder,
        "at an appliance with a name without a point, such as airlock:5443",
    );
    assert!(
        warned.len() == 1 && warned[0].contains("docker.io/airlock:5443/"),
        "{:?}",
        folder.warnings
    );
    folder.write("own/templates/a.yaml", ONE_POD);
    folder.write(
        "own/values.schema.json",
        "{\"properties\": {\"image\": {\"type\": \"string\", \"pattern\": \"^[a-z0-9./-]*[a-z0-9-]+([.][a-z]+(:[0-9]{2,4})?)?/.+\"}}}",
    );
    let warned = |folder: &VendorFolder| !warnings(folder, "numbers and a port of five digits").is_empty();
    kinds(&mut folder, 4);
    assert!(warned(&folder), "{:?}", folder.warnings);
}

/// What is asked for, and what it is listed as.
const LATEST: [(&str, &str); 3] = [
    ("busybox", "busybox"),
    ("busybox", "busybox:latest"),
    ("docker.io/library/busybox:latest", "busybox"),
];

#[test]
fn a_name_without_a_tag_means_latest_in_charts() {
    let pod = |image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: t}}\nspec: {{containers: [{{name: t, image: '{image}'}}]}}\n"
        )
    };
    let listed = |name: &str| {
        let images = format!("values: v.yaml, images: [{{source: 'oci:hello:1.0', name: '{name}'}}]");
        release(&CHART.replace("values: v.yaml", &images))
    };
    let Some(mut folder) = folder(SPLIT, "") else { return };
    for (number, (asked, name)) in (1..).zip(LATEST) {
        with(&folder, SPLIT, &pod(asked));
        folder.build(&listed(name), number).unwrap();
        let names = folder.names();
        assert!(
            names.contains(&"docker.io/library/busybox:latest".to_owned()),
            "{asked} as {name}: {names:?}"
        );
    }
    // Another tag is another image.
    with(&folder, SPLIT, &pod("busybox"));
    assert_eq!(folder.refused(&listed("busybox:1.36"), 9).1, "written-image");
}

#[test]
fn a_name_without_a_tag_means_latest_in_compose_files() {
    let compose = |name: &str| {
        format!(
            "agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'agents.example.com/d:3.1.0'}}\n  \
             autoheal: {{source: 'oci:hello:1.0', name: 'agents.example.com/h:1'}}\n\
             applications: [{{name: app, version: '1', compose: c.yaml, images: {{'{name}': 'oci:hello:1.0'}}}}]\n\
             targets:\n- {{name: yard, kind: docker, deployments: [{{application: app}}]}}\n"
        )
    };
    let mut folder = VendorFolder::new();
    for (number, (asked, name)) in (1..).zip(LATEST) {
        folder.write("c.yaml", format!("services: {{w: {{image: '{asked}'}}}}\n"));
        folder.build(&compose(name), number).unwrap();
        let names = folder.names();
        assert!(
            names.contains(&"docker.io/library/busybox:latest".to_owned()),
            "{asked} as {name}: {names:?}"
        );
    }
    assert_eq!(folder.refused(&compose("busybox:1.36"), 9).1, "reference");
}

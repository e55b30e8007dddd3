//! Charts as sites have them: with the address of an appliance, values of secrets, and what agents add to lists of pull secrets.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use airlock::vendor_side::HelmChoice;
use serde_json::{Value, json};

use super::chart_table::helm;
use crate::support::vendor_folder::{VendorFolder, desired};

/// A release of the chart `own` with the values `v.yaml`.
fn release(secrets: &str) -> String {
    format!(
        "agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'agents.example.com/k:3.1.0'}}\n\
         images: [{{source: 'oci:hello:1.0', name: 'docker.io/acme/web:1'}}]\n\
         applications: [{{name: app, version: \"1\", chart: own, values: v.yaml}}]\n\
         targets:\n- {{name: hall, kind: kubernetes, namespace: shop, deployments: [{{application: app}}]}}\n{secrets}"
    )
}

const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: '{{ .Values.image }}'}]}\n";

/// A folder with the chart, whose template is a pod and this; nothing where there is no helm.
fn folder(values: &str, template: &str) -> Option<VendorFolder> {
    let Some(helm) = helm() else {
        println!("left out: no helm on this machine");
        return None;
    };
    let mut folder = VendorFolder::new();
    folder.overrides.helm = HelmChoice::Named(helm);
    folder.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 1.0.0\n");
    folder.write("own/values.yaml", "image: acme/web:1\npw: \"\"\n");
    folder.write("own/templates/a.yaml", format!("{POD}---\n{template}"));
    folder.write("v.yaml", values);
    Some(folder)
}

fn values_of(folder: &mut VendorFolder, release: &str, number: u64) -> Value {
    let (built, _) = folder.build(release, number).unwrap();
    let digest = desired(&built).targets[0].deployments[0].helm.as_ref().unwrap().values;
    folder.contents().text(digest).parse().unwrap()
}

#[test]
fn a_secret_is_as_long_as_it_is_declared_when_a_chart_looks_at_it() {
    let own = "pw: \"{{ .Secrets.DB }}\"\n";
    let if_longer = |than: usize| {
        format!(
            "kind: ConfigMap\nmetadata: {{name: c}}\n{{{{ if gt (len .Values.pw) {than} }}}}{{{{ fail \"long\" }}}}{{{{ end }}}}\n"
        )
    };
    let Some(mut folder) = folder(own, &if_longer(12)) else {
        return;
    };
    let generated = |more: &str| release(&format!("secrets: [{{name: DB, value: {{site: generate{more}}}}}]\n"));
    let (class, code, text) = folder.refused(&generated(""), 1);
    assert_eq!((class, code), ("E-CONTENT", "render"), "{text}");
    folder.build(&generated(", length: 12"), 1).unwrap();
    // What is common is no reason to refuse.
    folder.write(
        "own/values.schema.json",
        "{\"properties\": {\"pw\": {\"type\": \"string\", \"minLength\": 8}}}",
    );
    folder.build(&generated(", length: 8"), 2).unwrap();
    // Of what a person enters nobody knows how long it is.
    folder
        .build(&release("secrets: [{name: DB, value: {site: ask}}]\n"), 3)
        .unwrap();
    let said = folder
        .warnings
        .iter()
        .find(|text| text.contains("not every value of DB will do"));
    assert!(
        said.is_some_and(|text| text.contains("12 characters")),
        "{:?}",
        folder.warnings
    );
    folder.write("own/templates/a.yaml", format!("{POD}---\n{}", if_longer(4)));
    let (class, code, text) = folder.refused(&release("secrets: [{name: DB, value: {site: ask}}]\n"), 4);
    assert_eq!((class, code), ("E-CONTENT", "render"), "{text}");
    // Whatever its characters bring about.
    std::fs::remove_file(folder.path("own/values.schema.json")).unwrap();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: [{name: a, image: '{{ if contains \"z\" .Values.pw }}quay.io/z/z:1{{ else }}{{ .Values.image }}{{ end }}'}]}\n";
    folder.write("own/templates/a.yaml", format!("{POD}---\n{pod}"));
    let (class, code, text) = folder.refused(&generated(""), 5);
    assert_eq!((class, code), ("E-CONTENT", "written-image"), "{text}");
    folder.build(&generated(", alphabet: 0123456789abcdef"), 5).unwrap();
}

#[test]
fn a_secret_that_a_template_does_not_quote_is_told() {
    let secret =
        |value: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{p: {value}}}\n");
    let Some(mut folder) = folder("pw: \"{{ .Secrets.DB }}\"\n", &secret("{{ .Values.pw }}")) else {
        return;
    };
    let said = |folder: &VendorFolder| {
        folder
            .warnings
            .iter()
            .filter(|text| text.contains("without quotes"))
            .count()
    };
    for (number, (value, template, count)) in (1..).zip([
        ("{site: ask}", "{{ .Values.pw }}", 1),
        ("{site: ask}", "{{ .Values.pw | quote }}", 0),
        ("{site: ask}", "'{{ .Values.pw }}'", 0),
        ("{site: ask}", "{{ toYaml .Values.pw }}", 0),
        ("{site: generate}", "{{ .Values.pw }}", 0),
        ("{site: generate, alphabet: '0123456789'}", "{{ .Values.pw }}", 1),
    ]) {
        folder.write("own/templates/a.yaml", format!("{POD}---\n{}", secret(template)));
        folder
            .build(&release(&format!("secrets: [{{name: DB, value: {value}}}]\n")), number)
            .unwrap();
        assert_eq!(said(&folder), count, "{value} {template}: {:?}", folder.warnings);
    }
}

#[test]
fn every_pod_gets_the_pull_secret_that_agents_add_or_that_is_told() {
    let deployment = |list: &str, account: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  template:\n    spec:\n      {account}\n      containers: [{{name: a, image: '{{{{ .Values.image }}}}'}}]\n{list}"
        )
    };
    let as_yaml = "      imagePullSecrets: {{- toYaml .Values.imagePullSecrets | nindent 6 }}\n";
    let by_name = "      imagePullSecrets:\n{{- range .Values.imagePullSecrets }}\n      - name: {{ . }}\n{{- end }}\n";
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\nimagePullSecrets: {{- toYaml .Values.imagePullSecrets | nindent 2 }}\n---\n";
    let Some(mut folder) = folder("imagePullSecrets: []\n", "") else {
        return;
    };
    folder.write(
        "own/values.yaml",
        "image: acme/web:1\nimagePullSecrets: []\nother: {pullSecrets: []}\n",
    );
    for (number, (template, says)) in (1..).zip([
        (deployment(as_yaml, ""), None),
        (format!("{account}{}", deployment("", "serviceAccountName: sa")), None),
        (deployment("", ""), Some("other: {pullSecrets: []}")),
        (deployment(by_name, ""), Some("map[name:sh.distr.agent.v1.app.pull]")),
    ]) {
        folder.write("own/templates/a.yaml", template);
        folder.build(&release(""), number).unwrap();
        let said: Vec<&String> = folder
            .warnings
            .iter()
            .filter(|text| text.contains("pull secrets"))
            .collect();
        match says {
            None => assert!(said.is_empty(), "{said:?}"),
            Some(says) => assert!(said.len() == 1 && said[0].contains(says), "{says}: {said:?}"),
        }
    }
    // A chart that takes a list of names is refused by the helm of every agent.
    folder.write("own/templates/a.yaml", deployment("", ""));
    folder.write(
        "own/values.schema.json",
        "{\"properties\": {\"imagePullSecrets\": {\"items\": {\"type\": \"string\"}}}}",
    );
    let (class, code, text) = folder.refused(&release(""), 5);
    assert_eq!((class, code), ("E-CONTENT", "render"), "{text}");
    folder.write("v.yaml", "");
    folder.build(&release(""), 5).unwrap();
}

#[test]
fn templates_of_the_application_travel_between_backquotes() {
    let own = "rules: \"{{`Instance {{ $labels.instance }} is down`}}\"\nname: \"{{`{{ .Release.Name }}-x`}}\"\n";
    let Some(mut folder) = folder(
        own,
        "kind: ConfigMap\nmetadata: {name: c}\ndata: {r: '{{ .Values.rules }}', n: '{{ tpl .Values.name . }}'}\n",
    ) else {
        return;
    };
    let values = values_of(&mut folder, &release(""), 1);
    assert_eq!(values["rules"], "Instance {{ $labels.instance }} is down");
    assert_eq!(values["name"], "{{ .Release.Name }}-x");
    folder.write("v.yaml", "name: x\nrules: \"{{ $labels.instance }}\"\n");
    let (class, code, text) = folder.refused(&release(""), 2);
    assert_eq!((class, code), ("E-CONTENT", "template"), "{text}");
    assert!(text.contains("put {{` before it and `}} behind it"), "{text}");
    folder.write(
        "v.yaml",
        "name: x\nrules: \"{{`{{ .Secrets.A }}`}}\"\npw: \"{{ .Secrets.A }}\"\n",
    );
    let (class, code, text) = folder.refused(&release("secrets: [{name: A, value: {site: ask}}]\n"), 2);
    assert_eq!((class, code), ("E-CONTENT", "template"), "{text}");
    assert!(
        text.contains("as in {{.Secrets.NAME}} between the backquotes"),
        "{text}"
    );
    folder.write(
        "v.yaml",
        "name: x\nrules: \"{{`{{.Secrets.A}}`}}\"\npw: \"{{ .Secrets.A }}\"\n",
    );
    let values = values_of(&mut folder, &release("secrets: [{name: A, value: {site: ask}}]\n"), 2);
    assert_eq!(
        (&values["rules"], &values["pw"]),
        (&json!("{{.Secrets.A}}"), &json!("{{ .Secrets.A }}"))
    );
}

#[test]
fn values_of_a_deployment_are_read_as_helm_reads_them() {
    let Some(mut folder) = folder("a: 1\na: 2\n---\nb: {c: 3}\n", "") else {
        return;
    };
    assert_eq!(
        (
            values_of(&mut folder, &release(""), 1)["a"].clone(),
            values_of(&mut folder, &release(""), 2)["b"].clone()
        ),
        (json!(2), json!({"c": 3}))
    );
    let said = folder
        .warnings
        .iter()
        .any(|text| text.contains("v.yaml:2:1: the key \"a\" is given twice: helm takes the last one"));
    assert!(said, "{:?}", folder.warnings);
    // What has no end is no mistake of anybody's writing.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let list = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb += &format!("a{n}: &a{n} [{list}]\n");
    }
    for place in ["v.yaml", "own/values.yaml"] {
        let good = std::fs::read_to_string(folder.path(place)).unwrap();
        folder.write(place, &bomb);
        let (class, code, text) = folder.refused(&release(""), 3);
        assert_eq!((class, code), ("E-LIMIT", "yaml"), "{text}");
        assert!(
            !text.contains("budget") && text.contains("write out what its aliases stand for"),
            "{text}"
        );
        folder.write(place, good);
    }
    folder.build(&release(""), 3).unwrap();
}

//! Remedies about the images of charts: with helm, without it, and for what only a site knows.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use super::workshop::{HEAD, Workshop};

const WEB: &str = "registry.example.com/shop/web:1.0";
const LISTED: &str = "  images: [{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}]\n";
const EXTRA: &str = "chart/templates/extra.yaml";

struct Charts {
    shop: Workshop,
    number: u64,
}

impl Charts {
    fn new() -> Self {
        Self {
            shop: Workshop::new(),
            number: 0,
        }
    }

    /// Writes the next release, with these lines about its application.
    fn release(&mut self, more: &str) {
        self.number += 1;
        let text = format!(
            "{HEAD}agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'a.example.com/k:1'}}\n\
             images:\n- {{source: 'oci:hello:1.0', name: '{WEB}'}}\n\
             applications:\n- name: hello\n  version: \"1\"\n  chart: chart\n{more}\
             targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: hello\n"
        );
        let text = text.replace("sequence: 1", &format!("sequence: {}", self.number));
        self.shop.write("release.yaml", &text);
    }

    /// A program that answers as helm does: `script` has the values in `$last`.
    fn helm(&self, script: &str) {
        let script =
            format!("#!/bin/sh\n[ \"$1\" = version ] && echo v4.0.0 && exit\nfor last; do :; done\n{script}\n");
        self.shop.write("helm", &script);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.shop.path("helm"), mode).unwrap();
    }
}

/// A pod with an image, as helm writes it.
fn pod(image: &str) -> String {
    format!("echo 'kind: Pod'; echo \"spec: {{containers: [{{name: a, image: '{image}'}}]}}\"")
}

#[test]
fn images_that_values_do_not_say_are_listed_or_worked_out_by_helm() {
    let mut charts = Charts::new();
    let listed = "  image_values: [image]\n";
    charts.helm("echo 'kind: ConfigMap'");
    // What looks like an image and does not come out.
    charts.release("");
    let remedy = charts.shop.create("").remedy("E-CONTENT", "image-value");
    assert!(
        remedy.starts_with("install helm, or give its path with --helm FILE; or add image to"),
        "{remedy}"
    );
    charts.shop.create("--helm ./helm").succeeded();
    // A template that names an image itself, in a branch that does not come out.
    charts.shop.write(EXTRA, &format!("image: {WEB}\n"));
    charts.release(listed);
    let remedy = charts.shop.create("").remedy("E-CONTENT", "written-image");
    let (list, helm) = remedy.split_once("; or ").unwrap();
    assert_eq!(
        list,
        "list it under the application's images and set the appliance as a mirror"
    );
    assert_eq!(
        helm,
        "install helm, or give its path with --helm FILE: what does not come out is not asked for"
    );
    charts.shop.create("--helm ./helm").succeeded();
    charts.release(&format!("{listed}{LISTED}"));
    charts.shop.create("").succeeded();
    // A value whose name does not say that it is one.
    charts.shop.write("own.yaml", &format!("web: {{container: '{WEB}'}}\n"));
    charts.shop.write(EXTRA, "image: {{ .Values.web.container }}\n");
    charts.release(&format!("{listed}  values: own.yaml\n"));
    let remedy = charts.shop.create("").remedy("E-CONTENT", "written-image");
    let entry = remedy
        .strip_prefix("install helm, or give its path with --helm FILE; or add ")
        .unwrap();
    let entry = entry.strip_suffix(" to image_values").unwrap();
    charts.helm(&format!(
        "image=$(sed -n 's/.*\"container\":\"\\([^\"]*\\)\".*/\\1/p' \"$last\")\n{}",
        pod("$image")
    ));
    charts.shop.create("--helm ./helm").succeeded();
    charts.release(&format!("  image_values: [image, {entry}]\n  values: own.yaml\n"));
    charts.shop.create("").succeeded();
    // With helm: an image of the template, which values may say as well.
    charts.helm(&format!(
        "image=$(sed -n 's/.*\"container\":\"\\([^\"]*\\)\".*/\\1/p' \"$last\")\n{}",
        pod(&format!("${{image:-{WEB}}}"))
    ));
    charts.shop.write(EXTRA, "");
    charts.release(listed);
    let remedy = charts.shop.create("--helm ./helm").remedy("E-CONTENT", "written-image");
    let (from_values, list) = remedy.split_once(", or ").unwrap();
    assert_eq!(from_values, "take it from the values");
    assert_eq!(
        list,
        "list it under the application's images and set the appliance as a mirror"
    );
    charts.release(&format!("{listed}  values: own.yaml\n"));
    charts.shop.create("--helm ./helm").succeeded();
    charts.release(&format!("{listed}{LISTED}"));
    charts.shop.create("--helm ./helm").succeeded();
    // One in a text that holds more: there is no value to take it from.
    charts.shop.write("more.yaml", &format!("extra: |\n  - image: {WEB}\n"));
    charts.release(&format!("{listed}  values: more.yaml\n"));
    let remedy = charts.shop.create("--helm ./helm").remedy("E-CONTENT", "written-image");
    assert_eq!(
        remedy,
        "list it under the application's images and set the appliance as a mirror"
    );
    charts.release(&format!("{listed}  values: more.yaml\n{LISTED}"));
    charts.shop.create("--helm ./helm").succeeded();
}

#[test]
fn charts_that_want_too_much_or_no_port_are_put_right_as_the_message_says() {
    let mut charts = Charts::new();
    charts.release("  values: own.yaml\n");
    for (code, trouble) in [
        ("memory", "{ echo 'fatal error: runtime: out of memory' >&2; exit 2; }"),
        ("time", "kill -XCPU $$"),
    ] {
        charts.helm(&format!(
            "grep -q '\"parts\":1[,}}]' \"$last\" || {trouble}\necho 'kind: ConfigMap'"
        ));
        charts.shop.write("own.yaml", "parts: 1000\n");
        let remedy = charts.shop.create("--helm ./helm").remedy("E-LIMIT", code);
        assert_eq!(
            remedy,
            "turn off in the values what is not needed, or have the templates make less"
        );
        charts.shop.write("own.yaml", "parts: 1\n");
        charts.release("  values: own.yaml\n");
        charts.shop.create("--helm ./helm").succeeded();
    }
    // Aliases of aliases, and the same written out.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let list = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb += &format!("a{n}: &a{n} [{list}]\n");
    }
    charts.shop.write("own.yaml", &bomb);
    let remedy = charts.shop.create("--helm ./helm").remedy("E-LIMIT", "yaml");
    assert_eq!(remedy, "write out what its aliases stand for, and only what is needed");
    charts.shop.write("own.yaml", "parts: 1\na0: [x, x]\n");
    charts.release("  values: own.yaml\n");
    charts.shop.create("--helm ./helm").succeeded();
    // A chart that takes no port.
    let image = "image=$(sed -n 's/.*\"container\":\"\\([^\"]*\\)\".*/\\1/p' \"$last\")";
    let refusing = "case $image in *:[0-9]*/*) echo 'Error: a port' >&2; exit 1;; esac";
    charts.shop.write("own.yaml", &format!("web: {{container: '{WEB}'}}\n"));
    charts.helm(&format!("{image}\n{refusing}\n{}", pod("$image")));
    let remedy = charts.shop.create("--helm ./helm").remedy("E-CONTENT", "render");
    assert_eq!(
        remedy,
        "have its templates and its schema take an address with a port, and a digest or a tag behind the name"
    );
    charts.helm(&format!("{image}\n{}", pod("$image")));
    charts.release("  values: own.yaml\n");
    charts.shop.create("--helm ./helm").succeeded();
}

#[test]
fn what_only_a_site_knows_is_said_or_vouched_for() {
    let mut charts = Charts::new();
    charts.helm("echo 'kind: ConfigMap'");
    let include = "image: {{ include \"x\" . }}\n{{- end }}\n";
    let version = "image: registry.example.com/shop/web:{{ .Capabilities.KubeVersion.Minor }}\n".to_owned();
    let api = format!("{{{{- if .Capabilities.APIVersions.Has \"batch/v1beta1\" }}}}\n{include}");
    let cluster = format!("{{{{- if lookup \"v1\" \"Secret\" \"a\" \"b\" }}}}\n{include}");
    let vouched = "list every image under images, and say images_complete: true";
    for (text, says, said) in [
        (
            version,
            "say kube_version, the version that its clusters have",
            "  kube_version: v1.30.0\n",
        ),
        (
            api,
            "say api_versions, what its clusters have besides the APIs of kubernetes, [] for nothing",
            "  api_versions: []\n",
        ),
        (cluster, "", ""),
    ] {
        charts.shop.write(EXTRA, &text);
        charts.release("");
        let remedy = charts.shop.create("--helm ./helm").remedy("E-CONTENT", "untold-image");
        let (first, vouch) = remedy.split_once("; or ").unwrap_or(("", &remedy));
        assert_eq!((first, vouch), (says, vouched));
        if !said.is_empty() {
            charts.release(said);
            charts.shop.create("--helm ./helm").succeeded();
        }
        charts.release(&format!("{LISTED}  images_complete: true\n"));
        charts.shop.create("--helm ./helm").succeeded();
    }
}

#[test]
fn what_others_choose_or_is_too_much_is_put_right() {
    let mut charts = Charts::new();
    charts.helm("echo 'apiVersion: monitoring.coreos.com/v1'; echo 'kind: Prometheus'");
    charts.release("");
    let remedy = charts
        .shop
        .create("--helm ./helm --strict")
        .remedy("E-CONTENT", "suspected-image");
    assert_eq!(
        remedy,
        "have the object name its images, where it can, or leave --strict out"
    );
    charts.shop.create("--helm ./helm").succeeded();
    charts.helm(&format!(
        "echo 'apiVersion: monitoring.coreos.com/v1'; echo 'kind: Prometheus'; echo 'spec: {{image: \"{WEB}\"}}'"
    ));
    charts.release(LISTED);
    charts.shop.create("--helm ./helm --strict").succeeded();
    // Too much.
    charts.helm("grep -q fewer \"$last\" || seq 25000 | sed 's/.*/a: 1\\n---/'\necho 'kind: ConfigMap'");
    charts.shop.write("own.yaml", "objects: fewer\n");
    charts.release("");
    let remedy = charts.shop.create("--helm ./helm").remedy("E-LIMIT", "objects");
    assert_eq!(remedy, "turn off in the values what is not needed");
    charts.release("  values: own.yaml\n");
    charts.shop.create("--helm ./helm").succeeded();
}

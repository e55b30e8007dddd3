//! Charts in every shape in which published charts write images, and what is to become of each.

/// What is to become of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Carried, with these images besides the chart itself.
    Carried(&'static [&'static str]),
    /// As [`Verdict::Carried`], with a warning that says this.
    Warned(&'static [&'static str], &'static str),
    /// Refused with this code.
    Refused(&'static str),
}

use Verdict::{Carried, Refused, Warned};

/// A chart, the release's words about it, and its verdicts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Its default values.
    pub(super) values: &'static str,
    /// Files of the chart besides `Chart.yaml` and `values.yaml`.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Keys of the application in the release file, with `\n` between them.
    pub(super) release: &'static str,
    /// `--strict`.
    pub(super) strict: bool,
    pub(super) with_helm: Verdict,
    pub(super) without: Verdict,
}

const CASE: Case = Case {
    name: "",
    values: "",
    files: &[],
    release: "",
    strict: false,
    with_helm: Refused(""),
    without: Refused(""),
};

const WEB: &str = "docker.io/acme/web";
const DB: &str = "quay.io/acme/db";
const K8S: &str = "registry.k8s.io/acme/web";
const ONE: &[&str] = &[WEB];
const BOTH: &[&str] = &[WEB, DB];
const NONE: &[&str] = &[];

/// A pod whose image is an expression.
macro_rules! pod {
    ($image:expr) => {
        &[(
            "templates/a.yaml",
            concat!(
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - name: a\n      image: ",
                $image,
                "\n"
            ),
        )]
    };
}

const POD_BY_MAP: &[(&str, &str)] = pod!("\"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"");
const POD_BY_TEXT: &[(&str, &str)] = pod!("{{ .Values.image }}");

/// A file of a template that names an image by a mapping, and another file.
const HELPER: &str = "{{- define \"x.image\" -}}\n{{- $r := .root.registry -}}\n{{- if .global }}{{ if .global.imageRegistry }}{{ $r = .global.imageRegistry }}{{ end }}{{ end -}}\n\
                      {{- if .root.digest -}}\n{{ printf \"%s/%s@%s\" $r .root.repository .root.digest }}\n{{- else -}}\n\
                      {{ printf \"%s/%s:%s\" $r .root.repository .root.tag }}\n{{- end -}}\n{{- end -}}\n";

#[rustfmt::skip]
#[allow(clippy::needless_update, reason = "every case is written alike")]
pub(super) const CASES: &[Case] = &[
    // Whole references.
    Case { name: "a text that is listed", values: "image: acme/web:1\n", files: POD_BY_TEXT, release: "image_values: [image]",
        with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "a text that is not listed", values: "image: acme/web:1\n", files: POD_BY_TEXT,
        with_helm: Carried(ONE), without: Refused("image-value"), ..CASE },
    Case { name: "a text of another name", values: "web: {container: acme/web:1}\n", files: pod!("{{ .Values.web.container }}"),
        with_helm: Carried(ONE), without: Refused("written-image"), ..CASE },
    Case { name: "a text with quote and trim", values: "image: ' acme/web:1 '\n", files: pod!("{{ .Values.image | trim | quote }}"),
        release: "image_values: [image]", with_helm: Refused("reference"), without: Refused("reference"), ..CASE },
    Case { name: "a map of references", values: "images: {web: 'acme/web:1', db: 'quay.io/acme/db:16'}\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  containers:\n    - image: {{ .Values.images.web }}\n      name: a\n    - {name: b, image: {{ .Values.images.db }}}\n")],
        release: "image_values: [images.web, images.db]", with_helm: Carried(BOTH), without: Carried(BOTH), ..CASE },
    Case { name: "a list of references", values: "images: ['acme/web:1', 'quay.io/acme/db:16']\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  containers:\n    {{- range $i, $image := .Values.images }}\n    - name: a{{ $i }}\n      image: {{ $image }}\n    {{- end }}\n")],
        release: "image_values: [images.0, images.1]", with_helm: Carried(BOTH), without: Refused("untold-image"), ..CASE },
    Case { name: "a text and its tag beside it", values: "image: acme/web\ntag: \"1\"\n", files: pod!("{{ .Values.image }}:{{ .Values.tag }}"),
        release: "image_values: [{path: image, tag: tag}]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "one text for two containers", values: "image: acme/web:1\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  initContainers: [{name: i, image: {{ .Values.image }}}]\n  containers: [{name: a, image: {{ .Values.image }}}]\n")],
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "a text that is a template", values: "host: docker.io\nimage: '{{ .Values.host }}/acme/web:1'\n", files: pod!("{{ tpl .Values.image . }}"),
        release: "image_values: [image]", with_helm: Refused("image-value"), without: Refused("image-value"), ..CASE },
    Case { name: "a template in a value that nobody listed", values: "host: docker.io\nimage: '{{ .Values.host }}/acme/web:1'\n", files: pod!("{{ tpl .Values.image . }}"),
        with_helm: Refused("written-image"), without: Refused("image-value"), ..CASE },
    // Mappings.
    Case { name: "repository and tag", values: "image: {repository: acme/web, tag: \"1\"}\n", files: POD_BY_MAP, release: "image_values: [image]",
        with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "repository and tag, not listed", values: "image: {repository: acme/web, tag: \"1\"}\n", files: POD_BY_MAP,
        with_helm: Carried(ONE), without: Refused("image-value"), ..CASE },
    Case { name: "a number as tag", values: "image: {repository: quay.io/acme/db, tag: 16}\n", files: POD_BY_MAP, release: "image_values: [image]",
        with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "the chart's own version as tag", values: "image: {repository: acme/web, tag: \"\"}\n",
        files: pod!("\"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\""), release: "image_values: [image]",
        with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "no key for the tag", values: "image: {repository: acme/web, pullPolicy: Always}\n",
        files: pod!("{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"), release: "image_values: [image]",
        with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "a tag that only the template knows", values: "image: {repository: acme/web, pullPolicy: Always}\n",
        files: pod!("{{ .Values.image.repository }}:1"), release: "image_values: [image]",
        with_helm: Warned(ONE, "by name and tag"), without: Warned(ONE, "by name and tag"), ..CASE },
    Case { name: "registry, repository and digest, with a condition", values: "image: {registry: quay.io, repository: acme/db, tag: \"16\", digest: \"\"}\n",
        files: pod!("\"{{ with .Values.image }}{{ .registry }}/{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}\""),
        release: "image_values: [image]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "tag and digest together", values: "image: {registry: quay.io, repository: acme/db, tag: \"16\", digest: \"\"}\n",
        files: pod!("{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ end }}"),
        release: "image_values: [image]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "a key digest that the template does not read", values: "image: {repository: acme/web, tag: \"1\", digest: \"\"}\n", files: POD_BY_MAP,
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "the digits of a digest in a key sha", values: "image: {repository: acme/web, tag: \"1\", sha: \"\"}\n",
        files: pod!("\"{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ if .Values.image.sha }}@sha256:{{ .Values.image.sha }}{{ end }}\""),
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "an image beside a registry", values: "controller: {image: {registry: registry.k8s.io, image: acme/web, tag: v1}}\n",
        files: pod!("\"{{ with .Values.controller.image }}{{ if .repository }}{{ .repository }}{{ else }}{{ .registry }}/{{ .image }}{{ end }}:{{ .tag }}{{ end }}\""),
        release: "image_values: [controller.image]", with_helm: Carried(&[K8S]), without: Carried(&[K8S]), ..CASE },
    Case { name: "name and tag", values: "image: {name: acme/web, tag: \"1\"}\n", files: pod!("\"{{ .Values.image.name }}:{{ .Values.image.tag }}\""),
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "repository and version", values: "image: {repository: acme/web, version: \"1\"}\n", files: pod!("\"{{ .Values.image.repository }}:{{ .Values.image.version }}\""),
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "imageRepository and imageTag", values: "imageRepository: acme/web\nimageTag: \"1\"\n", files: pod!("{{ .Values.imageRepository }}:{{ .Values.imageTag }}"),
        release: "image_values: [{path: imageRepository, tag: imageTag}]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "imageRepository and imageTag, not listed", values: "imageRepository: acme/web\nimageTag: \"1\"\n", files: pod!("{{ .Values.imageRepository }}:{{ .Values.imageTag }}"),
        with_helm: Carried(ONE), without: Refused("image-value"), ..CASE },
    Case { name: "a repository alone, the tag elsewhere", values: "repository: acme/web\nversion: \"1\"\n", files: pod!("{{ .Values.repository }}:{{ .Values.version }}"),
        with_helm: Carried(ONE), without: Refused("written-image"), ..CASE },
    Case { name: "a repository alone, listed with its tag", values: "repository: acme/web\nversion: \"1\"\n", files: pod!("{{ .Values.repository }}:{{ .Values.version }}"),
        release: "image_values: [{path: repository, tag: version}]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "registry, name and tag beside one another", values: "registry: quay.io\nname: acme/db\ntag: \"16\"\n", files: pod!("\"{{ .Values.registry }}/{{ .Values.name }}:{{ .Values.tag }}\""),
        release: "image_values: [{path: name, tag: tag, registry: registry}]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "registry, name and tag, not listed", values: "registry: quay.io\nname: acme/db\ntag: \"16\"\n", files: pod!("\"{{ .Values.registry }}/{{ .Values.name }}:{{ .Values.tag }}\""),
        with_helm: Carried(&[DB]), without: Refused("written-image"), ..CASE },
    Case { name: "a registry over all images", values: "global: {imageRegistry: quay.io}\nimage: {registry: docker.io, repository: acme/db, tag: \"16\"}\n",
        files: pod!("\"{{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}\""),
        release: "image_values: [image]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "an empty registry over all images", values: "global: {imageRegistry: \"\"}\nimage: {registry: quay.io, repository: acme/db, tag: \"16\"}\n",
        files: pod!("\"{{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}\""),
        release: "image_values: [image]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "a helper of the chart", values: "image: {registry: quay.io, repository: acme/db, tag: \"16\", digest: \"\"}\n",
        files: &[("templates/_helpers.tpl", HELPER), ("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: {{ include \"x.image\" (dict \"root\" .Values.image \"global\" .Values.global) }}}]}\n")],
        release: "image_values: [image]", with_helm: Carried(&[DB]), without: Refused("untold-image"), ..CASE },
    Case { name: "a helper and a registry over all images", values: "global: {imageRegistry: quay.io}\nimage: {registry: docker.io, repository: acme/db, tag: \"16\"}\n",
        files: &[("templates/_helpers.tpl", HELPER), ("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: {{ include \"x.image\" (dict \"root\" .Values.image \"global\" .Values.global) }}}]}\n")],
        with_helm: Carried(&[DB]), without: Refused("image-value"), ..CASE },
    Case { name: "components in a loop", values: "parts:\n  web: {image: {repository: acme/web, tag: \"1\"}}\n  db: {image: {repository: quay.io/acme/db, tag: \"16\"}}\n",
        files: &[("templates/a.yaml", "{{- range $name, $part := .Values.parts }}\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: {{ $name }}}\nspec:\n  containers:\n    - name: a\n      image: {{ $part.image.repository }}:{{ $part.image.tag }}\n{{- end }}\n")],
        with_helm: Carried(BOTH), without: Refused("image-value"), ..CASE },
    // What the template knows by itself.
    Case { name: "no repository, and a default in the template", values: "image: {registry: , repository: , tag: }\n",
        files: pod!("\"{{ .Values.image.registry | default \"docker.io\" }}/{{ .Values.image.repository | default \"acme/web\" }}:{{ .Values.image.tag | default .Chart.AppVersion }}\""),
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "an empty repository, and a default in the template", values: "image: {repository: \"\", tag: \"\"}\n",
        files: pod!("\"{{ .Values.image.repository | default \"acme/web\" }}:{{ .Values.image.tag | default .Chart.AppVersion }}\""),
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "the repository in the template, the tag in values", values: "busyboxTag: \"1.37\"\n", files: pod!("\"docker.io/library/busybox:{{ .Values.busyboxTag }}\""),
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a default for a value that is not there", values: "", files: pod!("{{ .Values.initImage | default \"busybox:1.36\" }}"),
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a default that the deployment replaces", values: "initImage: acme/web:1\n", files: pod!("{{ .Values.initImage | default \"busybox:1.36\" }}"),
        release: "image_values: [initImage]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "printf", values: "", files: pod!("{{ printf \"%s:%s\" \"acme/web\" .Chart.AppVersion }}"),
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "printf of values", values: "image: {repository: acme/web, tag: \"1\"}\n", files: pod!("{{ printf \"%s:%s\" .Values.image.repository .Values.image.tag | quote }}"),
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "a literal", values: "", files: pod!("busybox"), with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a literal that is listed", values: "", files: pod!("acme/web:1"), release: "images: [{source: 'oci:hello:1.0', name: 'docker.io/acme/web:1'}]",
        with_helm: Warned(ONE, "as a mirror"), without: Warned(ONE, "as a mirror"), ..CASE },
    Case { name: "an anchor", values: "", files: pod!("&image busybox:1.36"), with_helm: Refused("written-image"), without: Refused("untold-image"), ..CASE },
    Case { name: "a text on lines of its own", values: "image: acme/web:1\n", files: pod!(">-\n        {{ .Values.image }}"), release: "image_values: [image]",
        with_helm: Carried(ONE), without: Refused("untold-image"), ..CASE },
    Case { name: "as JSON", values: "image: acme/web:1\n",
        files: &[("templates/a.json", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"{{ .Values.image }}\"}]}}\n")],
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "as JSON, a literal", values: "",
        files: &[("templates/a.json", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"busybox\"}]}}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "made of words in an action", values: "",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  {{- toYaml (dict \"containers\" (list (dict \"name\" \"a\" \"image\" \"busybox:1.36\"))) | nindent 2 }}\n")],
        with_helm: Refused("written-image"), without: Refused("untold-image"), ..CASE },
    Case { name: "out of a file of the chart", values: "",
        files: &[("pods/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n"), ("templates/a.yaml", "{{ .Files.Get \"pods/a.yaml\" }}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a template that does not end in yaml", values: "",
        files: &[("templates/job.yaml.gotmpl", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: acme/got:1}]}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a test hook", values: "",
        files: &[("templates/tests/t.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a, annotations: {\"helm.sh/hook\": test}}\nspec:\n  containers:\n    - name: w\n      image: busybox\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    // What comes out only sometimes.
    Case { name: "only when the release is upgraded", values: "",
        files: &[("templates/a.yaml", "{{- if .Release.IsUpgrade }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n{{- end }}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "only in one namespace, and not in this one", values: "",
        files: &[("templates/a.yaml", "{{- if eq .Release.Namespace \"other\" }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n{{- end }}\n")],
        with_helm: Carried(NONE), without: Carried(NONE), ..CASE },
    Case { name: "only where the cluster has an API that is not said", values: "",
        files: &[("templates/a.yaml", "{{- if .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n{{- end }}\n")],
        with_helm: Carried(NONE), without: Refused("written-image"), ..CASE },
    Case { name: "only where the cluster has an API that is said", values: "",
        files: &[("templates/a.yaml", "{{- if .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n{{- end }}\n")],
        release: "api_versions: [monitoring.coreos.com/v1]", with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "only from a version of kubernetes on", values: "image: acme/web:1\n",
        files: &[("templates/a.yaml", "{{- if semverCompare \"<1.25-0\" .Capabilities.KubeVersion.Version }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n{{- end }}\n")],
        release: "kube_version: v1.24.0\nunused_image_values: [image]", with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a part that is off", values: "extra: {enabled: false, image: acme/none:1}\nimage: acme/web:1\n",
        files: &[("templates/a.yaml", "{{- if .Values.extra.enabled }}\nkind: Pod\napiVersion: v1\nmetadata: {name: b}\nspec: {containers: [{name: a, image: {{ .Values.extra.image }}}]}\n---\n{{- end }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: {{ .Values.image }}}]}\n")],
        with_helm: Carried(ONE), without: Refused("image-value"), ..CASE },
    Case { name: "a part that is off and said to be unused", values: "extra: {enabled: false, image: acme/none:1}\nimage: acme/web:1\n",
        files: &[("templates/a.yaml", "{{- if .Values.extra.enabled }}\nkind: Pod\napiVersion: v1\nmetadata: {name: b}\nspec: {containers: [{name: a, image: {{ .Values.extra.image }}}]}\n---\n{{- end }}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: {{ .Values.image }}}]}\n")],
        release: "image_values: [image]\nunused_image_values: [extra.image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "said to be unused, and used", values: "image: acme/web:1\n", files: POD_BY_TEXT, release: "unused_image_values: [image]",
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    // Where pods stand.
    Case { name: "in a cron job, before and beside its containers", values: "image: acme/web:1\ndb: {image: quay.io/acme/db:16}\n",
        files: &[("templates/a.yaml", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec:\n  schedule: '@daily'\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          initContainers:\n            - image: \"{{ .Values.image }}\"\n              name: i\n          containers:\n            - name: a\n              image: {{ .Values.db.image }}\n")],
        release: "image_values: [image, db.image]", with_helm: Carried(BOTH), without: Carried(BOTH), ..CASE },
    Case { name: "a volume that is an image", values: "", files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  volumes:\n    - name: v\n      image:\n        reference: busybox:1.36\n  containers: []\n")],
        with_helm: Refused("written-image"), without: Refused("untold-image"), ..CASE },
    Case { name: "a volume that is an image of values", values: "image: acme/web:1\n", files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  volumes:\n    - name: v\n      image:\n        reference: {{ .Values.image }}\n  containers: []\n")],
        with_helm: Carried(ONE), without: Refused("image-value"), ..CASE },
    Case { name: "a list of objects", values: "", files: &[("templates/a.yaml", "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata: {name: a}\n  spec:\n    containers: [{name: a, image: busybox}]\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "containers as a value", values: "sidecars:\n- name: s\n  image: acme/web:1\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  containers:\n    {{- toYaml .Values.sidecars | nindent 4 }}\n")],
        release: "image_values: [sidecars.0.image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "containers as a text in values", values: "extra: |\n  - name: side\n    image: acme/side:1\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  containers:\n    {{- tpl .Values.extra . | nindent 4 }}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    // Custom resources.
    Case { name: "a custom resource that nobody knows", values: "", files: &[("templates/a.yaml", "apiVersion: x.acme/v1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  imageName: ghcr.io/acme/postgresql:16\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a custom resource of a group with a host", values: "", files: &[("templates/a.yaml", "apiVersion: db.acme.example/v1\nkind: Cluster\nmetadata: {name: c}\nspec:\n  imageName: ghcr.io/acme/postgresql:16\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    Case { name: "a monitor whose image is a value", values: "prometheus: {image: quay.io/acme/db:16}\n", files: &[("templates/a.yaml", "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: c}\nspec:\n  image: {{ .Values.prometheus.image }}\n")],
        release: "image_values: [prometheus.image]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "a monitor whose operator chooses", values: "", files: &[("templates/a.yaml", "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: c}\nspec:\n  replicas: 1\n")],
        with_helm: Warned(NONE, "the operator of Prometheus chooses"), without: Carried(NONE), ..CASE },
    Case { name: "repository and tag in a custom resource", values: "image: {repository: quay.io/acme/db, tag: \"16\"}\n", files: &[("templates/a.yaml", "apiVersion: operator.victoriametrics.com/v1beta1\nkind: VMAgent\nmetadata: {name: c}\nspec:\n  image:\n    repository: {{ .Values.image.repository }}\n    tag: {{ .Values.image.tag | quote }}\n")],
        release: "image_values: [image]", with_helm: Carried(&[DB]), without: Refused("untold-image"), ..CASE },
    Case { name: "a script of a workflow", values: "", files: &[("templates/a.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: c}\nspec:\n  templates:\n  - name: a\n    script: {image: busybox, source: x}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    // What only looks like one.
    Case { name: "an argument", values: "image: acme/web:1\n", files: pod!("{{ .Values.image }}\n      args: [\"--config-reloader=quay.io/acme/reloader:v1\"]"), release: "image_values: [image]",
        with_helm: Warned(ONE, "quay.io/acme/reloader:v1"), without: Warned(ONE, "quay.io/acme/reloader:v1"), ..CASE },
    Case { name: "an argument, strictly", values: "image: acme/web:1\n", files: pod!("{{ .Values.image }}\n      args: [\"--config-reloader=quay.io/acme/reloader:v1\"]"), release: "image_values: [image]", strict: true,
        with_helm: Refused("suspected-image"), without: Refused("suspected-image"), ..CASE },
    Case { name: "an argument that is a value", values: "image: acme/web:1\nreloader: quay.io/acme/db:16\n", files: pod!("{{ .Values.image }}\n      args: [\"--config-reloader={{ .Values.reloader }}\"]"), release: "image_values: [image, reloader]", strict: true,
        with_helm: Carried(BOTH), without: Carried(BOTH), ..CASE },
    Case { name: "an environment variable", values: "image: acme/web:1\n", files: pod!("{{ .Values.image }}\n      env: [{name: RELATED_IMAGE_DB, value: \"quay.io/acme/other:16\"}]"), release: "image_values: [image]",
        with_helm: Warned(ONE, "quay.io/acme/other:16"), without: Warned(ONE, "quay.io/acme/other:16"), ..CASE },
    Case { name: "a pod in a text that an operator reads", values: "", files: &[("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  pod.yaml: |\n    containers:\n    - image: quay.io/acme/other:16\n")],
        with_helm: Warned(NONE, "quay.io/acme/other:16"), without: Refused("written-image"), ..CASE },
    // What a digest does not fit.
    Case { name: "the tag in a label", values: "image: {repository: acme/web, tag: \"1\"}\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    version: {{ .Values.image.tag | quote }}\nspec:\n  containers:\n    - name: a\n      image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n")],
        release: "image_values: [image]", with_helm: Warned(ONE, "by name and tag"), without: Warned(ONE, "by name and tag"), ..CASE },
    Case { name: "the tag in a label, and the author wants that", values: "image: {repository: acme/web, tag: \"1\"}\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    version: {{ .Values.image.tag | quote }}\nspec:\n  containers:\n    - name: a\n      image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n")],
        release: "image_values: [{path: image, pin: name}]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "the tag compared as a version", values: "image: {repository: acme/web, tag: 1.2.3}\n",
        files: &[("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\nspec:\n  {{- if semverCompare \">=1.0.0\" .Values.image.tag }}\n  hostname: new\n  {{- end }}\n  containers:\n    - name: a\n      image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n")],
        release: "image_values: [image]", with_helm: Warned(ONE, "by name and tag"), without: Warned(ONE, "by name and tag"), ..CASE },
    Case { name: "a schema that takes no long tag", values: "image: {repository: acme/web, tag: \"1\"}\n",
        files: &[("values.schema.json", "{\"properties\":{\"image\":{\"properties\":{\"tag\":{\"type\":\"string\",\"maxLength\":20}}}}}"), ("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\nspec:\n  containers:\n    - name: a\n      image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n")],
        release: "image_values: [image]", with_helm: Warned(ONE, "by name and tag"), without: Refused("untold-image"), ..CASE },
    Case { name: "a way of writing that does not fit", values: "image: {repository: acme/web, tag: \"1\"}\n", files: POD_BY_MAP,
        release: "image_values: [{path: image, pin: digest}]", with_helm: Refused("rewritten-image"), without: Refused("rewritten-image"), ..CASE },
    Case { name: "a host that the template adds", values: "image: {repository: acme/db, tag: \"16\"}\n", files: pod!("quay.io/{{ .Values.image.repository }}:{{ .Values.image.tag }}"),
        with_helm: Refused("rewritten-image"), without: Refused("image-value"), ..CASE },
    // Charts inside charts.
    Case { name: "a chart inside", values: "db: {image: {tag: \"16\"}}\n",
        files: &[("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"), ("charts/db/values.yaml", "image: {repository: quay.io/acme/db, tag: \"1\"}\n"),
            ("charts/db/templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  containers:\n    - name: a\n      image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n")],
        release: "image_values: [db.image]", with_helm: Carried(&[DB]), without: Carried(&[DB]), ..CASE },
    Case { name: "a chart inside that writes its image", values: "",
        files: &[("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"), ("charts/db/templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: busybox}]}\n")],
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
    // What helm takes.
    Case { name: "a key twice", values: "image: acme/none:1\nimage: acme/web:1\n", files: POD_BY_TEXT, release: "image_values: [image]",
        with_helm: Warned(ONE, "values.yaml:2:1: the key \"image\" is given twice"), without: Warned(ONE, "values.yaml:2:1: the key \"image\" is given twice"), ..CASE },
    Case { name: "values in two documents", values: "image: acme/none:1\n---\nimage: acme/web:1\n", files: POD_BY_TEXT, release: "image_values: [image]",
        with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "remarks", values: "# image: busybox\nimage: acme/web:1\n", files: &[("README.md", "Paste your `-----BEGIN PRIVATE KEY-----` here\n"), ("templates/NOTES.txt", "image: busybox\n"),
            ("templates/a.yaml", "# -----BEGIN RSA PRIVATE KEY-----\n# ...\n{{/* image: busybox */}}\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec:\n  containers:\n    - name: a\n      # image: busybox\n      image: {{ .Values.image }} # image: busybox\n")],
        release: "image_values: [image]", with_helm: Carried(ONE), without: Carried(ONE), ..CASE },
    Case { name: "a value that must be there", values: "image: acme/web:1\n", files: pod!("{{ .Values.image }}\n      tty: {{ required \"say tty\" .Values.tty }}"), release: "image_values: [image]",
        // That helm refuses a chart for another reason than its images is not read without it.
        with_helm: Refused("render"), without: Carried(ONE), ..CASE },
    Case { name: "a vendor that vouches", values: "image: {registry: quay.io, repository: acme/db, tag: \"16\"}\n",
        files: &[("templates/_helpers.tpl", HELPER), ("templates/a.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {containers: [{name: a, image: {{ include \"x.image\" (dict \"root\" .Values.image \"global\" .Values.global) }}}]}\n")],
        release: "image_values: [image]\nimages_complete: true", with_helm: Carried(&[DB]), without: Warned(&[DB], "images_complete vouches"), ..CASE },
    Case { name: "a vendor that vouches for what is not so", values: "", files: pod!("busybox"), release: "images_complete: true",
        with_helm: Refused("written-image"), without: Refused("written-image"), ..CASE },
];

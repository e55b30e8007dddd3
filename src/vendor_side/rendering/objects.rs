//! The images of objects: of pods wherever they stand, of custom resources that are known, and what looks like more.
//!
//! What comes out of a chart may be large by mistake or on purpose: each object is looked at once, and there are bounds.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::custom_resources::images_of;
use super::documents::Document;
use super::labels::{is_label, is_label_key, is_name};
use super::named::Named;
use super::quoting::is_quoted;
use crate::chart::{
    InText, Pod, Reading, Seen, Spoilt, Template, digits_alone, images_in_text, is_image_key, is_named_so, suspects_in,
};
use crate::collect::ImageReference;
use crate::domain::SecretName;
use crate::yaml::rendered;

/// Lists of containers, in pods and in whatever holds or changes pods.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];
/// Most objects that are read of one chart.
const OBJECTS: usize = 20_000;
/// Most values in them all.
const VALUES: usize = if cfg!(test) { 200_000 } else { 2_000_000 };
/// Most different images.
const IMAGES: usize = 1_000;
/// Most bytes of templates that are looked through for the lines that messages name.
const LOOKED: usize = 1 << 30;

/// What cannot be read.
#[derive(Debug)]
pub(super) enum Wrong {
    /// An object is none; with its place.
    Document(String),
    /// There is more than anybody installs.
    Many(String),
}

/// Reads everything that came out of a chart.
///
/// # Errors
///
/// What cannot be read, and where.
pub(super) fn reading<'a>(
    documents: &[Document<'_>],
    templates: impl IntoIterator<Item = &'a Template>,
    secrets: &[(&SecretName, &str)],
) -> Result<Reading, Wrong> {
    if documents.len() > OBJECTS {
        let found = format!(
            "{} objects come out of it (at most {OBJECTS} are read)",
            documents.len()
        );
        return Err(Wrong::Many(found));
    }
    let templates: HashMap<&str, &Template> = templates
        .into_iter()
        .map(|template| (template.source.as_str(), template))
        .collect();
    // Once for each: thousands of objects may come out of a template of megabytes.
    let quoting: HashSet<&str> = templates
        .values()
        .filter(|template| quotes_as_needed(template))
        .map(|template| template.source.as_str())
        .collect();
    let as_needed = quoting.iter().any(|source| is_library(source));
    let mut found = Found::default();
    for document in documents {
        let template = templates.get(document.source).copied();
        // Definitions of resources hold schemas and no objects, and may be very large.
        if document
            .text
            .lines()
            .any(|line| line == "kind: CustomResourceDefinition")
        {
            continue;
        }
        let place = template.map_or(document.source, |template| template.place.as_str());
        let object =
            rendered(document.text).map_err(|found| Wrong::Document(format!("{place}, as helm makes it: {found}")))?;
        // Where quotes may come with the value that needs them, what came out with this one tells nothing.
        let quotes_itself = as_needed || template.is_none() || quoting.contains(document.source);
        let stand_there = secrets
            .iter()
            .filter(|(_, value)| !quotes_itself && document.text.contains(value));
        for (name, _) in stand_there.filter(|(_, value)| !is_quoted(document.text, &object, value)) {
            found.reading.unquoted.insert((place.to_owned(), (*name).clone()));
        }
        let mut walk = Walk {
            found: &mut found,
            template,
            source: document.source,
            head: String::new(),
            custom: false,
            is_text: false,
            encoded: None,
        };
        walk.document(&object);
        if found.values > VALUES {
            return Err(Wrong::Many(format!("more than {VALUES} values come out of it")));
        }
        if found.names.len() > IMAGES {
            return Err(Wrong::Many(format!(
                "more than {IMAGES} different images come out of it"
            )));
        }
    }
    Ok(found.reading)
}

/// Whether a template is there for others to include.
fn is_library(source: &str) -> bool {
    Path::new(source)
        .extension()
        .is_some_and(|extension| extension == "tpl")
}

/// Whether a template may have values written by a function that quotes what needs it.
fn quotes_as_needed(template: &Template) -> bool {
    ["toYaml", "toJson", "toRawJson", "toPrettyJson"]
        .iter()
        .any(|function| template.text.contains(function))
}

/// What was found in the objects that were read.
#[derive(Default)]
struct Found {
    reading: Reading,
    /// Places and references of what was found, each once.
    seen: HashSet<(String, String)>,
    names: HashSet<String>,
    values: usize,
    /// Lines that were looked for, by template and reference.
    lines: HashMap<(String, String), String>,
    looked: usize,
}

struct Walk<'a> {
    found: &'a mut Found,
    template: Option<&'a Template>,
    source: &'a str,
    /// Kind and name of the object.
    head: String,
    /// It is of an API that kubernetes does not bring: keys that speak of images name them.
    custom: bool,
    /// It holds texts for others.
    is_text: bool,
    /// The member whose texts are encoded.
    encoded: Option<&'static str>,
}

impl Walk<'_> {
    fn document(&mut self, object: &Value) {
        // A list brings objects of its own.
        if let (Some("List"), Some(items)) = (text(object, "kind"), object.get("items").and_then(Value::as_array)) {
            for item in items {
                self.document(item);
            }
            return;
        }
        let kind = text(object, "kind").unwrap_or("object");
        let name = object.get("metadata").and_then(|metadata| text(metadata, "name"));
        self.head = format!("{kind} {}", name.unwrap_or("without a name"));
        self.custom = text(object, "apiVersion")
            .and_then(|version| version.split_once('/'))
            .is_some_and(|(group, _)| group.contains('.') && !group.ends_with(".k8s.io"));
        self.is_text = matches!(kind, "ConfigMap" | "Secret");
        if let ("ServiceAccount", Some(name)) = (kind, name) {
            let secrets = self.found.reading.accounts.entry(name.to_owned()).or_default();
            secrets.extend(pull_secrets(object));
        }
        self.encoded = match kind {
            "Secret" => Some("data."),
            "ConfigMap" => Some("binaryData."),
            _ => None,
        };
        let mut known = Vec::new();
        if let Some(found) = images_of(object) {
            for (path, reference) in found.images {
                self.image(&path, &reference);
                known.push(path);
            }
            for (path, what) in found.said {
                self.suspect(&path, &what);
            }
            for (path, values) in found.values {
                if let Ok(inside) = rendered(values) {
                    self.value(&inside, &path, &[], None);
                    known.push(path);
                }
            }
        }
        self.value(object, "", &known, None);
    }

    /// Looks through a value, but for one member of it.
    fn value(&mut self, value: &Value, path: &str, known: &[String], but: Option<&str>) {
        self.found.values = self.found.values.saturating_add(1);
        if self.found.values > VALUES {
            return;
        }
        match value {
            Value::Object(map) => {
                if !self.custom && map.get("containers").is_some_and(|list| !is_empty(list)) {
                    let account = text(value, "serviceAccountName").unwrap_or("default");
                    self.found.reading.pods.insert(Pod {
                        place: format!(
                            "{}: {}",
                            self.template.map_or(self.source, |template| template.place.as_str()),
                            self.head
                        ),
                        pull_secrets: pull_secrets(value),
                        account: account.to_owned(),
                    });
                }
                for (key, value) in map.iter().filter(|(key, _)| but != Some(key.as_str())) {
                    let below = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if known.contains(&below) {
                        continue;
                    }
                    self.member(key, value, path, &below, known);
                }
                // `{name: RELATED_IMAGE_DB, value: acme/db:16}`
                if let (Some(name), Some(value)) = (text(value, "name"), text(value, "value"))
                    && is_named_so(name, value)
                {
                    self.suspect(&format!("{path}.value"), value);
                }
            }
            Value::Array(list) => {
                for (number, value) in list.iter().enumerate() {
                    self.value(value, &format!("{path}[{number}]"), known, None);
                }
            }
            Value::String(text) => {
                self.text(text, path);
                if self.encoded.is_some_and(|member| path.starts_with(member)) {
                    let decoded = STANDARD.decode(text.trim()).ok();
                    for text in decoded.iter().filter_map(|bytes| std::str::from_utf8(bytes).ok()) {
                        self.text(text, path);
                    }
                }
            }
            _ => {}
        }
    }

    /// Looks through a text that somebody at the site may read.
    fn text(&mut self, text: &str, path: &str) {
        for reference in suspects_in(text) {
            self.suspect(path, &reference);
        }
        for said in images_in_text(text) {
            match said {
                InText::Image(reference) if reference.parse::<ImageReference>().is_ok() => {
                    self.suspect(path, &reference);
                }
                InText::Image(_) => {}
                InText::Parts => match rendered(text) {
                    Ok(inside) => self.parts(&inside, path),
                    Err(_) => self.suspect(path, "an image in a text, which nobody reads here"),
                },
                InText::Made => self.suspect(path, "an image that whatever reads this text puts together at the site"),
            }
        }
    }

    /// Looks for images in parts in what a text says.
    fn parts(&mut self, value: &Value, path: &str) {
        self.found.values = self.found.values.saturating_add(1);
        match value {
            Value::Object(map) if self.found.values <= VALUES => {
                for (key, value) in map {
                    if let Some(named) = value.as_object().and_then(|parts| Named::of(parts, is_image_key(key))) {
                        self.suspect(path, &named.reference);
                    }
                    self.parts(value, path);
                }
            }
            Value::Array(list) if self.found.values <= VALUES => list.iter().for_each(|value| self.parts(value, path)),
            _ => {}
        }
    }

    fn member(&mut self, key: &str, value: &Value, path: &str, below: &str, known: &[String]) {
        match value {
            Value::Array(list) if CONTAINERS.contains(&key) => {
                for (number, container) in list.iter().enumerate() {
                    self.container(container, &format!("{below}[{number}]"), known);
                }
            }
            Value::Array(list) if key == "volumes" => {
                for (number, volume) in list.iter().enumerate() {
                    self.volume(volume, &format!("{below}[{number}]"), known);
                }
            }
            Value::Object(labels) if matches!(key, "labels" | "matchLabels" | "nodeSelector") => {
                for (name, label) in labels {
                    let label = label.as_str().unwrap_or_default();
                    self.found.reading.misplaced.extend(digits_alone(label));
                    if !is_label_key(name) || !is_label(label) {
                        let text = if is_label(label) { name } else { label };
                        self.spoilt(&format!("{below}.{name}"), text);
                    }
                }
            }
            Value::String(name) if key == "name" && path.ends_with("metadata") => {
                self.found.reading.misplaced.extend(digits_alone(name));
                if !is_name(name) {
                    self.spoilt(below, name);
                }
            }
            Value::String(text) if self.custom && is_image_key(key) && names_an_image(text) => {
                self.image(below, text);
            }
            Value::String(text)
                if is_named_so(key, text)
                    || self.is_text && is_image_key(key) && text.parse::<ImageReference>().is_ok() =>
            {
                self.suspect(below, text);
            }
            Value::Object(parts) if self.custom && !known.iter().any(|known| known.starts_with(below)) => {
                let Some(named) = Named::of(parts, is_image_key(key)) else {
                    return self.value(value, below, known, None);
                };
                if named.sure {
                    self.image(below, &named.reference);
                    // Nobody knows how its operator puts them together: by name and tag, that is the only way.
                    let tag = named.tag.as_deref().unwrap_or_default();
                    self.found.reading.misplaced.extend(digits_alone(tag));
                } else {
                    self.suspect(below, &named.reference);
                }
                for (key, value) in parts.iter().filter(|(_, value)| value.is_object() || value.is_array()) {
                    self.member(key, value, below, &format!("{below}.{key}"), known);
                }
            }
            _ => self.value(value, below, known, None),
        }
    }

    fn container(&mut self, container: &Value, path: &str, known: &[String]) {
        let image = format!("{path}.image");
        if let Some(reference) = text(container, "image").filter(|reference| !reference.is_empty())
            && !known.contains(&image)
        {
            self.image(&image, reference);
        }
        self.value(container, path, known, Some("image"));
    }

    /// A volume may be an image itself.
    fn volume(&mut self, volume: &Value, path: &str, known: &[String]) {
        let reference = volume.get("image").and_then(|image| text(image, "reference"));
        if let Some(reference) = reference.filter(|reference| !reference.is_empty()) {
            self.image(&format!("{path}.image.reference"), reference);
        }
        self.value(volume, path, known, Some("image"));
    }

    fn image(&mut self, path: &str, reference: &str) {
        if let Some(seen) = self.first(path, reference) {
            self.found.names.insert(reference.to_owned());
            self.found.reading.images.push(seen);
        }
    }

    /// Notes what kubernetes does not take, under the template alone: the name of the object may be what it is.
    fn spoilt(&mut self, path: &str, text: &str) {
        self.found.reading.spoilt.insert(Spoilt {
            at: format!("{}: {path}", self.source),
            place: format!(
                "{}: {}: {path}",
                self.template.map_or(self.source, |template| &template.place),
                self.head
            ),
            text: text.to_owned(),
        });
    }

    fn suspect(&mut self, path: &str, reference: &str) {
        if let Some(seen) = self.first(path, reference) {
            self.found.reading.suspects.push(seen);
        }
    }

    /// What is found here, where it was not before.
    fn first(&mut self, path: &str, reference: &str) -> Option<Seen> {
        let at = format!("{}: {}: {path}", self.source, self.head);
        let new = self.found.seen.insert((at.clone(), reference.to_owned()));
        new.then(|| Seen {
            place: format!("{}: {}: {path}", self.line(reference), self.head),
            at,
            reference: reference.to_owned(),
        })
    }

    fn line(&mut self, reference: &str) -> String {
        let Some(template) = self.template else {
            return self.source.to_owned();
        };
        let key = (self.source.to_owned(), reference.to_owned());
        if let Some(known) = self.found.lines.get(&key) {
            return known.clone();
        }
        // It is looked through for the reference, its parts, and keys.
        self.found.looked = self.found.looked.saturating_add(template.bytes().saturating_mul(6));
        let line = if self.found.looked > LOOKED {
            template.place.clone()
        } else {
            template.line_of(reference)
        };
        self.found.lines.insert(key, line.clone());
        line
    }
}

/// The names of the pull secrets of a pod or an account, as they come out.
fn pull_secrets(holder: &Value) -> Vec<String> {
    let list = holder.get("imagePullSecrets").and_then(Value::as_array);
    let names = list.into_iter().flatten().map(|secret| match secret.get("name") {
        Some(Value::String(name)) => name.clone(),
        _ => secret.to_string(),
    });
    names.collect()
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

/// Whether a text under a key that speaks of images is one: a word alone may be anything.
fn names_an_image(text: &str) -> bool {
    text.contains(['/', ':']) && text.parse::<ImageReference>().is_ok()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::documents::split;
    use super::*;

    fn images(text: &str) -> Vec<(String, String)> {
        reading(&split(text), &[], &[])
            .unwrap()
            .images
            .into_iter()
            .map(|seen| (seen.at.rsplit(": ").next().unwrap().to_owned(), seen.reference))
            .collect()
    }

    #[test]
    fn pods_are_found_wherever_they_stand() {
        let text = "---\nkind: List\nitems:\n- kind: Pod\n  spec: {containers: [{image: a:1}]}\n\
                    ---\nkind: CronJob\nspec:\n  jobTemplate: {spec: {template: {spec: {initContainers: [{image: b:1}], \
                    ephemeralContainers: [{image: c:1}], volumes: [{name: v, image: {reference: d:1}}]}}}}\n\
                    ---\nkind: Anything\nspec: {podTemplate: {spec: {containers: [{name: x, image: e:1}, {name: y}]}}}\n\
                    ---\nkind: CustomResourceDefinition\nspec: {containers: [{image: f:1}]}\n";
        let found: Vec<_> = images(text).into_iter().map(|(_, reference)| reference).collect();
        assert_eq!(found, ["a:1", "c:1", "b:1", "d:1", "e:1"]);
    }

    #[test]
    fn what_looks_like_an_image_elsewhere_is_suspected() {
        let text = "kind: Deployment\nmetadata: {name: a, annotations: {x: \"see quay.io/a/b:2\"}}\nspec: {containers: [{image: a:1, \
                    args: [\"--reloader=quay.io/acme/r:v1\", x], env: [{name: RELATED_IMAGE_DB, value: acme/db:16}]}]}\n";
        let reading = reading(&split(text), &[], &[]).unwrap();
        let found: Vec<_> = reading.suspects.iter().map(|seen| seen.reference.as_str()).collect();
        assert_eq!(found, ["quay.io/a/b:2", "quay.io/acme/r:v1", "acme/db:16"]);
        assert_eq!(reading.images.len(), 1);
        let text = "kind: ConfigMap\ndata: {sidecarImage: 'acme/side:1', image: proxyv2, pod.yaml: \"a:\\n- image: acme/hidden:1\\n\", \
                    v.yaml: \"image:\\n  repository: acme/parts\\n  tag: 2\\n\", t: \"image: {{ x }}/y\", imageCount: '5'}\n";
        let read = super::reading(&split(text), &[], &[]).unwrap();
        let mut found: Vec<_> = read.suspects.iter().map(|seen| seen.reference.as_str()).collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "acme/hidden:1",
                "acme/parts:2",
                "acme/side:1",
                "an image that whatever reads this text puts together at the site",
                "proxyv2"
            ]
        );
        let hex = "a".repeat(64);
        let labelled = format!("kind: A\nmetadata: {{labels: {{v: \"{hex}\"}}}}\n");
        assert!(
            super::reading(&split(&labelled), &[], &[])
                .unwrap()
                .misplaced
                .contains(&hex)
        );
    }

    #[test]
    fn custom_resources_that_nobody_knows_are_read_as_far_as_they_speak_of_images() {
        let text = "apiVersion: x.acme/v1\nkind: Thing\nspec:\n  image: {registry: quay.io, repository: a/b, tag: 1}\n  \
                    side: {repository: quay.io/a/c, version: '2', url: x}\n  initImage: {image: a/d, digest: ''}\n  osImage: {name: u, tag: x}\n  \
                    git: {repository: 'https://git.example.com/a', version: '1'}\n  of: [{image: {repository: a/e, tag: '3', more: {image: a/f}}}]\n";
        let reading = reading(&split(text), &[], &[]).unwrap();
        let references = |seen: &[Seen]| seen.iter().map(|seen| seen.reference.clone()).collect::<Vec<_>>();
        assert_eq!(references(&reading.images), ["quay.io/a/b:1", "a/d", "a/e:3", "a/f"]);
        assert_eq!(references(&reading.suspects), ["u:x", "quay.io/a/c:2"]);
    }

    #[test]
    fn charts_that_others_install_are_told_with_their_values() {
        let text = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: x}\nspec:\n  chart: traefik\n  jobImage: quay.io/a/job:1\n  \
                    valuesContent: |-\n    image: {repository: quay.io/a/b, tag: v1}\n    deep: {image: a/c:2}\n\
                    ---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {chart: {spec: {chart: podinfo}}, values: {image: {repository: a/d, tag: '4'}}}\n\
                    ---\napiVersion: v1\nkind: Secret\ndata: {a: cXVheS5pby9hL2U6NQ==}\n";
        let reading = reading(&split(text), &[], &[]).unwrap();
        let references = |seen: &[Seen]| seen.iter().map(|seen| seen.reference.clone()).collect::<Vec<_>>();
        assert_eq!(
            references(&reading.images),
            ["quay.io/a/job:1", "a/c:2", "quay.io/a/b:v1", "a/d:4"]
        );
        let suspects = references(&reading.suspects);
        assert!(suspects[0].starts_with("\"traefik\" is fetched"), "{suspects:?}");
        assert!(suspects[1].starts_with("\"podinfo\" is fetched"), "{suspects:?}");
        assert_eq!(suspects[2..], ["quay.io/a/e:5"]);
    }

    #[test]
    fn more_than_anybody_installs_is_refused_soon() {
        let began = std::time::Instant::now();
        let objects = |count: usize, image: &dyn Fn(usize) -> String| {
            (0..count).fold(String::new(), |mut text, n| {
                text += "---\nkind: Pod\n";
                text += &format!(
                    "metadata: {{name: p{n}}}\nspec: {{containers: [{{image: {}}}]}}\n",
                    image(n)
                );
                text
            })
        };
        let many = |text: &str| match reading(&split(text), &[], &[]) {
            Err(Wrong::Many(found)) => found,
            other => panic!("{other:?}"),
        };
        assert!(many(&objects(20_001, &|_| "a:1".to_owned())).starts_with("20001 objects"));
        assert!(many(&objects(1_001, &|n| format!("a:{n}"))).starts_with("more than 1000 different images"));
        // A tenth of what is read elsewhere.
        let list = format!("a: [{}]\n", "x,".repeat(20_000));
        assert!(many(&format!("---\n{list}").repeat(11)).starts_with("more than 200000 values"));
        let text = objects(2_000, &|n| format!("a:{}", n % 1_000));
        assert_eq!(reading(&split(&text), &[], &[]).unwrap().images.len(), 2_000);
        assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());
    }

    #[test]
    fn custom_resources_have_their_own_places() {
        assert_eq!(
            images("apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec: {imageName: ghcr.io/a/pg:16}\n"),
            [("spec.imageName".to_owned(), "ghcr.io/a/pg:16".to_owned())]
        );
        assert_eq!(
            images(
                "apiVersion: x.acme/v1\nkind: Cluster\nspec: {imageName: ghcr.io/a/pg:16, image: none, sidecarImage: b/c}\n"
            ),
            [
                ("spec.imageName".to_owned(), "ghcr.io/a/pg:16".to_owned()),
                ("spec.sidecarImage".to_owned(), "b/c".to_owned())
            ]
        );
    }
}

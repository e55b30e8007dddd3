//! The images of objects: of pods wherever they stand, of custom resources that are known, and what looks like more.

use serde_json::Value;

use super::custom_resources::images_of;
use super::documents::Document;
use crate::vendor_side::chart::{Reading, Seen, Template, digits_alone, is_image_key, is_named_so, suspects_in};
use crate::vendor_side::collect::ImageReference;
use crate::vendor_side::yaml::rendered;

/// Lists of containers, in pods and in whatever holds or changes pods.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Reads everything that came out of a chart.
///
/// # Errors
///
/// What cannot be read, and where.
pub(super) fn reading(documents: &[Document<'_>], templates: &[Template]) -> Result<Reading, String> {
    let mut reading = Reading::default();
    for document in documents {
        let template = templates.iter().find(|template| template.source == document.source);
        // Definitions of resources hold schemas and no objects, and may be very large.
        if document
            .text
            .lines()
            .any(|line| line == "kind: CustomResourceDefinition")
        {
            continue;
        }
        let place = template.map_or(document.source, |template| template.place.as_str());
        let object = rendered(document.text).map_err(|found| format!("{place}, as helm makes it: {found}"))?;
        let mut walk = Walk {
            reading: &mut reading,
            template,
            source: document.source,
            head: String::new(),
            custom: false,
        };
        walk.document(&object);
    }
    Ok(reading)
}

struct Walk<'a> {
    reading: &'a mut Reading,
    template: Option<&'a Template>,
    source: &'a str,
    /// Kind and name of the object.
    head: String,
    /// It is of an API that kubernetes does not bring: keys that speak of images name them.
    custom: bool,
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
        let mut known = Vec::new();
        if let Some(found) = images_of(object) {
            for (path, reference) in found.images {
                self.image(&path, &reference);
                known.push(path);
            }
            if let Some(what) = found.chosen_by_operator {
                self.suspect(&what.0, &what.1);
            }
        }
        self.value(object, "", &known);
    }

    fn value(&mut self, value: &Value, path: &str, known: &[String]) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let below = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if known.contains(&below) {
                        continue;
                    }
                    match value {
                        Value::Array(list) if CONTAINERS.contains(&key.as_str()) => {
                            for (number, container) in list.iter().enumerate() {
                                self.container(container, &format!("{below}[{number}]"), known);
                            }
                        }
                        Value::Array(list) if key == "volumes" => {
                            for (number, volume) in list.iter().enumerate() {
                                self.volume(volume, &format!("{below}[{number}]"), known);
                            }
                        }
                        Value::Object(labels) if matches!(key.as_str(), "labels" | "matchLabels") => {
                            for label in labels.values().filter_map(Value::as_str) {
                                self.reading.misplaced.extend(digits_alone(label));
                            }
                        }
                        Value::String(name) if key == "name" && path.ends_with("metadata") => {
                            self.reading.misplaced.extend(digits_alone(name));
                        }
                        Value::String(text) if self.custom && is_image_key(key) && names_an_image(text) => {
                            self.image(&below, text);
                        }
                        _ => self.value(value, &below, known),
                    }
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
                    self.value(value, &format!("{path}[{number}]"), known);
                }
            }
            Value::String(text) => {
                for reference in suspects_in(text) {
                    self.suspect(path, &reference);
                }
            }
            _ => {}
        }
    }

    fn container(&mut self, container: &Value, path: &str, known: &[String]) {
        let image = format!("{path}.image");
        if let Some(reference) = text(container, "image").filter(|reference| !reference.is_empty())
            && !known.contains(&image)
        {
            self.image(&image, reference);
        }
        self.without(container, "image", path, known);
    }

    /// A volume may be an image itself.
    fn volume(&mut self, volume: &Value, path: &str, known: &[String]) {
        let reference = volume.get("image").and_then(|image| text(image, "reference"));
        if let Some(reference) = reference.filter(|reference| !reference.is_empty()) {
            self.image(&format!("{path}.image.reference"), reference);
        }
        self.without(volume, "image", path, known);
    }

    /// Goes on with everything but one member.
    fn without(&mut self, value: &Value, key: &str, path: &str, known: &[String]) {
        let mut rest = value.clone();
        if let Value::Object(map) = &mut rest {
            map.remove(key);
        }
        self.value(&rest, path, known);
    }

    fn image(&mut self, path: &str, reference: &str) {
        let seen = self.seen(path, reference);
        if !self.reading.images.contains(&seen) {
            self.reading.images.push(seen);
        }
    }

    fn suspect(&mut self, path: &str, reference: &str) {
        let seen = self.seen(path, reference);
        if !self.reading.suspects.contains(&seen) {
            self.reading.suspects.push(seen);
        }
    }

    fn seen(&self, path: &str, reference: &str) -> Seen {
        let line = match self.template {
            Some(template) => template.line_of(reference),
            None => self.source.to_owned(),
        };
        Seen {
            place: format!("{line}: {}: {path}", self.head),
            at: format!("{}: {}: {path}", self.source, self.head),
            reference: reference.to_owned(),
        }
    }
}

/// Whether a text under a key that speaks of images is one: a word alone may be anything.
fn names_an_image(text: &str) -> bool {
    text.contains(['/', ':']) && text.parse::<ImageReference>().is_ok()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

impl Reading {
    /// Joins what another run found.
    pub(super) fn add(&mut self, other: Self) {
        for image in other.images {
            if !self.images.contains(&image) {
                self.images.push(image);
            }
        }
        for suspect in other.suspects {
            if !self.suspects.contains(&suspect) {
                self.suspects.push(suspect);
            }
        }
        self.untold.extend(other.untold);
        self.misplaced.extend(other.misplaced);
    }
}

#[cfg(test)]
mod tests {
    use super::super::documents::split;
    use super::*;

    fn images(text: &str) -> Vec<(String, String)> {
        reading(&split(text), &[])
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
        let reading = reading(&split(text), &[]).unwrap();
        let found: Vec<_> = reading.suspects.iter().map(|seen| seen.reference.as_str()).collect();
        assert_eq!(found, ["quay.io/a/b:2", "quay.io/acme/r:v1", "acme/db:16"]);
        assert_eq!(reading.images.len(), 1);
        let hex = "a".repeat(64);
        let labelled = format!("kind: A\nmetadata: {{labels: {{v: \"{hex}\"}}}}\n");
        assert!(super::reading(&split(&labelled), &[]).unwrap().misplaced.contains(&hex));
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

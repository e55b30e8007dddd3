//! Images in values: found where the author says they stand, rewritten to the placeholder host with their digests.
//!
//! | What stands there | What it becomes |
//! |---|---|
//! | a text | `HOST/NAME@sha256:…` |
//! | a mapping with `digest` | `registry`, `repository` and `digest` set; `tag` stays |
//! | another mapping with `repository` | `repository: HOST/NAME@sha256` and `tag: <64 digits>`: charts write both with a colon between |

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::tree::{get, set, show};
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::domain::{Class, Digest, Error, RepositoryName};
use crate::vendor_side::chart::{Chart, overlay};
use crate::vendor_side::release_file::{ImageValue, Pin};

/// Merged values of a deployment, with the images in them.
#[derive(Debug)]
pub(in super::super) struct Values {
    /// What agents get, still with the author's images.
    own: Value,
    /// The chart's defaults with `own` over them: what templates see.
    whole: Value,
    /// Images, each at its place.
    pub(in super::super) images: Vec<ImageUse>,
    /// What is wrong with images in them.
    pub(in super::super) problems: Vec<Error>,
}

/// An image in values.
#[derive(Debug, Clone)]
pub(in super::super) struct ImageUse {
    path: Vec<String>,
    form: Form,
    /// Its reference, put together.
    pub(in super::super) reference: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Map { pin: Pin, registry: bool },
}

impl Values {
    /// Finds the images in merged values: those listed, and those that look like images and are not listed.
    pub(in super::super) fn new(own: Value, chart: &Chart, listed: &[ImageValue], unused: &[ImageValue]) -> Self {
        let mut whole = chart.defaults.clone();
        overlay(&mut whole, own.clone());
        let mut values = Self {
            own,
            whole,
            images: Vec::new(),
            problems: Vec::new(),
        };
        for entry in listed {
            match values.image(entry, &chart.app_versions) {
                Ok(image) => values.images.push(image),
                Err(what) => values.problems.push(problem(&entry.path, &what)),
            }
        }
        let known: Vec<&[String]> = listed.iter().chain(unused).map(|entry| entry.path.as_slice()).collect();
        let mut strays = Vec::new();
        strays_in(&values.whole, &mut Vec::new(), &known, &mut strays);
        for (path, text) in strays {
            values.problems.push(
                problem(&path, &format!("it looks like the image {text:?} and is not listed")).remedy(format!(
                    "add {} to image_values, or to unused_image_values",
                    show(&path)
                )),
            );
        }
        if let Some(Value::String(registry)) = get(&values.whole, &["global".to_owned(), "imageRegistry".to_owned()])
            && !registry.is_empty()
            && registry != PLACEHOLDER_HOST
        {
            values.problems.push(
                problem(
                    &["global".to_owned(), "imageRegistry".to_owned()],
                    "it would override the registry of every image",
                )
                .remedy("leave it empty: images are rewritten one by one"),
            );
        }
        values
    }

    fn image(&self, entry: &ImageValue, app_versions: &BTreeMap<Vec<String>, String>) -> Result<ImageUse, String> {
        let value = get(&self.whole, &entry.path).ok_or("there is no such value")?;
        let text = |map: &Map<String, Value>, key: &str| match map.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (form, reference) = match value {
            Value::String(text) if !text.is_empty() => (Form::Text, text.clone()),
            Value::Object(map) => {
                let repository = text(map, "repository").ok_or("it has no repository")?;
                let mut reference = match text(map, "registry") {
                    Some(registry) => format!("{registry}/{repository}"),
                    None => repository,
                };
                let version = || {
                    (0..=entry.path.len())
                        .rev()
                        .find_map(|length| app_versions.get(entry.path.get(..length)?))
                        .cloned()
                };
                let digest = text(map, "digest");
                if let Some(tag) = text(map, "tag").or_else(|| if digest.is_none() { version() } else { None }) {
                    reference += &format!(":{tag}");
                }
                if let Some(digest) = digest {
                    reference += &format!("@{digest}");
                }
                let pin = entry.pin.unwrap_or(if map.contains_key("digest") {
                    Pin::Digest
                } else {
                    Pin::Tag
                });
                let registry = map.contains_key("registry");
                (Form::Map { pin, registry }, reference)
            }
            _ => return Err("it is neither a text nor a mapping with repository".to_owned()),
        };
        if reference.contains("{{") {
            return Err("it is a template, which names no image by itself".to_owned());
        }
        Ok(ImageUse {
            path: entry.path.clone(),
            form,
            reference,
        })
    }

    /// Returns the JSON object that agents get; `stored` are the images' names and digests, in the order of `images`.
    pub(in super::super) fn rewrite(&self, stored: &[(RepositoryName, Digest)]) -> Vec<u8> {
        let mut own = self.own.clone();
        for (image, (repository, digest)) in self.images.iter().zip(stored) {
            let mut put = |key: Option<&str>, value: String| {
                let mut path = image.path.clone();
                path.extend(key.map(str::to_owned));
                set(&mut own, &self.whole, &path, Value::String(value));
            };
            match image.form {
                Form::Text => put(None, format!("{PLACEHOLDER_HOST}/{repository}@{digest}")),
                Form::Map { pin, registry } => {
                    let mut name = repository.to_string();
                    if registry {
                        put(Some("registry"), PLACEHOLDER_HOST.to_owned());
                    } else {
                        name = format!("{PLACEHOLDER_HOST}/{name}");
                    }
                    match pin {
                        Pin::Digest => {
                            put(Some("repository"), name);
                            put(Some("digest"), digest.to_string());
                        }
                        Pin::Tag => {
                            put(Some("repository"), format!("{name}@sha256"));
                            put(Some("tag"), digest.0.to_string());
                        }
                    }
                }
            }
        }
        own.to_string().into_bytes()
    }
}

/// Finds what looks like an image: a text under `image` or `…Image`, a mapping with `repository` and one of its companions.
fn strays_in(value: &Value, path: &mut Vec<String>, known: &[&[String]], found: &mut Vec<(Vec<String>, String)>) {
    if known.contains(&path.as_slice()) {
        return;
    }
    match value {
        Value::Object(map) => {
            let companion = ["tag", "registry", "digest", "pullPolicy"]
                .iter()
                .any(|key| map.contains_key(*key));
            if let Some(Value::String(repository)) = map.get("repository")
                && companion
                && !repository.is_empty()
            {
                found.push((path.clone(), repository.clone()));
                return;
            }
            for (key, value) in map {
                path.push(key.clone());
                match value {
                    Value::String(text)
                        if (key == "image" || key.ends_with("Image"))
                            && !text.is_empty()
                            && !known.contains(&path.as_slice()) =>
                    {
                        found.push((path.clone(), text.clone()));
                    }
                    _ => strays_in(value, path, known, found),
                }
                path.pop();
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                path.push(number.to_string());
                strays_in(value, path, known, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn problem(path: &[String], what: &str) -> Error {
    Error::new(Class::Content, "image-value", format!("value {}: {what}", show(path)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chart(defaults: Value) -> Chart {
        Chart {
            name: "erp".to_owned(),
            version: "2.0.0".to_owned(),
            metadata: Value::Null,
            defaults,
            app_versions: BTreeMap::from([(vec![], "1.0".to_owned()), (vec!["db".to_owned()], "16.2".to_owned())]),
            written: Vec::new(),
            missing: Vec::new(),
            private_keys: Vec::new(),
        }
    }

    fn at(path: &str) -> ImageValue {
        ImageValue {
            path: path.split('.').map(str::to_owned).collect(),
            pin: None,
            place: (1, 1),
        }
    }

    #[test]
    fn every_form_is_found_and_pinned() {
        let defaults = json!({
            "image": {"repository": "acme/web", "tag": ""},
            "side": [{"image": "docker.io/a:1", "args": ["x"]}],
            "db": {"image": {"registry": "quay.io", "repository": "pg", "tag": "", "digest": ""}},
            "other": {"image": "unused:1"},
        });
        let own = json!({"replicas": 2, "image": {"repository": "example.com/acme/web"}});
        let listed = [at("image"), at("side.0.image"), at("db.image")];
        let values = Values::new(own, &chart(defaults), &listed, &[at("other.image")]);
        assert!(values.problems.is_empty(), "{:?}", values.problems);
        let references: Vec<_> = values.images.iter().map(|image| image.reference.as_str()).collect();
        assert_eq!(
            references,
            ["example.com/acme/web:1.0", "docker.io/a:1", "quay.io/pg:16.2"]
        );
        let hex = "a".repeat(64);
        let digest: Digest = format!("sha256:{hex}").parse().unwrap();
        let stored: Vec<(RepositoryName, Digest)> = ["example.com/acme/web", "docker.io/library/a", "quay.io/pg"]
            .iter()
            .map(|name| (name.parse().unwrap(), digest))
            .collect();
        let written: Value = String::from_utf8(values.rewrite(&stored)).unwrap().parse().unwrap();
        assert_eq!(
            written,
            json!({
                "replicas": 2,
                "image": {"repository": "registry.airlock.internal/example.com/acme/web@sha256", "tag": hex},
                "side": [{"image": format!("registry.airlock.internal/docker.io/library/a@sha256:{hex}"), "args": ["x"]}],
                "db": {"image": {
                    "registry": "registry.airlock.internal", "repository": "quay.io/pg", "digest": format!("sha256:{hex}"),
                }},
            })
        );
    }

    #[test]
    fn what_is_not_listed_or_not_there_is_a_problem() {
        let defaults = json!({"image": "a:1", "extra": {"initImage": "b:1"}, "m": {"repository": "c", "tag": "1"},
            "global": {"imageRegistry": "x.y"}, "repository": "https://git.example.com"});
        let values = Values::new(json!({}), &chart(defaults), &[at("image"), at("no.such")], &[]);
        let problems: Vec<_> = values.problems.iter().map(|error| error.found().to_owned()).collect();
        assert_eq!(problems.len(), 4, "{problems:?}");
        for says in ["no.such", "extra.initImage", "value m:", "imageRegistry"] {
            assert!(problems.iter().any(|problem| problem.contains(says)), "{says}");
        }
    }
}

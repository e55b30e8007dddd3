//! Where a value says which image is meant, and how a digest is written there.
//!
//! | What stands there | Ways to say a digest, in the order in which they are tried |
//! |---|---|
//! | a whole reference | `HOST/NAME@sha256:…`; by name and tag |
//! | a mapping with `digest` or `sha` | that key; else as below |
//! | another mapping with `repository`, `image` or `name`, or such keys beside others | `NAME@sha256` with the 64 digits as tag, for charts that write both with a colon between |
//! | a name below a `hub` | as a mapping; then whole, for charts that take a name with a path as it is |
//! | any of these, also a repository whose tag stands elsewhere | by name and tag, which the appliance serves as the digest that the release signed |

use serde_json::{Map, Value};

use super::tree::{get, show};
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::domain::{Digest, RepositoryName, Tag};
use crate::release_file::{ImageValue, Pin};

/// The key of a registry with the path below which images stand.
pub(super) const HUB: &str = "hub";
/// Keys of a mapping that hold the name of an image.
const NAMES: [&str; 3] = ["repository", "image", "name"];

/// A way to say which image is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A whole reference, by digest.
    Whole,
    /// In a key for digests.
    Digest,
    /// `NAME@sha256` and the digits as tag.
    Tag,
    /// By name and tag.
    Name,
}

type ValuePath = Vec<String>;

/// The values that together name an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slots {
    /// The host, where it stands by itself.
    pub(super) registry: Option<ValuePath>,
    /// The name, or the whole reference.
    pub(crate) name: ValuePath,
    pub(super) tag: Option<ValuePath>,
    pub(super) digest: Option<ValuePath>,
}

/// An image as the bundle has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) repository: RepositoryName,
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Digest,
}

impl Slots {
    /// Finds the slots at a path, with the ways to write them.
    ///
    /// # Errors
    ///
    /// What is wrong with the value there, as text.
    pub(crate) fn at(whole: &Value, entry: &ImageValue) -> Result<(Self, Vec<Form>), String> {
        let value = get(whole, &entry.path).ok_or("there is no such value")?;
        let beside = |given: Option<&ValuePath>| match given {
            Some(path) if get(whole, path).is_none() => Err(format!("there is no value {}", show(path))),
            given => Ok(given.cloned()),
        };
        match value {
            Value::String(text) if !text.is_empty() => {
                let slots = Self {
                    registry: beside(entry.registry.as_ref())?,
                    name: entry.path.clone(),
                    tag: beside(entry.tag.as_ref())?,
                    digest: None,
                };
                let forms = match entry.pin {
                    // A whole reference has its digest at its end.
                    Some(Pin::Digest) if slots.tag.is_none() => vec![Form::Whole],
                    Some(Pin::Tag) if slots.tag.is_none() => {
                        return Err(
                            "pin: tag needs the place of its tag, as in {path: image, tag: version, pin: tag}"
                                .to_owned(),
                        );
                    }
                    pin => pinned(slots.forms_of_text(), pin),
                };
                Ok((slots, forms))
            }
            Value::Object(map) => {
                let slots = Self::of_map(map, &entry.path).ok_or("it has no repository")?;
                let forms = slots.forms_of_map();
                Ok((slots, pinned(forms, entry.pin)))
            }
            _ => Err("it is neither a text nor a mapping with repository".to_owned()),
        }
    }

    /// The slots of a mapping that names an image.
    pub(super) fn of_map(map: &Map<String, Value>, path: &[String]) -> Option<Self> {
        let below = |key: &str| [path, &[key.to_owned()]].concat();
        let name = NAMES.into_iter().find(|key| text(map, key).is_some())?;
        let has = |key: &str| map.contains_key(key).then(|| below(key));
        Some(Self {
            registry: has("registry").or_else(|| text(map, HUB).map(|_| below(HUB))),
            name: below(name),
            tag: Some(has("tag").or_else(|| has("version")).unwrap_or_else(|| below("tag"))),
            digest: has("digest").or_else(|| has("sha")).or_else(|| has("sha256")),
        })
    }

    pub(super) fn forms_of_map(&self) -> Vec<Form> {
        let mut forms = vec![Form::Tag, Form::Name];
        if self.digest.is_some() {
            forms.insert(0, Form::Digest);
        }
        // A hub is passed over by charts where the name is a whole reference.
        let is_hub = |path: &ValuePath| path.last().is_some_and(|key| key == HUB);
        if self.registry.as_ref().is_some_and(is_hub) {
            forms.push(Form::Whole);
        }
        forms
    }

    pub(super) fn forms_of_text(&self) -> Vec<Form> {
        if self.tag.is_some() {
            // Where a template writes the tag only behind what has none.
            vec![Form::Tag, Form::Name, Form::Whole]
        } else {
            vec![Form::Whole, Form::Name]
        }
    }

    /// Whether all that is to be said of the image stands in one text.
    pub(super) fn is_whole(&self, whole: &Value) -> bool {
        self.tag.is_none() && get(whole, &self.name).and_then(Value::as_str).is_some_and(has_version)
    }

    /// Returns what the values name now: registry, name, tag and digest.
    pub(super) fn parts(&self, whole: &Value) -> Parts {
        let at = |path: &Option<ValuePath>| path.as_ref().and_then(|path| scalar(get(whole, path)?));
        Parts {
            registry: at(&self.registry),
            name: get(whole, &self.name).and_then(scalar).unwrap_or_default(),
            tag: at(&self.tag),
            digest: at(&self.digest).map(|digest| {
                if digest.contains(':') {
                    digest
                } else {
                    format!("sha256:{digest}")
                }
            }),
        }
    }

    /// Returns what is put where. `global`: a registry over several images stands before the name.
    pub(super) fn write(&self, form: Form, target: &Target, whole: &Value, global: bool) -> Vec<(ValuePath, Value)> {
        let Target {
            repository,
            tag,
            digest,
        } = target;
        let mut put: Vec<(ValuePath, Value)> = Vec::new();
        let text = Value::String;
        if form == Form::Whole {
            let host = if global {
                String::new()
            } else {
                format!("{PLACEHOLDER_HOST}/")
            };
            put.push((self.name.clone(), text(format!("{host}{repository}@{digest}"))));
            return put;
        }
        let mut name = repository.to_string();
        match &self.registry {
            Some(registry) => put.push((registry.clone(), text(PLACEHOLDER_HOST.to_owned()))),
            None if global => {}
            None => name = format!("{PLACEHOLDER_HOST}/{name}"),
        }
        let filled = |path: &ValuePath| get(whole, path).and_then(scalar).is_some();
        match (form, &self.tag, &self.digest) {
            (Form::Digest, _, Some(at)) => {
                let bare = at.last().is_some_and(|key| key.starts_with("sha"));
                put.push((
                    at.clone(),
                    text(if bare { digest.0.to_string() } else { digest.to_string() }),
                ));
            }
            (Form::Tag, Some(at), known) => {
                name += "@sha256";
                put.push((at.clone(), text(digest.0.to_string())));
                put.extend(
                    known
                        .iter()
                        .filter(|at| filled(at))
                        .map(|at| (at.clone(), text(String::new()))),
                );
            }
            (_, at, known) => {
                if at.is_none() && self.is_whole(whole) {
                    name += &tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                }
                if let (Some(at), Some(tag)) = (at.as_ref().filter(|at| filled(at)), tag) {
                    put.push((at.clone(), text(tag.to_string())));
                }
                put.extend(
                    known
                        .iter()
                        .filter(|at| filled(at))
                        .map(|at| (at.clone(), text(String::new()))),
                );
            }
        }
        put.push((self.name.clone(), text(name)));
        put
    }
}

/// What values say of an image, each part that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) registry: Option<String>,
    pub(super) name: String,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
}

impl Parts {
    /// Puts a reference together, with another registry and tag where those are given.
    pub(super) fn reference(&self, registry: Option<&str>, tag: Option<&str>) -> String {
        let registry = registry.or(self.registry.as_deref());
        let mut reference = match registry {
            Some(registry) => format!("{}/{}", registry.trim_end_matches('/'), self.name),
            None => self.name.clone(),
        };
        if let Some(tag) = self.tag.as_deref().or(if self.digest.is_none() { tag } else { None }) {
            reference += &format!(":{tag}");
        }
        if let Some(digest) = &self.digest {
            reference += &format!("@{digest}");
        }
        reference
    }
}

fn pinned(forms: Vec<Form>, pin: Option<Pin>) -> Vec<Form> {
    match pin {
        Some(Pin::Digest) => vec![Form::Digest],
        Some(Pin::Tag) => vec![Form::Tag],
        Some(Pin::Name) => vec![Form::Name],
        None => forms,
    }
}

/// Whether a text has a tag or a digest.
pub(super) fn has_version(text: &str) -> bool {
    text.contains('@') || text.rsplit_once(':').is_some_and(|(_, tag)| !tag.contains('/'))
}

/// The text of a key, when it says something.
pub(super) fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    scalar(map.get(key)?)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

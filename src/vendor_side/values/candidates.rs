//! Values that look like images.

use serde_json::{Map, Value};

use super::slots::{Form, HUB, Slots, has_version, text};
use super::tree::show;
use crate::chart::is_image_key;
use crate::collect::ImageReference;

/// A value that looks like an image.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Where it stands, as `image_values` would name it.
    pub(crate) path: Vec<String>,
    /// What it says.
    pub(crate) text: String,
    pub(crate) slots: Slots,
    pub(crate) forms: Vec<Form>,
}

impl Candidate {
    /// Returns it as an entry of `image_values`.
    pub(crate) fn entry(&self) -> String {
        let path = show(&self.path);
        let beside = [("tag", &self.slots.tag), ("registry", &self.slots.registry)];
        // What stands in a mapping of its own is found there.
        let beside: Vec<String> = beside
            .into_iter()
            .filter_map(|(key, at)| Some((key, at.as_ref()?)))
            .filter(|_| self.slots.name == self.path)
            .map(|(key, at)| format!(", {key}: {}", show(at)))
            .collect();
        if beside.is_empty() {
            return path;
        }
        format!("{{path: {path}{}}}", beside.concat())
    }
}

/// Finds what looks like an image, but for what stands at or below `known`.
pub(crate) fn candidates(whole: &Value, known: &[&[String]]) -> Vec<Candidate> {
    let mut search = Search {
        known,
        path: Vec::new(),
        found: Vec::new(),
    };
    search.value(whole, false);
    search.found
}

struct Search<'a> {
    known: &'a [&'a [String]],
    path: Vec<String>,
    found: Vec<Candidate>,
}

impl Search<'_> {
    /// `among_images`: the members of a mapping or list that is called `images`.
    fn value(&mut self, value: &Value, among_images: bool) {
        if self.known.contains(&self.path.as_slice()) {
            return;
        }
        match value {
            Value::Object(map) => self.map(map, among_images),
            Value::Array(list) => {
                for (number, value) in list.iter().enumerate() {
                    self.below(&number.to_string(), value, among_images);
                }
            }
            Value::String(text) if among_images && has_version(text) => self.whole(text),
            _ => {}
        }
    }

    fn below(&mut self, key: &str, value: &Value, among_images: bool) {
        self.path.push(key.to_owned());
        self.value(value, among_images);
        self.path.pop();
    }

    fn map(&mut self, map: &Map<String, Value>, among_images: bool) {
        if self.names_an_image(map, among_images)
            && let Some(slots) = Slots::of_map(map, &self.path)
            && !self.known.contains(&slots.name.as_slice())
        {
            let forms = slots.forms_of_map();
            let path = if self.path.is_empty() {
                slots.name.clone()
            } else {
                self.path.clone()
            };
            self.add(path, text_of(map), slots, forms);
            // What stands beside the parts of its name.
            for (key, value) in map.iter().filter(|(_, value)| value.is_object() || value.is_array()) {
                self.below(key, value, key == "images");
            }
            return;
        }
        let mut done = Vec::new();
        for (key, value) in map {
            if let Value::String(name) = value
                && let Some(tag) = partner(map, key)
            {
                self.path.push(key.clone());
                let slots = Slots {
                    registry: None,
                    name: self.path.clone(),
                    tag: Some(self.sibling(&tag)),
                    digest: None,
                };
                if !self.known.contains(&self.path.as_slice()) && !name.is_empty() {
                    let forms = slots.forms_of_text();
                    self.add(self.path.clone(), name.clone(), slots, forms);
                }
                self.path.pop();
                done.push(key.clone());
            }
        }
        for (key, value) in map {
            if done.contains(key) {
                continue;
            }
            match value {
                Value::String(text) if (key == "image" || key.ends_with("Image") || is_image_key(key)) => {
                    self.path.push(key.clone());
                    if !text.is_empty() && !self.known.contains(&self.path.as_slice()) {
                        self.whole(text);
                    }
                    self.path.pop();
                }
                _ => self.below(key, value, key == "images" || among_images && value.is_string()),
            }
        }
    }

    /// Whether a mapping names an image: a repository with one of its companions, an `image` beside a registry or tag, a `name` with a
    /// tag under a key that speaks of images.
    fn names_an_image(&self, map: &Map<String, Value>, among_images: bool) -> bool {
        let has = |keys: &[&str]| keys.iter().any(|key| map.contains_key(*key));
        let is_text = |key: &str| matches!(map.get(key), Some(Value::String(text)) if !text.is_empty());
        let companions = ["tag", "registry", "digest", "pullPolicy", "sha"];
        let called_image = among_images
            || self
                .path
                .last()
                .is_some_and(|key| key == "image" || key.ends_with("Image") || key == "images");
        (is_text("repository") && (has(&companions) || called_image && has(&["version"])))
            || (is_text("image") && has(&["tag", "registry", "digest", HUB]))
            || (is_text("name") && called_image && has(&companions))
    }

    fn sibling(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.pop();
        path.push(key.to_owned());
        path
    }

    fn whole(&mut self, text: &str) {
        let slots = Slots {
            registry: None,
            name: self.path.clone(),
            tag: None,
            digest: None,
        };
        let forms = slots.forms_of_text();
        self.add(self.path.clone(), text.to_owned(), slots, forms);
    }

    fn add(&mut self, path: Vec<String>, text: String, slots: Slots, forms: Vec<Form>) {
        self.found.push(Candidate {
            path,
            text,
            slots,
            forms,
        });
    }
}

fn text_of(map: &Map<String, Value>) -> String {
    ["repository", "image", "name"]
        .into_iter()
        .find_map(|key| text(map, key))
        .unwrap_or_default()
}

/// The key of the tag that belongs to `imageRepository`, `webImageRepository`, `imageName`, `image_repository`.
fn partner(map: &Map<String, Value>, key: &str) -> Option<String> {
    ["Repository", "Name", "_repository", "_name"]
        .into_iter()
        .filter_map(|ending| Some((key.strip_suffix(ending)?, ending.starts_with('_'))))
        .filter(|(stem, _)| stem.to_ascii_lowercase().ends_with("image"))
        .map(|(stem, snake)| {
            if snake {
                format!("{stem}_tag")
            } else {
                format!("{stem}Tag")
            }
        })
        .find(|tag| map.contains_key(tag))
}

/// Finds values that say what a reference says although nothing about their keys tells it: whole, or its repository with its tag beside.
pub(crate) fn traced(whole: &Value, reference: &str) -> Vec<Candidate> {
    let Ok(wanted) = reference.parse::<ImageReference>() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    trace(whole, &mut Vec::new(), &wanted, &mut found);
    // A word alone may mean anything, unless its key says more or it is the only one.
    let is_plain = |candidate: &&Candidate| {
        let key = candidate
            .path
            .last()
            .map(|key| key.to_ascii_lowercase())
            .unwrap_or_default();
        candidate.text.contains(['/', ':']) || key.contains("image") || key.contains("repo")
    };
    let named: Vec<Candidate> = found.iter().filter(is_plain).cloned().collect();
    match (named.is_empty(), found.len()) {
        (false, _) => named,
        (true, 1) => found,
        (true, _) => Vec::new(),
    }
}

fn trace(value: &Value, path: &mut Vec<String>, wanted: &ImageReference, found: &mut Vec<Candidate>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                path.push(key.clone());
                match value {
                    Value::String(text) => found.extend(trace_text(map, text, path, wanted)),
                    value => trace(value, path, wanted, found),
                }
                path.pop();
            }
        }
        Value::Array(list) => {
            let none = Map::new();
            for (number, value) in list.iter().enumerate() {
                path.push(number.to_string());
                match value {
                    Value::String(text) => found.extend(trace_text(&none, text, path, wanted)),
                    value => trace(value, path, wanted, found),
                }
                path.pop();
            }
        }
        _ => {}
    }
}

fn trace_text(
    beside: &Map<String, Value>,
    written: &str,
    path: &[String],
    wanted: &ImageReference,
) -> Option<Candidate> {
    let sibling = |key: &str| {
        let mut path = path.to_vec();
        path.pop();
        path.push(key.to_owned());
        path
    };
    let reference: ImageReference = written.parse().ok()?;
    let same_version = reference.tag == wanted.tag && reference.digest == wanted.digest;
    let whole = reference == *wanted;
    let plain = reference.tag.is_none() && reference.digest.is_none();
    let same_name = reference.path == wanted.path && reference.host == wanted.host;
    // `acme/web`, where the registry stands elsewhere.
    let without_host = written == wanted.path;
    if !(whole || plain && (same_name || without_host)) {
        return None;
    }
    let registry = ["registry", "imageRegistry"]
        .into_iter()
        .find(|key| without_host && text(beside, key).as_deref() == Some(wanted.host.as_str()))
        .map(sibling);
    let says_tag = |key: &&String| {
        let name = key.to_ascii_lowercase();
        name.ends_with("tag") || name.ends_with("version")
    };
    let tag = wanted
        .tag
        .as_ref()
        .filter(|_| !whole || !same_version || plain)
        .and_then(|tag| {
            beside
                .keys()
                .filter(says_tag)
                .find(|key| text(beside, key).as_deref() == Some(tag.as_str()))
                .map(|key| sibling(key))
        });
    let slots = Slots {
        registry,
        name: path.to_vec(),
        tag,
        digest: None,
    };
    let forms = slots.forms_of_text();
    Some(Candidate {
        path: path.to_vec(),
        text: written.to_owned(),
        slots,
        forms,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(found: &[Candidate]) -> Vec<String> {
        found.iter().map(|candidate| candidate.path.join(".")).collect()
    }

    #[test]
    fn shapes_of_published_charts_look_like_images() {
        let whole = json!({
            "a": {"image": {"repository": "x/a", "tag": "1"}},
            "b": {"image": {"registry": "r.io", "image": "x/b", "tag": "1"}},
            "c": {"image": {"name": "x/c", "tag": "1"}},
            "d": {"imageRepository": "x/d", "imageTag": "1"},
            "e": {"images": {"web": "x/e:1"}},
            "f": {"images": ["x/f:1", "plain"]},
            "g": {"initImage": "x/g:1"},
            "h": [{"image": "x/h:1"}],
            "none": {"name": "web", "tag": "1", "repository": "https://git.example.com", "image": {"pullPolicy": "Always"}},
        });
        let found = candidates(&whole, &[]);
        assert_eq!(
            paths(&found),
            [
                "a.image",
                "b.image",
                "c.image",
                "d.imageRepository",
                "e.images.web",
                "f.images.0",
                "g.initImage",
                "h.0.image",
                "none"
            ]
        );
        let known: Vec<String> = vec!["a".into(), "image".into()];
        assert!(!paths(&candidates(&whole, &[&known])).contains(&"a.image".to_owned()));
    }

    #[test]
    fn what_came_out_is_traced_to_the_values_that_say_it() {
        let whole =
            json!({"repository": "acme/web", "version": "1", "x": "nginx", "y": {"z": "nginx"}, "w": "acme/all:2"});
        let found = traced(&whole, "quay.io/acme/web:1");
        assert_eq!(paths(&found), ["repository"]);
        assert_eq!(found[0].slots.tag, Some(vec!["version".to_owned()]));
        assert_eq!(paths(&traced(&whole, "acme/all:2")), ["w"]);
        assert!(traced(&whole, "nginx:1").is_empty(), "two words that may mean anything");
        assert!(traced(&whole, "acme/other:1").is_empty());
    }
}

//! Images in parts, as resources that nobody knows say them: a repository, a tag, a digest.

use serde_json::{Map, Value};

use crate::collect::ImageReference;

/// An image in parts, in a resource that nobody knows.
pub(super) struct Named {
    pub(super) reference: String,
    pub(super) tag: Option<String>,
    /// Its key and its members say that it is one.
    pub(super) sure: bool,
}

impl Named {
    pub(super) fn of(parts: &Map<String, Value>, speaks: bool) -> Option<Self> {
        let said = |keys: &[&str]| {
            keys.iter().find_map(|key| match parts.get(*key)? {
                Value::String(text) if !text.is_empty() => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
        };
        let repository = said(&["repository"]);
        let sure = speaks && (repository.is_some() || parts.contains_key("image"));
        let name = repository.or_else(|| if speaks { said(&["image", "name"]) } else { None })?;
        let (tag, digest) = (said(&["tag", "version"]), said(&["digest", "sha", "sha256"]));
        let registry = said(&["registry"]);
        let mut reference = match &registry {
            Some(registry) => format!("{}/{name}", registry.trim_end_matches('/')),
            None => name,
        };
        if let Some(tag) = &tag {
            let colon = if tag.starts_with("sha256:") { '@' } else { ':' };
            reference += &format!("{colon}{tag}");
        }
        if let Some(digest) = &digest {
            let kind = if digest.contains(':') { "" } else { "sha256:" };
            reference += &format!("@{kind}{digest}");
        }
        let complete = tag.is_some() || digest.is_some() || speaks && registry.is_some();
        (complete && reference.parse::<ImageReference>().is_ok()).then_some(Self { reference, tag, sure })
    }
}

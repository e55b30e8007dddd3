//! Registries that stand over several images: the host of an image is not always beside its name. A `hub` is one with a path, and the tag
//! beside it is that of every image which has none of its own.

use serde_json::Value;

use super::slots::{HUB, text};
use super::tree::get;

/// Where charts keep them, below the mapping of values of any chart that an image is in.
const GLOBAL: &[&[&str]] = &[
    &["global", "imageRegistry"],
    &["global", "image", "registry"],
    &["global", "images", "registry"],
    &["global", "registry"],
    &["global", HUB],
];
/// The same without `global`, in any mapping above an image: only believed where an image does come out through it.
const PLAIN: &[&[&str]] = &[
    &["imageRegistry"],
    &["image", "registry"],
    &["images", "registry"],
    &["registry"],
    &[HUB],
];

/// A registry over several images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RegistryOver {
    pub(super) path: Vec<String>,
    pub(super) text: String,
    /// Charts say by its place that it is over everything.
    pub(super) global: bool,
    /// Of a hub: the tag that stands beside it.
    pub(super) tag: Option<String>,
}

impl RegistryOver {
    pub(super) fn is_hub(&self) -> bool {
        self.path.last().is_some_and(|key| key == HUB)
    }
}

fn tag_beside(whole: &Value, path: &[String]) -> Option<String> {
    let (last, above) = path.split_last()?;
    let beside = get(whole, above)?.as_object()?;
    (last == HUB).then(|| text(beside, "tag")).flatten()
}

/// Returns the registries that may stand over the image at a path, the outermost first.
pub(super) fn registries_over(whole: &Value, image: &[String]) -> Vec<RegistryOver> {
    let mut found = Vec::new();
    for length in 0..image.len() {
        let above = image.get(..length).unwrap_or_default();
        let shapes = GLOBAL.iter().map(|shape| (shape, true));
        for (shape, global) in shapes.chain(PLAIN.iter().map(|shape| (shape, false))) {
            let path: Vec<String> = above
                .iter()
                .cloned()
                .chain(shape.iter().map(|key| (*key).to_owned()))
                .collect();
            // What stands in the image itself is its own.
            if path.starts_with(image) {
                continue;
            }
            if let Some(text) = get(whole, &path)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
            {
                found.push(RegistryOver {
                    text: text.to_owned(),
                    tag: tag_beside(whole, &path),
                    path,
                    global,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn registries_are_found_on_every_level_above_an_image() {
        let whole = json!({
            "global": {"imageRegistry": "a.io", "image": {"registry": "b.io"}, "images": {"registry": ""}, "registry": {"url": "x"}},
            "web": {"global": {"registry": "c.io", "hub": "e.io/x", "tag": 1}, "imageRegistry": "d.io", "image": {"registry": "own.io", "name": "x"}},
        });
        let path: Vec<String> = ["web", "image"].map(str::to_owned).to_vec();
        let found: Vec<_> = registries_over(&whole, &path)
            .into_iter()
            .map(|over| (over.path.join("."), over.text, over.global))
            .collect();
        let expected = [
            ("global.imageRegistry", "a.io", true),
            ("global.image.registry", "b.io", true),
            ("web.global.registry", "c.io", true),
            ("web.global.hub", "e.io/x", true),
            ("web.imageRegistry", "d.io", false),
        ];
        assert_eq!(
            found,
            expected.map(|(path, text, global)| (path.to_owned(), text.to_owned(), global))
        );
        let tags = registries_over(&whole, &path).into_iter().filter_map(|over| over.tag);
        assert_eq!(tags.collect::<Vec<_>>(), ["1"]);
    }
}

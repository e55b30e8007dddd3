//! Layers of a bundle that are likely to have much in common: those of one image under one tag and the tag before, for one platform.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::by_size;
use crate::bundle::{BundleContent, TagLine};
use crate::domain::oci::{Document, Layers};
use crate::domain::{Digest, Result, limits};

/// Relatives of a layer that are looked at.
const MOST: usize = 8;

/// For a layer, those that it may be copied from.
#[derive(Debug, Default)]
pub(crate) struct Relatives(BTreeMap<Digest, BTreeSet<Digest>>);

/// The layers of an image for each platform.
type Image = BTreeMap<Option<String>, BTreeSet<Digest>>;

impl Relatives {
    /// Finds them: nothing where no repository has two tags.
    ///
    /// # Errors
    ///
    /// Those of parsing a manifest.
    pub(crate) fn of(content: &BundleContent) -> Result<Self> {
        let mut repositories: BTreeMap<_, Vec<&TagLine>> = BTreeMap::new();
        for line in content.tags.iter().filter(|line| line.tag.is_some()) {
            repositories.entry(&line.repository).or_default().push(line);
        }
        let mut relatives = Self::default();
        for mut lines in repositories.into_values().filter(|lines| lines.len() > 1) {
            // As they stand in the payload.
            lines.sort_by(|a, b| (&a.tag, a.digest).cmp(&(&b.tag, b.digest)));
            let mut before = Image::new();
            for line in lines {
                let mut image = Image::new();
                layers(content, (line.digest, &line.media_type), None, &mut image, 1)?;
                for (platform, layers) in &image {
                    if let Some(before) = before.get(platform) {
                        relatives.add(layers, before);
                    }
                }
                before = image;
            }
        }
        Ok(relatives)
    }

    fn add(&mut self, layers: &BTreeSet<Digest>, before: &BTreeSet<Digest>) {
        let gone: Vec<Digest> = before.difference(layers).copied().collect();
        for layer in layers.difference(before).filter(|_| !gone.is_empty()) {
            self.0.entry(*layer).or_default().extend(&gone);
        }
    }

    /// Returns for each layer of a payload those of its relatives that stand before it, in their order.
    pub(super) fn before(&self, layers: &[(Digest, u64)]) -> BTreeMap<Digest, Vec<Digest>> {
        let (mut found, mut passed) = (BTreeMap::new(), BTreeSet::new());
        for (digest, _) in layers.iter().filter(|(_, size)| by_size(*size).is_ok()) {
            let relatives = self.0.get(digest).into_iter().flatten();
            let before: Vec<Digest> = relatives
                .filter(|digest| passed.contains(*digest))
                .take(MOST)
                .copied()
                .collect();
            if !before.is_empty() {
                found.insert(*digest, before);
            }
            passed.insert(*digest);
        }
        found
    }
}

fn layers(
    content: &BundleContent,
    (digest, media_type): (Digest, &str),
    platform: Option<&str>,
    image: &mut Image,
    level: usize,
) -> Result<()> {
    let Some(bytes) = content
        .manifests
        .get(&digest)
        .filter(|_| level <= limits::MANIFEST_NESTING)
    else {
        return Ok(());
    };
    let document = Document::parse_with(bytes, media_type, Layers::Any)?;
    if !document.layers.is_empty() {
        let layers = document.layers.iter().map(|layer| layer.digest);
        image.entry(platform.map(str::to_owned)).or_default().extend(layers);
    }
    for child in &document.manifests {
        let platform = child.platform.as_deref().or(platform);
        layers(
            content,
            (child.digest, &child.media_type),
            platform,
            image,
            level.saturating_add(1),
        )?;
    }
    Ok(())
}

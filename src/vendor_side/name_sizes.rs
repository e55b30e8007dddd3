//! How big what each name stands for is: for a person who looks at a plan.

use std::collections::HashSet;

use crate::bundle::BundleContent;
use crate::domain::Digest;
use crate::domain::oci::{Document, Layers};

/// Returns the bytes of everything that each name of a bundle leads to, in their order. What several names share counts for each.
pub(super) fn name_sizes(content: &BundleContent) -> Vec<u64> {
    let of = |line: &crate::bundle::TagLine| reached(content, line.digest, &line.media_type, &mut HashSet::new());
    content.tags.iter().map(of).collect()
}

fn reached(content: &BundleContent, digest: Digest, media_type: &str, seen: &mut HashSet<Digest>) -> u64 {
    let Some(bytes) = content.manifests.get(&digest).filter(|_| seen.insert(digest)) else {
        return 0;
    };
    // Parsed without a complaint when it was collected.
    let Ok(document) = Document::parse_with(bytes, media_type, Layers::Any) else {
        return 0;
    };
    let mut total = bytes.len() as u64;
    for leaf in document.config.iter().chain(&document.layers) {
        if seen.insert(leaf.digest) {
            total = total.saturating_add(leaf.size);
        }
    }
    for child in &document.manifests {
        total = total.saturating_add(reached(content, child.digest, &child.media_type, seen));
    }
    total
}

//! Everything that a release consists of, carried or needed: what a site that retains it holds.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::head::Head;
use super::index::Index;
use crate::domain::{ContentItem, Digest, Hash};

/// Returns the `blob` and `need` lines of a release, ascending by digest; those that content is only copied from (`bases_only`) are none of it.
pub fn inventory(head: &Head, index: &Index, bases_only: &BTreeSet<Digest>) -> Vec<ContentItem> {
    let early = usize::try_from(head.totals.early_blobs).unwrap_or(usize::MAX);
    let carried = index.blobs().iter().enumerate().map(|(n, blob)| ContentItem {
        digest: blob.digest,
        size: blob.size,
        leaf: n >= early,
        needed: false,
    });
    let content = index.needs().iter().filter(|need| !bases_only.contains(&need.digest));
    let needed = content.map(|need| ContentItem {
        digest: need.digest,
        size: need.size,
        leaf: true,
        needed: true,
    });
    let mut items: Vec<ContentItem> = carried.chain(needed).collect();
    items.sort_unstable_by_key(|item| item.digest);
    items
}

/// Returns the hash by which both sides know what a release consists of (SPEC M-95): SHA-256 over the 32 bytes of each digest.
///
/// `digests` come ascending.
pub fn content_hash(digests: impl IntoIterator<Item = Digest>) -> Hash {
    let mut hasher = Sha256::new();
    for digest in digests {
        hasher.update(digest.0.0);
    }
    Hash(hasher.finalize().into())
}

//! What every signed head says in the same words: its builder, totals, index pages and volumes, and which reader it needs.

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use crate::crypto::{self, canonical::integer};
use crate::domain::{Class, Error, Hash, Result, Version, limits};

/// What built a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// `airlock`, or another program.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Builder {
    /// Returns the running program.
    pub fn current() -> Self {
        Self {
            name: "airlock".into(),
            version: Version::current().to_string(),
        }
    }
}

/// An index page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageEntry {
    /// Hash of its bytes.
    pub sha256: Hash,
    /// Its size in bytes.
    #[serde(with = "integer")]
    pub size: u64,
}

/// Totals of a file, so that they are known before the index is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Carried blobs.
    #[serde(with = "integer")]
    pub blobs: u64,
    /// Chunks.
    #[serde(with = "integer")]
    pub chunks: u64,
    /// Sum of the sizes of carried blobs.
    #[serde(with = "integer")]
    pub content_bytes: u64,
    /// Blobs that come before all others; for a bundle its documents, manifests, indexes and configs.
    #[serde(with = "integer")]
    pub early_blobs: u64,
    /// Blobs that the reader must already hold.
    #[serde(with = "integer")]
    pub needs: u64,
    /// Sum of the stored sizes of chunks.
    #[serde(with = "integer")]
    pub stored_bytes: u64,
}

/// Refuses a head that names a feature which is none of the `known`, before its other members are looked at.
///
/// # Errors
///
/// `E-FORMAT needs-newer-reader`; `E-FORMAT` for what is no head at all.
pub(crate) fn check_features(kind: &Kind, head: &[u8], known: &[&str]) -> Result<()> {
    crypto::check_features(head, "the head", kind.noun, known)
}

/// Checks volumes, index pages and totals of a head: that they hold together, and lie under the caps of the kind.
///
/// # Errors
///
/// `E-FORMAT volumes`, `index` and `totals`; `E-LIMIT volumes`, `index-size` and `totals`.
pub(crate) fn check_outline(kind: &Kind, volumes: &[u64], index: &[PageEntry], totals: &Totals) -> Result<()> {
    let format = |code, found: &str| Err(Error::new(Class::Format, code, found.to_owned()));
    let limit = |code, found: String| Err(Error::new(Class::Limit, code, found));
    let Kind { noun, caps, .. } = kind;
    if volumes.len() > caps.volumes && caps.volumes > 1 {
        return limit(
            "volumes",
            format!("the {noun} has {} volumes, more than {}", volumes.len(), caps.volumes),
        );
    }
    if volumes.is_empty() || volumes.len() > caps.volumes {
        return Err(Error::new(
            Class::Format,
            "volumes",
            format!("the {noun} has {} volumes", volumes.len()),
        )
        .expected("one volume"));
    }
    let is_empty = volumes.len() > 1 && volumes.contains(&0);
    if is_empty || volumes.iter().copied().fold(0, u64::saturating_add) != totals.chunks {
        return format(
            "volumes",
            "the volumes do not add up to the number of chunks, or one of several holds none",
        );
    }
    if index.len() > caps.pages || index.iter().any(|page| page.size > limits::PAGE_BYTES as u64) {
        return limit(
            "index-size",
            format!("the index has {} pages or a page above 1 MiB", index.len()),
        );
    }
    if index.iter().any(|page| page.size == 0) {
        return format("index", "an index page is empty");
    }
    let most_content = caps.chunks.saturating_mul(limits::CHUNK_BYTES_MAX);
    if totals.chunks > caps.chunks
        || totals.blobs > caps.blobs
        || totals.needs > caps.blobs
        || totals.content_bytes > most_content
    {
        return limit(
            "totals",
            format!(
                "the {noun} states {} blobs in {} chunks with {} bytes",
                totals.blobs, totals.chunks, totals.content_bytes
            ),
        );
    }
    if totals.early_blobs > totals.blobs || totals.stored_bytes > totals.content_bytes {
        return format("totals", "the totals contradict each other");
    }
    Ok(())
}

//! What the walk needs from a place that images come from.

use std::io::Read;
use std::sync::Arc;

use crate::domain::{Digest, Result, Tag};

/// A layout, or one repository of a registry.
pub(super) trait Origin: Send + Sync {
    /// Returns the manifest with a digest, or nothing when it is not there. The caller compares the digest.
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>>;

    /// Returns the manifest under a tag, or nothing when there is no such tag.
    fn tag(&self, tag: &Tag) -> Result<Option<Found>>;

    /// Returns what says that it refers to a digest, apart from tags made for that.
    fn referrers(&self, subject: &Digest) -> Result<Vec<Digest>>;

    /// Returns which of these configs and layers are missing or have another size, as sentences.
    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>>;

    /// Returns what it is called in messages.
    fn describe(&self) -> String;

    /// Whether content is on this machine, so that it may be read more than once.
    fn is_near(&self) -> bool {
        true
    }

    /// Opens a config or layer.
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>>;
}

/// A manifest as an origin has it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// What the origin says it is; the document's own statement and a descriptor's come first.
    pub(super) media_type: Option<String>,
}

impl<T: Origin> Origin for Arc<T> {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        (**self).manifest(digest)
    }

    fn tag(&self, tag: &Tag) -> Result<Option<Found>> {
        (**self).tag(tag)
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Digest>> {
        (**self).referrers(subject)
    }

    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>> {
        (**self).missing(blobs)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn is_near(&self) -> bool {
        (**self).is_near()
    }

    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        (**self).open(digest, size)
    }
}

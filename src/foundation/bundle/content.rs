//! What a bundle is made of, before it is packed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::feature::Feature;
use super::index::TagLine;
use crate::domain::{Class, Digest, DocumentType, Error, Result};

/// Everything small that goes into a bundle, byte for byte, and the names it goes by.
///
/// Configs and layers are not here: their digests and sizes follow from the manifests, and their bytes come from a
/// [`BlobSource`] while the bundle is written.
#[derive(Debug, Clone, Default)]
pub struct BundleContent {
    /// Names: every image's tag line, and one line without tag for each referrer and for images named by digest only.
    pub tags: Vec<TagLine>,
    /// Bytes of every manifest and index that is carried.
    pub manifests: BTreeMap<Digest, Vec<u8>>,
    /// Children of carried indexes that are left out, with their platform (`os/arch[/variant]`).
    pub absent: BTreeMap<Digest, String>,
    /// Release documents.
    pub documents: Vec<(DocumentType, Vec<u8>)>,
    /// What its readers must take beyond version 1.
    pub requires: BTreeSet<Feature>,
}

/// Where the bytes of configs and layers come from while a bundle is written.
pub trait BlobSource: Sync {
    /// Opens a config or layer. The writer checks size and digest of what it reads.
    ///
    /// # Errors
    ///
    /// When the source does not have it or cannot be read.
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>>;

    /// Opens the travel form of a layer that was laid out as encoded, and says which digest the form has.
    ///
    /// # Errors
    ///
    /// As [`BlobSource::open`]; `E-INTERNAL` where nothing was encoded.
    fn open_travel(&self, digest: &Digest) -> Result<(Box<dyn Read + Send>, Digest)> {
        Err(Error::new(
            Class::Internal,
            "travel",
            format!("the travel form of {digest} was asked for and never made"),
        ))
    }
}

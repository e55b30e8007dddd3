//! Artifacts that were made here, from files that are no OCI content: charts from folders, archives and chart repositories.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::origin::{Found, Origin};
use crate::domain::oci::OCI_MANIFEST;
use crate::domain::{Class, Digest, Error, Hash, Result, Tag};

/// A manifest with everything it needs, in memory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeArtifact {
    label: String,
    manifest: Vec<u8>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

impl std::fmt::Debug for MadeArtifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeArtifact({}, {} blobs)", self.label, self.blobs.len())
    }
}

impl MadeArtifact {
    /// Makes an OCI manifest of a config and one layer. `label` is what it is called in messages.
    pub fn new(
        label: String,
        config: (&str, Vec<u8>),
        layer: (&str, Vec<u8>),
        annotations: &BTreeMap<String, String>,
    ) -> Self {
        let descriptor = |(media_type, bytes): &(&str, Vec<u8>)| serde_json::json!({"mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len()});
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(&config),
            "layers": [descriptor(&layer)],
            "annotations": annotations,
        });
        Self {
            label,
            manifest: manifest.to_string().into_bytes(),
            blobs: [config.1, layer.1]
                .into_iter()
                .map(|bytes| (digest_of(&bytes), bytes))
                .collect(),
        }
    }

    /// Returns the digest of the manifest.
    pub fn digest(&self) -> Digest {
        digest_of(&self.manifest)
    }

    /// Returns what it is called in messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the manifest as an origin has it.
    pub(super) fn found(&self) -> Found {
        Found {
            bytes: self.manifest.clone(),
            media_type: Some(OCI_MANIFEST.to_owned()),
        }
    }
}

/// The origin of one artifact.
#[derive(Debug)]
pub(super) struct Made(pub(super) Arc<MadeArtifact>);

impl Origin for Made {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        Ok((*digest == self.0.digest()).then(|| self.0.found()))
    }

    fn tag(&self, _: &Tag) -> Result<Option<Found>> {
        Ok(None)
    }

    fn referrers(&self, _: &Digest) -> Result<Vec<Digest>> {
        Ok(Vec::new())
    }

    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>> {
        Ok(blobs
            .iter()
            .filter(|(digest, _)| !self.0.blobs.contains_key(digest))
            .map(|(digest, _)| format!("{digest} is not there"))
            .collect())
    }

    fn describe(&self) -> String {
        self.0.label.clone()
    }

    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let bytes = self
            .0
            .blobs
            .get(digest)
            .cloned()
            .ok_or_else(|| Error::new(Class::Internal, "source", format!("{} has no {digest}", self.0.label)))?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

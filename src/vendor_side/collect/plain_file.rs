//! A plain file as an OCI artifact: one layer that is the file, as other tools have it.
//!
//! ```text
//! repository  files.airlock.internal/DOMAIN/PRODUCT/CHANNEL/NAME, tag latest
//! manifest    artifactType application/vnd.airlock.file.v1, the empty config, one layer of the file's media type
//! layer       org.opencontainers.image.title: its name; internal.airlock.file.mode: four octal digits
//! ```
//!
//! The file is read once when the release is planned, for its digest, and once when the bundle is written, where it is compared.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::blob_range::BlobRange;
use super::origin::{Found, Origin};
use crate::ReleaseFolder;
use crate::domain::oci::OCI_MANIFEST;
use crate::domain::{Class, Digest, Error, FILE_ARTIFACT, FILE_MODE, FILE_TITLE, Hash, Result, Tag};
use crate::stream::read_exact_or_end;

const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A file to carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSource {
    /// Its path.
    pub path: PathBuf,
    /// Its name where it arrives.
    pub title: String,
    /// What it is.
    pub media_type: String,
    /// Who may do what with it.
    pub mode: u32,
}

/// A file whose digest is known.
#[derive(Debug)]
pub(super) struct PlainFile {
    source: Arc<FileSource>,
    folder: ReleaseFolder,
    layer: (Digest, u64),
    manifest: Vec<u8>,
}

impl PlainFile {
    /// Reads a file for its digest. `told` is told how far it is, of how much.
    ///
    /// # Errors
    ///
    /// `E-USAGE outside` and `not-a-file`; `E-IO`.
    pub(super) fn read(
        source: &Arc<FileSource>,
        folder: &ReleaseFolder,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let failed = |error| Error::io("read", &source.path, error);
        let mut file = folder.file(&source.path, "open the file")?;
        let length = file.metadata().map_err(failed)?.len();
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = read_exact_or_end(&mut file, &mut buffer).map_err(failed)?;
            hash.update(buffer.get(..count).unwrap_or_default());
            size = size.saturating_add(count as u64);
            told(size, length);
            if count < buffer.len() {
                break;
            }
        }
        let digest = Digest(Hash(hash.finalize().into()));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": FILE_ARTIFACT,
            "config": {"mediaType": EMPTY, "digest": empty(), "size": 2},
            "layers": [{
                "mediaType": source.media_type, "digest": digest, "size": size,
                "annotations": {FILE_TITLE: source.title, FILE_MODE: format!("{:04o}", source.mode)},
            }],
        });
        Ok(Self {
            source: Arc::clone(source),
            folder: folder.clone(),
            layer: (digest, size),
            manifest: manifest.to_string().into_bytes(),
        })
    }

    /// Returns the digest of its manifest.
    pub(super) fn digest(&self) -> Digest {
        Digest(Hash(Sha256::digest(&self.manifest).into()))
    }

    /// Returns its manifest.
    pub(super) fn found(&self) -> Found {
        Found {
            bytes: self.manifest.clone(),
            media_type: Some(OCI_MANIFEST.to_owned()),
        }
    }
}

impl Origin for PlainFile {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        Ok((*digest == self.digest()).then(|| self.found()))
    }

    fn tag(&self, _: &Tag) -> Result<Option<Found>> {
        Ok(None)
    }

    fn referrers(&self, _: &Digest) -> Result<Vec<Digest>> {
        Ok(Vec::new())
    }

    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>> {
        let unknown = blobs
            .iter()
            .filter(|(digest, size)| (*digest, *size) != self.layer && *digest != empty());
        Ok(unknown.map(|(digest, _)| format!("{digest} is not there")).collect())
    }

    fn describe(&self) -> String {
        self.source.path.display().to_string()
    }

    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let (layer, size) = self.layer;
        if *digest == layer {
            let file: File = self.folder.file(&self.source.path, "open the file")?;
            return Ok(Box::new(BlobRange::new(Arc::new(file), 0, size)));
        }
        if *digest == empty() {
            return Ok(Box::new(Cursor::new(b"{}")));
        }
        let found = format!("{} has no {digest}", self.source.path.display());
        Err(Error::new(Class::Internal, "source", found))
    }
}

/// The config of what needs none.
fn empty() -> Digest {
    Digest(Hash(Sha256::digest(b"{}").into()))
}

//! Bytes of content that a client may have: checked before they leave, by the store.

use std::sync::Arc;

use super::content::Found;
use super::manifests::Manifests;
use super::service::Registry;
use crate::db::site::names;
use crate::domain::Result;
use crate::store::BlobReader;

impl Registry {
    /// Returns the bytes of a manifest, when they are in memory.
    pub fn manifest_cached(&self, found: &Found) -> Option<Arc<[u8]>> {
        self.manifests().get(&found.digest)
    }

    /// Whether a manifest is short enough to be answered from memory; a longer one is sent as blobs are.
    pub fn is_kept_in_memory(found: &Found) -> bool {
        Manifests::keeps(found.size)
    }

    /// Returns the bytes of a manifest, checked against its digest. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged` when the stored bytes are other ones: they were set aside then; `E-IO`.
    pub fn manifest(&self, found: &Found) -> Result<Arc<[u8]>> {
        if let Some(bytes) = self.manifests().get(&found.digest) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = self.store().read_sized(&found.digest, found.size)?.into();
        self.manifests().keep(found.digest, &bytes);
        Ok(bytes)
    }

    /// Whether a file of a blob's size stands in its place. Reads nothing of it: one that was found damaged was set aside, and is not there.
    pub fn has_blob(&self, found: &Found) -> bool {
        self.store().is_sized(&found.digest, found.size)
    }

    /// Opens a blob whose bytes were checked before and whose file has not moved since; nothing when
    /// [`Registry::open_blob`] must look. Touches the file's entry, never its content.
    pub fn open_blob_cached(&self, found: &Found) -> Option<BlobReader> {
        self.store().open_verified(&found.digest, found.size)
    }

    /// Opens a blob, and checks it as far as that must happen before anything is sent: wholly, or, where hashes of its
    /// pieces are kept, the piece that holds `offset`. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the file is gone, or was set aside now; `E-IO`, `E-SPACE`.
    pub fn open_blob(&self, found: &Found, offset: u64) -> Result<BlobReader> {
        self.store().open_checked(&found.digest, found.size, offset, || {
            self.db().read(|connection| names::pieces(connection, &found.digest))
        })
    }

    /// Checks the piece that holds `offset`. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the blob was set aside; `E-IO`.
    pub fn check_piece(&self, reader: &BlobReader, offset: u64) -> Result<()> {
        self.store().check_piece(reader, offset)
    }
}

//! Documents that agents get: never a byte that was not hashed, in the file that was hashed (A10).

use rustix::fs::Stat;

use crate::appliance::registry::identity::{Checked, Identities, Identity};
use crate::domain::{Class, Digest, Error, Result, limits};
use crate::store::Store;

/// The stored documents, and which of their files were checked.
#[derive(Debug)]
pub(super) struct Documents {
    store: Store,
    checked: Identities,
}

impl Documents {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            checked: Identities::default(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Reads a document and compares its digest.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is gone or changed; `E-IO`.
    pub(super) fn read(&self, digest: &Digest) -> Result<Vec<u8>> {
        // Looked at before it is read: a change under the reading makes the next look fail, not this one pass for later ones.
        let before = self.look(digest)?;
        let bytes = self.store.read(digest, limits::MANIFEST_BYTES)?;
        if let Some(stat) = before {
            self.checked.keep(*digest, Identity::from(&stat), Checked::Whole);
        }
        Ok(bytes)
    }

    /// Makes sure that a document is what was signed; reads it only when its file is another one than the checked one.
    ///
    /// # Errors
    ///
    /// As [`Documents::read`].
    pub(super) fn verify(&self, digest: &Digest) -> Result<()> {
        if self.is_unchanged(digest) {
            return Ok(());
        }
        self.read(digest).map(|_| ())
    }

    /// Whether a document is, to the file's identity, what was read and checked before.
    pub(super) fn is_unchanged(&self, digest: &Digest) -> bool {
        match self.look(digest) {
            Ok(Some(stat)) => self.checked.get(digest, Identity::from(&stat)).is_some(),
            _ => false,
        }
    }

    fn look(&self, digest: &Digest) -> Result<Option<Stat>> {
        self.store
            .stat(digest)
            .map_err(|error| Error::new(Class::State, "blob-missing", error.found().to_owned()).with_source(error))
    }
}

//! What stands in the store by its names alone, and what stopped imports left beside it: what is looked through before anything goes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::blobs::Store;
use super::staging::Staging;
use crate::domain::{Digest, Error, Hash, Result};

impl Store {
    /// Calls `each` with every digest that has a name in the store. Reads folders, and looks at no file.
    ///
    /// # Errors
    ///
    /// `E-IO`; those of `each`.
    pub fn each_name(&self, mut each: impl FnMut(Digest) -> Result<()>) -> Result<()> {
        for prefix in self.prefixes() {
            let folder = self.folder().join(&prefix);
            for name in names(&folder)? {
                // What nobody here gave a name is not ours to judge.
                if let Some(hash) = name.parse::<Hash>().ok().filter(|_| name.starts_with(&prefix)) {
                    each(Digest(hash))?;
                }
            }
        }
        Ok(())
    }

    /// Returns the heads of imports that were stopped and may go on.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn stopped_imports(&self) -> Result<Vec<Hash>> {
        let names = names(&self.incoming())?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Removes what a stopped import left, but for whole blobs that it named already: those are what nobody refers to.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn drop_stopped_import(&self, head: Hash) -> Result<()> {
        Staging::discard(self, head)
    }

    /// Returns the bytes on disk of the folder in which imports work, and of what is kept as evidence.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn beside(&self) -> Result<(u64, u64)> {
        Ok((folder_bytes(&self.incoming())?, folder_bytes(&self.evidence())?))
    }
}

/// Returns the bytes that the files of a folder take on disk, with those of the folders in it.
///
/// # Errors
///
/// `E-IO`.
pub fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0_u64;
    for name in names(folder)? {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => bytes = bytes.saturating_add(folder_bytes(&path)?),
            Ok(found) => bytes = bytes.saturating_add(found.blocks().saturating_mul(512)),
            // It went while this looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("look at", &path, error)),
        }
    }
    Ok(bytes)
}

/// Returns the names in a folder; none where there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", folder, error)),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names
        .collect::<io::Result<_>>()
        .map_err(|error| Error::io("list", folder, error))
}

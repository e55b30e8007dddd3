//! A tar of an OCI layout: where its index and its blobs lie.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::Path;

use super::blob_range::BlobRange;
use super::local_tar::{LAYOUT, LocalTar, Meant, Member, Range};
use crate::domain::{Class, Digest, Error, Hash, Result, limits};

/// Longest name of interest: `blobs/sha256/` and 64 digits, with room.
const NAME_BYTES: usize = 128;
/// Files that may stand in the tar only once, because their bytes are not named by a digest.
const UNIQUE: [&str; 3] = ["index.json", "manifest.json", "oci-layout"];

/// Where the files of a tar lie.
#[derive(Debug)]
pub(super) struct TarLayout {
    tar: LocalTar,
    entries: Entries,
}

/// What a layout consists of; other names in the tar are nobody's business and are not kept.
#[derive(Debug, Default)]
struct Entries {
    unique: HashMap<&'static str, Range>,
    blobs: HashMap<Hash, Range>,
}

impl TarLayout {
    /// Reads the headers of a tar, plain or compressed, expanded to at most `expanded` bytes.
    ///
    /// # Errors
    ///
    /// `E-FORMAT layout` when it is no tar or has a file twice that it may have once; those of [`LocalTar`].
    pub(super) fn open(path: &Path, file: File, expanded: u64) -> Result<Self> {
        Self::of(path, LocalTar::open(path, file, expanded, LAYOUT)?)
    }

    /// Reads the headers of a tar that is open.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`], under what the tar is meant to be.
    pub(super) fn of(path: &Path, tar: LocalTar) -> Result<Self> {
        let entries = index(path, &tar)?;
        Ok(Self { tar, entries })
    }

    /// Returns the tar.
    pub(super) fn tar(&self) -> &LocalTar {
        &self.tar
    }

    /// Opens a file by its name in the tar.
    pub(super) fn get(&self, name: &str) -> Option<(BlobRange, u64)> {
        let (offset, size) = self.entries.get(name)?;
        Some((self.tar.part((offset, size)), size))
    }

    /// Returns where a file lies.
    pub(super) fn place(&self, name: &str) -> Option<Range> {
        self.entries.get(name)
    }

    /// Returns the size of a file.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|(_, size)| size)
    }
}

impl Entries {
    fn get(&self, name: &str) -> Option<Range> {
        match blob_hash(name) {
            Some(hash) => self.blobs.get(&hash),
            None => self.unique.get(name),
        }
        .copied()
    }
}

/// The digest in the name of a blob.
fn blob_hash(name: &str) -> Option<Hash> {
    let hex = name.strip_prefix("blobs/sha256/")?;
    format!("sha256:{hex}").parse::<Digest>().ok().map(|digest| digest.0)
}

fn index(path: &Path, tar: &LocalTar) -> Result<Entries> {
    let mut entries = Entries::default();
    tar.each(path, &mut |name, member| {
        let Member::File(range) = member else { return Ok(()) };
        if name.len() > NAME_BYTES {
            return Ok(());
        }
        if let Some(hash) = blob_hash(name) {
            // A blob's bytes are compared with its name, so either one of two will do.
            entries.blobs.entry(hash).or_insert(range);
            if entries.blobs.len() as u64 > limits::BLOBS {
                return Err(Error::new(
                    Class::Limit,
                    "entries",
                    format!("{} has more than {} blobs", path.display(), limits::BLOBS),
                ));
            }
        } else if let Some(unique) = UNIQUE.into_iter().find(|unique| *unique == name) {
            match entries.unique.entry(unique) {
                Entry::Vacant(vacant) => {
                    vacant.insert(range);
                }
                Entry::Occupied(_) => {
                    let Meant { code, .. } = tar.meant();
                    return Err(
                        Error::new(Class::Format, code, format!("{} holds {unique} twice", path.display()))
                            .expected("one")
                            .remedy("write the tar again"),
                    );
                }
            }
        }
        Ok(())
    })?;
    Ok(entries)
}

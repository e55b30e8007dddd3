//! What earlier tries left: of one head, read and left as it is; of others, kept while they are few.
//!
//! Media come one at a time, and between two of a set something else may be urgent: what came of a release waits beside the import of another.
//! It is bounded by number; what goes for a newer one is told by the name that the try wrote down.

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::Store;
use super::journal::{self, Journal};
use crate::domain::{Class, Digest, Error, Hash, Result, limits};
use crate::stream::{Expected, look, open_plain, read_bounded, write_atomically};

/// Other heads whose stopped imports are kept beside one that begins.
const OTHERS: usize = 3;

/// What earlier tries of a head left, for who changes nothing.
#[derive(Debug)]
pub struct Earlier {
    store: Store,
    folder: PathBuf,
    journal: Journal,
}

impl Earlier {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`.
    pub fn read(store: &Store, head: Hash) -> Result<Self> {
        let folder = store.incoming().join(head.to_hex());
        look(&folder, Expected::Folder)?;
        Ok(Self {
            journal: read_journal(store, &folder)?,
            store: store.clone(),
            folder,
        })
    }

    /// Returns how many chunks need not be read again.
    pub fn chunks_done(&self) -> u64 {
        self.journal.chunks
    }

    /// Opens what was kept of a volume of a size.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`.
    pub fn kept_volume(&self, volume: usize, bytes: u64) -> Result<Option<(File, PathBuf)>> {
        kept_volume(&self.folder, volume, bytes)
    }

    /// Returns the midstates that were journalled of some chunks.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn midstates(&self, chunks: Range<u64>) -> Result<Vec<Hash>> {
        journal::midstates(&self.folder, chunks)
    }

    /// Hands the first bytes of the large blob under way to `take`.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn prefix(&self, digest: &Digest, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        prefix(&self.store, &self.folder, (digest, length), take)
    }
}

/// Lets go what is too much beside an import of a head that begins, what was gone on with longest ago first; returns what that is called.
///
/// # Errors
///
/// `E-STATE planted`; `E-IO`.
pub fn make_way(store: &Store, head: Hash) -> Result<Vec<String>> {
    let (own, incoming) = (head.to_hex(), store.incoming());
    let mut others: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(&incoming).map_err(|e| Error::io("list", &incoming, e))? {
        let entry = entry.map_err(|e| Error::io("list", &incoming, e))?;
        let path = entry.path();
        look(&path, Expected::Folder)?;
        if entry.file_name().to_str() != Some(&own) {
            let changed = entry.metadata().and_then(|found| found.modified());
            others.push((changed.map_err(|e| Error::io("look at", &path, e))?, path));
        }
    }
    others.sort();
    let mut gone = Vec::new();
    for (_, path) in others.iter().take(others.len().saturating_sub(OTHERS)) {
        gone.push(name_of(path)?);
        fs::remove_dir_all(path).map_err(|e| Error::io("remove", path, e))?;
    }
    Ok(gone)
}

/// Writes down what a stopped import is called.
///
/// # Errors
///
/// `E-STATE planted`; `E-IO`, `E-SPACE`.
pub(super) fn call(folder: &Path, name: &str) -> Result<()> {
    write_atomically(&name_path(folder), name.as_bytes(), 0o600)
}

/// What a stopped import is called; its head where it has no name that can be read.
fn name_of(folder: &Path) -> Result<String> {
    let head = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(file) = open_plain(&name_path(folder))? else {
        return Ok(head);
    };
    let name = read_bounded(file, limits::FORMAT_BYTES * 8, "the name of a stopped import")?;
    Ok(String::from_utf8(name).unwrap_or(head))
}

fn name_path(folder: &Path) -> PathBuf {
    folder.join("name")
}

/// Reads the journal; one that does not fit what is on disk counts as none.
pub(super) fn read_journal(store: &Store, folder: &Path) -> Result<Journal> {
    let journal = Journal::read(folder)?;
    if let Some(part) = &journal.part {
        let path = folder.join(format!("{}.part", part.digest.0));
        let in_part = look(&path, Expected::File)?.is_some_and(|found| found.size() >= part.bytes);
        let in_store = store.size_of(&part.digest)?.is_some_and(|size| size >= part.bytes);
        if !in_part && !in_store {
            return Ok(Journal::NONE);
        }
    }
    Ok(journal)
}

/// Hands the first bytes of a large blob to `take`, from its part or, where an earlier try has ended it, from the store.
pub(super) fn prefix(
    store: &Store,
    folder: &Path,
    (digest, length): (&Digest, u64),
    take: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let path = folder.join(format!("{}.part", digest.0));
    if let Some(mut file) = open_plain(&path)? {
        return Store::read_prefix(&mut file, &path, length, take);
    }
    let mut file = store.open_blob(digest)?.ok_or_else(|| {
        Error::new(Class::State, "staging", format!("the beginning of {digest} is gone"))
            .remedy("import the same bundle once more: `airlock import FILE`")
    })?;
    Store::read_prefix(&mut file, &store.path(digest), length, take)
}

/// Opens what was kept of a volume of a size.
pub(super) fn kept_volume(folder: &Path, volume: usize, bytes: u64) -> Result<Option<(File, PathBuf)>> {
    let path = volume_path(folder, volume);
    let Some(file) = open_plain(&path)? else {
        return Ok(None);
    };
    let size = file.metadata().map_err(|e| Error::io("look at", &path, e))?.len();
    Ok((size == bytes).then_some((file, path)))
}

/// Where a volume is kept.
pub(super) fn volume_path(folder: &Path, volume: usize) -> PathBuf {
    folder.join(format!("volume-{volume}"))
}

//! What an import has done for good: so many chunks, and the midstates at their ends.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crypto::canonical;
use crate::domain::{Class, Digest, Error, Hash, Result, limits};
use crate::stream::{Expected, look, open_or_create, open_plain, read_bounded, write_atomically};

/// Bytes of a midstate.
const MIDSTATE: u64 = 32;

/// How far an import has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    pub(super) chunks: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<PartEntry>,
}

/// How much of the large blob under way is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartEntry {
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

/// A journal that is due, with the midstates of the chunks that came since the one before it.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) journal: Journal,
    /// Of the last chunks of the journal, one each.
    pub(super) midstates: Vec<Hash>,
}

impl Journal {
    /// Nothing is done.
    pub(super) const NONE: Self = Self { chunks: 0, part: None };

    /// Reads the journal of a staging folder; one that cannot be read, or whose midstates are not there, counts as none.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let Some(file) = open_plain(&path(folder))? else {
            return Ok(Self::NONE);
        };
        let bytes = read_bounded(file, limits::FORMAT_BYTES * 8, "the journal")?;
        let Ok(journal) = canonical::from_slice::<Self>(&bytes, "the journal") else {
            return Ok(Self::NONE);
        };
        let midstates = look(&midstates_path(folder), Expected::File)?.map_or(0, |found| found.size());
        if midstates < journal.chunks.saturating_mul(MIDSTATE) {
            return Ok(Self::NONE);
        }
        Ok(journal)
    }
}

impl Update {
    /// Makes it durable: the midstates first.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`; `E-SPACE`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = midstates_path(folder);
        let first = self.journal.chunks.saturating_sub(self.midstates.len() as u64);
        let bytes: Vec<u8> = self.midstates.iter().flat_map(|state| state.0).collect();
        if !bytes.is_empty() {
            let file = open_or_create(&path, 0o600)?;
            file.write_all_at(&bytes, first.saturating_mul(MIDSTATE))
                .and_then(|()| file.sync_data())
                .map_err(|e| Error::io("write", &path, e))?;
        }
        write_atomically(&self::path(folder), &canonical::to_vec(&self.journal), 0o600)
    }
}

/// Returns the midstates at the ends of chunks, which count from 1.
///
/// # Errors
///
/// `E-STATE staging` when they are not there any more; `E-STATE planted`; `E-IO`.
pub(super) fn midstates(folder: &Path, chunks: Range<u64>) -> Result<Vec<Hash>> {
    let path = midstates_path(folder);
    let gone = || {
        Error::new(
            Class::State,
            "staging",
            format!("{} is shorter than its journal says", path.display()),
        )
        .remedy("import the same bundle once more: `airlock import FILE`")
    };
    let count = usize::try_from(chunks.end.saturating_sub(chunks.start)).map_err(|_| gone())?;
    let mut bytes = vec![[0; 32]; count];
    let file = open_plain(&path)?.ok_or_else(gone)?;
    let offset = chunks.start.saturating_sub(1).saturating_mul(MIDSTATE);
    match file.read_exact_at(bytes.as_flattened_mut(), offset) {
        Ok(()) => Ok(bytes.into_iter().map(Hash).collect()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(gone()),
        Err(error) => Err(Error::io("read", &path, error)),
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

fn midstates_path(folder: &Path) -> PathBuf {
    folder.join("midstates")
}

//! Blobs of a bundle taken out of it, one after the other in a file without a name: to copy from, for who has no store.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chosen::RestoredSink;
use super::index::Blob;
use super::reader::VerifiedBundle;
use crate::container::ChosenSink;
use crate::domain::{Digest, Error, Hash, Result};
use crate::encoding::{Base, BasePlains, OpenedBase};
use crate::stream::unnamed_file;

/// Blobs that were taken out of bundles, each whole.
#[derive(Debug, Default)]
pub struct TakenBlobs(BTreeMap<Digest, OpenedBase>);

impl TakenBlobs {
    /// Takes chosen blobs out of a bundle, into a file in a folder. What of them is copied from blobs that were not taken before is left out.
    /// `progress` is told the bytes of the bundle that were read so far.
    ///
    /// # Errors
    ///
    /// Those of reading the bundle; `E-IO`, `E-SPACE` of the folder.
    pub fn take(
        &mut self,
        bundle: VerifiedBundle,
        is_chosen: &(dyn Fn(&Blob) -> bool + Sync),
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut taking = Taking {
            file: Arc::new(unnamed_file(folder)?),
            folder: folder.to_owned(),
            end: 0,
            taken: self,
            progress,
        };
        bundle.read_chosen(is_chosen, &mut taking)
    }

    /// Adds a blob that is whole.
    pub fn insert(&mut self, digest: Digest, opened: OpenedBase) {
        self.0.insert(digest, opened);
    }

    /// Returns where a blob is.
    pub fn get(&self, digest: &Digest) -> Option<&OpenedBase> {
        self.0.get(digest)
    }

    /// Opens the bases of a blob; nothing where one was not taken. What is unpacked goes into a file in a folder.
    ///
    /// # Errors
    ///
    /// Those of [`BasePlains::open`].
    pub fn bases(&self, bases: &[Base], folder: &Path) -> Result<Option<BasePlains>> {
        let found: Option<Vec<OpenedBase>> = bases.iter().map(|base| self.get(&base.digest).cloned()).collect();
        let Some(found) = found else { return Ok(None) };
        let mut found = found.into_iter();
        let mut next = |base: &Base| {
            let gone = || {
                Error::io(
                    "open",
                    Path::new(&base.digest.to_string()),
                    std::io::ErrorKind::NotFound.into(),
                )
            };
            found.next().ok_or_else(gone)
        };
        BasePlains::open(bases, &mut next, &mut || unnamed_file(folder)).map(Some)
    }
}

/// Takes blobs out of one bundle.
struct Taking<'a> {
    file: Arc<File>,
    folder: PathBuf,
    end: u64,
    taken: &'a mut TakenBlobs,
    progress: &'a mut dyn FnMut(u64),
}

impl Taking<'_> {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all_at(bytes, self.end.saturating_add(offset))
            .map_err(|error| Error::io("write a blob in", &self.folder, error))
    }

    fn keep(&mut self, blob: &Blob) {
        self.taken.insert(blob.digest, (Arc::clone(&self.file), self.end));
        self.end = self.end.saturating_add(blob.size);
    }
}

impl ChosenSink<Blob> for Taking<'_> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.write(0, bytes)?;
        self.keep(blob);
        Ok(())
    }

    fn begin(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        self.write(offset, bytes)
    }

    fn end(&mut self, blob: &Blob, _: Vec<Hash>) -> Result<()> {
        self.keep(blob);
        Ok(())
    }

    fn chunk_done(&mut self, position: u64) -> Result<()> {
        (self.progress)(position);
        Ok(())
    }
}

impl RestoredSink for Taking<'_> {
    fn bases(&mut self, _: &Blob, bases: &[Base]) -> Result<Option<BasePlains>> {
        self.taken.bases(bases, &self.folder)
    }

    fn unrestored(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }
}

//! Blobs of bundles taken out of them, one after the other in a file without a name: to copy from, for who has no store.

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
use crate::encoding::{Base, BasePlains, OpenedBase, Unpacked};
use crate::stream::unnamed_file;

/// Blobs that were taken out of bundles, each whole, with their sizes.
#[derive(Debug, Default)]
pub struct TakenBlobs(BTreeMap<Digest, (u64, OpenedBase)>);

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
            file: TakenFile::new(folder)?,
            taken: self,
            progress,
        };
        bundle.read_chosen(is_chosen, &mut taking)
    }

    /// Adds a blob that is whole.
    pub fn insert(&mut self, digest: Digest, size: u64, opened: OpenedBase) {
        self.0.insert(digest, (size, opened));
    }

    /// Returns where a blob of this size is.
    pub fn get(&self, digest: &Digest, size: u64) -> Option<&OpenedBase> {
        let (taken, opened) = self.0.get(digest)?;
        (*taken == size).then_some(opened)
    }

    /// Opens the bases of a blob; nothing where one was not taken. What is unpacked goes into a file in a folder.
    ///
    /// # Errors
    ///
    /// Those of [`BasePlains::open`].
    pub fn bases(&self, bases: &[Base], folder: &Path, unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        let mut file = |base: &Base| Ok(self.get(&base.digest, base.size).cloned());
        BasePlains::open(bases, &mut file, folder, unpacked)
    }
}

/// Blobs, one after the other, in a file without a name.
#[derive(Debug)]
pub struct TakenFile {
    file: Arc<File>,
    folder: PathBuf,
    end: u64,
}

impl TakenFile {
    /// An empty one, in a folder with room for it.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            file: Arc::new(unnamed_file(folder)?),
            folder: folder.to_owned(),
            end: 0,
        })
    }

    /// Writes bytes of the next blob, `offset` bytes behind its start.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all_at(bytes, self.end.saturating_add(offset))
            .map_err(|error| Error::io("write a blob in", &self.folder, error))
    }

    /// Keeps the blob that was written; another one begins behind it.
    pub fn keep(&mut self, size: u64) -> OpenedBase {
        let start = self.end;
        self.end = start.saturating_add(size);
        (Arc::clone(&self.file), start)
    }
}

/// Takes blobs out of one bundle.
struct Taking<'a> {
    file: TakenFile,
    taken: &'a mut TakenBlobs,
    progress: &'a mut dyn FnMut(u64),
}

impl Taking<'_> {
    fn keep(&mut self, blob: &Blob) {
        let opened = self.file.keep(blob.size);
        self.taken.insert(blob.digest, blob.size, opened);
    }
}

impl ChosenSink<Blob> for Taking<'_> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.file.write(0, bytes)?;
        self.keep(blob);
        Ok(())
    }

    fn begin(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write(offset, bytes)
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
    fn bases(&mut self, _: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        self.taken.bases(bases, &self.file.folder, unpacked)
    }

    fn unrestored(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }
}

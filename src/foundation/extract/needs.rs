//! What a bundle needs and does not carry, taken out of the bundles and state folders that have it.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::filling::open_bases;
use super::work_folder::WorkFolder;
use crate::bundle::{Blob, RestoredSink, VerifiedBundle};
use crate::container::ChosenSink;
use crate::domain::{Digest, Error, Hash, Result};
use crate::encoding::{Base, BasePlains, Unpacked};
use crate::store::{Shelf, Staging, Store};

/// Bytes that are copied at once.
const PIECE: usize = 1 << 22;

impl WorkFolder {
    /// Takes blobs out of another bundle. What of them is copied from something that is not here is left out.
    ///
    /// # Errors
    ///
    /// Those of reading the bundle; `E-IO`, `E-SPACE`.
    pub fn take_from_bundle(
        &mut self,
        bundle: VerifiedBundle,
        wanted: &BTreeMap<Digest, u64>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut taking = Taking {
            store: &self.store,
            shelf: self.staging.shelf(),
            staging: &mut self.staging,
            progress,
        };
        bundle.read_chosen(&|blob| wanted.contains_key(&blob.digest), &mut taking)?;
        self.staging.flush()
    }

    /// Takes blobs that a store has whole.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub fn take_from_store(&mut self, from: &Store, wanted: &BTreeMap<Digest, u64>) -> Result<()> {
        for (digest, size) in wanted {
            if from.examine(digest, *size)?.is_whole()
                && let Some(file) = from.open_found(digest, *size)?
            {
                let mut next = |offset: u64, buffer: &mut [u8]| file.read_exact_at(buffer, offset);
                self.copy(digest, *size, &mut next)?;
            }
        }
        self.staging.flush()
    }

    fn copy(
        &mut self,
        digest: &Digest,
        size: u64,
        read: &mut dyn FnMut(u64, &mut [u8]) -> std::io::Result<()>,
    ) -> Result<()> {
        let failed = |error| Error::io("read", Path::new(&digest.to_string()), error);
        let length = |left: u64| usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let mut buffer = vec![0; length(size)];
        if size <= PIECE as u64 {
            read(0, &mut buffer).map_err(failed)?;
            return self.staging.put(digest, &buffer);
        }
        let shelf = self.staging.shelf();
        self.staging.begin_restored(digest);
        let mut offset = 0;
        while offset < size {
            buffer.truncate(length(size.saturating_sub(offset)));
            read(offset, &mut buffer).map_err(failed)?;
            shelf.write(digest, size, offset, &buffer)?;
            self.staging.advance(buffer.len() as u64);
            offset = offset.saturating_add(buffer.len() as u64);
        }
        self.staging.end();
        self.staging.picked()
    }
}

/// Takes blobs out of one bundle.
struct Taking<'a> {
    store: &'a Store,
    shelf: Arc<Shelf>,
    staging: &'a mut Staging,
    progress: &'a mut dyn FnMut(u64),
}

impl ChosenSink<Blob> for Taking<'_> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.staging.put(&blob.digest, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.staging.begin_restored(&blob.digest);
        Ok(())
    }

    fn piece(&mut self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        self.shelf.write(&blob.digest, blob.size, offset, bytes)?;
        self.staging.advance(bytes.len() as u64);
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        self.staging.end();
        Ok(())
    }

    fn chunk_done(&mut self, position: u64) -> Result<()> {
        self.staging.picked()?;
        (self.progress)(position);
        Ok(())
    }
}

impl RestoredSink for Taking<'_> {
    fn bases(&mut self, _: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        self.staging.flush()?;
        open_bases(self.store, bases, unpacked)
    }

    fn unrestored(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }
}

//! A batch, and how it becomes durable.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use super::super::Store;
use super::journal::Update;
use super::part::Part;
use crate::domain::{Class, Digest, Error, Result};
use crate::stream::sync_folder;

/// Up to so many files or folders are synced one by one; more go by one `syncfs`.
const FEW: usize = 8;

/// A small blob whose digest was compared.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Its bytes, without a name; nothing when the store has it already: only its name is to be made durable then.
    pub(super) file: Option<OwnedFd>,
}

/// A large blob.
#[derive(Debug)]
pub(super) enum Large {
    /// On its way.
    Growing(Part),
    /// The store has it already, byte for byte.
    Held,
}

/// What becomes durable together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) small: Vec<Small>,
    /// Whole, and their digests compared.
    pub(super) ended: Vec<(Digest, Arc<Large>)>,
    /// The one whose pieces go on in the next batch.
    pub(super) under_way: Option<Arc<Large>>,
    /// What is done for good with this batch; nothing where nobody keeps a journal.
    pub(super) update: Option<Update>,
}

/// Makes batches durable and gives what is verified its names.
#[derive(Debug)]
pub(super) struct Sealer {
    store: Store,
    /// The staging folder.
    folder: PathBuf,
    /// Open since before the first byte was written: `syncfs` tells each failure of the write-back once to each who had the file system
    /// open by then.
    root: File,
    /// Why a batch could not be sealed. Held while one is: of two at once only one would hear of a failure that concerns both.
    failed: Mutex<Option<Error>>,
}

impl Sealer {
    /// For a staging folder.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn new(store: &Store, folder: PathBuf) -> Result<Self> {
        let path = store.folder();
        Ok(Self {
            root: File::open(&path).map_err(|e| Error::io("open", &path, e))?,
            store: store.clone(),
            folder,
            failed: Mutex::new(None),
        })
    }

    /// Makes a batch durable: bytes, names, journal, one after the other. After a failure none is any more, whoever asks: a later sync could
    /// succeed although the pages are gone that this one was about.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-SPACE`; `E-STATE`; the same again after a failure.
    pub(super) fn seal(&self, batch: Batch) -> Result<()> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &*failed {
            return Err(error.again());
        }
        // Where the sealing panics.
        *failed = Some(gone());
        let sealed = self.try_seal(batch);
        *failed = sealed.as_ref().err().map(Error::again);
        sealed
    }

    fn try_seal(&self, batch: Batch) -> Result<()> {
        let ended = || {
            batch
                .ended
                .iter()
                .filter_map(|(digest, large)| Some((digest, growing(large)?)))
        };
        for (_, part) in ended() {
            part.protect()?;
        }
        let unnamed = || batch.small.iter().filter_map(|small| small.file.as_ref());
        let parts = || {
            ended()
                .map(|(_, part)| part)
                .chain(batch.under_way.as_ref().and_then(growing))
        };
        if unnamed().count().saturating_add(parts().count()) > FEW {
            self.sync_all()?;
        } else {
            for file in unnamed() {
                rustix::fs::fsync(file).map_err(|e| Error::io("sync a blob in", &self.store.folder(), e.into()))?;
            }
            parts().try_for_each(Part::sync)?;
        }
        let mut folders = BTreeSet::new();
        for small in &batch.small {
            self.link(small)?;
            folders.extend(self.store.path(&small.digest).parent().map(ToOwned::to_owned));
        }
        for (digest, part) in ended() {
            let target = self.store.path(digest);
            self.store.make_place(&target)?;
            #[expect(
                clippy::disallowed_methods,
                reason = "the file was synced above; the folder is synced below"
            )]
            fs::rename(part.path(), &target).map_err(|e| Error::io("name", &target, e))?;
        }
        // Also of those that were here already: an earlier try may have ended before their names were durable.
        for (digest, _) in &batch.ended {
            folders.extend(self.store.path(digest).parent().map(ToOwned::to_owned));
        }
        if folders.len() > FEW {
            self.sync_all()?;
        } else {
            folders.iter().try_for_each(|folder| sync_folder(folder))?;
        }
        batch.update.map_or(Ok(()), |update| update.write(&self.folder))
    }

    fn sync_all(&self) -> Result<()> {
        rustix::fs::syncfs(&self.root).map_err(|e| Error::io("sync", &self.store.folder(), e.into()))
    }

    /// Gives a small blob its name, whatever else stands there.
    fn link(&self, small: &Small) -> Result<()> {
        let Some(file) = &small.file else { return Ok(()) };
        let target = self.store.path(&small.digest);
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        let link = || rustix::fs::linkat(CWD, &unnamed, CWD, &target, AtFlags::SYMLINK_FOLLOW);
        let linked = match link() {
            Err(Errno::NOENT) => {
                self.store.make_place(&target)?;
                link()
            }
            // The same bytes by an earlier try or another blob of this one; anything else is set aside.
            Err(Errno::EXIST) if self.store.is_here(&small.digest, small.size)? => Ok(()),
            Err(Errno::EXIST) => link(),
            done => done,
        };
        linked.map_err(|error| Error::io("name", &target, error.into()))
    }
}

/// It has failed before, and that was told.
pub(super) fn gone() -> Error {
    Error::new(
        Class::Internal,
        "committer",
        "nothing can be made durable after a failure",
    )
}

/// The file of a large blob that is on its way.
fn growing(large: &Arc<Large>) -> Option<&Part> {
    match &**large {
        Large::Growing(part) => Some(part),
        Large::Held => None,
    }
}

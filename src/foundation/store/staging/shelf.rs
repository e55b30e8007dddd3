//! The workers' side of a staging: content that was compared is written where it will stay, by any thread.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{Advice, Mode, OFlags};
use rustix::io::Errno;

use super::super::Store;
use super::batch::{Batch, Large, Sealer, Small};
use super::journal::PartEntry;
use super::part::Part;
use crate::domain::{Digest, Error, Result};

/// Bytes of a small blob from which on its write-back is asked for at once; of a thousand smaller ones the batch does better.
const WRITTEN_BACK: u64 = 256 << 10;

/// A large blob that some worker opens, and the others wait for.
type Opening = Arc<Mutex<Option<Arc<Large>>>>;

/// Where workers put content.
#[derive(Debug)]
pub struct Shelf {
    store: Store,
    /// The staging folder.
    folder: PathBuf,
    sealer: Arc<Sealer>,
    /// The large blob that an earlier try has left.
    kept: Option<PartEntry>,
    /// What the store has by its names; nothing before anybody has looked.
    here: OnceLock<HashSet<Digest>>,
    small: Mutex<Vec<Small>>,
    /// Files that may wait without a name: each holds a descriptor.
    files: usize,
    large: Mutex<HashMap<Digest, Opening>>,
    /// Small blobs and bytes that came since the last batch.
    came: AtomicUsize,
    written: AtomicU64,
    broken: AtomicBool,
}

impl Shelf {
    pub(super) fn new(
        store: &Store,
        folder: PathBuf,
        sealer: Arc<Sealer>,
        kept: Option<PartEntry>,
        files: usize,
    ) -> Self {
        Self {
            store: store.clone(),
            folder,
            sealer,
            kept,
            here: OnceLock::new(),
            small: Mutex::default(),
            files,
            large: Mutex::default(),
            came: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Says which blobs have a name in the store, of all that will come: the others need not be looked for once more.
    pub fn expect(&self, here: HashSet<Digest>) {
        // Said once, by who has looked.
        self.here.set(here).ok();
    }

    /// Stores a small blob whose digest was compared.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`; nothing is sealed any more then.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        self.watch(self.try_put(digest, bytes))
    }

    fn try_put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let size = bytes.len() as u64;
        let is_new = self.here.get().is_some_and(|here| !here.contains(digest));
        let file = if !is_new && self.store.is_here(digest, size)? {
            None
        } else {
            let mut file = self.unnamed()?;
            file.write_all(bytes)
                .map_err(|e| Error::io("write a blob in", &self.store.folder(), e))?;
            if let Some(length) = NonZero::new(size).filter(|_| size >= WRITTEN_BACK) {
                // Asks for the write-back at once: the disk works while the next blobs are decoded, and the batch's sync finds little to do.
                rustix::fs::fadvise(&file, 0, Some(length), Advice::DontNeed).ok();
            }
            self.written.fetch_add(size, Ordering::Relaxed);
            Some(file.into())
        };
        let digest = *digest;
        let mut small = lock(&self.small);
        small.push(Small { digest, size, file });
        self.came.fetch_add(1, Ordering::Relaxed);
        if small.len() < self.files {
            return Ok(());
        }
        // A chunk may hold more blobs than there are descriptors.
        let small = std::mem::take(&mut *small);
        self.sealer.seal(Batch {
            small,
            ..Batch::default()
        })
    }

    /// Takes a blob up that is in the store: only its name is to be made durable.
    pub(super) fn hold(&self, digest: &Digest, size: u64) {
        lock(&self.small).push(Small {
            digest: *digest,
            size,
            file: None,
        });
        self.came.fetch_add(1, Ordering::Relaxed);
    }

    fn unnamed(&self) -> Result<File> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::RGRP | Mode::ROTH;
        let folder = self.store.folder();
        rustix::fs::open(&folder, flags, mode).map(File::from).map_err(|errno| {
            let error = Error::io("create an unnamed file in", &folder, errno.into());
            // What file systems without such files answer; where it is something else, another folder helps nothing.
            if matches!(errno, Errno::OPNOTSUPP | Errno::ISDIR) {
                error
                    .expected("a file system that has such files")
                    .remedy("keep the state folder on a file system that has such files: ext4, xfs, btrfs or tmpfs")
            } else {
                error
            }
        })
    }

    /// Writes a piece of a large blob of `size` bytes at its place.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`; nothing is sealed any more then.
    pub fn write(&self, digest: &Digest, size: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        self.watch(self.try_write(digest, size, offset, bytes))
    }

    fn try_write(&self, digest: &Digest, size: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        if let Large::Growing(part) = &*self.open(digest, size)? {
            part.write(bytes, offset)?;
            self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns a large blob; the first who asks opens its file, unless the store has it.
    fn open(&self, digest: &Digest, size: u64) -> Result<Arc<Large>> {
        let opening = Arc::clone(lock(&self.large).entry(*digest).or_default());
        let mut opened = lock(&opening);
        if let Some(large) = &*opened {
            return Ok(Arc::clone(large));
        }
        // Here already: another release carries it, or the last try ended between name and journal.
        let large = if self.store.is_here(digest, size)? {
            Large::Held
        } else {
            Large::Growing(Part::open(&self.part_path(digest), size, self.kept(digest))?)
        };
        Ok(Arc::clone(opened.insert(Arc::new(large))))
    }

    /// Returns how many bytes of a large blob an earlier try has left.
    pub(super) fn kept(&self, digest: &Digest) -> u64 {
        let kept = self.kept.as_ref().filter(|part| part.digest == *digest);
        kept.map_or(0, |part| part.bytes)
    }

    pub(super) fn part_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.part", digest.0))
    }

    /// Returns a large blob of which pieces came.
    pub(super) fn large(&self, digest: &Digest) -> Option<Arc<Large>> {
        let opening = Arc::clone(lock(&self.large).get(digest)?);
        lock(&opening).clone()
    }

    /// Returns a large blob of which every piece came, and forgets it.
    pub(super) fn take_large(&self, digest: &Digest) -> Option<Arc<Large>> {
        let opening = lock(&self.large).remove(digest)?;
        lock(&opening).take()
    }

    /// Returns the small blobs that wait for their names, and begins to count anew.
    pub(super) fn take_small(&self) -> Vec<Small> {
        self.came.store(0, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
        std::mem::take(&mut *lock(&self.small))
    }

    /// Returns how many small blobs, and how many bytes in all, came since [`Shelf::take_small`], named or not.
    pub(super) fn came(&self) -> (usize, u64) {
        (self.came.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed))
    }

    /// Remembers a failure.
    pub(super) fn watch<T>(&self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            self.broken.store(true, Ordering::SeqCst);
        }
        done
    }

    /// Whether anything could not be written or synced: what the journal says is then all that is known to be durable.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The staging of one import: batches of small blobs, one large blob at a time, and a journal of what need not be read again.
//!
//! Small blobs are written to files without a name, made durable together by one `syncfs`, and then linked; so there are no
//! temporary names to clean up. A large blob grows in `<64 hex>.part` and is renamed when its digest was compared. The
//! journal is written after everything it counts is durable: a crash between two journals costs one batch at most, at
//! most 256 MiB or 5 seconds of work.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Resource;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::crypto::canonical;
use crate::domain::{Class, Digest, Error, Hash, Result, limits};
use crate::stream::{
    Expected, create_own_folder, look, open_or_create, open_plain, read_bounded, sync_folder, write_atomically,
};

/// Bytes after which a batch is made durable.
const BATCH_BYTES: u64 = 256 << 20;
/// Time after which a batch is made durable.
const BATCH_TIME: Duration = Duration::from_secs(5);
/// Files of a batch: each holds a descriptor until it is linked.
const BATCH_FILES: usize = 8192;
/// Up to so many files or folders are synced one by one; more go by one `syncfs`.
const FEW: usize = 8;

/// The staging folder of one head.
#[derive(Debug)]
pub struct Staging {
    store: Store,
    folder: PathBuf,
    journal: Journal,
    batch: Vec<(Digest, OwnedFd)>,
    /// Bytes written since the last journal.
    unsynced: u64,
    since: Instant,
    batch_files: usize,
    part: Option<Part>,
    /// Something could not be written or synced: what the journal says is all that is known to be durable.
    broken: bool,
}

/// How far an import has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    chunks: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<PartEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartEntry {
    bytes: u64,
    digest: Digest,
}

/// A large blob under way.
#[derive(Debug)]
enum Part {
    /// Growing in its file.
    Growing {
        digest: Digest,
        file: File,
        path: PathBuf,
        written: u64,
    },
    /// The store has it already, byte for byte.
    Held,
}

impl Staging {
    /// Opens the staging of a head, takes up its journal, and removes what other stopped imports left: one import runs at a
    /// time, and only the newest try is worth going on with.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn open(store: &Store, head: Hash) -> Result<Self> {
        let name = head.to_hex();
        let incoming = store.incoming();
        for entry in fs::read_dir(&incoming).map_err(|e| Error::io("list", &incoming, e))? {
            let entry = entry.map_err(|e| Error::io("list", &incoming, e))?;
            look(&entry.path(), Expected::Folder)?;
            if entry.file_name().to_str() != Some(&name) {
                fs::remove_dir_all(entry.path()).map_err(|e| Error::io("remove", &entry.path(), e))?;
            }
        }
        let folder = incoming.join(name);
        create_own_folder(&folder)?;
        sync_folder(&incoming)?;
        let mut staging = Self {
            store: store.clone(),
            folder,
            journal: Journal { chunks: 0, part: None },
            batch: Vec::new(),
            unsynced: 0,
            since: Instant::now(),
            batch_files: descriptors_for_batches(),
            part: None,
            broken: false,
        };
        staging.journal = staging.read_journal()?;
        Ok(staging)
    }

    /// Returns how many chunks need not be read again.
    pub fn chunks_done(&self) -> u64 {
        self.journal.chunks
    }

    /// Returns the bytes of the large blob under way that are already here.
    pub fn part_bytes(&self) -> u64 {
        self.journal.part.as_ref().map_or(0, |part| part.bytes)
    }

    /// Reads the journal; one that does not fit what is on disk counts as none.
    fn read_journal(&self) -> Result<Journal> {
        let none = Journal { chunks: 0, part: None };
        let path = self.folder.join("journal");
        let Some(file) = open_plain(&path)? else {
            return Ok(none);
        };
        let bytes = read_bounded(file, limits::FORMAT_BYTES * 8, "the journal")?;
        let Ok(journal) = canonical::from_slice::<Journal>(&bytes, "the journal") else {
            return Ok(none);
        };
        if let Some(part) = &journal.part {
            let path = self.part_path(&part.digest);
            let in_part = look(&path, Expected::File)?.is_some_and(|found| found.size() >= part.bytes);
            let in_store = self.store.size_of(&part.digest)?.is_some_and(|size| size >= part.bytes);
            if !in_part && !in_store {
                return Ok(none);
            }
        }
        Ok(journal)
    }

    fn part_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.part", digest.0))
    }

    /// Hands the first bytes of the large blob under way to `take`.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn prefix(&mut self, digest: &Digest, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        let path = self.part_path(digest);
        if let Some(mut file) = open_plain(&path)? {
            return Store::read_prefix(&mut file, &path, length, take);
        }
        let mut file = self.store.open_blob(digest)?.ok_or_else(|| {
            Error::new(Class::State, "staging", format!("the beginning of {digest} is gone"))
                .remedy("import the same bundle once more: `airlock import FILE`")
        })?;
        Store::read_prefix(&mut file, &self.store.path(digest), length, take)
    }

    /// Stores a small blob whose digest was compared.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn put(&mut self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let done = self.try_put(digest, bytes);
        self.watch(done)
    }

    fn try_put(&mut self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if self.store.is_here(digest, bytes.len() as u64)? {
            return Ok(());
        }
        let folder = self.store.folder();
        let fd = rustix::fs::open(
            &folder,
            OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC,
            Mode::RUSR | Mode::RGRP | Mode::ROTH,
        )
        .map_err(|errno| {
            let error = Error::io("create an unnamed file in", &folder, errno.into());
            // What file systems without such files answer; where it is something else, another folder helps nothing.
            if matches!(errno, Errno::OPNOTSUPP | Errno::ISDIR) {
                error
                    .expected("a file system that has such files")
                    .remedy("keep the state folder on a file system that has such files: ext4, xfs, btrfs or tmpfs")
            } else {
                error
            }
        })?;
        let mut file = File::from(fd);
        file.write_all(bytes)
            .map_err(|e| Error::io("write a blob in", &folder, e))?;
        self.unsynced = self.unsynced.saturating_add(bytes.len() as u64);
        self.batch.push((*digest, file.into()));
        Ok(())
    }

    /// Begins a large blob, or goes on with the one that the journal names.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn begin(&mut self, digest: &Digest, size: u64) -> Result<()> {
        let done = self.try_begin(digest, size);
        self.watch(done)
    }

    fn try_begin(&mut self, digest: &Digest, size: u64) -> Result<()> {
        let path = self.part_path(digest);
        let journalled = self
            .journal
            .part
            .as_ref()
            .filter(|part| part.digest == *digest)
            .map_or(0, |part| part.bytes);
        // Named already: either another release carries it, or the last try ended between name and journal.
        if self.store.is_here(digest, size)? {
            self.part = Some(Part::Held);
            return Ok(());
        }
        let file = Ok(open_or_create(&path, 0o600)?)
            .and_then(|file| {
                if file.metadata()?.len() < journalled {
                    return Err(io::Error::other("it is shorter than its journal says"));
                }
                // What lies behind the journal's length was never known to be durable.
                file.set_len(journalled)?;
                Ok(file)
            })
            .and_then(|mut file| {
                io::Seek::seek(&mut file, io::SeekFrom::Start(journalled))?;
                Ok(file)
            })
            .map_err(|e| Error::io("create", &path, e))?;
        self.part = Some(Part::Growing {
            digest: *digest,
            file,
            path,
            written: journalled,
        });
        Ok(())
    }

    /// Appends to the blob that began.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let done = self.try_append(bytes);
        self.watch(done)
    }

    fn try_append(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(Part::Growing {
            file, path, written, ..
        }) = &mut self.part
        {
            file.write_all(bytes).map_err(|e| Error::io("write", path, e))?;
            *written = written.saturating_add(bytes.len() as u64);
            self.unsynced = self.unsynced.saturating_add(bytes.len() as u64);
        }
        Ok(())
    }

    /// Names the blob that began: its digest was compared.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn end(&mut self) -> Result<()> {
        let done = self.try_end();
        self.watch(done)
    }

    fn try_end(&mut self) -> Result<()> {
        let Some(Part::Growing { digest, file, path, .. }) = self.part.take() else {
            return Ok(());
        };
        rustix::fs::fchmod(&file, Mode::RUSR | Mode::RGRP | Mode::ROTH)
            .map_err(|e| Error::io("protect", &path, e.into()))?;
        file.sync_all().map_err(|e| Error::io("sync", &path, e))?;
        let target = self.store.path(&digest);
        self.store.make_place(&target)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the file was synced; the folder is synced below"
        )]
        fs::rename(&path, &target).map_err(|e| Error::io("name", &target, e))?;
        sync_folder(target.parent().unwrap_or(&self.folder))
    }

    /// Says that everything of the first `chunks` chunks was handed over; makes the batch durable when it is due.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn chunk_done(&mut self, chunks: u64) -> Result<()> {
        if self.is_due() { self.checkpoint(chunks) } else { Ok(()) }
    }

    fn is_due(&self) -> bool {
        self.unsynced >= BATCH_BYTES || self.batch.len() >= self.batch_files || self.since.elapsed() >= BATCH_TIME
    }

    /// As [`Staging::chunk_done`], for one that picks chunks out: nothing is journalled, another try begins anew. `E-IO`, `E-SPACE`.
    pub fn picked(&mut self) -> Result<()> {
        if self.is_due() {
            self.flush()?;
            (self.unsynced, self.since) = (0, Instant::now());
        }
        Ok(())
    }

    /// Makes durable what a stopped import has handed over, for the next try; after a failure of the disk itself the journal
    /// before stays what it is.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn keep(&mut self, chunks: u64) -> Result<()> {
        // Also when nothing new came: a part that was not taken up again yet stays in the journal.
        if self.broken || chunks == self.journal.chunks {
            Ok(())
        } else {
            self.checkpoint(chunks)
        }
    }

    /// Remembers a failure: a sync that failed is never tried again, because the system may have dropped the pages already, and
    /// what follows would count as durable what is not.
    fn watch(&mut self, done: Result<()>) -> Result<()> {
        self.broken |= done.is_err();
        done
    }

    /// Makes everything durable and writes the journal.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`; [`Staging::keep`] does nothing any more then.
    pub fn checkpoint(&mut self, chunks: u64) -> Result<()> {
        let done = self.try_checkpoint(chunks);
        self.watch(done)
    }

    fn try_checkpoint(&mut self, chunks: u64) -> Result<()> {
        self.try_flush()?;
        let part = match &self.part {
            Some(Part::Growing {
                digest,
                file,
                path,
                written,
            }) => {
                file.sync_data().map_err(|e| Error::io("sync", path, e))?;
                Some(PartEntry {
                    bytes: *written,
                    digest: *digest,
                })
            }
            _ => None,
        };
        self.journal = Journal { chunks, part };
        write_atomically(&self.folder.join("journal"), &canonical::to_vec(&self.journal), 0o600)?;
        self.unsynced = 0;
        self.since = Instant::now();
        Ok(())
    }

    /// Makes the batch durable and links it.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn flush(&mut self) -> Result<()> {
        let done = self.try_flush();
        self.watch(done)
    }

    fn try_flush(&mut self) -> Result<()> {
        let folder = self.store.folder();
        if self.batch.is_empty() {
            return Ok(());
        }
        let root = File::open(&folder).map_err(|e| Error::io("open", &folder, e))?;
        let sync_all = || rustix::fs::syncfs(root.as_fd()).map_err(|e| Error::io("sync", &folder, e.into()));
        if self.batch.len() > FEW {
            sync_all()?;
        } else {
            for (_, fd) in &self.batch {
                rustix::fs::fsync(fd).map_err(|e| Error::io("sync a blob in", &folder, e.into()))?;
            }
        }
        let mut folders = BTreeSet::new();
        for (digest, fd) in self.batch.drain(..) {
            let target = self.store.path(&digest);
            let unnamed = format!("/proc/self/fd/{}", fd.as_raw_fd());
            self.store.make_place(&target)?;
            match rustix::fs::linkat(CWD, &unnamed, CWD, &target, AtFlags::SYMLINK_FOLLOW) {
                // Linked by an earlier blob of the same digest: the same verified bytes, for whatever else stood there was set aside.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::io("name", &target, error.into())),
            }
            folders.insert(target.parent().unwrap_or(&folder).to_owned());
        }
        if folders.len() > FEW {
            sync_all()
        } else {
            folders.iter().try_for_each(|folder| sync_folder(folder))
        }
    }

    /// Removes what an import left that was stopped after it had published its release.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn discard(store: &Store, head: Hash) -> Result<()> {
        let folder = store.incoming().join(head.to_hex());
        match fs::remove_dir_all(&folder) {
            Ok(()) => sync_folder(&store.incoming()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("remove", &folder, error)),
        }
    }

    /// Removes the staging folder: after the import is published, or when what came is refused for good.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).map_err(|e| Error::io("remove", &self.folder, e))?;
        sync_folder(&self.store.incoming())
    }
}

/// Raises the soft limit of open files to the hard one, and returns how many a batch may use.
fn descriptors_for_batches() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // Half is left for everything else that a process opens.
    current.map_or(BATCH_FILES, |current| {
        usize::try_from(current / 2)
            .unwrap_or(BATCH_FILES)
            .clamp(16, BATCH_FILES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> Digest {
        use sha2::Digest as _;
        Digest(Hash(sha2::Sha256::digest(bytes).into()))
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        Store::create(folder.path()).unwrap();
        let store = Store::open(folder.path(), |_| {}).unwrap();
        (folder, store)
    }

    #[test]
    fn small_blobs_are_named_by_the_batch() {
        let (_folder, store) = store();
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        for n in 0..20_u8 {
            staging.put(&digest(&[n]), &[n]).unwrap();
        }
        assert_eq!(store.size_of(&digest(&[3])).unwrap(), None, "not before it is durable");
        staging.checkpoint(5).unwrap();
        assert_eq!(store.read(&digest(&[3]), 9).unwrap(), [3]);
        drop(staging);
        let staging = Staging::open(&store, Hash([1; 32])).unwrap();
        assert_eq!(staging.chunks_done(), 5);
        drop(staging);
        assert_eq!(Staging::open(&store, Hash([2; 32])).unwrap().chunks_done(), 0);
        assert_eq!(
            fs::read_dir(store.incoming()).unwrap().count(),
            1,
            "another head's staging is gone"
        );
    }

    #[test]
    fn a_large_blob_goes_on_where_the_journal_ends() {
        let (_folder, store) = store();
        let whole: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let name = digest(&whole);
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        staging.begin(&name, whole.len() as u64).unwrap();
        staging.append(&whole[..1000]).unwrap();
        staging.checkpoint(1).unwrap();
        staging.append(&whole[1000..3000]).unwrap();
        drop(staging);
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        assert_eq!((staging.chunks_done(), staging.part_bytes()), (1, 1000));
        let mut seen = Vec::new();
        staging
            .prefix(&name, 1000, &mut |bytes| seen.extend_from_slice(bytes))
            .unwrap();
        assert_eq!(seen, whole[..1000]);
        staging.begin(&name, whole.len() as u64).unwrap();
        staging.append(&whole[1000..]).unwrap();
        staging.end().unwrap();
        assert_eq!(store.read(&name, 1 << 20).unwrap(), whole);
        // Between the name and the next journal a stop leaves the older journal: it still fits.
        drop(staging);
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        assert_eq!(staging.part_bytes(), 1000);
        staging.begin(&name, whole.len() as u64).unwrap();
        staging.append(&whole[1000..]).unwrap();
        staging.end().unwrap();
        staging.remove().unwrap();
        assert_eq!(fs::read_dir(store.incoming()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_kept_after_a_failure_of_the_disk() {
        let (_folder, store) = store();
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        staging.put(&digest(b"one"), b"one").unwrap();
        staging.checkpoint(1).unwrap();
        staging.put(&digest(b"two"), b"two").unwrap();
        // A file in the place of its folder stands for any failure while the batch is named.
        let folder = store.path(&digest(b"two")).parent().unwrap().to_owned();
        fs::remove_dir(&folder).unwrap();
        File::create(&folder).unwrap();
        assert_eq!(staging.checkpoint(2).unwrap_err().class(), Class::Io);
        fs::remove_file(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        staging.keep(2).unwrap();
        drop(staging);
        let staging = Staging::open(&store, Hash([1; 32])).unwrap();
        assert_eq!(staging.chunks_done(), 1, "what was not named is not counted");
    }

    #[test]
    fn a_try_that_brings_nothing_new_keeps_the_part_of_the_last() {
        let (_folder, store) = store();
        let name = digest(b"whole blob");
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        staging.begin(&name, 10).unwrap();
        staging.append(b"whole").unwrap();
        staging.keep(1).unwrap();
        drop(staging);
        // This one ends before the part is taken up.
        Staging::open(&store, Hash([1; 32])).unwrap().keep(1).unwrap();
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        assert_eq!((staging.chunks_done(), staging.part_bytes()), (1, 5));
        // A part that lost bytes since is never filled up with zeroes.
        let part = staging.part_path(&name);
        File::options().write(true).open(part).unwrap().set_len(3).unwrap();
        assert_eq!(staging.begin(&name, 10).unwrap_err().class(), Class::Io);
    }

    #[test]
    fn a_damaged_blob_is_set_aside_and_written_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, store) = store();
        let mut staging = Staging::open(&store, Hash([1; 32])).unwrap();
        staging.put(&digest(b"good"), b"good").unwrap();
        staging.flush().unwrap();
        let path = store.path(&digest(b"good"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        File::create(&path).unwrap().write_all(b"evil").unwrap();
        assert_eq!(store.read(&digest(b"good"), 9).unwrap_err().class(), Class::State);
        staging.put(&digest(b"good"), b"good").unwrap();
        staging.flush().unwrap();
        assert_eq!(store.read(&digest(b"good"), 9).unwrap(), b"good");
        assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 1);
    }
}

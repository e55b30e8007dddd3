//! The blob store: where blobs stand, what is there, and reading small ones.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::checked::{Checked, CheckedFiles, FileIdentity};
use super::failure::Failure;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::{Expected, create_own_folder, look_at_own, read_bounded, sync_folder};

/// Where blobs stand in the state folder.
const BLOBS: &str = "blobs/sha256";
/// Where running imports work.
const INCOMING: &str = "incoming";
/// Where proof is kept.
const EVIDENCE: &str = "evidence";

/// The store's folders in the state folder.
pub const FOLDERS: [&str; 3] = ["blobs", INCOMING, EVIDENCE];

/// Who is told of a blob that was set aside.
type Witness = Box<dyn Fn(&SetAside) + Send + Sync>;

/// The blobs of an appliance. Clones are the same store: what one has checked, all know.
#[derive(Clone)]
pub struct Store(Arc<Opened>);

struct Opened {
    state: PathBuf,
    handle: OwnedFd,
    checked: CheckedFiles,
    witness: Witness,
}

/// A damaged blob that was taken out of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// What it should have been.
    pub digest: Digest,
    /// Its name in `evidence/`.
    pub evidence: String,
    /// What was found in its place.
    pub found: String,
}

impl Store {
    /// Makes the folders of a new store inside a state folder.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn create(state: &Path) -> Result<()> {
        let folder = state.join(BLOBS);
        // All 256 at once: an import never has to make a folder, and so never has to make one durable.
        for folder in folders(state) {
            create_own_folder(&folder)?;
        }
        sync_folder(&folder)?;
        sync_folder(state)
    }

    /// Looks at the folders of a store before anything is opened: each is a folder of this user's alone, where it is there.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `other-user`, `writable`; `E-IO`.
    pub fn examine(state: &Path) -> Result<()> {
        for folder in folders(state) {
            look_at_own(&folder, Expected::Folder)?;
        }
        Ok(())
    }

    /// Opens the store of a state folder. `witness` is told of every blob that is set aside, whoever met the damage.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is not there.
    pub fn open(state: &Path, witness: impl Fn(&SetAside) + Send + Sync + 'static) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::open(state.join(BLOBS), flags, Mode::empty()) {
            Ok(handle) => Ok(Self(Arc::new(Opened {
                state: state.to_owned(),
                handle,
                checked: CheckedFiles::default(),
                witness: Box::new(witness),
            }))),
            Err(errno) => Err(Error::new(
                Class::State,
                "no-store",
                format!("{} holds no blob store", state.display()),
            )
            .remedy("put a whole copy of the state folder in its place, or point --state at the right one")
            .with_source(io::Error::from(errno))),
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.0.state.join(BLOBS)
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.0.state.join(INCOMING)
    }

    pub(super) fn evidence(&self) -> PathBuf {
        self.0.state.join(EVIDENCE)
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.folder().join(place(digest))
    }

    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.0.handle.as_fd()
    }

    pub(super) fn checked(&self) -> &CheckedFiles {
        &self.0.checked
    }

    pub(super) fn testify(&self, aside: &SetAside) {
        (self.0.witness)(aside);
    }

    /// Opens whatever stands under a blob's name, without following links and without waiting for it.
    pub(super) fn open_entry(&self, digest: &Digest) -> Result<File, Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(self.handle(), place(digest), flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| match errno {
                Errno::NOENT => Failure::Gone,
                Errno::LOOP => Failure::Damaged("it is a link".into()),
                errno => Failure::Io(errno.into()),
            })
    }

    /// Opens a blob, without following links.
    ///
    /// # Errors
    ///
    /// `E-IO`; a blob that is not there is no error.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<File>> {
        match self.open_entry(digest) {
            Ok(file) => Ok(Some(file)),
            Err(Failure::Gone) => Ok(None),
            Err(Failure::Io(error)) => Err(Error::io("open", &self.path(digest), error)),
            Err(Failure::Damaged(_)) => Err(Error::io("open", &self.path(digest), Errno::LOOP.into())),
            Err(Failure::Caller(error)) => Err(error),
        }
    }

    /// Returns the size of a blob's file, where it is a regular file.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn size_of(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.path(digest);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", &path, error)),
        }
    }

    /// Whether anything at all stands under a blob's name.
    pub(super) fn is_taken(&self, digest: &Digest) -> Result<bool> {
        match fs::symlink_metadata(self.path(digest)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("look at", &self.path(digest), error)),
        }
    }

    /// Reads a small blob whole and compares its digest; nothing is set aside.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is missing or its bytes changed; `E-LIMIT`; `E-IO`.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let file = self.open_blob(digest)?.ok_or_else(|| missing(digest))?;
        // Looked at before it is read: a change under the reading makes the next look fail, not this one pass for later ones.
        let stat = rustix::fs::fstat(&file).map_err(|e| Error::io("look at", &self.path(digest), e.into()))?;
        let bytes = read_bounded(file, limit, "a stored blob")?;
        if Digest(Hash(Sha256::digest(&bytes).into())) != *digest {
            return Err(Error::new(
                Class::State,
                "blob-damaged",
                format!("the stored bytes of {digest} have changed"),
            )
            .remedy("import the bundle again"));
        }
        if FileType::from_raw_mode(stat.st_mode).is_file() {
            self.checked().keep(*digest, FileIdentity::from(&stat), Checked::Whole);
        }
        Ok(bytes)
    }

    /// Whether a blob is, to the file's identity, what was read whole and checked before. Reads nothing.
    pub fn is_unchanged(&self, digest: &Digest) -> bool {
        let path = place(digest);
        match rustix::fs::statat(self.handle(), path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => matches!(
                self.checked().get(digest, FileIdentity::from(&stat)),
                Some(Checked::Whole)
            ),
            Err(_) => false,
        }
    }

    /// Makes sure that a small blob is what its digest says; reads it only when its file is another one than the checked one.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub fn verify(&self, digest: &Digest, limit: u64) -> Result<()> {
        if self.is_unchanged(digest) {
            return Ok(());
        }
        self.read(digest, limit).map(|_| ())
    }

    /// Hands the first `length` bytes of a file to `take`.
    pub(super) fn read_prefix(file: &mut File, path: &Path, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        let mut left = length;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = file
                .read(&mut buffer[..wanted])
                .map_err(|e| Error::io("read", path, e))?;
            if count == 0 {
                return Err(Error::new(
                    Class::State,
                    "staging",
                    format!("{} is shorter than its journal says", path.display()),
                )
                .remedy("import the bundle again"));
            }
            take(&buffer[..count]);
            left -= count as u64;
        }
        Ok(())
    }

    /// Whether the stored bytes of a blob are those of its digest.
    pub(super) fn is_intact(&self, digest: &Digest, size: u64) -> Result<bool> {
        if self.size_of(digest)? != Some(size) {
            return Ok(false);
        }
        let Some(mut file) = self.open_blob(digest)? else {
            return Ok(false);
        };
        let mut hasher = Sha256::new();
        Self::read_prefix(&mut file, &self.path(digest), size, &mut |bytes| hasher.update(bytes))?;
        Ok(Digest(Hash(hasher.finalize().into())) == *digest)
    }

    /// Returns the hashes of the pieces of a blob.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn hash_pieces(&self, digest: &Digest, piece_bytes: u64) -> Result<Vec<Hash>> {
        let mut file = self.open_blob(digest)?.ok_or_else(|| missing(digest))?;
        let mut left = self.size_of(digest)?.unwrap_or(0);
        let mut hashes = Vec::new();
        while left > 0 {
            let piece = left.min(piece_bytes);
            let mut hasher = Sha256::new();
            Self::read_prefix(&mut file, &self.path(digest), piece, &mut |bytes| hasher.update(bytes))?;
            hashes.push(Hash(hasher.finalize().into()));
            left -= piece;
        }
        Ok(hashes)
    }

    /// Removes a blob that nothing refers to; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn remove(&self, digest: &Digest) -> Result<()> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path, error)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.state).finish()
    }
}

/// Returns every folder of a store, those that hold others first.
fn folders(state: &Path) -> impl Iterator<Item = PathBuf> {
    let blobs = state.join(BLOBS);
    let by_byte = (0..=255_u8).map(move |byte| blobs.join(format!("{byte:02x}")));
    let above = FOLDERS.into_iter().chain([BLOBS]).map(|name| state.join(name));
    above.collect::<Vec<_>>().into_iter().chain(by_byte)
}

/// Returns the place of a blob below the store's folder: from a checked digest alone, never from a request's text.
pub(super) fn place(digest: &Digest) -> PathBuf {
    let hex = digest.0.to_hex();
    PathBuf::from(format!("{}/{hex}", hex.get(..2).unwrap_or_default()))
}

fn missing(digest: &Digest) -> Error {
    Error::new(
        Class::State,
        "blob-missing",
        format!("{digest} is not in the blob store"),
    )
    .remedy("import the bundle that carries it again")
}

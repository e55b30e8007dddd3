//! The blob store: where blobs stand, what is there, and reading small ones.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::checked::{Checked, CheckedFiles, FileIdentity};
use super::failure::Failure;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::{Expected, create_own_folder, look, look_at_own, read_bounded, sync_folder};

/// Where blobs stand in the state folder.
const BLOBS: &str = "blobs/sha256";
/// Where running imports work.
const INCOMING: &str = "incoming";
/// Where proof is kept.
const EVIDENCE: &str = "evidence";
/// What is found where nothing is.
pub(super) const GONE: &str = "it is gone";
/// What heals damage of the store.
pub(super) const IMPORT_AGAIN: &str =
    "`airlock release list` names the release that is damaged; import its bundle again: `airlock import FILE`";

/// The store's folders in the state folder.
pub const FOLDERS: [&str; 3] = ["blobs", INCOMING, EVIDENCE];

/// Who is told of damage, and writes it down.
type Witness = Box<dyn Fn(&Damage) + Send + Sync>;

/// The blobs of an appliance. Clones are the same store: what one has checked, all know.
#[derive(Clone)]
pub struct Store(Arc<Opened>);

struct Opened {
    state: PathBuf,
    shape: Shape,
    handle: OwnedFd,
    checked: CheckedFiles,
    witness: Witness,
}

/// How blobs stand in the store's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// In a folder for each first byte: a hundred thousand names in one are slow to look through.
    Parted,
    /// All in one folder, as in an OCI image layout.
    Flat,
}

/// A blob that is not usable any more: what stood in its place was taken out of the store, or nothing stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What it should have been.
    pub digest: Digest,
    /// What was found in its place.
    pub found: String,
    /// Its name in `evidence/`; nothing when there was nothing to keep.
    pub evidence: Option<String>,
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
    pub fn examine_folders(state: &Path) -> Result<()> {
        for folder in folders(state) {
            look_at_own(&folder, Expected::Folder)?;
        }
        Ok(())
    }

    /// Makes folders of a store anew that are not there: many a tool that copies leaves empty ones out, and content need not be in a copy, for
    /// bundles bring it back. Says whether the folder of the blobs was among them.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO` and `E-SPACE`.
    pub fn complete(state: &Path) -> Result<bool> {
        let blobs = state.join(BLOBS);
        let is_without = look(&blobs, Expected::Folder)?.is_none();
        let mut made = false;
        for folder in folders(state) {
            if look(&folder, Expected::Folder)?.is_none() {
                create_own_folder(&folder)?;
                made = true;
            }
        }
        if made {
            sync_folder(&blobs)?;
            sync_folder(state)?;
        }
        Ok(is_without)
    }

    /// Opens the store of a state folder. `witness` is told of every blob that is found damaged or missing, whoever
    /// met that, as often as it is met.
    ///
    /// # Errors
    ///
    /// `E-IO`, also when it is not there.
    pub fn open(state: &Path, witness: impl Fn(&Damage) + Send + Sync + 'static) -> Result<Self> {
        Self::open_as(state, Shape::Parted, witness)
    }

    /// Opens a store of one run, whose blobs stand as in an OCI image layout; its folders are made where they are not there.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO` and `E-SPACE`.
    pub fn open_flat(folder: &Path) -> Result<Self> {
        for name in FOLDERS.into_iter().chain([BLOBS]) {
            create_own_folder(&folder.join(name))?;
        }
        sync_folder(&folder.join("blobs"))?;
        sync_folder(folder)?;
        Self::open_as(folder, Shape::Flat, |_| ())
    }

    fn open_as(state: &Path, shape: Shape, witness: impl Fn(&Damage) + Send + Sync + 'static) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::open(state.join(BLOBS), flags, Mode::empty()) {
            Ok(handle) => Ok(Self(Arc::new(Opened {
                state: state.to_owned(),
                shape,
                handle,
                checked: CheckedFiles::default(),
                witness: Box::new(witness),
            }))),
            Err(errno) => Err(Error::io("open", &state.join(BLOBS), errno.into())),
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
        self.folder().join(self.place(digest))
    }

    /// Returns the place of a blob below the store's folder: from a checked digest alone, never from a request's text.
    pub(super) fn place(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        PathBuf::from(match self.0.shape {
            Shape::Parted => format!("{}/{hex}", hex.get(..2).unwrap_or_default()),
            Shape::Flat => hex,
        })
    }

    /// Returns the folders below the store's own in which blobs stand, each by what the names in it begin with.
    pub(super) fn prefixes(&self) -> Vec<String> {
        match self.0.shape {
            Shape::Parted => (0..=255_u8).map(|byte| format!("{byte:02x}")).collect(),
            Shape::Flat => vec![String::new()],
        }
    }

    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.0.handle.as_fd()
    }

    pub(super) fn checked(&self) -> &CheckedFiles {
        &self.0.checked
    }

    pub(super) fn testify(&self, damage: &Damage) {
        (self.0.witness)(damage);
    }

    /// Tells the witness that a blob is missing, each time anybody asks for it: another process may have restored it and lost it again
    /// since the last time, and what is known already costs the witness no row.
    pub(super) fn miss(&self, digest: &Digest) {
        self.testify(&Damage {
            digest: *digest,
            found: GONE.into(),
            evidence: None,
        });
    }

    /// Makes the folder that a blob is about to be named in, should it be gone with all that stood in it.
    pub(super) fn make_place(&self, blob: &Path) -> Result<()> {
        let Some(folder) = blob.parent() else { return Ok(()) };
        if folder.try_exists().map_err(|e| Error::io("look for", folder, e))? {
            return Ok(());
        }
        create_own_folder(folder)?;
        sync_folder(&self.folder())
    }

    /// Opens whatever stands under a blob's name, without following links and without waiting for it.
    pub(super) fn open_entry(&self, digest: &Digest) -> Result<File, Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(self.handle(), self.place(digest), flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| Failure::of("opened", errno.into()))
    }

    /// Opens a blob, without following links.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`, `E-IO`; a blob that is not there is no error.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<File>> {
        match self.open_entry(digest) {
            Ok(file) => Ok(Some(file)),
            Err(Failure::Gone) => Ok(None),
            Err(Failure::Io(error)) => Err(Error::io("open", &self.path(digest), error)),
            Err(Failure::Damaged(found)) => Err(damaged(digest, &found)),
            Err(Failure::Caller(error)) => Err(error),
        }
    }

    /// Returns the size of a blob's file, where it is a regular file that can be looked at.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn size_of(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.path(digest);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) => match Failure::of("looked at", error) {
                Failure::Io(error) => Err(Error::io("look at", &path, error)),
                _ => Ok(None),
            },
        }
    }

    /// Reads a small blob whole and compares its digest; what is damaged is set aside.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-missing`, `E-STATE blob-damaged`; `E-LIMIT`; `E-IO`.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let set_aside = |found: &str| {
            if let Err(error) = self.set_aside(digest, found) {
                tracing::error!(%error, %digest, "damaged content could not be set aside");
            }
            damaged(digest, found)
        };
        let file = match self.open_entry(digest) {
            Ok(file) => file,
            Err(Failure::Gone) => {
                self.miss(digest);
                return Err(missing(digest));
            }
            Err(Failure::Damaged(found)) => return Err(set_aside(&found)),
            Err(Failure::Io(error)) => return Err(Error::io("open", &self.path(digest), error)),
            Err(Failure::Caller(error)) => return Err(error),
        };
        // Looked at before it is read: a change under the reading makes the next look fail, not this one pass for later ones.
        let stat = rustix::fs::fstat(&file).map_err(|e| Error::io("look at", &self.path(digest), e.into()))?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(set_aside("it is no file"));
        }
        if u64::try_from(stat.st_size).unwrap_or(0) > limit {
            // Nothing of that size was imported as such a document.
            return Err(set_aside(&format!("it has {} bytes", stat.st_size)));
        }
        let bytes = read_bounded(file, limit, "a stored blob")?;
        if Digest(Hash(Sha256::digest(&bytes).into())) != *digest {
            return Err(set_aside("it has another hash"));
        }
        self.checked().keep(*digest, FileIdentity::from(&stat), Checked::Whole);
        Ok(bytes)
    }

    /// Whether a blob is, to the file's identity, what was read whole and checked before. Reads nothing.
    pub fn is_unchanged(&self, digest: &Digest) -> bool {
        let path = self.place(digest);
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
                .remedy("import the same bundle once more: `airlock import FILE`"));
            }
            take(&buffer[..count]);
            left -= count as u64;
        }
        Ok(())
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

fn missing(digest: &Digest) -> Error {
    Error::new(
        Class::State,
        "blob-missing",
        format!("{digest} is not in the blob store"),
    )
    .remedy(IMPORT_AGAIN)
}

fn damaged(digest: &Digest, found: &str) -> Error {
    Error::new(
        Class::State,
        "blob-damaged",
        format!("the stored bytes of {digest} are not usable: {found}"),
    )
    .expected("the bytes that were imported")
    .remedy(IMPORT_AGAIN)
}

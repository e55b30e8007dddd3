//! The blob store: open, check, set aside.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::{create_folder, read_bounded, sync_folder, write_atomically};

/// The blobs of an appliance.
#[derive(Debug, Clone)]
pub struct Store {
    state: PathBuf,
}

impl Store {
    /// Makes the folders of a new store inside a state folder.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn create(state: &Path) -> Result<Self> {
        let store = Self {
            state: state.to_owned(),
        };
        // All 256 at once: an import never has to make a folder, and so never has to make one durable.
        for byte in 0..=255_u8 {
            create_folder(&store.folder().join(format!("{byte:02x}")))?;
        }
        create_folder(&store.incoming())?;
        create_folder(&store.evidence())?;
        sync_folder(&store.folder())?;
        sync_folder(state)?;
        Ok(store)
    }

    /// Opens the store of a state folder.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is not there.
    pub fn open(state: &Path) -> Result<Self> {
        let store = Self {
            state: state.to_owned(),
        };
        match fs::metadata(store.folder()) {
            Ok(metadata) if metadata.is_dir() => Ok(store),
            _ => Err(Error::new(
                Class::State,
                "no-store",
                format!("{} holds no blob store", state.display()),
            )
            .remedy("make the appliance with `airlock init`, or give its --state folder")),
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.state.join("blobs/sha256")
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.state.join("incoming")
    }

    fn evidence(&self) -> PathBuf {
        self.state.join("evidence")
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.folder().join(hex.get(..2).unwrap_or_default()).join(hex)
    }

    /// Opens a blob, without following links.
    ///
    /// # Errors
    ///
    /// `E-IO`; a blob that is not there is no error.
    pub fn open_blob(&self, digest: &Digest) -> Result<Option<File>> {
        let path = self.path(digest);
        match rustix::fs::open(
            &path,
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("open", &path, error.into())),
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

    /// Returns what the file system says of a blob's file, where it is a regular file.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn stat(&self, digest: &Digest) -> Result<Option<rustix::fs::Stat>> {
        let path = self.path(digest);
        match rustix::fs::lstat(&path) {
            Ok(stat) => {
                let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
                Ok(regular.then_some(stat))
            }
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("look at", &path, error.into())),
        }
    }

    /// Reads a small blob whole and compares its digest.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is missing or its bytes changed; `E-LIMIT`; `E-IO`.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let file = self.open_blob(digest)?.ok_or_else(|| missing(digest))?;
        let bytes = read_bounded(file, limit, "a stored blob")?;
        if Digest(Hash(Sha256::digest(&bytes).into())) != *digest {
            return Err(Error::new(
                Class::State,
                "blob-damaged",
                format!("the stored bytes of {digest} have changed"),
            )
            .remedy("import the bundle again"));
        }
        Ok(bytes)
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

    /// Keeps a document as evidence under a hash; one that is kept already stays.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn keep_evidence(&self, name: Hash, kind: &str, bytes: &[u8]) -> Result<()> {
        let path = self.evidence().join(format!("{name}.{kind}"));
        if path.try_exists().map_err(|e| Error::io("look for", &path, e))? {
            return Ok(());
        }
        write_atomically(&path, bytes, 0o400)
    }

    /// Takes a damaged blob out of the store and keeps it as evidence.
    ///
    /// # Errors
    ///
    /// `E-IO`; a blob that is not there any more is no error.
    pub fn quarantine(&self, digest: &Digest) -> Result<()> {
        let path = self.path(digest);
        #[expect(clippy::disallowed_methods, reason = "moves a file as it is; nothing is written")]
        match fs::rename(&path, self.evidence().join(format!("{}.corrupt", digest.0))) {
            Ok(()) => sync_folder(path.parent().unwrap_or(&self.state)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("set aside", &path, error)),
        }
    }
}

fn missing(digest: &Digest) -> Error {
    Error::new(
        Class::State,
        "blob-missing",
        format!("{digest} is not in the blob store"),
    )
    .remedy("import the bundle that carries it again")
}

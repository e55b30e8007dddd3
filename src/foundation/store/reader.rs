//! Blobs opened for sending: never through a link, never unchecked. What turns out to be other content than its name says is set
//! aside at once, so that nobody is sent it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blobs::{GONE, IMPORT_AGAIN, Store};
use super::checked::{Checked, FileIdentity};
use super::failure::Failure;
use super::pieces::{Pieces, hash_range};
use crate::domain::{Class, Digest, Error, Hash, Result};

/// Blobs up to this size are hashed whole before their first byte is sent.
const WHOLE: u64 = 4 << 20;

/// An open blob of a checked file.
#[derive(Debug, Clone)]
pub struct BlobReader {
    file: Arc<File>,
    checked: Checked,
    digest: Digest,
    size: u64,
}

impl BlobReader {
    /// Returns the file, to read from where [`BlobReader::checked_until`] allows it.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Returns where the checked bytes from `offset` on end; `offset` itself: check the piece first.
    pub fn checked_until(&self, offset: u64) -> u64 {
        match &self.checked {
            Checked::Whole => self.size,
            Checked::Pieces(pieces) => pieces.checked_until(offset),
        }
    }

    fn check_piece(&self, offset: u64) -> Result<(), Failure> {
        match &self.checked {
            Checked::Whole => Ok(()),
            Checked::Pieces(pieces) => pieces.check(&self.file, offset),
        }
    }
}

impl Store {
    /// Whether a regular file of this size stands in a blob's place. Touches the file's entry, never its content.
    pub fn is_sized(&self, digest: &Digest, size: u64) -> bool {
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::statat(self.handle(), self.place(digest), flags).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() && u64::try_from(stat.st_size) == Ok(size)
        })
    }

    /// Opens a blob whose bytes were checked before and whose file has not moved since; nothing when [`Store::open_checked`] must
    /// look. Touches the file's entry, never its content.
    pub fn open_verified(&self, digest: &Digest, size: u64) -> Option<BlobReader> {
        let (file, identity) = self.open_sized(digest, size).ok()?;
        let checked = self.checked().get(digest, identity)?;
        Some(BlobReader {
            file: Arc::new(file),
            checked,
            digest: *digest,
            size,
        })
    }

    /// Opens a blob, and checks it whole, or, where it is large and `pieces` knows the size of its pieces and its midstates, the piece that
    /// holds `offset`.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the file is gone, or was set aside now; `E-IO`; those of `pieces`.
    pub fn open_checked(
        &self,
        digest: &Digest,
        size: u64,
        offset: u64,
        pieces: impl FnOnce() -> Result<Option<(u64, Vec<Hash>)>>,
    ) -> Result<BlobReader> {
        self.try_open_checked(digest, size, offset, pieces)
            .map_err(|failure| self.report(digest, failure))
    }

    fn try_open_checked(
        &self,
        digest: &Digest,
        size: u64,
        offset: u64,
        pieces: impl FnOnce() -> Result<Option<(u64, Vec<Hash>)>>,
    ) -> Result<BlobReader, Failure> {
        let (file, identity) = self.open_sized(digest, size)?;
        let checked = if let Some(checked) = self.checked().get(digest, identity) {
            checked
        } else {
            let pieces = if size > WHOLE {
                pieces()
                    .map_err(Failure::Caller)?
                    .and_then(|(piece_size, midstates)| Pieces::new(*digest, size, piece_size, midstates))
            } else {
                None
            };
            let checked = if let Some(pieces) = pieces {
                Checked::Pieces(Arc::new(pieces))
            } else {
                if hash_range(&file, 0, size)? != digest.0 {
                    return Err(Failure::Damaged("it has another hash".into()));
                }
                Checked::Whole
            };
            self.checked().keep(*digest, identity, checked)
        };
        let reader = BlobReader {
            file: Arc::new(file),
            checked,
            digest: *digest,
            size,
        };
        reader.check_piece(offset)?;
        Ok(reader)
    }

    /// Opens a blob that was found whole a moment ago, to be read at any place; nothing where no file of its size stands there by now.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn open_found(&self, digest: &Digest, size: u64) -> Result<Option<File>> {
        match self.open_sized(digest, size) {
            Ok((file, _)) => Ok(Some(file)),
            Err(Failure::Io(error)) => Err(Error::io("open", &self.path(digest), error)),
            Err(Failure::Caller(error)) => Err(error),
            Err(Failure::Gone | Failure::Damaged(_)) => Ok(None),
        }
    }

    /// Returns where imports work: the folder for files without a name.
    pub fn scratch_folder(&self) -> PathBuf {
        self.incoming()
    }

    /// Checks the piece that holds `offset`.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the blob was set aside; `E-IO`.
    pub fn check_piece(&self, reader: &BlobReader, offset: u64) -> Result<()> {
        reader
            .check_piece(offset)
            .map_err(|failure| self.report(&reader.digest, failure))
    }

    /// Reads a small blob of a known size into memory and checks it.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the file is gone, or was set aside now; `E-IO`.
    pub fn read_sized(&self, digest: &Digest, size: u64) -> Result<Vec<u8>> {
        self.try_read_sized(digest, size)
            .map_err(|failure| self.report(digest, failure))
    }

    fn try_read_sized(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, Failure> {
        let length = usize::try_from(size)
            .ok()
            .filter(|_| size <= WHOLE)
            .ok_or_else(|| Failure::Damaged(format!("a manifest of {size} bytes")))?;
        let (file, _) = self.open_sized(digest, size)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                Failure::Damaged("the file is shorter".into())
            } else {
                Failure::of("read", error)
            }
        })?;
        if Hash(Sha256::digest(&bytes).into()) != digest.0 {
            return Err(Failure::Damaged("it has another hash".into()));
        }
        Ok(bytes)
    }

    fn open_sized(&self, digest: &Digest, size: u64) -> Result<(File, FileIdentity), Failure> {
        let file = self.open_entry(digest)?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| Failure::Io(errno.into()))?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Failure::Damaged("it is no file".into()));
        }
        if u64::try_from(stat.st_size) != Ok(size) {
            return Err(Failure::Damaged(format!(
                "it has {} bytes instead of {size}",
                stat.st_size
            )));
        }
        Ok((file, FileIdentity::from(&stat)))
    }

    /// Turns a failure into an error. Damaged content is set aside first.
    fn report(&self, digest: &Digest, failure: Failure) -> Error {
        let why = match failure {
            Failure::Caller(error) => return error,
            Failure::Io(error) => return Error::io("read", &self.path(digest), error),
            Failure::Gone => {
                self.miss(digest);
                GONE.to_owned()
            }
            Failure::Damaged(why) => {
                if let Err(error) = self.set_aside(digest, &why) {
                    tracing::error!(%error, %digest, "damaged content could not be set aside");
                }
                why
            }
        };
        Error::new(
            Class::State,
            "blob-damaged",
            format!("the stored content of {digest} is not usable: {why}"),
        )
        .expected("the bytes that were imported")
        .remedy(IMPORT_AGAIN)
    }
}

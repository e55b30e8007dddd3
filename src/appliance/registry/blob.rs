//! Files of the content store, opened for sending: never through a link, never unchecked.
//!
//! `$STATE/blobs/sha256/ab/<64 hex>`, one file per digest, read-only. What turns out to be other content than its name says is
//! moved to `$STATE/evidence/`, so that nobody is sent it and an expert can look at it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde_json::json;

use super::identity::{Checked, Identities, Identity};
use super::pieces::{Pieces, hash_range};
use super::service::Found;
use crate::db::Db;
use crate::db::site::audit;
use crate::domain::{Class, Digest, Error, Hash, Result, Timestamp};
use crate::stream::{create_folder, sync_folder};

/// Blobs up to this size are hashed whole before their first byte is sent.
const WHOLE: u64 = 4 << 20;

/// The content store, as the registry reads it.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    evidence: PathBuf,
    handle: OwnedFd,
    identities: Identities,
}

/// Why content cannot be sent.
#[derive(Debug)]
pub(super) enum Failure {
    /// The disk.
    Io(io::Error),
    /// There is no such file, though a release names it.
    Gone,
    /// The file holds something else.
    Damaged(String),
    /// The database.
    Database(Error),
}

/// An open blob of a checked file.
#[derive(Debug, Clone)]
pub struct BlobReader {
    file: Arc<File>,
    checked: Checked,
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

    pub(super) fn check_piece(&self, offset: u64) -> Result<(), Failure> {
        match &self.checked {
            Checked::Whole => Ok(()),
            Checked::Pieces(pieces) => pieces.check(&self.file, offset),
        }
    }
}

impl Blobs {
    pub(super) fn open(state: &Path) -> Result<Self> {
        let folder = state.join("blobs/sha256");
        let handle = File::open(&folder).map_err(|e| {
            Error::new(
                Class::State,
                "blobs-missing",
                format!("cannot open {}: {e}", folder.display()),
            )
            .remedy("restore the state folder")
            .with_source(e)
        })?;
        Ok(Self {
            folder,
            evidence: state.join("evidence"),
            handle: handle.into(),
            identities: Identities::default(),
        })
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(place(digest))
    }

    /// Opens a file that was checked before and has not moved since.
    pub(super) fn open_verified(&self, found: &Found) -> Option<BlobReader> {
        let (file, identity) = self.open_file(found).ok()?;
        let checked = self.identities.get(&found.digest, identity)?;
        Some(BlobReader {
            file: Arc::new(file),
            checked,
            size: found.size,
        })
    }

    /// Opens a file and checks it whole, or the piece at `offset` where hashes of pieces are kept.
    pub(super) fn open_checked(
        &self,
        found: &Found,
        offset: u64,
        pieces: impl FnOnce(&Digest) -> Result<Option<(u64, Vec<Hash>)>>,
    ) -> Result<BlobReader, Failure> {
        let (file, identity) = self.open_file(found)?;
        let checked = if let Some(checked) = self.identities.get(&found.digest, identity) {
            checked
        } else {
            let pieces = if found.size > WHOLE {
                pieces(&found.digest)
                    .map_err(Failure::Database)?
                    .and_then(|(piece_size, hashes)| Pieces::new(found.size, piece_size, hashes))
            } else {
                None
            };
            let checked = if let Some(pieces) = pieces {
                Checked::Pieces(Arc::new(pieces))
            } else {
                if hash_range(&file, 0, found.size)? != found.digest.0 {
                    return Err(Failure::Damaged("it has another hash".into()));
                }
                Checked::Whole
            };
            self.identities.keep(found.digest, identity, checked)
        };
        let reader = BlobReader {
            file: Arc::new(file),
            checked,
            size: found.size,
        };
        reader.check_piece(offset)?;
        Ok(reader)
    }

    /// Reads a small blob into memory and checks it.
    pub(super) fn read_whole(&self, found: &Found) -> Result<Vec<u8>, Failure> {
        use std::os::unix::fs::FileExt as _;

        use sha2::Digest as _;
        let size = usize::try_from(found.size)
            .ok()
            .filter(|_| found.size <= WHOLE)
            .ok_or_else(|| Failure::Damaged(format!("a manifest of {} bytes", found.size)))?;
        let (file, _) = self.open_file(found)?;
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, 0).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                Failure::Damaged("the file is shorter".into())
            } else {
                Failure::Io(error)
            }
        })?;
        if Hash(sha2::Sha256::digest(&bytes).into()) != found.digest.0 {
            return Err(Failure::Damaged("it has another hash".into()));
        }
        Ok(bytes)
    }

    fn open_file(&self, found: &Found) -> Result<(File, Identity), Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file =
            rustix::fs::openat(self.handle.as_fd(), place(&found.digest), flags, Mode::empty()).map_err(|errno| {
                match errno {
                    Errno::NOENT => Failure::Gone,
                    Errno::LOOP => Failure::Damaged("it is a link".into()),
                    errno => Failure::Io(errno.into()),
                }
            })?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| Failure::Io(errno.into()))?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Failure::Damaged("it is no file".into()));
        }
        if u64::try_from(stat.st_size) != Ok(found.size) {
            return Err(Failure::Damaged(format!(
                "it has {} bytes instead of {}",
                stat.st_size, found.size
            )));
        }
        Ok((file.into(), Identity::from(&stat)))
    }

    /// Turns a failure into the error of a request. Damaged content is set aside first, with an audit row.
    pub(super) fn set_aside(&self, found: &Found, failure: Failure, db: &Db, now: Timestamp) -> Error {
        let path = self.path(&found.digest);
        let why = match failure {
            Failure::Database(error) => return error,
            Failure::Io(error) => return Error::io("read", &path, error),
            Failure::Gone => "it is gone".to_owned(),
            Failure::Damaged(why) => {
                self.identities.forget(&found.digest);
                match self.move_to_evidence(&found.digest) {
                    // Another request was first; its audit row is enough.
                    Ok(None) => {}
                    Ok(Some(name)) => {
                        let detail = json!({"digest": found.digest, "evidence": name, "found": why});
                        let written = db.write(|tx| audit::append(tx, now, "set-aside", &detail));
                        if let Err(error) = written {
                            tracing::error!(%error, digest = %found.digest, "no audit row could be written");
                        }
                        tracing::error!(digest = %found.digest, why, evidence = name, "damaged content was set aside");
                    }
                    Err(error) => {
                        tracing::error!(%error, digest = %found.digest, "damaged content could not be set aside");
                    }
                }
                why
            }
        };
        Error::new(
            Class::State,
            "blob-damaged",
            format!("the stored content of {} is not usable: {why}", found.digest),
        )
        .expected("the bytes that were imported")
        .remedy("import the release again, or restore the state folder")
    }

    fn move_to_evidence(&self, digest: &Digest) -> Result<Option<String>> {
        create_folder(&self.evidence)?;
        let evidence = File::open(&self.evidence).map_err(|e| Error::io("open", &self.evidence, e))?;
        for number in 1..1000 {
            let name = format!("blob-{}-{number}", digest.0);
            let moved = rustix::fs::renameat_with(
                self.handle.as_fd(),
                place(digest),
                evidence.as_fd(),
                name.as_str(),
                RenameFlags::NOREPLACE,
            );
            match moved {
                Ok(()) => {
                    sync_folder(&self.evidence)?;
                    sync_folder(self.path(digest).parent().unwrap_or(&self.folder))?;
                    return Ok(Some(name));
                }
                Err(Errno::EXIST) => {}
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(Error::io("set aside", &self.path(digest), errno.into())),
            }
        }
        Err(Error::new(
            Class::State,
            "evidence-full",
            format!("{digest} was damaged a thousand times"),
        ))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Returns the place of a blob below the store's folder: from a checked digest alone, never from a request's text.
fn place(digest: &Digest) -> PathBuf {
    let hex = digest.0.to_hex();
    PathBuf::from(format!("{}/{hex}", hex.get(..2).unwrap_or_default()))
}

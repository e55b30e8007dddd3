//! What is left of a large blob that was set aside: of most that a disk spoils a piece is gone, and the rest is as good as it was.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::blobs::Store;
use super::failure::Failure;
use super::pieces::Pieces;
use crate::domain::{Digest, Error, Hash, Result};

/// Files of one digest that are looked for.
const FILES: u32 = 1000;

/// What is left of a blob.
#[derive(Debug)]
pub struct LeftOver {
    file: File,
    path: PathBuf,
    piece_size: u64,
    /// Numbers of the pieces that are not what they were, from 1, ascending.
    lost: Vec<u64>,
}

impl LeftOver {
    /// Returns the bytes of a piece; the last one may be shorter.
    pub fn piece_size(&self) -> u64 {
        self.piece_size
    }

    /// Returns the numbers of the pieces that are lost, counted from 1, ascending.
    pub fn lost(&self) -> &[u64] {
        &self.lost
    }

    /// Fills the buffer with bytes of it, `offset` bytes behind its start.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|e| Error::io("read", &self.path, e))
    }
}

impl Store {
    /// Looks what is left of a blob in the newest file of it that was set aside: every piece is hashed from the state before it to the one
    /// behind it. Nothing where there is no such file of its size, or the states do not cover it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn left_over(
        &self,
        digest: &Digest,
        size: u64,
        (piece_size, midstates): (u64, Vec<Hash>),
    ) -> Result<Option<LeftOver>> {
        let Some((file, path)) = self.newest_evidence(digest)? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&file).map_err(|e| Error::io("look at", &path, e.into()))?;
        let is_of_size = FileType::from_raw_mode(stat.st_mode).is_file() && u64::try_from(stat.st_size) == Ok(size);
        let Some(pieces) = Pieces::new(*digest, size, piece_size, midstates).filter(|_| is_of_size) else {
            return Ok(None);
        };
        let mut lost = Vec::new();
        for number in 1..=size.div_ceil(piece_size) {
            match pieces.check(&file, piece_size.saturating_mul(number.saturating_sub(1))) {
                Ok(()) => {}
                Err(Failure::Damaged(_) | Failure::Gone) => lost.push(number),
                Err(Failure::Io(error)) => return Err(Error::io("read", &path, error)),
                Err(Failure::Caller(error)) => return Err(error),
            }
        }
        Ok(Some(LeftOver {
            file,
            path,
            piece_size,
            lost,
        }))
    }

    fn newest_evidence(&self, digest: &Digest) -> Result<Option<(File, PathBuf)>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut newest = None;
        for number in 1..FILES {
            let path = self.evidence().join(format!("{}.blob-{number}", digest.0));
            match rustix::fs::open(&path, flags, Mode::empty()) {
                Ok(file) => newest = Some((File::from(file), path)),
                Err(Errno::NOENT) => break,
                // What stood in the place of a blob may be anything.
                Err(Errno::LOOP | Errno::NXIO | Errno::ACCESS) => newest = None,
                Err(errno) => return Err(Error::io("open", &path, errno.into())),
            }
        }
        Ok(newest)
    }
}

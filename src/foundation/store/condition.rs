//! How a blob is: every byte of it hashed, whatever stands in its place.

use std::fs::File;

use rustix::fs::FileType;

use super::blobs::{GONE, Store};
use super::failure::Failure;
use super::pieces::{hash_pieces, hash_range};
use crate::domain::{Digest, Error, Hash, Result};

/// How a blob is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A file of the bytes that its digest says.
    Whole,
    /// Nothing stands in its place.
    Missing,
    /// Something else does: what was found.
    Damaged(String),
}

impl Condition {
    /// Whether it can be used.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

impl Store {
    /// Looks how a blob is; nothing is set aside, and nobody is told. Reads all of it.
    ///
    /// A file that cannot be opened or read is damaged: that is what bytes on a bad sector are.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE` that say nothing about the blob.
    pub fn examine(&self, digest: &Digest, size: u64) -> Result<Condition> {
        self.condition(digest, size, |file| hash_range(file, 0, size))
    }

    /// Takes a blob up that another release, or a try before, may have left: hashes it if it is here, and returns the states of its SHA-256
    /// at the ends of its pieces but the last. What is damaged is set aside.
    ///
    /// # Errors
    ///
    /// As [`Store::check`].
    pub fn take_up(&self, digest: &Digest, size: u64, piece_size: u64) -> Result<Option<Vec<Hash>>> {
        let mut midstates = Vec::new();
        let condition = self.condition(digest, size, |file| {
            let (hash, states) = hash_pieces(file, size, piece_size)?;
            midstates = states;
            Ok(hash)
        })?;
        match condition {
            Condition::Whole => Ok(Some(midstates)),
            Condition::Missing => Ok(None),
            Condition::Damaged(found) => self.set_aside(digest, &found).map(|()| None),
        }
    }

    pub(super) fn condition(
        &self,
        digest: &Digest,
        size: u64,
        hash: impl FnOnce(&File) -> Result<Hash, Failure>,
    ) -> Result<Condition> {
        let looked = self.open_entry(digest).and_then(|file| {
            let stat = rustix::fs::fstat(&file).map_err(|errno| Failure::Io(errno.into()))?;
            if !FileType::from_raw_mode(stat.st_mode).is_file() {
                return Err(Failure::Damaged("it is no file".into()));
            }
            if u64::try_from(stat.st_size) != Ok(size) {
                let found = format!("it has {} bytes instead of {size}", stat.st_size);
                return Err(Failure::Damaged(found));
            }
            hash(&file)
        });
        match looked {
            Ok(hash) if hash == digest.0 => Ok(Condition::Whole),
            Ok(_) => Ok(Condition::Damaged("it has another hash".into())),
            Err(Failure::Gone) => Ok(Condition::Missing),
            Err(Failure::Damaged(found)) => Ok(Condition::Damaged(found)),
            Err(Failure::Io(error)) => Err(Error::io("read", &self.path(digest), error)),
            Err(Failure::Caller(error)) => Err(error),
        }
    }

    /// As [`Store::examine`]; what is damaged is set aside, and the witness is told of it, or that it is missing.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`; `E-STATE evidence-full`.
    pub fn check(&self, digest: &Digest, size: u64) -> Result<Condition> {
        let condition = self.examine(digest, size)?;
        self.take_out(digest, &condition)?;
        Ok(condition)
    }

    /// Looks how a blob is by its file alone: whether there is one, of its size. What is not is treated as [`Store::check`] does.
    ///
    /// # Errors
    ///
    /// As [`Store::check`].
    pub fn check_size(&self, digest: &Digest, size: u64) -> Result<Condition> {
        if self.size_of(digest)? == Some(size) {
            return Ok(Condition::Whole);
        }
        self.check(digest, size)
    }

    pub(super) fn take_out(&self, digest: &Digest, condition: &Condition) -> Result<()> {
        match condition {
            Condition::Whole => {}
            Condition::Missing => self.miss(digest),
            Condition::Damaged(found) => self.set_aside(digest, found)?,
        }
        Ok(())
    }

    /// Makes room for a blob that is about to be written, unless it is here already: whatever else stands under its name, a link or a
    /// folder too, is set aside. Says whether it is here.
    pub(super) fn is_here(&self, digest: &Digest, size: u64) -> Result<bool> {
        match self.examine(digest, size)? {
            Condition::Whole => Ok(true),
            Condition::Missing => Ok(false),
            Condition::Damaged(found) => {
                self.set_aside(digest, &found)?;
                Ok(false)
            }
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole => "it is whole",
            Self::Missing => GONE,
            Self::Damaged(found) => found,
        })
    }
}

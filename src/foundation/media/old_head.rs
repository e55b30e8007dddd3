//! The old head of a bundle that is being signed in place.
//!
//! Signing rewrites the bytes before the payload. The old ones stand beside the bundle, whole and synced, from before the first byte is
//! changed until the last is synced (`FILE.old-head`). So while that file is there, the signing is not done, and what counts are the
//! bytes in it: whoever reads the bundle reads them in place of its own, and the next signing in place puts them back first.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::seekable::Seekable;
use crate::bundle::OpenedBundle;
use crate::container::Input;
use crate::domain::{Error, Result};
use crate::stream::Looked;

/// What is appended to the name of a bundle while it is signed.
pub(super) const SUFFIX: &str = ".old-head";

/// Returns the path beside a file whose name has a suffix more.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(suffix);
    path.with_file_name(name)
}

/// An old head, and that it is the one of a certain bundle.
#[derive(Debug)]
pub(super) struct OldHead {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) length: u64,
}

impl OldHead {
    /// Finds what a signing that was cut off has left of a bundle; `path` is its own, without links.
    ///
    /// What does not belong to the bundle is passed over: bytes that are no head, or the head of another release under a name that
    /// was used before.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn find(bundle: &File, size: u64, path: &Path) -> Result<Option<Self>> {
        let path = beside(path, SUFFIX);
        let failed = |error| Error::io("open", &path, error);
        let looked = match Looked::itself(&path) {
            Ok(looked) => looked,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let length = looked.size();
        if !looked.is_file() || length > size {
            return Ok(None);
        }
        let file = File::from(looked.open().map_err(failed)?);
        let head = |file: &File, length| -> Result<_> {
            let input = file
                .try_clone()
                .and_then(|file| Seekable::new(file, length))
                .map_err(failed)?;
            OpenedBundle::open(Box::new(input))?.unverified_head()
        };
        let Ok((old, digest)) = head(&file, length) else {
            return Ok(None);
        };
        let is_its_own = old.payload_offset == length && head(bundle, size).map_or(true, |(_, own)| own == digest);
        Ok(is_its_own.then_some(Self { path, file, length }))
    }
}

/// A bundle whose signing was cut off, with its old head in place of the bytes that may be anything.
pub(super) struct Restored {
    head: OldHead,
    bundle: File,
    size: u64,
    position: u64,
}

impl Restored {
    pub(super) fn new(head: OldHead, bundle: File, size: u64) -> Self {
        Self {
            head,
            bundle,
            size,
            position: 0,
        }
    }
}

impl Read for Restored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.head.length.saturating_sub(self.position);
        let count = if left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..most).unwrap_or_default();
            self.head.file.read_at(part, self.position)?
        } else {
            self.bundle.read_at(buffer, self.position)?
        };
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl Input for Restored {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.position = self
            .position
            .checked_add(count)
            .filter(|position| *position <= self.size)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }
}

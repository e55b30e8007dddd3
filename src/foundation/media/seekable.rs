//! A bundle in a plain file: skipping seeks.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use crate::container::Input;
use crate::domain::{Error, Result};

/// Returns an open plain file as an input, from its beginning; `path` names it in messages.
///
/// # Errors
///
/// `E-IO`.
pub fn input(file: File, path: &Path) -> Result<Box<dyn Input>> {
    let failed = |error| Error::io("read", path, error);
    let size = file.metadata().map_err(failed)?.len();
    Ok(Box::new(Seekable::new(file, size).map_err(failed)?))
}

/// A file, read from its beginning.
pub(super) struct Seekable {
    file: File,
    size: u64,
}

impl Seekable {
    /// Begins at the beginning, wherever the handle stood; nobody else moves it meanwhile.
    pub(super) fn new(mut file: File, size: u64) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { file, size })
    }
}

impl Read for Seekable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Input for Seekable {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let step = i64::try_from(count).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let position = self.file.seek(SeekFrom::Current(step))?;
        if position > self.size {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }
}

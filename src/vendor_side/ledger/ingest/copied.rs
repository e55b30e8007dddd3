//! The copy of a package in the workspace: what is judged is what is kept, whatever happens to the medium.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::container::Input;
use crate::domain::{Class, Error, Result, limits};
use crate::stream::{create_new, open_named, open_plain};

/// Bytes copied at a time.
const BUFFER: usize = 1 << 20;

/// A package that was copied.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

/// How far a copy was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Position(Arc<AtomicU64>);

impl Position {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Copied {
    /// Copies what a person named: a plain file or a pipe, `-` for standard input. `told` learns bytes done, and of how many (0: not known).
    ///
    /// # Errors
    ///
    /// `E-LIMIT package-size`; those of [`open_named`]; `E-STATE planted`, `E-IO`, `E-SPACE`.
    pub(super) fn make(from: &Path, path: PathBuf, told: &mut dyn FnMut(u64, u64)) -> Result<Self> {
        if from == Path::new("-") {
            // What was looked at before is still there.
            let mut target = create_new(&path, 0o600)?;
            let size = fill(&mut io::stdin().lock(), from, &mut target, &path, 0, told)?;
            return Ok(Self { path, size });
        }
        let mut source = open_named(from, "open the package")?;
        let found = source.metadata().map_err(|e| Error::io("look at", from, e))?;
        let total = if found.is_file() { found.len() } else { 0 };
        if total > limits::PACKAGE_FILE_BYTES {
            return Err(too_large());
        }
        let mut target = create_new(&path, 0o600)?;
        let size = fill(&mut source, from, &mut target, &path, total, told)?;
        Ok(Self { path, size })
    }

    /// Opens the copy from its beginning.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`.
    pub(super) fn open(&self) -> Result<(Box<dyn Input>, Position)> {
        let file =
            open_plain(&self.path)?.ok_or_else(|| Error::io("open", &self.path, io::ErrorKind::NotFound.into()))?;
        let position = Position::default();
        let input = CopyInput {
            file,
            size: self.size,
            position: position.clone(),
        };
        Ok((Box::new(input), position))
    }
}

fn fill(
    source: &mut dyn Read,
    from: &Path,
    target: &mut File,
    to: &Path,
    total: u64,
    told: &mut dyn FnMut(u64, u64),
) -> Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut size = 0_u64;
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", from, error)),
        };
        size = size.saturating_add(count as u64);
        if size > limits::PACKAGE_FILE_BYTES {
            return Err(too_large());
        }
        target
            .write_all(buffer.get(..count).unwrap_or_default())
            .map_err(|e| Error::io("write", to, e))?;
        told(size, total);
    }
}

fn too_large() -> Error {
    Error::new(
        Class::Limit,
        "package-size",
        format!("the file has more than {} bytes", limits::PACKAGE_FILE_BYTES),
    )
    .expected("a status package: at most 1.25 GiB")
}

/// A copy as a package is read from it.
struct CopyInput {
    file: File,
    size: u64,
    position: Position,
}

impl Read for CopyInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.position.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Input for CopyInput {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let step = i64::try_from(count).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let position = self.file.seek(SeekFrom::Current(step))?;
        self.position.0.store(position, Ordering::Relaxed);
        if position > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

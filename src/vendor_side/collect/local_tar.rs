//! A tar on this machine: its headers are read once, its files where they lie. Names in it never become paths.
//!
//! A compressed tar is expanded first, into a file without a name in `$TMPDIR`, because neither gzip nor zstd can be read from the middle.
//! A thousand zeros are one byte of gzip, so what comes out is bounded, and so is what a header may make this program hold: long names and
//! the records of PAX are read into memory by whoever reads a tar.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags};
use tar::EntryType;

use super::blob_range::BlobRange;
use crate::container::zstd_reader;
use crate::domain::{Class, Error, Result, limits};
use crate::stream::read_exact_or_end;

/// Most bytes that a compressed tar may have when it is expanded, unless the person says otherwise: 32 GiB.
pub(crate) const EXPANDED_BYTES: u64 = 32 << 30;
/// Entries that one tar may have: every blob of the largest bundle, with room for folders.
const ENTRIES: u64 = 2 * limits::BLOBS;
/// Bytes of the headers of one entry, with its long name and its PAX records.
const HEADER_BYTES: u64 = 1 << 20;
pub(super) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Place and size of a file in the tar.
pub(super) type Range = (u64, u64);

/// What a tar is taken for, in messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meant {
    /// Sub-code of one that is not.
    pub(super) code: &'static str,
    /// What it should be.
    pub(super) what: &'static str,
    /// What makes it that.
    pub(super) expected: &'static str,
}

/// A layout of OCI.
pub(super) const LAYOUT: Meant = Meant {
    code: "layout",
    what: "tar of an OCI layout",
    expected: "a tar, plain or compressed with gzip or zstd, with index.json and blobs/",
};
/// What engines save.
pub(super) const DOCKER: Meant = Meant {
    code: "docker-archive",
    what: "archive of docker",
    expected: "a tar, plain or compressed with gzip or zstd, as `docker save` writes it",
};

/// What an entry of a tar is.
pub(super) enum Member {
    /// A file, and where its bytes lie.
    File(Range),
    /// Another name of a file, relative to the folder that it stands in, or to the whole tar.
    Link {
        /// The other name, as it stands.
        to: String,
        /// Whether it begins at the top of the tar.
        from_top: bool,
    },
}

/// A tar that is not compressed any more.
#[derive(Debug, Clone)]
pub(super) struct LocalTar {
    file: Arc<File>,
    meant: Meant,
}

impl LocalTar {
    /// Opens a tar, plain or compressed, expanded to at most `expanded` bytes.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` of what is meant for one that cannot be expanded; `E-LIMIT expanded`; `E-IO`; `E-SPACE` when an expanded tar does not fit
    /// into `$TMPDIR`.
    pub(super) fn open(path: &Path, mut file: File, expanded: u64, meant: Meant) -> Result<Self> {
        let mut magic = [0; 4];
        read_exact_or_end(&mut file, &mut magic).map_err(|e| Error::io("read", path, e))?;
        file.rewind().map_err(|e| Error::io("read", path, e))?;
        if magic.starts_with(&GZIP_MAGIC) {
            let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
            file = expand(path, &mut decoder, expanded, meant)?;
        } else if magic == ZSTD_MAGIC {
            let mut decoder = zstd_reader(BufReader::with_capacity(1 << 16, file))?;
            file = expand(path, &mut decoder, expanded, meant)?;
        }
        Ok(Self {
            file: Arc::new(file),
            meant,
        })
    }

    /// Returns what it is taken for.
    pub(super) fn meant(&self) -> Meant {
        self.meant
    }

    /// A part of the file.
    pub(super) fn part(&self, (offset, size): Range) -> BlobRange {
        BlobRange::new(Arc::clone(&self.file), offset, size)
    }

    /// Reads all headers, and hands on files and links with their names.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` of what is meant when it is no tar, or cut; `E-LIMIT entries` and `headers`; those of `visit`.
    pub(super) fn each(&self, path: &Path, visit: &mut dyn FnMut(&str, Member) -> Result<()>) -> Result<()> {
        let left = Rc::new(Cell::new(HEADER_BYTES));
        let not_tar = |error: io::Error| {
            if left.get() == 0 {
                let found = format!("{}: {error}", path.display());
                return Error::new(Class::Limit, "headers", found)
                    .expected(format!("at most {HEADER_BYTES} bytes for an entry"));
            }
            // A library's words hold bytes of the file, which may be anything.
            let why = match error.kind() {
                io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
                _ if error.raw_os_error().is_some() => error.to_string(),
                _ => "what stands where a header should is none".to_owned(),
            };
            Error::new(
                Class::Format,
                self.meant.code,
                format!("{} is no {}: {why}", path.display(), self.meant.what),
            )
            .expected(self.meant.expected)
            .with_source(error)
        };
        let mut file: &File = &self.file;
        file.rewind().map_err(|e| Error::io("read", path, e))?;
        let length = file.metadata().map_err(|e| Error::io("look at", path, e))?.len();
        let measured = Measured {
            inner: BufReader::with_capacity(4096, file),
            left: Rc::clone(&left),
        };
        let mut archive = tar::Archive::new(measured);
        for (number, entry) in (0_u64..).zip(archive.entries_with_seek().map_err(not_tar)?) {
            let entry = entry.map_err(not_tar)?;
            left.set(HEADER_BYTES);
            if number >= ENTRIES {
                return Err(Error::new(
                    Class::Limit,
                    "entries",
                    format!("{} has more than {ENTRIES} entries", path.display()),
                ));
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_start_matches("./").to_owned();
            let name = text(&entry.path_bytes());
            let kind = entry.header().entry_type();
            let member = match kind {
                EntryType::Regular | EntryType::Continuous => {
                    let (offset, size) = (entry.raw_file_position(), entry.size());
                    if offset.checked_add(size).is_none_or(|end| end > length) {
                        return Err(not_tar(io::Error::from(io::ErrorKind::UnexpectedEof)));
                    }
                    Member::File((offset, size))
                }
                EntryType::Symlink | EntryType::Link => match entry.link_name_bytes() {
                    Some(to) => Member::Link {
                        to: text(&to),
                        from_top: kind == EntryType::Link,
                    },
                    None => continue,
                },
                // Folders, sparse files and everything else have no bytes of their own at this place.
                _ => continue,
            };
            visit(&name, member)?;
        }
        Ok(())
    }
}

/// Bounds what is read between two places where the measure is filled again.
struct Measured<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::Error::other("the headers of one entry do not end"));
        }
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(self.left.get().saturating_sub(count as u64));
        Ok(count)
    }
}

impl<R: Seek> Seek for Measured<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Expands into a file without a name, at most `limit` bytes.
fn expand(path: &Path, decoder: &mut dyn Read, limit: u64, meant: Meant) -> Result<File> {
    let folder = std::env::temp_dir();
    let mut expanded = unnamed(&folder)?;
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0_u64;
    loop {
        let count = decoder.read(&mut buffer).map_err(|error| {
            Error::new(
                Class::Format,
                meant.code,
                format!("{} cannot be expanded: {error}", path.display()),
            )
            .expected("a whole compressed file")
            .with_source(error)
        })?;
        if count == 0 {
            break;
        }
        total = total.saturating_add(count as u64);
        if total > limit {
            let found = format!("{} has more than {limit} bytes when it is expanded", path.display());
            return Err(Error::new(Class::Limit, "expanded", found)
                .expected(format!("at most {limit} bytes"))
                .remedy(
                    "raise the bound with --expand-limit SIZE, or expand the file yourself and name the plain tar",
                ));
        }
        io::Write::write_all(&mut expanded, buffer.get(..count).unwrap_or_default())
            .map_err(|e| Error::io("expand into", &folder, e))?;
    }
    expanded
        .seek(SeekFrom::Start(0))
        .map_err(|e| Error::io("expand into", &folder, e))?;
    Ok(expanded)
}

/// Opens a new file that has no name: it is gone when the process ends, however that comes about.
pub(super) fn unnamed(folder: &Path) -> Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags | OFlags::TMPFILE, mode) {
        Ok(file) => return Ok(file.into()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::INVAL) => {}
        Err(error) => return Err(Error::io("make a file in", folder, error.into())),
    }
    // Some network file systems know no files without names.
    let mut random = [0; 16];
    crate::crypto::random(&mut random)?;
    let path = folder.join(format!(".airlock-{:032x}", u128::from_le_bytes(random)));
    let file = rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode)
        .map_err(|e| Error::io("make a file in", folder, e.into()))?;
    std::fs::remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
    Ok(file.into())
}

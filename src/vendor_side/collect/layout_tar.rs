//! A tar of an OCI layout: its headers are read once, its blobs where they lie. Names in it never become paths.
//!
//! A gzipped tar is expanded first, into a file without a name in `$TMPDIR`, because gzip cannot be read from the middle. A thousand
//! zeros are one byte of gzip, so what comes out is bounded, and so is what a header may make this program hold: long names and the
//! records of PAX are read into memory by whoever reads a tar.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags};
use tar::EntryType;

use super::blob_range::BlobRange;
use crate::domain::{Class, Digest, Error, Hash, Result, limits};
use crate::stream::read_exact_or_end;

/// Most bytes that a gzipped tar may have when it is expanded, unless the person says otherwise: 32 GiB.
pub(crate) const EXPANDED_BYTES: u64 = 32 << 30;
/// Entries that one tar may have: every blob of the largest bundle, with room for folders.
const ENTRIES: usize = 2 * 500_000;
/// Bytes of the headers of one entry, with its long name and its PAX records.
const HEADER_BYTES: u64 = 1 << 20;
/// Longest name of interest: `blobs/sha256/` and 64 digits, with room.
const NAME_BYTES: usize = 128;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Files that may stand in the tar only once, because their bytes are not named by a digest.
const UNIQUE: [&str; 3] = ["index.json", "manifest.json", "oci-layout"];

/// Place and size of a file in the tar.
type Range = (u64, u64);

/// Where the files of a tar lie.
#[derive(Debug)]
pub(super) struct TarLayout {
    file: Arc<File>,
    entries: Entries,
}

/// What a layout consists of; other names in the tar are nobody's business and are not kept.
#[derive(Debug, Default)]
struct Entries {
    unique: HashMap<&'static str, Range>,
    blobs: HashMap<Hash, Range>,
}

impl TarLayout {
    /// Reads the headers of a tar, plain or gzipped to at most `expanded` bytes.
    ///
    /// # Errors
    ///
    /// `E-FORMAT layout` when it is no tar or has a file twice that it may have once; `E-LIMIT entries`, `headers` and `expanded`; `E-IO`; `E-SPACE`
    /// when an expanded tar does not fit into `$TMPDIR`.
    pub(super) fn open(path: &Path, mut file: File, expanded: u64) -> Result<Self> {
        let mut magic = [0; 4];
        read_exact_or_end(&mut file, &mut magic).map_err(|e| Error::io("read", path, e))?;
        file.rewind().map_err(|e| Error::io("read", path, e))?;
        if magic.starts_with(&GZIP_MAGIC) {
            file = expand(path, file, expanded)?;
        } else if magic == ZSTD_MAGIC {
            let name = path.display();
            return Err(
                Error::new(Class::Format, "layout", format!("{name} is compressed with zstd"))
                    .expected("a tar, plain or gzipped, with index.json and blobs/")
                    .remedy(format!(
                        "expand it with `zstd -d {name} -o {name}.tar` and name the plain tar"
                    )),
            );
        }
        let entries = index(path, &file)?;
        Ok(Self {
            file: Arc::new(file),
            entries,
        })
    }

    /// Opens a file by its name in the tar.
    pub(super) fn get(&self, name: &str) -> Option<(BlobRange, u64)> {
        let (offset, size) = self.entries.get(name)?;
        Some((BlobRange::new(Arc::clone(&self.file), offset, size), size))
    }

    /// Returns the size of a file.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|(_, size)| size)
    }
}

impl Entries {
    fn get(&self, name: &str) -> Option<Range> {
        match blob_hash(name) {
            Some(hash) => self.blobs.get(&hash),
            None => self.unique.get(name),
        }
        .copied()
    }
}

/// The digest in the name of a blob.
fn blob_hash(name: &str) -> Option<Hash> {
    let hex = name.strip_prefix("blobs/sha256/")?;
    format!("sha256:{hex}").parse::<Digest>().ok().map(|digest| digest.0)
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

fn index(path: &Path, file: &File) -> Result<Entries> {
    let left = Rc::new(Cell::new(HEADER_BYTES));
    let not_tar = |error: io::Error| {
        if left.get() == 0 {
            let found = format!("{}: {error}", path.display());
            return Error::new(Class::Limit, "headers", found)
                .expected(format!("at most {HEADER_BYTES} bytes for an entry"));
        }
        Error::new(
            Class::Format,
            "layout",
            format!("{} is no tar of an OCI layout: {error}", path.display()),
        )
        .expected("a tar, plain or gzipped, with index.json and blobs/")
        .with_source(error)
    };
    let length = file.metadata().map_err(|e| Error::io("look at", path, e))?.len();
    let measured = Measured {
        inner: BufReader::with_capacity(4096, file),
        left: Rc::clone(&left),
    };
    let mut archive = tar::Archive::new(measured);
    let mut entries = Entries::default();
    for (number, entry) in archive.entries_with_seek().map_err(not_tar)?.enumerate() {
        let entry = entry.map_err(not_tar)?;
        left.set(HEADER_BYTES);
        if number >= ENTRIES {
            return Err(Error::new(
                Class::Limit,
                "entries",
                format!("{} has more than {ENTRIES} entries", path.display()),
            ));
        }
        // Links, sparse files and everything else have no bytes of their own at this place.
        if !matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous) {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .to_owned();
        let (offset, size) = (entry.raw_file_position(), entry.size());
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(not_tar(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        if name.len() > NAME_BYTES {
            continue;
        }
        if let Some(hash) = blob_hash(&name) {
            // A blob's bytes are compared with its name, so either one of two will do.
            entries.blobs.entry(hash).or_insert((offset, size));
            if entries.blobs.len() as u64 > limits::BLOBS {
                return Err(Error::new(
                    Class::Limit,
                    "entries",
                    format!("{} has more than {} blobs", path.display(), limits::BLOBS),
                ));
            }
        } else if let Some(unique) = UNIQUE.into_iter().find(|unique| *unique == name) {
            match entries.unique.entry(unique) {
                Entry::Vacant(vacant) => {
                    vacant.insert((offset, size));
                }
                Entry::Occupied(_) => {
                    return Err(Error::new(
                        Class::Format,
                        "layout",
                        format!("{} holds {unique} twice", path.display()),
                    )
                    .expected("one")
                    .remedy("write the tar again"));
                }
            }
        }
    }
    Ok(entries)
}

/// Expands into a file without a name, at most `limit` bytes.
fn expand(path: &Path, compressed: File, limit: u64) -> Result<File> {
    let folder = std::env::temp_dir();
    let mut expanded = unnamed(&folder)?;
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, compressed));
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0_u64;
    loop {
        let count = decoder.read(&mut buffer).map_err(|error| {
            Error::new(
                Class::Format,
                "layout",
                format!("{} cannot be expanded: {error}", path.display()),
            )
            .expected("a whole gzip file")
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
fn unnamed(folder: &Path) -> Result<File> {
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

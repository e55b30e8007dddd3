//! A tar of an OCI layout: its headers are read once, its blobs where they lie. Names in it never become paths.
//!
//! A gzipped tar is expanded first, into a file without a name in `$TMPDIR`, because gzip cannot be read from the middle.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags};
use tar::EntryType;

use super::blob_range::BlobRange;
use crate::domain::{Class, Error, Result};
use crate::stream::read_exact_or_end;

/// Entries that one tar may have: every blob of the largest bundle, with room for folders.
const ENTRIES: usize = 2 * 500_000;
/// Longest name of interest: `blobs/sha256/` and 64 digits, with room.
const NAME_BYTES: usize = 128;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Files that may stand in the tar only once, because their bytes are not named by a digest.
const UNIQUE: [&str; 2] = ["index.json", "oci-layout"];

/// Where the files of a tar lie.
#[derive(Debug)]
pub(super) struct TarLayout {
    file: Arc<File>,
    entries: HashMap<String, (u64, u64)>,
}

impl TarLayout {
    /// Reads the headers of a tar, plain or gzipped.
    ///
    /// # Errors
    ///
    /// `E-FORMAT layout` when it is no tar or has `index.json` twice; `E-LIMIT`; `E-IO`; `E-SPACE` when an expanded tar
    /// does not fit into `$TMPDIR`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        let mut magic = [0; 2];
        let read = read_exact_or_end(&mut file, &mut magic).map_err(|e| Error::io("read", path, e))?;
        file.rewind().map_err(|e| Error::io("read", path, e))?;
        if read == 2 && magic == GZIP_MAGIC {
            file = expand(path, file)?;
        }
        let entries = index(path, &file)?;
        Ok(Self {
            file: Arc::new(file),
            entries,
        })
    }

    /// Opens a file by its name in the tar.
    pub(super) fn get(&self, name: &str) -> Option<(BlobRange, u64)> {
        let (offset, size) = *self.entries.get(name)?;
        Some((BlobRange::new(Arc::clone(&self.file), offset, size), size))
    }

    /// Returns the size of a file.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|(_, size)| *size)
    }
}

fn index(path: &Path, file: &File) -> Result<HashMap<String, (u64, u64)>> {
    let not_tar = |error: io::Error| {
        Error::new(
            Class::Format,
            "layout",
            format!("{} is no tar of an OCI layout: {error}", path.display()),
        )
        .expected("a tar, plain or gzipped, with index.json and blobs/")
        .with_source(error)
    };
    let length = file.metadata().map_err(|e| Error::io("look at", path, e))?.len();
    let mut archive = tar::Archive::new(BufReader::with_capacity(4096, file));
    let mut entries = HashMap::new();
    for (number, entry) in archive.entries_with_seek().map_err(not_tar)?.enumerate() {
        let entry = entry.map_err(not_tar)?;
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
        match entries.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert((offset, size));
            }
            Entry::Occupied(known) if UNIQUE.contains(&known.key().as_str()) => {
                return Err(Error::new(
                    Class::Format,
                    "layout",
                    format!("{} holds {} twice", path.display(), known.key()),
                )
                .expected("one")
                .remedy("write the tar again"));
            }
            // A blob's bytes are compared with its name, so either one will do.
            Entry::Occupied(_) => {}
        }
    }
    Ok(entries)
}

fn expand(path: &Path, compressed: File) -> Result<File> {
    let folder = std::env::temp_dir();
    let mut expanded = unnamed(&folder)?;
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, compressed));
    let mut buffer = vec![0; 1 << 16];
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

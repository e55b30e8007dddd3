//! What version a database file has, read without SQLite: opening a file makes its side files, and closing it moves the log into
//! it. One that a newer airlock wrote is left as it is, to the byte.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::domain::{Error, Result};
use crate::stream::open_plain;

/// Bytes of the header of a database, and where in it the two numbers stand (SQLite's file format, 1.3).
const HEADER: usize = 100;
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;
/// Bytes of the header of a write-ahead log and of each of its frames (4.1).
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The two numbers that airlock keeps in the header of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// `PRAGMA application_id`.
    pub(super) application_id: u32,
    /// `PRAGMA user_version`.
    pub(super) version: u32,
}

impl Header {
    /// Reads the header of a database as its last transaction left it, which may still stand in the log; none where there is no
    /// database, or none that can be read: SQLite says what is wrong with it.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(file) = open_plain(path)? else {
            return Ok(None);
        };
        let in_file = Self::at(&file, path, 0)?.filter(|(magic, _)| *magic);
        let in_log = Self::in_log(&side_file(path, "-wal"))?;
        Ok(in_log.or(in_file.map(|(_, header)| header)))
    }

    /// Reads a header that begins at an offset, and whether it is one.
    fn at(file: &File, path: &Path, offset: u64) -> Result<Option<(bool, Self)>> {
        let mut bytes = [0; HEADER];
        match file.read_exact_at(&mut bytes, offset) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(|e| Error::io("read", path, e))?,
        }
        let header = Self {
            application_id: word(&bytes, APPLICATION_ID),
            version: word(&bytes, USER_VERSION),
        };
        Ok(Some((bytes.starts_with(b"SQLite format 3\0"), header)))
    }

    /// Reads the newest first page of a log that a transaction committed. Only headers of frames are read, not their checksums: this
    /// decides nothing but whether a newer airlock was here.
    fn in_log(path: &Path) -> Result<Option<Self>> {
        let Some(file) = open_plain(path)? else {
            return Ok(None);
        };
        let mut log = [0; LOG_HEADER];
        if file.read_exact_at(&mut log, 0).is_err() || !matches!(word(&log, 0), 0x377f_0682 | 0x377f_0683) {
            return Ok(None);
        }
        let page = u64::from(word(&log, 8));
        let (mut offset, mut candidate, mut found) = (LOG_HEADER as u64, None, None);
        let mut frame = [0; FRAME_HEADER];
        while file.read_exact_at(&mut frame, offset).is_ok() && frame.get(8..16) == log.get(16..24) {
            let content = offset.saturating_add(FRAME_HEADER as u64);
            if word(&frame, 0) == 1 {
                candidate = Some(content);
            }
            if word(&frame, 4) != 0 {
                found = candidate.or(found);
            }
            offset = content.saturating_add(page);
        }
        let Some(at) = found else { return Ok(None) };
        Ok(Self::at(&file, path, at)?.and_then(|(magic, header)| magic.then_some(header)))
    }
}

/// Returns the name of a file that SQLite keeps beside a database; without a suffix that of the database itself.
pub fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the number of four bytes, the highest first.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at.saturating_add(4))
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

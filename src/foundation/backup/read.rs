//! Opens a backup and goes through it, one file after the other.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::{ENTRY_BYTES, Entry};
use super::head::{HEAD_BYTES, Head, Kind, RECORDS, cut, damaged};
use super::records::Opener;
use super::write::{END, FACTS_BYTES};
use crate::crypto::{PassphraseKey, canonical};
use crate::domain::{Error, Result, Timestamp};
use crate::stream::{open_lasting, read_exact_or_end};

/// A backup whose passphrase was right; nothing of it is handed out that does not hold.
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct OpenedBackup {
    records: Opener<File>,
    kind: Kind,
    made_at: Timestamp,
    facts: Vec<u8>,
    /// Where its records begin.
    begin: u64,
    /// Bytes of its records.
    size: u64,
    read: u64,
    /// Bytes of the present file that were not read yet.
    left: u64,
}

/// Returns what a file is a backup of, and when it was made; that can be read without the passphrase, and nothing of it is proven.
///
/// # Errors
///
/// `E-FORMAT no-backup`, `backup-version`; `E-INTEGRITY backup-damaged`; `E-INCOMPLETE backup-cut`; `E-USAGE not-a-file`; `E-IO`.
pub fn peek(path: &Path) -> Result<(Kind, Timestamp)> {
    let file = open_lasting(path, "open the backup")?;
    let head = begin(&file, path)?;
    Ok((head.kind(), head.made_at()))
}

impl OpenedBackup {
    /// Opens a backup of a kind.
    ///
    /// # Errors
    ///
    /// As [`peek`]; `E-USAGE backup-kind`; `E-TRUST passphrase`; `E-INTERNAL`.
    pub fn open(path: &Path, kind: Kind, passphrase: &str) -> Result<Self> {
        let file = open_lasting(path, "open the backup")?;
        let head = begin(&file, path)?;
        head.check_kind(kind)?;
        let key = head.open(passphrase)?;
        Self::with_key(file, &head, &key)
    }

    /// Opens a file that begins with a head, with its key.
    pub(super) fn with_key(file: File, head: &Head, key: &PassphraseKey) -> Result<Self> {
        let size = file.metadata().map_err(unread)?.len();
        let begin = head.bytes.len() as u64;
        let sealed = size
            .checked_sub(begin)
            .and_then(|rest| rest.checked_sub(END.len() as u64))
            .ok_or_else(cut)?;
        let mut opened = Self {
            records: Opener::new(file, key.records(RECORDS, &head.bytes), sealed),
            kind: head.kind(),
            made_at: head.made_at(),
            facts: Vec::new(),
            begin,
            size: sealed,
            read: 0,
            left: 0,
        };
        opened.rewind()?;
        Ok(opened)
    }

    /// Goes back to the first file: what was gone through can be put back, and is opened and checked once more while it is.
    ///
    /// # Errors
    ///
    /// As [`Self::entry`].
    pub fn rewind(&mut self) -> Result<()> {
        self.records.rewind(self.begin, self.size).map_err(unread)?;
        (self.read, self.left) = (0, 0);
        self.facts = self.framed(FACTS_BYTES)?.ok_or_else(damaged)?;
        Ok(())
    }

    /// Returns what it is of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns when it was made.
    pub fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// Returns what was said of it.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY backup-damaged` where that says something else than backups of its kind do.
    pub fn facts<T: Serialize + DeserializeOwned>(&self) -> Result<T> {
        canonical::from_slice(&self.facts, "what the backup is of").map_err(|error| damaged().with_source(error))
    }

    /// Returns the next file; its bytes come from [`Read`], or are passed over. Nothing at the end, which is the end of the file too.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY backup-damaged`; `E-IO`.
    pub fn entry(&mut self) -> Result<Option<Entry>> {
        while self.left > 0 {
            if self.content(usize::MAX)?.is_empty() {
                return Err(damaged());
            }
        }
        let Some(line) = self.framed(ENTRY_BYTES)? else {
            return if self.records.next(1)?.is_empty() {
                Ok(None)
            } else {
                Err(damaged())
            };
        };
        let entry = Entry::parse(&line)?;
        self.left = entry.size;
        Ok(Some(entry))
    }

    /// Returns the next bytes of the present file, at most so many; none at its end.
    ///
    /// # Errors
    ///
    /// As [`Self::entry`].
    pub fn content(&mut self, most: usize) -> Result<&[u8]> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        if most == 0 {
            return Ok(&[]);
        }
        let bytes = self.records.next(most)?;
        if bytes.is_empty() {
            return Err(damaged());
        }
        self.left = self.left.saturating_sub(bytes.len() as u64);
        self.read = self.read.saturating_add(bytes.len() as u64);
        Ok(bytes)
    }

    /// Goes through everything to the end, and hands out the path of each file; returns how many files there are, and their bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::entry`].
    pub fn check(&mut self, each: &mut dyn FnMut(String), progress: &mut dyn FnMut(u64, u64)) -> Result<(u64, u64)> {
        let mut files = 0_u64;
        while let Some(entry) = self.entry()? {
            each(entry.path);
            files = files.saturating_add(1);
            while !self.content(usize::MAX)?.is_empty() {
                progress(self.read.min(self.size), self.size);
            }
        }
        Ok((files, self.read))
    }

    fn framed(&mut self, most: usize) -> Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        self.records.exactly(&mut length)?;
        match u32::from_be_bytes(length) as usize {
            0 => Ok(None),
            length if length > most => Err(damaged()),
            length => {
                let mut bytes = vec![0; length];
                self.records.exactly(&mut bytes)?;
                Ok(Some(bytes))
            }
        }
    }
}

fn unread(error: std::io::Error) -> Error {
    Error::io("read", Path::new("the backup"), error)
}

/// Reads the head, and whether the last line is there.
pub(super) fn begin(file: &File, path: &Path) -> Result<Head> {
    let failed = |error| Error::io("read", path, error);
    let mut bytes = vec![0; HEAD_BYTES];
    let mut reader = file;
    let count = read_exact_or_end(&mut reader, &mut bytes).map_err(failed)?;
    bytes.truncate(count);
    let head = Head::parse(&bytes)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut end = vec![0; END.len()];
    let at = size.checked_sub(END.len() as u64).ok_or_else(cut)?;
    file.read_exact_at(&mut end, at).map_err(failed)?;
    if end != END {
        return Err(cut());
    }
    Ok(head)
}

impl Read for OpenedBackup {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.content(buffer.len()).map_err(std::io::Error::other)?;
        for (to, from) in buffer.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(bytes.len())
    }
}

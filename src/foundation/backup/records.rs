//! Bytes into records and back. A record is written once it is full and more follows, so the last one is known when it is written.

use std::io::{self, Read, Seek, SeekFrom, Write};

use zeroize::Zeroizing;

use super::head::damaged;
use crate::crypto::{RECORD_TAG_BYTES, RecordKey};
use crate::domain::{Class, Error, Result};

/// Plain bytes of every record but the last.
pub(super) const RECORD: usize = 64 << 10;
const SEALED: usize = RECORD + RECORD_TAG_BYTES;

/// Encrypts.
pub(super) struct Sealer<W> {
    out: W,
    key: RecordKey,
    number: u64,
    plain: Zeroizing<Vec<u8>>,
}

impl<W: Write> Sealer<W> {
    pub(super) fn new(out: W, key: RecordKey) -> Self {
        // Never moved: no plain text stays behind in a buffer that grew.
        let plain = Zeroizing::new(Vec::with_capacity(SEALED));
        Self {
            out,
            key,
            number: 0,
            plain,
        }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.plain.len() == RECORD {
                self.flush(false)?;
            }
            let room = RECORD.saturating_sub(self.plain.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Writes the last record and returns where it went.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush(true)?;
        Ok(self.out)
    }

    fn flush(&mut self, is_last: bool) -> io::Result<()> {
        self.key.seal(self.number, is_last, &mut self.plain);
        self.out.write_all(&self.plain)?;
        self.plain.clear();
        self.number = self.number.saturating_add(1);
        Ok(())
    }
}

/// Decrypts; nothing is handed on that did not hold.
pub(super) struct Opener<R> {
    input: R,
    key: RecordKey,
    number: u64,
    /// Sealed bytes that were not read yet.
    left: u64,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<R: Read> Opener<R> {
    /// Reads records of so many bytes in all.
    pub(super) fn new(input: R, key: RecordKey, sealed: u64) -> Self {
        Self {
            input,
            key,
            number: 0,
            left: sealed,
            plain: Zeroizing::new(Vec::with_capacity(SEALED)),
            at: 0,
        }
    }

    /// Returns the next bytes, at most so many; none at the end.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY backup-damaged`; `E-IO`.
    pub(super) fn next(&mut self, most: usize) -> Result<&[u8]> {
        if self.at == self.plain.len() && self.left > 0 {
            self.fill()?;
        }
        let end = self.at.saturating_add(most).min(self.plain.len());
        let bytes = self.plain.get(self.at..end).unwrap_or_default();
        self.at = end;
        Ok(bytes)
    }

    /// Fills a buffer.
    ///
    /// # Errors
    ///
    /// As [`Self::next`]; `E-INTEGRITY backup-damaged` also where there is less.
    pub(super) fn exactly(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let bytes = self.next(rest.len())?;
            if bytes.is_empty() {
                return Err(damaged());
            }
            for (to, from) in rest.iter_mut().zip(bytes) {
                *to = *from;
            }
            filled = filled.saturating_add(bytes.len());
        }
        Ok(())
    }

    /// Goes back to the first record, which begins at this place of the input.
    pub(super) fn rewind(&mut self, begin: u64, sealed: u64) -> io::Result<()>
    where
        R: Seek,
    {
        self.input.seek(SeekFrom::Start(begin))?;
        self.plain.clear();
        (self.number, self.left, self.at) = (0, sealed, 0);
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        let is_last = self.left <= SEALED as u64;
        let sealed = usize::try_from(self.left.min(SEALED as u64)).unwrap_or(SEALED);
        self.plain.clear();
        self.plain.resize(sealed, 0);
        self.input.read_exact(&mut self.plain).map_err(|error| {
            Error::new(Class::Io, "io", format!("cannot read the backup: {error}")).with_source(error)
        })?;
        if !self.key.open(self.number, is_last, &mut self.plain) {
            self.plain.clear();
            self.at = 0;
            return Err(damaged());
        }
        self.left = self.left.saturating_sub(sealed as u64);
        self.number = self.number.saturating_add(1);
        self.at = 0;
        Ok(())
    }
}

//! Bits out of a reader, lowest first, and where they stand.

use std::fmt;
use std::io::{self, Read};

/// Bytes that are read at once.
const BUFFER: usize = 65_536;

/// Why a stream could not be read.
#[derive(Debug)]
pub enum Fault {
    /// The reader failed.
    Io(io::Error),
    /// The stream ends before it is complete.
    Cut,
    /// The stream is no deflate, or its header none of gzip.
    Damaged,
}

/// Bits of a reader.
pub struct Source<R> {
    reader: R,
    buffer: Box<[u8]>,
    at: usize,
    filled: usize,
    bits: u64,
    count: u32,
    /// Bytes that were taken into `bits`.
    taken: u64,
    ended: bool,
}

/// What of a source needs no reading.
#[derive(Clone, Copy)]
pub(super) struct Ready<'a> {
    /// The next bits, lowest first; those above `count` are 0.
    pub(super) bits: u64,
    pub(super) count: u32,
    /// The bytes behind them.
    pub(super) bytes: &'a [u8],
}

impl<R> fmt::Debug for Source<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Source")
            .field("taken", &self.taken)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Source<R> {
    /// Reads from the reader's begin.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            at: 0,
            filled: 0,
            bits: 0,
            count: 0,
            taken: 0,
            ended: false,
        }
    }

    /// Bits before the next one.
    pub fn position(&self) -> u64 {
        self.taken * 8 - u64::from(self.count)
    }

    #[inline]
    fn refill(&mut self) -> Result<(), Fault> {
        if let Some(bytes) = self.buffer[self.at..self.filled].first_chunk::<8>() {
            let whole = (63 - self.count) >> 3;
            let taken = u64::from_le_bytes(*bytes) & ((1 << (8 * whole)) - 1);
            self.bits |= taken << self.count;
            self.at += whole as usize;
            self.taken += u64::from(whole);
            self.count += 8 * whole;
            return Ok(());
        }
        self.refill_slowly()
    }

    fn refill_slowly(&mut self) -> Result<(), Fault> {
        while self.count <= 56 {
            if self.at == self.filled {
                if self.ended {
                    return Ok(());
                }
                self.at = 0;
                self.filled = loop {
                    match self.reader.read(&mut self.buffer) {
                        Ok(filled) => break filled,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(Fault::Io(error)),
                    }
                };
                self.ended = self.filled == 0;
                continue;
            }
            self.bits |= u64::from(self.buffer[self.at]) << self.count;
            self.at += 1;
            self.taken += 1;
            self.count += 8;
        }
        Ok(())
    }

    /// The next bits, at most 56 of them are sure to be there; those behind the end are 0.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u64, Fault> {
        if self.count < 48 {
            self.refill()?;
        }
        Ok(self.bits)
    }

    #[inline]
    pub(crate) fn skip(&mut self, width: u32) -> Result<(), Fault> {
        if width > self.count {
            return Err(Fault::Cut);
        }
        self.bits >>= width;
        self.count -= width;
        Ok(())
    }

    /// Bits that are at hand, and the bytes behind them that were read already: whoever takes of them says what is left.
    #[inline]
    pub(super) fn ready(&self) -> Ready<'_> {
        Ready {
            bits: self.bits,
            count: self.count,
            bytes: self.buffer.get(self.at..self.filled).unwrap_or_default(),
        }
    }

    /// Goes on with what is left of [`ready`](Self::ready): so many bits, of so many bytes more.
    #[inline]
    pub(super) fn go_on(&mut self, bits: u64, count: u32, bytes: usize) {
        // Bytes that are not counted yet may stand above.
        self.bits = bits & 1_u64.checked_shl(count).map_or(u64::MAX, |above| above - 1);
        self.count = count;
        self.at += bytes;
        self.taken += bytes as u64;
    }

    /// Takes at most 32 bits.
    #[inline]
    pub(crate) fn take(&mut self, width: u32) -> Result<u64, Fault> {
        let value = self.peek()? & ((1 << width) - 1);
        self.skip(width)?;
        Ok(value)
    }

    /// Passes over the rest of a byte.
    pub(crate) fn align(&mut self) -> Result<(), Fault> {
        self.skip(self.count % 8)
    }

    /// Takes one byte at a byte's border.
    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(8)?.to_le_bytes()[0])
    }

    /// Takes so many bytes at a byte's border.
    ///
    /// # Errors
    ///
    /// [`Fault::Cut`], [`Fault::Io`].
    pub fn bytes(&mut self, size: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        for _ in 0..size {
            bytes.push(self.byte()?);
        }
        Ok(bytes)
    }

    /// Passes over so many bytes at a byte's border.
    ///
    /// # Errors
    ///
    /// [`Fault::Cut`], [`Fault::Io`].
    pub fn pass(&mut self, size: u64) -> Result<(), Fault> {
        self.parts(size, &mut |_: &[u8]| Ok(()))
    }

    /// Hands over so many bytes at a byte's border, in parts as they were read.
    ///
    /// # Errors
    ///
    /// [`Fault::Cut`], [`Fault::Io`], or what `take` fails with.
    pub(super) fn parts<E: From<Fault>>(
        &mut self,
        mut size: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while size > 0 {
            if self.count > 0 {
                let byte = self.bits.to_le_bytes()[0];
                self.skip(8)?;
                take(&[byte])?;
                size -= 1;
                continue;
            }
            if self.at == self.filled {
                if self.at_end()? {
                    return Err(Fault::Cut.into());
                }
                continue;
            }
            let here = self.buffer.get(self.at..self.filled).unwrap_or_default();
            let now = usize::try_from(size).unwrap_or(usize::MAX).min(here.len());
            take(here.get(..now).unwrap_or_default())?;
            self.at += now;
            self.taken += now as u64;
            size -= now as u64;
        }
        Ok(())
    }

    /// Passes over all that is left.
    ///
    /// # Errors
    ///
    /// [`Fault::Io`].
    pub fn drain(&mut self) -> Result<(), Fault> {
        self.align()?;
        while !self.at_end()? {
            self.byte()?;
        }
        Ok(())
    }

    /// Whether nothing is left.
    ///
    /// # Errors
    ///
    /// [`Fault::Io`].
    pub fn at_end(&mut self) -> Result<bool, Fault> {
        self.peek()?;
        Ok(self.count == 0)
    }
}

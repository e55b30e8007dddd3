//! Lines into pages, pages into chunks, chunks into a spool file; and how much room that takes, measured, before it is decided.
//!
//! In memory there are the closed parts of the open chunk and the open page, at most 8 MiB, and both in compressed form. The chunk is
//! closed only with the page behind it: cut short, that page may fit into it, and then the cut rule puts it there.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use super::part::{PartEntry, PartType};
use crate::container::{Chunk, ChunkEncoder, digest_of, entry_bytes, write_chunk};
use crate::domain::{Digest, Error, Hash, Result, limits};

/// zstd level of packages: between the ratios of 19 and the speed of 3.
const LEVEL: i32 = 9;
/// A page and a chunk have the same bound.
const FULL: usize = limits::PART_BYTES;

/// What is known of a line in the open page.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Where it ends in the page.
    end: usize,
    /// Its number in its range, 0 in a snapshot.
    number: u64,
    /// The seal of the log after it.
    seal: Hash,
}

/// What lies before a line that was dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Number of the first line that is not carried.
    pub(super) number: u64,
    /// The seal of the log before it, where a line of this page is carried.
    pub(super) seal: Option<Hash>,
}

/// What a package would be with one page more or less.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure<'a> {
    /// Its parts; the digest of the last one is not known yet.
    pub(super) parts: &'a [PartEntry],
    /// Its chunks.
    pub(super) chunks: usize,
    /// Bytes of the entries of all chunks.
    pub(super) bytes: u64,
}

/// Plain bytes that were compressed: where they lie in the open ones, and what became of them.
type Stored = (Range<usize>, Chunk, Vec<u8>);

/// Parts and chunks as far as they are written.
pub(super) struct Packing<'a> {
    spool: &'a mut dyn Write,
    encoder: ChunkEncoder,
    parts: Vec<PartEntry>,
    chunks: Vec<Chunk>,
    /// Bytes of the entries of closed chunks.
    spooled: u64,
    /// Closed parts of the open chunk, then the open page.
    open: Vec<u8>,
    /// Where the open page begins in it.
    page: usize,
    marks: Vec<Mark>,
    /// The closed parts of the open chunk, compressed.
    closed: Option<Stored>,
    /// What was compressed last beside them.
    trial: Option<Stored>,
}

impl<'a> Packing<'a> {
    /// Starts an empty payload.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL`.
    pub(super) fn new(spool: &'a mut dyn Write) -> Result<Self> {
        Ok(Self {
            spool,
            encoder: ChunkEncoder::new(LEVEL)?,
            parts: Vec::new(),
            chunks: Vec::new(),
            spooled: 0,
            open: Vec::new(),
            page: 0,
            marks: Vec::new(),
            closed: None,
            trial: None,
        })
    }

    /// Whether a line still fits into the open page.
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        let page = self.open.len().saturating_sub(self.page);
        page.saturating_add(line.len()) <= FULL
    }

    /// Whether no page is open.
    pub(super) fn is_between_pages(&self) -> bool {
        self.marks.is_empty()
    }

    /// Returns how many parts are closed.
    pub(super) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// Adds a line, which fits, with its line feed.
    pub(super) fn push(&mut self, line: &[u8], number: u64, seal: Hash) {
        self.open.extend_from_slice(line);
        self.marks.push(Mark {
            end: self.open.len().saturating_sub(self.page),
            number,
            seal,
        });
    }

    /// Closes the open page of a type, with as many of its lines as have room. Returns where it had to cut.
    ///
    /// Each page before had room, so that none of the lines always has.
    ///
    /// # Errors
    ///
    /// Those of the spool.
    pub(super) fn close_page(&mut self, kind: PartType, has_room: &dyn Fn(Measure<'_>) -> bool) -> Result<Option<Cut>> {
        let all = self.marks.len();
        if all == 0 {
            return Ok(None);
        }
        let mut kept = all;
        if !self.measured(kind, all, has_room) {
            let mut bound = all;
            kept = 0;
            while bound.saturating_sub(kept) > 1 {
                let middle = kept.midpoint(bound);
                if self.measured(kind, middle, has_room) {
                    kept = middle;
                } else {
                    bound = middle;
                }
            }
        }
        let last = kept.checked_sub(1).and_then(|last| self.marks.get(last)).copied();
        let cut = self.marks.get(kept).map(|first| Cut {
            number: first.number,
            seal: last.map(|last| last.seal),
        });
        let end = self.page.saturating_add(last.map_or(0, |last| last.end));
        if let Some(last) = last {
            self.parts.push(PartEntry {
                digest: digest_of(self.open.get(self.page..end).unwrap_or_default()),
                lines: kept as u64,
                size: last.end as u64,
                kind,
            });
        }
        self.open.truncate(end);
        self.marks.clear();
        if end > FULL {
            self.close_chunk()?;
        }
        self.page = self.open.len();
        Ok(cut)
    }

    /// Measures the package with so many lines of the open page.
    pub(super) fn measured<T>(&mut self, kind: PartType, lines: usize, take: &dyn Fn(Measure<'_>) -> T) -> T {
        let last = lines.checked_sub(1).and_then(|last| self.marks.get(last));
        let size = last.map_or(0, |last| last.end);
        let end = self.page.saturating_add(size);
        let ranges = if end <= FULL {
            [0..end, end..end]
        } else {
            [0..self.page, self.page..end]
        };
        let (mut chunks, mut bytes) = (self.chunks.len(), self.spooled);
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            chunks = chunks.saturating_add(1);
            bytes = bytes.saturating_add(entry_bytes(self.stored(range)));
        }
        let before = self.parts.len();
        self.parts.extend((size > 0).then_some(PartEntry {
            digest: Digest(Hash([0; 32])),
            lines: lines as u64,
            size: size as u64,
            kind,
        }));
        let taken = take(Measure {
            parts: &self.parts,
            chunks,
            bytes,
        });
        self.parts.truncate(before);
        taken
    }

    /// Returns how many bytes a range of the open ones has when it is compressed.
    fn stored(&mut self, range: Range<usize>) -> u64 {
        let known = [&self.closed, &self.trial];
        if let Some((_, _, bytes)) = known.into_iter().flatten().find(|(known, ..)| *known == range) {
            return bytes.len() as u64;
        }
        let (chunk, bytes) = self.encoder.encode(self.open.get(range.clone()).unwrap_or_default());
        let length = bytes.len() as u64;
        let place = if range == (0..self.page) {
            &mut self.closed
        } else {
            &mut self.trial
        };
        *place = Some((range, chunk, bytes));
        length
    }

    /// Spools the closed parts of the open chunk, compressed; what lies behind them begins the next one.
    fn close_chunk(&mut self) -> Result<()> {
        let range = 0..self.page;
        if range.is_empty() {
            return Ok(());
        }
        let known = [self.closed.take(), self.trial.take()];
        let stored = known.into_iter().flatten().find(|(known, ..)| *known == range);
        let (chunk, bytes) = match stored {
            Some((_, chunk, bytes)) => (chunk, bytes),
            None => self.encoder.encode(self.open.get(range).unwrap_or_default()),
        };
        let number = (self.chunks.len() as u64).saturating_add(1);
        write_chunk(self.spool, number, &bytes)
            .map_err(|error| Error::io("write", Path::new("the payload of the status package"), error))?;
        self.chunks.push(chunk);
        self.spooled = self.spooled.saturating_add(entry_bytes(bytes.len() as u64));
        self.open.drain(..self.page);
        self.page = 0;
        Ok(())
    }

    /// Ends the payload, whose last page was closed; returns parts, chunks, and the bytes of all chunk entries.
    ///
    /// # Errors
    ///
    /// Those of the spool.
    pub(super) fn finish(mut self) -> Result<(Vec<PartEntry>, Vec<Chunk>, u64)> {
        self.close_chunk()?;
        Ok((self.parts, self.chunks, self.spooled))
    }
}

impl std::fmt::Debug for Packing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packing({} parts, {} chunks)", self.parts.len(), self.chunks.len())
    }
}

//! Writes a package: typed lines in payload order into parts and chunks, then the head over them.
//!
//! ```text
//! Statement ─> PackageWriter ── lines, type by type ──> WrittenLines ── counts of the ranges that came out ──> file, UnsignedPackage
//! ```
//!
//! The same facts and lines give the same bytes on any machine: chunks are compressed one by one.
//!
//! What does not fit (`max_size`, the limits of M-112) ends a range earlier, and the ranges say where: a run of packages, each whole with its
//! snapshots. Receipts and rows of the log may take half of the room that releases and targets leave, so that metrics, which follow them
//! and are a snapshot, have the other half, whatever the log holds.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::coverage::{Numbers, RecordCounts, is_range};
use super::head::{Head, digest};
use super::judge::Judge;
use super::kind::PACKAGE;
use super::line::Line;
use super::packing::{Cut, Measure, Packing};
use super::part::{PartEntry, PartType};
use super::statement::{Content, Room, Statement};
use crate::container::{Chunk, EMPTY_APPROVALS, END_BYTES, bytes_before_payload, format_lines, signatures_bytes};
use crate::crypto::stream_start;
use crate::domain::{Class, Error, Hash, Result, limits};

/// Whether a line was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in the package, unless the end of its page cuts it off.
    Yes,
    /// The range of its kind has ended before: go on with the next kind.
    Full,
}

/// A package whose lines are being written.
#[derive(Debug)]
pub struct PackageWriter<'a> {
    statement: Statement,
    room: Room,
    packing: Packing<'a>,
    judge: Judge,
    stage: PartType,
    /// The seal after the last row of the log that was taken, and after the last one that is carried.
    seal: Hash,
    hash: Hash,
    /// Where ranges were cut: the first number that is not carried.
    cuts: [Option<u64>; 3],
    /// Bytes of the file when the last page was closed.
    measured: u64,
    /// Bytes that the file may have up to the stage's end.
    budget: u64,
    /// Bytes of the lines that were taken.
    taken: u64,
}

/// A package whose lines are written, and whose counts are asked for.
#[derive(Debug)]
pub struct WrittenLines {
    statement: Statement,
    room: Room,
    parts: Vec<PartEntry>,
    chunks: Vec<Chunk>,
    chunk_bytes: u64,
    hash: Hash,
    lasts: Numbers,
    cut: bool,
}

/// What a package became: its head, and how large the file is.
#[derive(Debug, Clone)]
pub struct WrittenPackage {
    /// The head.
    pub head: Head,
    /// Its digest.
    pub head_digest: Hash,
    /// Bytes of the file.
    pub size: u64,
}

impl<'a> PackageWriter<'a> {
    /// Starts a package. Stored chunks go to `spool`, a file without a name or of a name of its own.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT` for facts that no reader would take; `E-LIMIT max-size` for less room than a package must have.
    pub fn new(statement: Statement, room: Room, spool: &'a mut dyn Write) -> Result<Self> {
        if room.max_size < limits::PACKAGE_BYTES_MIN {
            return Err(Error::new(
                Class::Limit,
                "max-size",
                format!("a package may have {} bytes", room.max_size),
            )
            .expected(format!("at least {}", limits::PACKAGE_BYTES_MIN)));
        }
        statement.check()?;
        if statement.firsts.audit == 1 && statement.before != stream_start(&statement.site, statement.domain) {
            return Err(Error::new(
                Class::Content,
                "audit-chain",
                "the log of the stream does not begin as that of this site and vendor",
            ));
        }
        let judge = Judge::new(
            statement.shows.clone(),
            (statement.firsts.records, limits::JSON_INTEGER_MAX),
        );
        Ok(Self {
            seal: statement.before,
            hash: statement.before,
            measured: 0,
            taken: 0,
            budget: room.max_size,
            statement,
            room,
            packing: Packing::new(spool)?,
            judge,
            stage: PartType::Releases,
            cuts: [None; 3],
        })
    }

    /// Takes the next line. Kinds come in the order of [`PartType`], lines in the order of their kind.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-LIMIT` and `E-CONTENT` for a line that no reader would take; `E-LIMIT max-size` when a snapshot has no room;
    /// `E-CONTENT audit-chain` for a row that does not follow the one before; those of the spool.
    pub fn push(&mut self, line: &Line) -> Result<Taken> {
        let part = line.part();
        if part < self.stage {
            return Err(Error::new(
                Class::Format,
                "order",
                format!("lines of {part} come behind those of {}", self.stage),
            ));
        }
        if part > self.stage {
            self.begin(part)?;
        }
        if self.is_cut() {
            return Ok(Taken::Full);
        }
        if self.judge.is_full(line) && self.cut_before(line) {
            return Ok(Taken::Full);
        }
        line.check()?;
        self.judge.take(line)?;
        let mut bytes = line.to_bytes()?;
        bytes.push(b'\n');
        if bytes.len() > limits::LINE_BYTES {
            return Err(Error::new(
                Class::Limit,
                "line-size",
                format!("a line of {part} has {} bytes", bytes.len()),
            ));
        }
        if !self.packing.fits(&bytes) {
            self.close_page()?;
            if self.is_cut() {
                return Ok(Taken::Full);
            }
        }
        if self.packing.is_between_pages() && self.packing.part_count() >= self.most_parts() {
            if self.cut_before(line) {
                return Ok(Taken::Full);
            }
            return Err(too_large(&self.room, part));
        }
        // Only now: closing the page before took the seal up to there.
        if let Line::Audit(row) = line {
            self.seal = row.seal(self.seal);
        }
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        self.packing.push(&bytes, line.number().unwrap_or(0), self.seal);
        Ok(Taken::Yes)
    }

    /// Returns how many bytes the lines have that were taken so far, before they are compressed.
    pub fn taken_bytes(&self) -> u64 {
        self.taken
    }

    /// Goes on with a later kind of lines.
    fn begin(&mut self, part: PartType) -> Result<()> {
        self.close_page()?;
        let max = self.room.max_size;
        // A kind without a line is passed over, and must find the same budget.
        self.budget = match part {
            PartType::Releases | PartType::Targets | PartType::Metrics | PartType::Records => max,
            PartType::Receipts => self.measured.midpoint(max),
            PartType::Audit if self.stage < PartType::Receipts => self.measured.midpoint(max),
            PartType::Audit => self.budget,
        };
        self.stage = part;
        Ok(())
    }

    /// Parts that there may be up to the stage's end.
    fn most_parts(&self) -> usize {
        match self.stage {
            PartType::Receipts | PartType::Audit => limits::PARTS / 2,
            _ => limits::PARTS,
        }
    }

    fn close_page(&mut self) -> Result<()> {
        let (statement, room, budget) = (&self.statement, self.room, self.budget);
        let size = |measure: Measure<'_>| statement.largest(measure, room);
        let was_open = !self.packing.is_between_pages();
        let cut = self
            .packing
            .close_page(self.stage, &|measure| size(measure) <= budget)?;
        self.measured = self.packing.measured(self.stage, 0, &size);
        match cut {
            None if was_open => self.hash = self.seal,
            None => {}
            Some(Cut { number, seal }) => {
                self.hash = seal.unwrap_or(self.hash);
                self.seal = self.hash;
                match self.cut_of_stage() {
                    Some(cut) => *cut = Some(number),
                    None => return Err(too_large(&self.room, self.stage)),
                }
            }
        }
        Ok(())
    }

    fn cut_before(&mut self, line: &Line) -> bool {
        match (self.cut_of_stage(), line.number()) {
            (Some(cut), Some(number)) => {
                *cut = Some(number);
                true
            }
            _ => false,
        }
    }

    fn is_cut(&mut self) -> bool {
        self.cut_of_stage().is_some_and(|cut| cut.is_some())
    }

    fn cut_of_stage(&mut self) -> Option<&mut Option<u64>> {
        let [receipts, audit, records] = &mut self.cuts;
        match self.stage {
            PartType::Receipts => Some(receipts),
            PartType::Audit => Some(audit),
            PartType::Records => Some(records),
            PartType::Releases | PartType::Targets | PartType::Metrics => None,
        }
    }

    /// Ends the lines. `lasts` are the last numbers of the ranges as far as nothing was cut: a range that was ends before its first line
    /// that had no room.
    ///
    /// # Errors
    ///
    /// `E-LIMIT max-size` when a snapshot has no room, or not one number could go forward beside them; those of the spool.
    pub fn finish(mut self, lasts: Numbers) -> Result<WrittenLines> {
        self.close_page()?;
        let [receipts, audit, records] = self.cuts;
        let end = |cut: Option<u64>, last: u64| cut.map_or(last, |first| first.saturating_sub(1));
        let lasts = Numbers {
            audit: end(audit, lasts.audit),
            receipts: end(receipts, lasts.receipts),
            records: end(records, lasts.records),
        };
        let cut = self.cuts.iter().any(Option::is_some);
        let firsts = self.statement.firsts;
        let moved = lasts.audit >= firsts.audit || lasts.receipts >= firsts.receipts || lasts.records >= firsts.records;
        if cut && !moved {
            return Err(too_large(&self.room, PartType::Records));
        }
        let (parts, chunks, chunk_bytes) = self.packing.finish()?;
        Ok(WrittenLines {
            statement: self.statement,
            room: self.room,
            parts,
            chunks,
            chunk_bytes,
            hash: self.hash,
            lasts,
            cut,
        })
    }
}

impl WrittenLines {
    /// Returns the last number of each range; first − 1 where there is none.
    pub fn lasts(&self) -> Numbers {
        self.lasts
    }

    /// Whether a range ended early: then another package follows, which begins behind these numbers.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Writes the whole package, unsigned, to `out`. `counts` are those of the records up to [`Self::lasts`], `spool` is what the
    /// writer was given.
    ///
    /// # Errors
    ///
    /// `E-CONTENT coverage` when the counts do not add up; `E-FORMAT ranges`; those of both files.
    pub fn write(
        self,
        counts: RecordCounts,
        spool: &mut (impl Read + Seek),
        out: &mut dyn Write,
    ) -> Result<WrittenPackage> {
        let shown = lines_of(&self.parts, PartType::Records);
        let content = Content {
            parts: &self.parts,
            chunks: &self.chunks,
            lasts: self.lasts,
            hash: self.hash,
            shown,
            counts,
        };
        let (head, page) = self.statement.head(&content, self.room, self.chunk_bytes);
        check(&head, shown)?;
        let head_bytes = head.to_bytes();
        let format = format_lines(&PACKAGE, head.totals.chunks);
        let entries = [
            format.as_bytes(),
            &signatures_bytes(&[]),
            &self.statement.hints(),
            &head_bytes,
            EMPTY_APPROVALS,
        ];
        let pages: Vec<Vec<u8>> = page.into_iter().collect();
        let before = bytes_before_payload(entries, &pages, head.payload_offset)?;
        let failed = |error| Error::io("write", Path::new("the status package"), error);
        let read = |error| Error::io("read", Path::new("the payload of the status package"), error);
        out.write_all(&before).map_err(failed)?;
        spool.seek(SeekFrom::Start(0)).map_err(read)?;
        let copied = std::io::copy(&mut spool.take(self.chunk_bytes), out).map_err(failed)?;
        if copied != self.chunk_bytes {
            return Err(read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        out.write_all(&[0; END_BYTES]).map_err(failed)?;
        Ok(WrittenPackage {
            head_digest: digest(&head_bytes),
            size: head
                .payload_offset
                .saturating_add(self.chunk_bytes)
                .saturating_add(END_BYTES as u64),
            head,
        })
    }
}

/// Everything that a reader will ask of the head and the numbers of its lines.
fn check(head: &Head, shown: u64) -> Result<()> {
    head.check()?;
    head.check_ranges()?;
    head.records.check_sum(shown)?;
    let carried = |kind, first: u64, last: u64| {
        is_range(first, last) && lines_of(&head.parts, kind) == super::coverage::count(first, last)
    };
    if carried(PartType::Receipts, head.receipts.first, head.receipts.last)
        && carried(PartType::Audit, head.audit.first, head.audit.last)
    {
        return Ok(());
    }
    Err(Error::new(
        Class::Content,
        "coverage",
        "receipts or rows of the log are missing inside the ranges of the package",
    ))
}

fn lines_of(parts: &[PartEntry], kind: PartType) -> u64 {
    let parts = parts.iter().filter(|part| part.kind == kind);
    parts.map(|part| part.lines).fold(0, u64::saturating_add)
}

fn too_large(room: &Room, part: PartType) -> Error {
    Error::new(
        Class::Limit,
        "max-size",
        format!(
            "what every package must hold does not fit into {} bytes: it ends within {part}",
            room.max_size
        ),
    )
    .expected("room for all releases, targets and metrics, and for something new beside them")
    .remedy("raise max_size_mib under [export] in the configuration")
}

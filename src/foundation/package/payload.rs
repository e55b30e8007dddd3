//! Reads the payload: every chunk, every line, receipts and the stream's log (V7 to V10).
//!
//! Chunks are read once and lines judged as they come; yet the first refusal in the order of the steps is the verdict. So what a later step
//! finds is held until the earlier ones are through with the whole package. What was handed over counts only then.

use super::coverage::count;
use super::head::Head;
use super::index;
use super::judge::Judge;
use super::keys::StatusKeys;
use super::line::Line;
use super::lines::{AuditRow, SignedReceipt, parse_envelope, parse_receipt};
use super::part::{PartEntry, PartType};
use super::reader::{Draft, IndexedPackage, Known, Signed};
use crate::container::{Chunk, PageReader, PayloadSink, Source, read_payload};
use crate::crypto::{Envelope, stream_start};
use crate::domain::{Class, Error, Hash, Result, Step, limits};

/// Takes lines in payload order, each with the row's seal where it is one of the stream's log. An error ends the reading.
pub type TakeLine<'a> = dyn FnMut(&Line, Option<Hash>) -> Result<()> + 'a;

impl IndexedPackage<Signed> {
    /// Reads the rest of the package to its end, and hands over its lines.
    ///
    /// What `take` was given counts only once this returns.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-INTEGRITY`, `E-LIMIT`, `E-INCOMPLETE` and `E-IO` at V7; `E-FORMAT`, `E-LIMIT` and `E-CONTENT` at V8; `E-SIGNATURE`
    /// and `E-CONTENT` at V9; `E-CONTENT audit-chain` at V10; those of `take`.
    pub fn read_lines(self, take: &mut TakeLine<'_>) -> Result<Head> {
        read(self.source, &self.head, &self.chunks, Some(&self.proof.0), take)?;
        Ok(self.head)
    }
}

impl IndexedPackage<Draft> {
    /// As for a signed package, but that receipts are not verified: the site has made them itself.
    ///
    /// # Errors
    ///
    /// As for a signed package.
    pub fn read_lines(self, take: &mut TakeLine<'_>) -> Result<Head> {
        read(self.source, &self.head, &self.chunks, None, take)?;
        Ok(self.head)
    }
}

impl IndexedPackage<Known> {
    /// As for a signed package, but that receipts are not verified: they were when the package was taken in.
    ///
    /// # Errors
    ///
    /// As for a signed package.
    pub fn read_lines(self, take: &mut TakeLine<'_>) -> Result<Head> {
        read(self.source, &self.head, &self.chunks, None, take)?;
        Ok(self.head)
    }
}

fn read(
    mut source: Source,
    head: &Head,
    chunks: &[Chunk],
    keys: Option<&StatusKeys>,
    take: &mut TakeLine<'_>,
) -> Result<()> {
    let mut lines = Lines::new(head, keys, take);
    read_payload(&mut source, index::payload(&head.parts), chunks, &mut lines)
        .and_then(|()| source.end())
        .map_err(|error| error.at(Step::V7))?;
    lines.verdict()
}

/// Judges the lines of parts as they come.
struct Lines<'a, 't> {
    head: &'a Head,
    keys: Option<&'a StatusKeys>,
    take: &'a mut TakeLine<'t>,
    /// The part that is next.
    part: usize,
    pages: PageReader,
    judge: Judge,
    /// Lines of each part so far.
    counted: Vec<u64>,
    /// Lines of records.
    records: u64,
    /// The number that the next receipt must have.
    receipt: u64,
    /// The number that the next row must have, and the seal before it.
    row: u64,
    seal: Hash,
    /// The refusal of the earliest step so far.
    held: Option<Error>,
}

impl<'a, 't> Lines<'a, 't> {
    fn new(head: &'a Head, keys: Option<&'a StatusKeys>, take: &'a mut TakeLine<'t>) -> Self {
        Self {
            head,
            keys,
            take,
            part: 0,
            pages: pages(),
            judge: Judge::new(head.shows.clone(), (head.records.first, head.records.last)),
            counted: Vec::with_capacity(head.parts.len()),
            records: 0,
            receipt: head.receipts.first,
            row: head.audit.first,
            seal: head.audit.before,
            held: None,
        }
    }

    /// Whether a step is still of interest: no earlier one, nor itself, has refused.
    fn judges(&self, step: Step) -> bool {
        self.held.as_ref().is_none_or(|held| held.step() > Some(step))
    }

    fn hold(&mut self, error: Error, step: Step) {
        if self.judges(step) {
            self.held = Some(error.at(step));
        }
    }

    /// Judges a part whose bytes were compared with their digest.
    fn page(&mut self, part: &PartEntry, bytes: &[u8]) -> Result<()> {
        let before = self.part.checked_sub(1).and_then(|before| self.head.parts.get(before));
        if before.is_some_and(|before| before.kind != part.kind) {
            self.pages = pages();
        }
        self.part = self.part.saturating_add(1);
        self.counted.push(0);
        if !self.judges(Step::V8) {
            return Ok(());
        }
        let lines = match self.pages.lines(bytes) {
            Ok(lines) => lines,
            Err(error) => {
                self.hold(error, Step::V8);
                return Ok(());
            }
        };
        for line in lines {
            if let Some(counted) = self.counted.last_mut() {
                *counted = counted.saturating_add(1);
            }
            self.line(part.kind, line)?;
            if !self.judges(Step::V8) {
                break;
            }
        }
        Ok(())
    }

    fn line(&mut self, part: PartType, bytes: &[u8]) -> Result<()> {
        let (line, held) = match self.read(part, bytes) {
            Ok(read) => read,
            Err(error) => {
                self.hold(error, Step::V8);
                return Ok(());
            }
        };
        if let Some(error) = held {
            self.hold(error, Step::V9);
        }
        let Some(line) = line else { return Ok(()) };
        let seal = match &line {
            Line::Audit(row) => match self.sealed(row) {
                Ok(seal) => Some(seal),
                Err(error) => {
                    self.hold(error, Step::V10);
                    None
                }
            },
            _ => None,
        };
        if self.held.is_some() {
            return Ok(());
        }
        (self.take)(&line, seal)
    }

    /// Reads a line (V8). Receipts are verified at once (V9): none comes out of one that does not count, and what V9 refuses comes beside.
    fn read(&mut self, part: PartType, bytes: &[u8]) -> Result<(Option<Line>, Option<Error>)> {
        if bytes.len() > limits::LINE_BYTES {
            return Err(Error::new(
                Class::Limit,
                "line-size",
                format!("a line of {part} has {} bytes", bytes.len()),
            )
            .expected(format!("at most {}", limits::LINE_BYTES)));
        }
        let line = match (part, self.keys) {
            (PartType::Receipts, Some(keys)) => {
                let envelope = parse_envelope(bytes)?;
                if !self.judges(Step::V9) {
                    return Ok((None, None));
                }
                match self.receipt(keys, envelope) {
                    Ok(receipt) => Line::Receipt(Box::new(receipt)),
                    Err(error) => return Ok((None, Some(error))),
                }
            }
            _ => Line::parse(part, bytes)?,
        };
        self.judge.take(&line)?;
        if part == PartType::Records {
            self.records = self.records.saturating_add(1);
        }
        Ok((Some(line), None))
    }

    /// Judges a receipt on its own: whose it is, and whether it is the next one (V9). What it says of a release is the ledger's.
    fn receipt(&mut self, keys: &StatusKeys, envelope: Envelope) -> Result<SignedReceipt> {
        keys.check_receipt(&envelope)?;
        let receipt = parse_receipt(&envelope)?;
        if receipt.site != self.head.site || receipt.domain != self.head.domain {
            return Err(wrong("receipt", "a receipt is of another site or for another vendor"));
        }
        let next = self.receipt;
        if receipt.number > next && receipt.number <= self.head.receipts.last {
            return Err(missing(next));
        }
        if receipt.number != next || next > self.head.receipts.last {
            return Err(wrong(
                "receipt",
                "a receipt has a number that is not the next one of the range",
            ));
        }
        self.receipt = next.saturating_add(1);
        Ok(SignedReceipt { envelope, receipt })
    }

    /// Recomputes the seal of the next row (V10).
    fn sealed(&mut self, row: &AuditRow) -> Result<Hash> {
        if row.number != self.row || row.number > self.head.audit.last {
            return Err(wrong(
                "audit-chain",
                "a row of the log is missing, or lies outside of the range",
            ));
        }
        self.row = row.number.saturating_add(1);
        self.seal = row.seal(self.seal);
        Ok(self.seal)
    }

    /// Says what became of it all, once every chunk and the end of the file were good.
    fn verdict(mut self) -> Result<()> {
        if self.judges(Step::V8) {
            self.counts().map_err(|error| error.at(Step::V8))?;
        }
        let receipts = self.head.receipts;
        if self.keys.is_some() && self.judges(Step::V9) && count(self.receipt, receipts.last) > 0 {
            let error = missing(self.receipt);
            self.hold(error, Step::V9);
        }
        if self.judges(Step::V10)
            && let Err(error) = self.chain()
        {
            self.hold(error, Step::V10);
        }
        match self.held {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn counts(&self) -> Result<()> {
        let stated = self.head.parts.iter().map(|part| part.lines);
        if !stated.eq(self.counted.iter().copied()) {
            return Err(wrong(
                "lines",
                "a part has another number of lines than the head states",
            ));
        }
        self.head.records.check_sum(self.records)
    }

    fn chain(&self) -> Result<()> {
        let audit = &self.head.audit;
        if audit.first == 1 && audit.before != stream_start(&self.head.site, self.head.domain) {
            return Err(wrong(
                "audit-chain",
                "the log does not begin as that of this site and vendor",
            ));
        }
        if count(self.row, audit.last) > 0 || self.seal != audit.hash {
            return Err(wrong(
                "audit-chain",
                "the rows of the log do not lead to the seal that the head states",
            ));
        }
        Ok(())
    }
}

fn pages() -> PageReader {
    PageReader::new("pages", "part", limits::PART_BYTES)
}

fn missing(number: u64) -> Error {
    wrong(
        "receipts-missing",
        &format!("receipt {number} is missing inside the range"),
    )
}

fn wrong(code: &'static str, found: &str) -> Error {
    Error::new(Class::Content, code, found)
}

impl PayloadSink<PartEntry> for Lines<'_, '_> {
    fn reached(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn blob(&mut self, part: &PartEntry, bytes: &[u8]) -> Result<()> {
        self.page(part, bytes).map_err(|error| error.at(Step::V8))
    }

    fn begin(&mut self, _: &PartEntry) -> Result<()> {
        Err(in_pieces())
    }

    fn piece(&mut self, _: &[u8]) -> Result<()> {
        Err(in_pieces())
    }

    fn end(&mut self, _: &PartEntry, _: Vec<Hash>) -> Result<()> {
        Err(in_pieces())
    }

    fn chunk_done(&mut self, _: u64, _: u64, _: Option<Hash>) -> Result<()> {
        Ok(())
    }
}

/// No part is larger than a chunk.
fn in_pieces() -> Error {
    Error::new(Class::Internal, "pieces", "a part came in pieces")
}

//! Repair files: the signed head, the index, and of the chunks those that a site has lost something of (SPEC M-172).
//!
//! Nothing in it is new: entries 01 to 05 and the chunks are those of the bundle, and only entry 00 says that there are no others. So it
//! needs no signature of its own, and brings nothing in that the bundle would not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::head::Head;
use super::index::{Blob, Index};
use super::index_reader::IndexReader;
use super::kind::BUNDLE;
use super::reader::{OpenedBundle, VerifiedBundle};
use crate::container::{
    Chunk, ChunkRanges, END_BYTES, Input, Source, approvals_bytes, bytes_before_payload, compare_stored, copy_chosen,
    entry_bytes, read_back, read_fill, read_pages, repair_lines, signatures_bytes,
};
use crate::domain::{Class, Digest, Error, Hash, Result, Step, counted};

/// A repair file that can be written.
#[derive(Debug)]
pub struct Repair {
    source: Source,
    head: Head,
    index: Index,
    head_digest: Hash,
    chunks: ChunkRanges,
    prologue: Vec<u8>,
}

/// What of a blob a site has lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// All of it, as far as anybody knows.
    All,
    /// Pieces of so many bytes, by their numbers counted from 1.
    Pieces(u64, ChunkRanges),
}

/// What of lost content a bundle has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mends {
    /// Blobs that it carries.
    pub blobs: BTreeSet<Digest>,
    /// Index pages, which every repair file brings.
    pub pages: u64,
    /// Content that earlier bundles brought: it is needed here and not carried.
    pub needed: BTreeSet<Digest>,
    /// What it does not know.
    pub unknown: BTreeSet<Digest>,
    /// Blobs of these that are copied in part from needed content, which the site must hold whole.
    pub copied: u64,
}

impl OpenedBundle {
    /// Takes a bundle apart for a file with what a site has lost of it. Its signatures are not verified: whoever asks names the head digest
    /// that the site verified, on which every byte hangs.
    ///
    /// # Errors
    ///
    /// Those of every step from X5 to X9a; `E-LIMIT reserve`; `E-USAGE pieces` where a blob has no such piece as is said to be lost of it.
    pub fn into_repair(self, lost: &BTreeMap<Digest, Lost>) -> Result<(Repair, Mends)> {
        let (head, head_digest) = self.unverified_head()?;
        let (signatures, approvals) = (self.signatures()?, self.approvals()?);
        let trust = self.fullest_trust().to_vec();
        let head_bytes = self.head_bytes().to_vec();
        let (mut source, others) = self.into_sources(&head)?;
        let mut pages = Vec::new();
        let read = || -> Result<Index> {
            let mut reader = IndexReader::new(&head);
            read_pages(&mut source, &head.index, |_, page| {
                reader.page(&page)?;
                pages.push(page);
                Ok(())
            })?;
            read_fill(&mut source, head.payload_offset)?;
            let index = reader.finish()?;
            others.join(&head, &mut source)?;
            Ok(index)
        };
        let index = read().map_err(|error| error.at(Step::X9a))?;
        check_pieces(&index, lost)?;
        let mends = Mends::of(&head, &index, lost);
        let chunks = chunks_of(&head, &index, lost);
        let format = repair_lines(&BUNDLE, &chunks);
        let entries = [
            format.as_bytes(),
            &signatures_bytes(&signatures),
            &trust,
            &head_bytes,
            &approvals_bytes(&approvals),
        ];
        let prologue = bytes_before_payload(entries, &pages, head.payload_offset)?;
        let repair = Repair {
            source,
            head,
            index,
            head_digest,
            chunks,
            prologue,
        };
        Ok((repair, mends))
    }
}

/// Checks that every piece that is said to be lost is one of its blob: what asks for others was written by no site that holds it.
fn check_pieces(index: &Index, lost: &BTreeMap<Digest, Lost>) -> Result<()> {
    for blob in index.blobs() {
        let Some(Lost::Pieces(bytes, numbers)) = lost.get(&blob.digest) else {
            continue;
        };
        let count = blob.size.div_ceil((*bytes).max(1));
        if *bytes > 0 && numbers.count() > 0 && numbers.last() <= count {
            continue;
        }
        return Err(Error::new(
            Class::Usage,
            "pieces",
            format!(
                "the report names the pieces {numbers} of {bytes} bytes of {}, which has {}",
                blob.digest,
                counted(count, "such piece")
            ),
        )
        .expected("pieces of the content that is lost, counted from 1")
        .remedy("have the site write the report anew: `airlock scrub --report FILE`"));
    }
    Ok(())
}

/// Returns the chunks that hold bytes that are lost. What is left of an encoded blob tells nothing of its travel form.
fn chunks_of(head: &Head, index: &Index, lost: &BTreeMap<Digest, Lost>) -> ChunkRanges {
    let payload = index.payload(head);
    let numbered = (1..).zip(payload.cut());
    let holding = numbered.filter(|(_, span)| {
        let blobs = payload.blobs.get(payload.numbers_in(*span)).unwrap_or_default();
        blobs.iter().any(|blob| match lost.get(&blob.digest) {
            Some(Lost::Pieces(bytes, numbers))
                if *bytes == head.chunk_bytes && payload.is_piece(*span) && !blob.is_encoded() =>
            {
                numbers.contains(piece(span.offset, *bytes))
            }
            Some(_) => true,
            None => false,
        })
    });
    ChunkRanges::of(holding.map(|(number, _)| number))
}

/// The number of the piece at an offset, counted from 1.
fn piece(offset: u64, bytes: u64) -> u64 {
    offset.checked_div(bytes).unwrap_or(0).saturating_add(1)
}

impl Mends {
    fn of(head: &Head, index: &Index, lost: &BTreeMap<Digest, Lost>) -> Self {
        let lost: BTreeSet<Digest> = lost.keys().copied().collect();
        let blobs: BTreeSet<Digest> = index.blobs().iter().map(|blob| blob.digest).collect();
        let needs: BTreeSet<Digest> = index.needs().iter().map(|need| need.digest).collect();
        let pages: BTreeSet<Digest> = head.index.iter().map(|page| Digest(page.sha256)).collect();
        let carried: BTreeSet<Digest> = lost.intersection(&blobs).copied().collect();
        let copied = index
            .blobs()
            .iter()
            .filter(|blob| carried.contains(&blob.digest) && index.bases(blob).iter().any(|base| !base.carried));
        Self {
            copied: copied.count() as u64,
            pages: lost.intersection(&pages).count() as u64,
            needed: lost.intersection(&needs).copied().collect(),
            unknown: lost
                .iter()
                .filter(|digest| !blobs.contains(digest) && !needs.contains(digest) && !pages.contains(digest))
                .copied()
                .collect(),
            blobs: carried,
        }
    }
}

impl Repair {
    /// Returns the head of the bundle: not verified.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the identity of the bundle.
    pub fn head_digest(&self) -> Hash {
        self.head_digest
    }

    /// Returns the chunks that go into it.
    pub fn chunks(&self) -> &ChunkRanges {
        &self.chunks
    }

    /// Returns every byte before its first chunk.
    pub fn prologue(&self) -> &[u8] {
        &self.prologue
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> u64 {
        let entries = self.numbered().map(|(_, chunk)| entry_bytes(u64::from(chunk.size)));
        let payload = entries.fold(END_BYTES as u64, u64::saturating_add);
        payload.saturating_add(self.prologue.len() as u64)
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, Chunk)> + Send {
        let place = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let chunks = &self.index.chunks;
        let numbers = self.chunks.numbers();
        numbers.filter_map(move |number| Some((number, *chunks.get(place(number))?)))
    }

    /// Writes chunks and end blocks to `out`, which stands behind the prologue; each is compared with its hash. `progress` is told how far
    /// the bundle was read, `told` makes errors of those of `out`.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; those of `told`.
    pub fn write_payload(
        &mut self,
        out: &mut dyn Write,
        told: &dyn Fn(io::Error) -> Error,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        copy_chosen(
            &mut self.source,
            self.chunks.numbers(),
            (&self.index.chunks, self.head.chunk_bytes),
            (out, told),
            progress,
        )
        .map_err(|error| error.at(Step::X11))
    }

    /// Reads the file back: the bytes before the payload, every header, and the hash of every chunk. `progress` is told the bytes read so far.
    ///
    /// # Errors
    ///
    /// `E-IO read-back` when the medium gives other bytes than were written; `E-IO` when it cannot be read.
    pub fn read_back(&self, input: Box<dyn Input>, progress: &mut dyn FnMut(u64)) -> Result<()> {
        read_back(
            &BUNDLE,
            &self.prologue,
            self.numbered(),
            self.head.chunk_bytes,
            input,
            progress,
        )
    }
}

impl VerifiedBundle {
    /// Returns the chunks that a repair file holds; nothing for what is none.
    pub fn repair(&self) -> Option<&ChunkRanges> {
        self.source.repair()
    }

    /// Of blobs that are lost, returns those that this file can make again: every chunk of each is at hand, or of one that travels as it is the
    /// piece that it holds is left (`is_left`: by digest, bytes of a piece and its number), and every layer of the bundle that it is copied
    /// from is whole or made again.
    pub fn mendable(
        &self,
        lost: &dyn Fn(&Digest) -> bool,
        is_left: &dyn Fn(&Digest, u64, u64) -> bool,
    ) -> BTreeSet<Digest> {
        let payload = self.index.payload(&self.head);
        let mut missing = BTreeSet::new();
        for (number, span) in (1..).zip(payload.cut()) {
            if !self.source.holds(number) {
                let blobs = payload.blobs.get(payload.numbers_in(span)).unwrap_or_default();
                let bytes = self.head.chunk_bytes;
                let is_left = |blob: &Blob| {
                    let is_piece = payload.is_piece(span) && !blob.is_encoded();
                    is_piece && is_left(&blob.digest, bytes, piece(span.offset, bytes))
                };
                missing.extend(blobs.iter().filter(|blob| !is_left(blob)).map(|blob| blob.digest));
            }
        }
        let mut made = BTreeSet::new();
        // What is copied from stands before what is copied from it.
        for blob in self.index.blobs().iter().filter(|blob| lost(&blob.digest)) {
            let is_there = |digest: &Digest| !lost(digest) || made.contains(digest);
            let bases = self.index.bases(blob);
            if !missing.contains(&blob.digest) && bases.iter().all(|base| !base.carried || is_there(&base.digest)) {
                made.insert(blob.digest);
            }
        }
        made
    }

    /// Compares every byte of a repair file with what was signed, and makes nothing of it: the rest is elsewhere. `progress` is told the
    /// bytes read so far.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; `E-FORMAT` at X12; `E-INTERNAL` for what is no repair file.
    pub fn check_repair(self, mut progress: impl FnMut(u64)) -> Result<()> {
        let Self {
            mut source,
            head,
            index,
            ..
        } = self;
        let Some(chunks) = source.repair().cloned() else {
            return Err(Error::new(Class::Internal, "repair", "this is no repair file"));
        };
        let numbered = (1..).zip(index.chunks.iter().copied());
        let held: Vec<(u64, Chunk)> = numbered.filter(|(number, _)| chunks.contains(*number)).collect();
        compare_stored(&mut source, held.into_iter(), head.chunk_bytes, &mut progress)
            .map_err(|error| error.at(Step::X11))?;
        source.end().map_err(|error| error.at(Step::X12))
    }
}

//! Reads chosen blobs of a payload: chunks that hold none of them are passed over, neither hashed nor decoded.
//!
//! Each chunk that is read is compared and decoded as in a whole reading, so what is handed over is as good. Of a chunk that a repair file does
//! not hold, whoever takes the blob may have the plain bytes: they are hashed as if they had come. The file is read to its end:
//! one that ends too early, or goes on behind it, is not the one that was signed.

use super::chunk::Chunk;
use super::cut::{ChunkSpan, Payload, PayloadBlob, out_of_place};
use super::decode::{decode, pass_over};
use super::hash_chain::{HashChain, HashLink};
use super::kind::Kind;
use super::large::{Large, Progress};
use super::pump::{StoredChunk, beside_restoring, compare_hash, in_flight, pump, read_chunk, reading_workers};
use super::signed_digest::{check_digest, digest_of};
use super::sink::{DecodedChunk, no_encoding};
use super::source::Source;
use crate::domain::{Codec, Hash, Result};
use crate::stream::BufferPool;

/// Takes chosen blobs in payload order. Every method may fail with any error; it ends the reading.
pub trait ChosenSink<B> {
    /// A blob that lies in one chunk or in none: its digest was compared.
    fn blob(&mut self, blob: &B, bytes: &[u8]) -> Result<()>;

    /// A blob larger than a chunk begins.
    fn begin(&mut self, blob: &B) -> Result<()>;

    /// The next piece of the blob that began, `offset` bytes behind its start: not verified yet.
    fn piece(&mut self, blob: &B, offset: u64, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete and its digest was compared. `midstates` are the states of its SHA-256 at the ends of its chunks
    /// but the last.
    fn end(&mut self, blob: &B, midstates: Vec<Hash>) -> Result<()>;

    /// As [`PayloadSink::begin_travel`](super::sink::PayloadSink::begin_travel).
    fn begin_travel(&mut self, _blob: &B) -> Result<()> {
        Err(no_encoding())
    }

    /// As [`PayloadSink::travel`](super::sink::PayloadSink::travel).
    fn travel(&mut self, _blob: &B, _bytes: &[u8]) -> Result<()> {
        Err(no_encoding())
    }

    /// As [`PayloadSink::end_travel`](super::sink::PayloadSink::end_travel).
    fn end_travel(&mut self, _blob: &B) -> Result<()> {
        Err(no_encoding())
    }

    /// Everything chosen of a chunk was handed over. `position` is where the file stands behind it.
    fn chunk_done(&mut self, position: u64) -> Result<()>;
}

/// Fills a buffer with bytes of a chosen blob, so far behind its start, where it has them; says whether it did.
pub type Beside<'a, B> = &'a (dyn Fn(&B, u64, &mut [u8]) -> Result<bool> + Sync);

/// A chunk that is to be read.
struct Chosen {
    number: u64,
    chunk: Chunk,
    span: ChunkSpan,
}

/// Reads the chosen blobs of a payload, at whose first header the source stands.
///
/// # Errors
///
/// `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO`; those of the sink.
pub(crate) fn read_chosen<B: PayloadBlob>(
    source: &mut Source,
    payload: Payload<'_, B>,
    chunks: &[Chunk],
    is_chosen: &(dyn Fn(&B) -> bool + Sync),
    beside: Beside<'_, B>,
    sink: &mut dyn ChosenSink<B>,
) -> Result<()> {
    let kind = source.kind();
    let empty = payload.blobs.iter().filter(|blob| blob.travel_size() == 0);
    for blob in empty.filter(|blob| is_chosen(blob)) {
        check_digest(kind, blob.digest(), digest_of(b""))?;
        sink.blob(blob, b"")?;
    }
    let chosen = choose(payload, chunks, is_chosen);
    let restores = payload.blobs.iter().any(|blob| blob.is_encoded() && is_chosen(blob));
    let pool = BufferPool::new(usize::try_from(payload.chunk_bytes).unwrap_or(usize::MAX));
    let mut left = chosen.into_iter();
    // So many chunks lie behind where the source stands.
    let mut behind = 0_u64;
    let mut hashes = HashChain::new(payload, None);
    let nouns = source.nouns();
    let mut collector = Collector {
        kind,
        payload,
        is_chosen,
        large: None,
        sink,
    };
    pump(
        reading_workers(),
        if restores {
            beside_restoring(&payload)
        } else {
            in_flight(reading_workers())
        },
        || {
            let Chosen { number, chunk, span } = left.next()?;
            let link = hashes.link(span);
            if !source.holds(number) && payload.is_piece(span) && link.is_some() {
                match held(payload, &pool, (number, chunk, span), beside, source.position()) {
                    Ok(None) => {}
                    Ok(Some(held)) => return Some(Ok((true, held.with(link)))),
                    Err(error) => return Some(Err(error)),
                }
            }
            let passed = pass_to(source, chunks, behind, number);
            behind = number;
            Some(passed.and_then(|()| {
                let stored = read_chunk(source, &pool, number, chunk, (span, link))?;
                Ok((false, stored))
            }))
        },
        || {
            let mut decoder = None;
            let (pool, nouns) = (pool.clone(), nouns.clone());
            move |(is_held, stored): (bool, StoredChunk<(ChunkSpan, Option<HashLink>)>)| {
                // What is held is proved by the hash of its blob.
                if !is_held {
                    compare_hash(&nouns, &stored)?;
                }
                decode(kind, payload, &pool, &mut decoder, stored)
            }
        },
        |decoded: DecodedChunk| collector.chunk(&decoded),
    )?;
    pass_to(source, chunks, behind, (chunks.len() as u64).saturating_add(1))
}

/// Makes a chunk of plain bytes that lie beside the file.
fn held<B: PayloadBlob>(
    payload: Payload<'_, B>,
    pool: &BufferPool,
    (number, chunk, span): (u64, Chunk, ChunkSpan),
    beside: Beside<'_, B>,
    position: u64,
) -> Result<Option<StoredChunk<ChunkSpan>>> {
    let Some(blob) = payload.blobs.get(span.blob) else {
        return Ok(None);
    };
    let mut bytes = pool.take(usize::try_from(span.plain).unwrap_or(usize::MAX));
    let is_there = beside(blob, span.offset, bytes.bytes_mut())?;
    Ok(is_there.then_some(StoredChunk {
        number,
        chunk: Chunk {
            codec: Codec::None,
            ..chunk
        },
        span,
        bytes,
        position,
    }))
}

/// Passes over the chunks between the last one that was read and the next; what lies in volumes that are not at hand is not missed.
pub(super) fn pass_to(source: &mut Source, chunks: &[Chunk], behind: u64, next: u64) -> Result<()> {
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let between = chunks.get(place(behind)..place(next.saturating_sub(1)));
    let first = behind.saturating_add(1);
    pass_over(source, (first, between.unwrap_or_default()), &mut |_| ()).map(drop)
}

/// Returns the chunks to read.
fn choose<B: PayloadBlob>(payload: Payload<'_, B>, chunks: &[Chunk], is_chosen: &dyn Fn(&B) -> bool) -> Vec<Chosen> {
    let mut chosen = Vec::new();
    for ((number, chunk), span) in (1..).zip(chunks).zip(payload.cut()) {
        let blobs = payload.blobs.get(payload.numbers_in(span)).unwrap_or_default();
        if blobs.iter().any(is_chosen) {
            chosen.push(Chosen {
                number,
                chunk: *chunk,
                span,
            });
        }
    }
    chosen
}

/// Cuts decoded chunks into chosen blobs.
struct Collector<'a, 's, B> {
    kind: &'static Kind,
    payload: Payload<'a, B>,
    is_chosen: &'a (dyn Fn(&B) -> bool + Sync),
    large: Option<Large<B>>,
    sink: &'s mut dyn ChosenSink<B>,
}

impl<B: PayloadBlob> Collector<'_, '_, B> {
    fn chunk(&mut self, decoded: &DecodedChunk) -> Result<()> {
        let span = decoded.span;
        match self.payload.blobs.get(span.blob).copied() {
            Some(blob) if self.payload.is_piece(span) => self.piece(blob, decoded)?,
            _ => {
                for (blob, bytes) in self.payload.blobs_in(span, &decoded.plain) {
                    if !(self.is_chosen)(&blob) {
                        continue;
                    }
                    if blob.is_encoded() {
                        self.sink.begin_travel(&blob)?;
                        self.sink.travel(&blob, bytes)?;
                        self.sink.end_travel(&blob)?;
                    } else {
                        self.sink.blob(&blob, bytes)?;
                    }
                }
            }
        }
        self.sink.chunk_done(decoded.position)
    }

    fn piece(&mut self, blob: B, decoded: &DecodedChunk) -> Result<()> {
        let span = decoded.span;
        if blob.is_encoded() {
            if span.offset == 0 {
                self.sink.begin_travel(&blob)?;
            }
            self.sink.travel(&blob, &decoded.plain)?;
            if span.offset.saturating_add(span.plain) == blob.travel_size() {
                self.sink.end_travel(&blob)?;
            }
            return Ok(());
        }
        if span.offset == 0 {
            self.sink.begin(&blob)?;
            self.large = Some(Large::new(blob));
        }
        let (large, hash) = self.large.take().zip(decoded.hash).ok_or_else(out_of_place)?;
        let progress = large.piece(span, hash, self.kind)?;
        self.sink.piece(&blob, span.offset, &decoded.plain)?;
        match progress {
            Progress::GoesOn(large, _) => {
                self.large = Some(large);
                Ok(())
            }
            Progress::Whole(midstates) => self.sink.end(&blob, midstates),
        }
    }
}

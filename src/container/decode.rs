//! Reads a payload: every chunk compared, decoded and cut into blobs, over all cores, in order.
//!
//! One thread reads, workers compare stored hashes and decode, one thread hashes blobs that span chunks, and the caller's thread
//! hands verified content to a [`PayloadSink`] in payload order. Memory is a few chunks, whatever the file holds.

use std::sync::Arc;
use std::thread;

use sha2::{Digest as _, Sha256};

use super::blob_hasher::{BlobHasher, digest_of};
use super::chunk::Chunk;
use super::collect::Collector;
use super::cut::{ChunkSpan, Payload, PayloadBlob};
use super::entry::entry_bytes;
use super::frame::Decoder;
use super::kind::Kind;
use super::pump::{StoredChunk, pump_stored};
use super::source::Source;
use crate::domain::{Class, Codec, Digest, Error, Hash, Result};
use crate::stream::{BufferPool, PooledBuffer};

/// Takes the blobs of a payload in order. Those that lie in one chunk arrive verified; one that is larger arrives in pieces and
/// is verified only when [`PayloadSink::end`] is called.
///
/// Every method may fail with any error; it ends the reading.
pub(crate) trait PayloadSink<B> {
    /// How many chunks an earlier try has done, so that they need not be read again.
    fn chunks_done(&self) -> u64;

    /// The bytes of the file that an earlier try had read and that were passed over now.
    fn resumed(&mut self, bytes: u64);

    /// Every blob before this one was handed over or passed over. Told before each blob and each piece, and at the end.
    fn reached(&mut self, blob: usize) -> Result<()>;

    /// A blob that an earlier try has stored is passed over.
    fn recall(&mut self, blob: &B) -> Result<()>;

    /// The large blob in which the earlier try ended goes on: its first `length` bytes are to be handed to `take`.
    fn go_on(&mut self, blob: &B, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// A blob that lies in one chunk or in none: its digest was compared.
    fn blob(&mut self, blob: &B, bytes: &[u8]) -> Result<()>;

    /// A blob larger than a chunk begins.
    fn begin(&mut self, blob: &B) -> Result<()>;

    /// The next piece of the blob that began: not verified yet.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete and its digest was compared. `pieces` are the hashes of its chunks.
    fn end(&mut self, blob: &B, pieces: &[Hash]) -> Result<()>;

    /// Every blob and piece of the first `chunks` chunks was handed over: the place to go on from after a stop.
    fn chunk_done(&mut self, chunks: u64, bytes_read: u64) -> Result<()>;
}

/// A chunk whose bytes were compared and decoded.
pub(super) struct DecodedChunk {
    /// Its number, from 1.
    pub(super) number: u64,
    /// What lies in it.
    pub(super) span: ChunkSpan,
    /// Its plain bytes.
    pub(super) plain: Arc<PooledBuffer>,
    /// Hash of the plain bytes, for a piece of a large blob.
    pub(super) piece: Option<Hash>,
    /// Bytes of the file up to its end.
    pub(super) position: u64,
}

/// Reads the chunks of a payload, at whose first header the source stands, and hands their blobs over.
///
/// # Errors
///
/// `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO`; those of the sink.
pub(crate) fn read_payload<B: PayloadBlob>(
    source: &mut Source,
    payload: Payload<'_, B>,
    chunks: &[Chunk],
    sink: &mut dyn PayloadSink<B>,
) -> Result<()> {
    let kind = source.kind();
    let pool = BufferPool::new(usize::try_from(payload.chunk_bytes).unwrap_or(usize::MAX));
    let done = sink.chunks_done().min(chunks.len() as u64);
    let (passed, left) = chunks
        .split_at_checked(usize::try_from(done).unwrap_or(usize::MAX))
        .unwrap_or((chunks, &[]));
    let skipped = passed
        .iter()
        .map(|chunk| entry_bytes(u64::from(chunk.size)))
        .fold(0, u64::saturating_add);
    source.skip(skipped, Class::Incomplete)?;
    sink.resumed(skipped);
    let spans = payload.cut().skip(passed.len());
    let numbered = (done.saturating_add(1)..)
        .zip(left)
        .zip(spans)
        .map(|((number, chunk), span)| (number, *chunk, span));
    thread::scope(|scope| {
        let mut collector = Collector::new(kind, payload, BlobHasher::start(scope), sink);
        collector.catch_up(done)?;
        pump_stored(
            source,
            &pool,
            numbered,
            || {
                let mut decoder = None;
                let pool = pool.clone();
                move |stored| decode(kind, payload, &pool, &mut decoder, stored)
            },
            |decoded: DecodedChunk| collector.chunk(decoded),
        )?;
        collector.finish()
    })
}

fn decode<B: PayloadBlob>(
    kind: &'static Kind,
    payload: Payload<'_, B>,
    pool: &BufferPool,
    decoder: &mut Option<Decoder>,
    stored: StoredChunk<ChunkSpan>,
) -> Result<DecodedChunk> {
    let StoredChunk {
        number,
        chunk,
        span,
        bytes,
        position,
    } = stored;
    let plain = match chunk.codec {
        Codec::None => bytes,
        Codec::Zstd => {
            let mut plain = pool.take(usize::try_from(span.plain).unwrap_or(usize::MAX));
            let decoder = match decoder {
                Some(decoder) => decoder,
                none => none.insert(Decoder::new(kind)?),
            };
            decoder.decode(&bytes, plain.bytes_mut())?;
            plain
        }
    };
    let piece = if payload.is_piece(span) {
        Some(match chunk.codec {
            Codec::None => chunk.sha256,
            Codec::Zstd => Hash(Sha256::digest(&*plain).into()),
        })
    } else {
        for (blob, bytes) in payload.blobs_in(span, &plain) {
            check_digest(kind, blob.digest(), digest_of(bytes))?;
        }
        None
    };
    Ok(DecodedChunk {
        number,
        span,
        plain: Arc::new(plain),
        piece,
        position,
    })
}

/// Compares the digest of content with the one that was signed.
///
/// # Errors
///
/// `E-INTEGRITY content-digest`.
pub(crate) fn check_digest(kind: &Kind, signed: Digest, found: Digest) -> Result<()> {
    if found == signed {
        return Ok(());
    }
    Err(Error::new(
        Class::Integrity,
        "content-digest",
        format!("content signed as {signed} is {found}"),
    )
    .remedy(format!(
        "tell {}: the {} was built wrong, although its signature is good",
        kind.maker, kind.noun
    )))
}

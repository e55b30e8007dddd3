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
use super::signed_digest::check_digest;
use super::sink::{DecodedChunk, PayloadSink};
use super::source::Source;
use crate::domain::{Class, Codec, Hash, Result};
use crate::stream::BufferPool;

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

/// Decodes a chunk whose hash was compared, and compares the digests of the whole blobs in it.
///
/// # Errors
///
/// `E-FORMAT`, `E-LIMIT` and `E-INTEGRITY`.
pub(super) fn decode<B: PayloadBlob>(
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

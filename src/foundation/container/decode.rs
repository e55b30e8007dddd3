//! Reads a payload: every chunk compared, decoded, stored and cut into blobs, over all cores; and told of in order.
//!
//! Who does what on which thread stands in the room's own page ([`super`]). Memory is a few chunks, whatever the file holds.

use std::sync::Arc;

use super::chunk::Chunk;
use super::collect::Collector;
use super::cut::{ChunkSpan, Payload, PayloadBlob};
use super::entry::entry_bytes;
use super::frame::Decoder;
use super::hash_chain::{HashChain, HashLink};
use super::kind::Kind;
use super::pump::{StoredChunk, beside_restoring, in_flight, pump_stored, reading_workers, writing_workers};
use super::signed_digest::{check_digest, digest_of};
use super::sink::{ContentStore, DecodedChunk, PayloadSink};
use super::source::Source;
use crate::domain::{Class, Codec, Result};
use crate::stream::BufferPool;

/// Bytes of the file that are passed over at once.
const STEP: u64 = 64 << 20;

/// Reads the chunks of a payload, at whose first header the source stands, and hands their blobs over.
///
/// # Errors
///
/// `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO`; those of the sink and of its store.
pub(crate) fn read_payload<B: PayloadBlob>(
    source: &mut Source,
    payload: Payload<'_, B>,
    chunks: &[Chunk],
    sink: &mut dyn PayloadSink<B>,
) -> Result<()> {
    let kind = source.kind();
    source.is_kept(sink.kept());
    let pool = BufferPool::apart(usize::try_from(payload.chunk_bytes).unwrap_or(usize::MAX));
    let done = sink.chunks_done().min(chunks.len() as u64);
    let (passed, left) = chunks
        .split_at_checked(usize::try_from(done).unwrap_or(usize::MAX))
        .unwrap_or((chunks, &[]));
    let skipped = pass_over(source, (1, passed), &mut |position| sink.passed_over(position))?;
    sink.resumed(skipped);
    let store = sink.content_store();
    let workers = if store.is_some() {
        writing_workers()
    } else {
        reading_workers()
    };
    let mut collector = Collector::new(kind, payload, store.clone(), sink);
    let mut hashes = HashChain::new(payload, collector.catch_up(done)?);
    let mut numbered = (done.saturating_add(1)..)
        .zip(left)
        .zip(payload.cut().skip(passed.len()))
        .map(|((number, chunk), span)| (number, *chunk, (span, hashes.link(span))));
    let start_worker = || {
        let mut decoder = None;
        let (pool, store) = (pool.clone(), store.clone());
        move |stored| {
            let decoded = decode(kind, payload, &pool, &mut decoder, stored)?;
            if let Some(store) = &store {
                keep(store, payload, &decoded)?;
            }
            Ok(decoded)
        }
    };
    // Two runs: no worker may store a layer before the early blobs are in and were judged.
    let early = payload.early_chunks().saturating_sub(passed.len());
    pump_stored(
        workers,
        in_flight(workers),
        source,
        &pool,
        numbered.by_ref().take(early),
        start_worker,
        |decoded: DecodedChunk| collector.chunk(decoded),
    )?;
    collector.pass_early()?;
    // Then one for each stretch with encoded blobs or without: beside a restoring fewer chunks are under way.
    let beside = beside_restoring(&payload);
    let mut left = numbered.peekable();
    while let Some((_, _, (span, _))) = left.peek() {
        let encoded = payload.has_encoded(*span);
        if encoded {
            // What more chunks took than go by from here on is room for what makes the blob.
            pool.keep(beside);
        }
        let stretch = std::iter::from_fn(|| left.next_if(|(_, _, (span, _))| payload.has_encoded(*span) == encoded));
        pump_stored(
            workers,
            if encoded { beside } else { in_flight(workers) },
            source,
            &pool,
            stretch,
            start_worker,
            |decoded: DecodedChunk| collector.chunk(decoded),
        )?;
    }
    collector.finish()
}

/// Passes over chunks from the first on, step by step; returns their bytes in the file.
pub(super) fn pass_over(
    source: &mut Source,
    (first, chunks): (u64, &[Chunk]),
    told: &mut dyn FnMut(u64),
) -> Result<u64> {
    let (mut all, mut step) = (0_u64, 0_u64);
    for (number, chunk) in (first..).zip(chunks) {
        // What an earlier try read of volumes that are not at hand now is not missed.
        if !source.holds(number) {
            continue;
        }
        if source.begins_volume(number) {
            source.skip(step, Class::Incomplete)?;
            step = 0;
            source.begin_chunk(number)?;
        }
        let bytes = entry_bytes(u64::from(chunk.size));
        (all, step) = (all.saturating_add(bytes), step.saturating_add(bytes));
        if step >= STEP {
            source.skip(step, Class::Incomplete)?;
            step = 0;
            told(source.position());
        }
    }
    source.skip(step, Class::Incomplete)?;
    Ok(all)
}

/// Decodes a chunk whose hash was compared, and compares the digests of the whole blobs in it; a piece of a larger one is hashed behind those
/// before it.
///
/// # Errors
///
/// `E-FORMAT`, `E-LIMIT` and `E-INTEGRITY`.
pub(super) fn decode<B: PayloadBlob>(
    kind: &'static Kind,
    payload: Payload<'_, B>,
    pool: &BufferPool,
    decoder: &mut Option<Decoder>,
    stored: StoredChunk<(ChunkSpan, Option<HashLink>)>,
) -> Result<DecodedChunk> {
    let StoredChunk {
        number,
        chunk,
        span: (span, link),
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
    if !payload.is_piece(span) {
        // What an encoded one is, nobody knows before it is made.
        for (blob, bytes) in payload.blobs_in(span, &plain).filter(|(blob, _)| !blob.is_encoded()) {
            check_digest(kind, blob.digest(), digest_of(bytes))?;
        }
    }
    let hash = link.map(|link| link.pass(&plain)).transpose()?;
    Ok(DecodedChunk {
        number,
        span,
        plain,
        hash,
        position,
    })
}

/// Stores what a chunk holds.
fn keep<B: PayloadBlob>(
    store: &Arc<dyn ContentStore<B>>,
    payload: Payload<'_, B>,
    decoded: &DecodedChunk,
) -> Result<()> {
    let span = decoded.span;
    if payload.is_encoded_piece(span) {
        return Ok(());
    }
    match payload.blobs.get(span.blob) {
        Some(blob) if payload.is_piece(span) => store.piece(blob, span.offset, &decoded.plain),
        _ => payload
            .blobs_in(span, &decoded.plain)
            .filter(|(blob, _)| !blob.is_encoded())
            .try_for_each(|(blob, bytes)| store.blob(&blob, bytes)),
    }
}

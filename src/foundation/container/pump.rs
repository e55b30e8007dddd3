//! The one pump that everything made of chunks runs through, in both directions: over all cores, in order, in bounded memory.

use sha2::{Digest as _, Sha256};

use super::chunk::{Chunk, codec_word};
use super::cut::Payload;
use super::entry::chunk_name;
use super::source::{Nouns, Source};
use crate::domain::{Class, Error, Hash, Result};
use crate::stream::{BufferPool, PooledBuffer, ordered_map, worker_count};

/// A stored chunk on its way.
pub(super) struct StoredChunk<S> {
    /// Its number, from 1.
    pub(super) number: u64,
    /// What the index says of it.
    pub(super) chunk: Chunk,
    /// What the caller knows of it.
    pub(super) span: S,
    /// Its stored bytes.
    pub(super) bytes: PooledBuffer,
    /// Bytes of the file up to its end, padding included.
    pub(super) position: u64,
}

impl<S> StoredChunk<S> {
    /// Adds to what the caller knows of it.
    pub(super) fn with<T>(self, more: T) -> StoredChunk<(S, T)> {
        StoredChunk {
            number: self.number,
            chunk: self.chunk,
            span: (self.span, more),
            bytes: self.bytes,
            position: self.position,
        }
    }
}

/// Returns how many workers use all cores where none waits for long: while one reads, another has what it read before.
pub(super) fn reading_workers() -> usize {
    worker_count().max(2)
}

/// Returns how many workers use all cores where one of them waits for a disk: a source may be slow, and past the page cache a write lasts as long as the disk takes. Twice
/// as many as cores would hold a third more memory, and gain little.
pub(super) fn writing_workers() -> usize {
    let cores = worker_count();
    cores.saturating_add(cores.div_ceil(2))
}

/// Returns how many jobs are under way at once.
pub(super) fn in_flight(workers: usize) -> usize {
    workers.saturating_add(3)
}

/// Returns how many chunks are under way while an encoded blob is made: what makes it holds more than they do, and is slower than they are read.
/// While it takes one apart the next is read and compared, unless blobs are made of parts of others too: what is read of these has room of its
/// own, and ten times as much is made of a chunk.
pub(super) fn beside_restoring<B>(payload: &Payload<'_, B>) -> usize {
    if payload.copies { 1 } else { 2 }
}

/// Produces by turns and works on `workers` threads, and consumes in order on the caller's thread. At most `in_flight` jobs are under way at
/// once.
///
/// # Errors
///
/// The first one in the order of the jobs, whichever of the three it came from; nothing is produced behind it.
pub(super) fn pump<Job, Out, Work>(
    workers: usize,
    in_flight: usize,
    mut produce: impl FnMut() -> Option<Result<Job>> + Send,
    start_worker: impl Fn() -> Work + Sync,
    mut consume: impl FnMut(Out) -> Result<()>,
) -> Result<()>
where
    Job: Send,
    Out: Send,
    Work: FnMut(Job) -> Result<Out>,
{
    let mut failed = false;
    ordered_map(
        workers,
        in_flight,
        || {
            if failed {
                return None;
            }
            let job = produce()?;
            failed = job.is_err();
            Some(job)
        },
        || {
            let mut work = start_worker();
            move |job: Result<Job>| work(job?)
        },
        |out: Result<Out>| consume(out?),
    )
}

/// Reads stored chunks, compares each with its hash, and only then has it worked on.
///
/// # Errors
///
/// `E-INTEGRITY stored-hash`; `E-FORMAT`, `E-INCOMPLETE` and `E-IO` of the source; those of worker and consumer.
pub(super) fn pump_stored<S, Out, Work>(
    workers: usize,
    in_flight: usize,
    source: &mut Source,
    pool: &BufferPool,
    mut chunks: impl Iterator<Item = (u64, Chunk, S)> + Send,
    start_worker: impl Fn() -> Work + Sync,
    consume: impl FnMut(Out) -> Result<()>,
) -> Result<()>
where
    S: Send,
    Out: Send,
    Work: FnMut(StoredChunk<S>) -> Result<Out>,
{
    let nouns = source.nouns();
    pump(
        workers,
        in_flight,
        || {
            let (number, chunk, span) = chunks.next()?;
            Some(read_chunk(source, pool, number, chunk, span))
        },
        || {
            let (mut work, nouns) = (start_worker(), nouns.clone());
            move |stored: StoredChunk<S>| {
                compare_hash(&nouns, &stored)?;
                work(stored)
            }
        },
        consume,
    )
}

/// Reads a stored chunk, at whose header the source stands; in a set, it may be the first of the next volume.
///
/// # Errors
///
/// `E-FORMAT`, `E-INCOMPLETE` and `E-IO`.
pub(super) fn read_chunk<S>(
    source: &mut Source,
    pool: &BufferPool,
    number: u64,
    chunk: Chunk,
    span: S,
) -> Result<StoredChunk<S>> {
    source.begin_chunk(number)?;
    source.header(&chunk_name(number), u64::from(chunk.size))?;
    // The index reader made sure that no stored size is above its plain size, and that is at most chunk_bytes.
    let mut bytes = pool.take(usize::try_from(chunk.size).unwrap_or(usize::MAX));
    source.fill(bytes.bytes_mut(), Class::Incomplete)?;
    source.padding(u64::from(chunk.size), Class::Incomplete)?;
    Ok(StoredChunk {
        number,
        chunk,
        span,
        bytes,
        position: source.position(),
    })
}

/// Compares a stored chunk with its signed hash.
///
/// # Errors
///
/// `E-INTEGRITY stored-hash`.
pub(super) fn compare_hash<S>(nouns: &Nouns, stored: &StoredChunk<S>) -> Result<()> {
    let StoredChunk {
        number, chunk, bytes, ..
    } = stored;
    if Hash(Sha256::digest(&**bytes).into()) == chunk.sha256 {
        return Ok(());
    }
    Err(Error::new(
        Class::Integrity,
        "stored-hash",
        format!(
            "chunk {number} ({}) is not the one that was signed",
            codec_word(chunk.codec)
        ),
    )
    .expected(chunk.sha256.to_string())
    .remedy(format!(
        "copy the {} again: the medium or the copy is damaged",
        nouns.of(*number)
    )))
}

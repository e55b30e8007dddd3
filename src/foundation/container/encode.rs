//! Writes a payload: blobs cut into chunks, compressed over all cores, the same bytes on any number of them.
//!
//! Every source byte is read once and every byte of the file written once. A blob's digest is checked while it is read; one that
//! is wrong ends the writing.

use std::io::Write;
use std::path::PathBuf;

use super::blob_reader::{BlobReader, OpenBlob, check_empty_blobs};
use super::chunk::Chunk;
use super::cut::{Payload, PayloadBlob};
use super::entry::{BLOCK, END_BYTES, chunk_name, entry_bytes, header, padding};
use super::frame::Encoder;
use super::kind::Kind;
use super::pump::{in_flight, pump, writing_workers};
use crate::domain::{Codec, Error, Result};
use crate::stream::{BufferPool, PooledBuffer};

/// Where chunks go: one file, or one volume behind the other.
pub(crate) trait ChunksOut {
    /// A chunk comes whose entry has so many bytes: whoever writes volumes may begin the next one before it.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn begin_chunk(&mut self, entry: u64) -> Result<()>;

    /// Returns what takes the bytes.
    fn out(&mut self) -> &mut dyn Write;
}

/// A payload in one piece.
pub(crate) struct OneFile<'a>(pub(crate) &'a mut dyn Write);

impl ChunksOut for OneFile<'_> {
    fn begin_chunk(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn out(&mut self) -> &mut dyn Write {
        self.0
    }
}

/// A chunk on its way to the medium.
struct EncodedChunk {
    chunk: Chunk,
    bytes: PooledBuffer,
    plain: u64,
}

/// Writes every chunk and the end blocks to `out`, which stands where the payload begins.
///
/// `progress` is told the plain bytes done so far.
///
/// # Errors
///
/// `E-INTEGRITY source` when a source does not hold what its descriptor says; `E-IO` and `E-SPACE` of both ends.
pub(crate) fn write_payload<B: PayloadBlob>(
    kind: &Kind,
    payload: Payload<'_, B>,
    level: i32,
    open_blob: &mut OpenBlob<'_, B>,
    out: &mut dyn ChunksOut,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<Chunk>> {
    let failed = |error| Error::io("write", &PathBuf::from(format!("the {}", kind.noun)), error);
    let pool = BufferPool::new(usize::try_from(payload.chunk_bytes).unwrap_or(usize::MAX));
    let mut chunks = Vec::new();
    let mut done: u64 = 0;
    let mut reader = BlobReader::new(payload, open_blob, pool.clone());
    let mut cut = payload.cut();
    pump(
        writing_workers(),
        in_flight(writing_workers()),
        || {
            let span = cut.next()?;
            let compress = !payload.is_encoded_piece(span);
            Some(reader.read(span).map(|plain| (plain, compress)))
        },
        || {
            let mut encoder = Encoder::new(level);
            let pool = pool.clone();
            move |(plain, compress): (PooledBuffer, bool)| {
                if !compress {
                    return Ok(as_it_is(plain));
                }
                let encoder = encoder
                    .as_mut()
                    .map_err(|error| Error::new(error.class(), error.code(), error.to_string()))?;
                Ok(encode(encoder, &pool, plain))
            }
        },
        |encoded: EncodedChunk| {
            chunks.push(encoded.chunk);
            out.begin_chunk(entry_bytes(u64::from(encoded.chunk.size)))?;
            write_chunk(out.out(), chunks.len() as u64, &encoded.bytes).map_err(failed)?;
            done = done.saturating_add(encoded.plain);
            progress(done);
            Ok(())
        },
    )?;
    check_empty_blobs(payload.blobs)?;
    out.out().write_all(&[0; END_BYTES]).map_err(failed)?;
    Ok(chunks)
}

fn as_it_is(bytes: PooledBuffer) -> EncodedChunk {
    EncodedChunk {
        chunk: Chunk::of(Codec::None, &bytes),
        plain: bytes.len() as u64,
        bytes,
    }
}

fn encode(encoder: &mut Encoder, pool: &BufferPool, plain: PooledBuffer) -> EncodedChunk {
    let mut stored = pool.take(0);
    let plain_bytes = plain.len() as u64;
    let (codec, bytes) = match encoder.encode(&plain, stored.spare()) {
        Some(length) => {
            stored.set_len(length);
            (Codec::Zstd, stored)
        }
        None => (Codec::None, plain),
    };
    EncodedChunk {
        chunk: Chunk::of(codec, &bytes),
        bytes,
        plain: plain_bytes,
    }
}

/// Makes stored chunks one by one, for a writer that must know each one's size before it goes on.
#[derive(Debug)]
pub(crate) struct ChunkEncoder(Encoder);

impl ChunkEncoder {
    /// Starts at a compression level.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when the library refuses the parameters.
    pub(crate) fn new(level: i32) -> Result<Self> {
        Encoder::new(level).map(Self)
    }

    /// Returns the chunk that plain bytes make, at most 16 MiB, and its stored bytes.
    pub(crate) fn encode(&mut self, plain: &[u8]) -> (Chunk, Vec<u8>) {
        let mut stored = vec![0; plain.len()];
        let codec = if let Some(length) = self.0.encode(plain, &mut stored) {
            stored.truncate(length);
            Codec::Zstd
        } else {
            stored.copy_from_slice(plain);
            Codec::None
        };
        (Chunk::of(codec, &stored), stored)
    }
}

/// Writes a chunk of a number, counted from 1: header, stored bytes, padding.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn write_chunk(out: &mut dyn Write, number: u64, bytes: &[u8]) -> std::io::Result<()> {
    let size = bytes.len() as u64;
    let zeros = [0_u8; BLOCK];
    let pad = zeros
        .get(..usize::try_from(padding(size)).unwrap_or(0))
        .unwrap_or_default();
    out.write_all(&header(&chunk_name(number), size))?;
    out.write_all(bytes)?;
    out.write_all(pad)
}

//! Compares a written file with what was meant to be written: every byte, without decoding anything.

use super::chunk::Chunk;
use super::kind::Kind;
use super::pump::{StoredChunk, in_flight, pump_stored, reading_workers};
use super::source::{Input, Source};
use crate::domain::{Class, Error, Result};
use crate::stream::BufferPool;

/// Reads a file back: the bytes before the payload, every header, and the hash of every stored chunk.
///
/// `progress` is told the bytes read so far.
///
/// # Errors
///
/// `E-IO read-back` when the medium gives other bytes than were written; `E-IO` when it cannot be read.
pub(crate) fn read_back(
    kind: &'static Kind,
    prologue: &[u8],
    chunks: &[Chunk],
    chunk_bytes: u64,
    input: Box<dyn Input>,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut source = Source::new(input, kind);
    compare(&mut source, prologue, chunks, chunk_bytes, progress).map_err(|error| match error.class() {
        Class::Io => error,
        _ => Error::new(
            Class::Io,
            "read-back",
            format!("the medium does not give back what was written: {error}"),
        )
        .remedy("use another medium; this one cannot be trusted")
        .with_source(error),
    })
}

fn compare(
    source: &mut Source,
    prologue: &[u8],
    chunks: &[Chunk],
    chunk_bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut block = vec![0; 1 << 16];
    for part in prologue.chunks(block.len()) {
        let read = block.get_mut(..part.len()).unwrap_or_default();
        source.fill(read, Class::Incomplete)?;
        if read != part {
            return Err(Error::new(
                Class::Integrity,
                "prologue",
                "the bytes before the payload differ",
            ));
        }
    }
    let pool = BufferPool::new(usize::try_from(chunk_bytes).unwrap_or(usize::MAX));
    pump_stored(
        reading_workers(),
        in_flight(reading_workers()),
        source,
        &pool,
        (1..).zip(chunks).map(|(number, chunk)| (number, *chunk, ())),
        || |stored: StoredChunk<()>| Ok(stored.position),
        |position| {
            progress(position);
            Ok(())
        },
    )?;
    source.end()
}

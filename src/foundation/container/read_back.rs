//! Compares a written file with what was meant to be written: every byte, without decoding anything.

use std::io::{self, Write};

use super::chosen::pass_to;
use super::chunk::Chunk;
use super::encode::write_chunk;
use super::entry::END_BYTES;
use super::kind::Kind;
use super::pump::{StoredChunk, compare_hash, in_flight, pump, pump_stored, read_chunk, reading_workers};
use super::source::{Input, Source};
use crate::domain::{Class, Error, Result};
use crate::stream::BufferPool;

/// Reads a file back: the bytes before the payload, every header, and the hash of every stored chunk, each with its number.
///
/// `progress` is told the bytes read so far.
///
/// # Errors
///
/// `E-IO read-back` when the medium gives other bytes than were written; `E-IO` when it cannot be read.
pub(crate) fn read_back(
    kind: &'static Kind,
    prologue: &[u8],
    numbered: impl Iterator<Item = (u64, Chunk)> + Send,
    chunk_bytes: u64,
    input: Box<dyn Input>,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut source = Source::new(input, kind);
    compare(&mut source, prologue, numbered, chunk_bytes, progress).map_err(|error| match error.class() {
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
    numbered: impl Iterator<Item = (u64, Chunk)> + Send,
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
    check_stored(source, numbered, chunk_bytes, progress)
}

/// Copies chosen chunks, each compared with its hash, as they stand, and the end of a file behind them; those between are passed over, and
/// what lies behind the last is not looked at. `numbers` ascend, `chunks` are all that there are.
///
/// # Errors
///
/// As [`copy_stored`].
pub(crate) fn copy_chosen(
    source: &mut Source,
    numbers: impl Iterator<Item = u64> + Send,
    (chunks, chunk_bytes): (&[Chunk], u64),
    (out, told): (&mut dyn Write, &dyn Fn(io::Error) -> Error),
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let pool = BufferPool::new(usize::try_from(chunk_bytes).unwrap_or(usize::MAX));
    let nouns = source.nouns();
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let chunk = |number: u64| chunks.get(place(number.checked_sub(1)?)).copied();
    let mut chosen = numbers.filter_map(|number| Some((number, chunk(number)?)));
    let mut behind = 0_u64;
    pump(
        reading_workers(),
        in_flight(reading_workers()),
        || {
            let (number, chunk) = chosen.next()?;
            let passed = pass_to(source, chunks, behind, number);
            behind = number;
            Some(passed.and_then(|()| read_chunk(source, &pool, number, chunk, ())))
        },
        || {
            let nouns = nouns.clone();
            move |stored: StoredChunk<()>| compare_hash(&nouns, &stored).map(|()| stored)
        },
        |stored: StoredChunk<()>| {
            write_chunk(out, stored.number, &stored.bytes).map_err(told)?;
            progress(stored.position);
            Ok(())
        },
    )?;
    out.write_all(&[0; END_BYTES]).map_err(told)
}

/// Copies stored chunks, each with its number and compared with its hash, as they stand, and the end of the file behind them.
///
/// # Errors
///
/// As [`check_stored`]; `E-IO` and `E-SPACE` of `out`, which `told` makes of its errors.
pub(crate) fn copy_stored(
    source: &mut Source,
    numbered: impl Iterator<Item = (u64, Chunk)> + Send,
    chunk_bytes: u64,
    (out, told): (&mut dyn Write, &dyn Fn(io::Error) -> Error),
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let pool = BufferPool::new(usize::try_from(chunk_bytes).unwrap_or(usize::MAX));
    pump_stored(
        reading_workers(),
        in_flight(reading_workers()),
        source,
        &pool,
        numbered.map(|(number, chunk)| (number, chunk, ())),
        || |stored: StoredChunk<()>| Ok(stored),
        |stored| {
            write_chunk(out, stored.number, &stored.bytes).map_err(told)?;
            progress(stored.position);
            Ok(())
        },
    )?;
    source.end()?;
    out.write_all(&[0; END_BYTES]).map_err(told)
}

/// As [`compare_stored`], and reads the file to its end.
///
/// # Errors
///
/// `E-INTEGRITY stored-hash`; `E-FORMAT`, `E-INCOMPLETE` and `E-IO` of the source.
pub(crate) fn check_stored(
    source: &mut Source,
    numbered: impl Iterator<Item = (u64, Chunk)> + Send,
    chunk_bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    compare_stored(source, numbered, chunk_bytes, progress)?;
    source.end()
}

/// Compares stored chunks with their hashes, each with its number; at the header of the first the source stands.
///
/// # Errors
///
/// `E-INTEGRITY stored-hash`; `E-FORMAT`, `E-INCOMPLETE` and `E-IO` of the source.
pub(crate) fn compare_stored(
    source: &mut Source,
    numbered: impl Iterator<Item = (u64, Chunk)> + Send,
    chunk_bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let pool = BufferPool::new(usize::try_from(chunk_bytes).unwrap_or(usize::MAX));
    pump_stored(
        reading_workers(),
        in_flight(reading_workers()),
        source,
        &pool,
        numbered.map(|(number, chunk)| (number, chunk, ())),
        || |stored: StoredChunk<()>| Ok(stored.position),
        |position| {
            progress(position);
            Ok(())
        },
    )
}

//! Compares a written bundle with what was meant to be written: every byte, without decoding anything.

use sha2::{Digest as _, Sha256};

use super::entry::{END_BYTES, chunk_name};
use super::reader::{Input, Source, expect_zero};
use super::writer::UnsignedBundle;
use crate::domain::{Class, Error, Hash, Result};
use crate::stream::{BufferPool, ordered_map, worker_count};

impl UnsignedBundle {
    /// Reads the bundle back: the bytes before the payload, every header, and the hash of every stored chunk.
    ///
    /// `progress` is told the bytes read so far.
    ///
    /// # Errors
    ///
    /// `E-IO read-back` when the medium gives other bytes than were written; `E-IO` when it cannot be read.
    pub fn read_back(&self, prologue: &[u8], input: Box<dyn Input>, mut progress: impl FnMut(u64)) -> Result<()> {
        self.compare(prologue, &mut Source::new(input), &mut progress)
            .map_err(|error| match error.class() {
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

    fn compare(&self, prologue: &[u8], source: &mut Source, progress: &mut dyn FnMut(u64)) -> Result<()> {
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
        let pool = BufferPool::new(usize::try_from(self.head().chunk_bytes).unwrap_or(usize::MAX));
        let workers = worker_count();
        let mut chunks = (1_u64..).zip(self.chunks());
        let mut failed = false;
        ordered_map(
            workers,
            workers.saturating_add(3),
            || {
                if failed {
                    return None;
                }
                let (number, chunk) = chunks.next()?;
                let read = (|| {
                    source.header(&chunk_name(number), u64::from(chunk.size))?;
                    let mut stored = pool.take(usize::try_from(chunk.size).unwrap_or(usize::MAX));
                    source.fill(stored.bytes_mut(), Class::Incomplete)?;
                    source.padding(u64::from(chunk.size), Class::Incomplete)?;
                    Ok((number, chunk.sha256, stored, source.position()))
                })();
                failed = read.is_err();
                Some(read)
            },
            || {
                |read: Result<(u64, Hash, _, u64)>| {
                    let (number, expected, stored, position) = read?;
                    let stored: crate::stream::PooledBuffer = stored;
                    if Hash(Sha256::digest(&*stored).into()) == expected {
                        Ok(position)
                    } else {
                        Err(Error::new(
                            Class::Integrity,
                            "stored-hash",
                            format!("chunk {number} differs"),
                        ))
                    }
                }
            },
            |position: Result<u64>| {
                progress(position?);
                Ok(())
            },
        )?;
        let mut end = [0; END_BYTES];
        source.fill(&mut end, Class::Incomplete)?;
        expect_zero(&end, "end")?;
        if source.at_end()? {
            Ok(())
        } else {
            Err(Error::new(Class::Format, "trailing-data", "something follows the end"))
        }
    }
}

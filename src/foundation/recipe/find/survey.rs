//! What a gzip file is made of: bytes as they are, streams, and the borders in them.

use std::io::Read;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::domain::{Digest, Hash};
use crate::inflate::{Block, Fault, Inflater, Member, Source, is_gzip};

/// Blocks of a file that is looked at; one with more is no layer.
const BLOCKS: usize = 4 << 20;

/// One part of a file.
#[derive(Debug)]
pub(super) enum Part {
    /// Bytes as they are.
    Raw(Range<u64>),
    /// A stream with some plain.
    Stream(Stream),
}

/// A deflate stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Its first byte in the file.
    pub(super) from: u64,
    pub(super) plain: u64,
    pub(super) bits: u64,
    /// Plain and bits before the end of each block; the last one is the stream's.
    pub(super) borders: Vec<(u64, u64)>,
    /// Symbols of the first block, unless it is the only one.
    pub(super) first_symbols: u64,
    /// Plain before the first block that has none, unless that is the last.
    pub(super) first_empty: Option<u64>,
}

/// A file.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) parts: Vec<Part>,
    pub(super) plain: u64,
    /// Digest of the plain.
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// What the first header says of the level: 2 the best, 4 the fastest.
    pub(super) extra_flags: u8,
}

impl Survey {
    pub(super) fn read<R: Read>(reader: R) -> Result<Option<Self>, Fault> {
        let (mut source, mut inflater) = (Source::new(reader), Inflater::new());
        let mut survey = Self {
            parts: Vec::new(),
            plain: 0,
            digest: Digest(Hash([0; 32])),
            size: 0,
            extra_flags: 0,
        };
        let (mut blocks, mut hash) = (0, Sha256::new());
        // Where bytes that are kept as they are begin.
        let mut raw = 0;
        while !source.at_end()? {
            let header = match Member::read(&mut source) {
                Ok(member) => member.header,
                // Whatever follows the members.
                Err(Fault::Damaged | Fault::Cut) if survey.plain > 0 => {
                    source.drain()?;
                    break;
                }
                Err(fault) => return Err(fault),
            };
            debug_assert!(is_gzip(&header), "a member was read");
            if survey.parts.is_empty() {
                survey.extra_flags = header[8];
            }
            let from = source.position() / 8;
            let stream = Self::stream(&mut source, &mut inflater, from, &mut blocks, &mut hash)?;
            let Some(stream) = stream else { return Ok(None) };
            if stream.plain > 0 {
                survey.plain += stream.plain;
                survey.parts.push(Part::Raw(raw..from));
                raw = from + stream.bits / 8;
                survey.parts.push(Part::Stream(stream));
            }
            Member::trailer(&mut source)?;
        }
        survey.size = source.position() / 8;
        survey.digest = Digest(Hash(hash.finalize().into()));
        survey.parts.push(Part::Raw(raw..survey.size));
        Ok(Some(survey))
    }

    fn stream<R: Read>(
        source: &mut Source<R>,
        inflater: &mut Inflater,
        from: u64,
        blocks: &mut usize,
        hash: &mut Sha256,
    ) -> Result<Option<Stream>, Fault> {
        let mut stream = Stream {
            from,
            ..Stream::default()
        };
        inflater.start();
        loop {
            let block: Block = inflater.block(source, &mut |part: &[u8]| {
                hash.update(part);
                Ok::<(), Fault>(())
            })?;
            *blocks += 1;
            if *blocks > BLOCKS {
                return Ok(None);
            }
            if block.plain == 0 && !block.last && stream.first_empty.is_none() {
                stream.first_empty = Some(stream.plain);
            }
            stream.plain += block.plain;
            stream.bits = block.end - from * 8;
            if block.last {
                // The bits that fill the last byte are the stream's.
                stream.bits = stream.bits.next_multiple_of(8);
            } else if stream.borders.is_empty() {
                stream.first_symbols = block.symbols;
            }
            stream.borders.push((stream.plain, stream.bits));
            if block.last {
                return Ok(Some(stream));
            }
        }
    }

    /// The stream with the most plain: several producers make the same of a few bytes, and files of many members may begin with such.
    pub(super) fn largest(&self) -> Option<&Stream> {
        let streams = self.parts.iter().filter_map(|part| match part {
            Part::Stream(stream) => Some(stream),
            Part::Raw(_) => None,
        });
        streams.reduce(|largest, stream| if stream.plain > largest.plain { stream } else { largest })
    }
}

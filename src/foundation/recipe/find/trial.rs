//! Tries a producer on the first plain of a file.

use std::io::Read;

use crate::inflate::{Fault, Inflater, Source};
use crate::producer::{Border, DICTIONARY, Encoder, Operation, Output, Producer, Start, Stop, Work};

use super::survey::Stream;

/// The first plain of a stream, and the bytes that it was made to.
#[derive(Debug)]
pub(super) struct Begin {
    plain: Vec<u8>,
    bytes: Vec<u8>,
    all: u64,
}

impl Begin {
    /// Reads so much plain of a stream, from two readers of the file.
    pub(super) fn read<R: Read>(stream: &Stream, most: u64, inflated: R, bytes: R) -> Result<Self, Fault> {
        let mut source = Source::new(inflated);
        source.pass(stream.from)?;
        let (mut inflater, mut plain) = (Inflater::new(), Vec::new());
        while (plain.len() as u64) < most.min(stream.plain) {
            let block = inflater.block(&mut source, &mut |part: &[u8]| {
                plain.extend_from_slice(part);
                Ok::<(), Fault>(())
            })?;
            if block.last {
                break;
            }
        }
        plain.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        let read = source.position().div_ceil(8) - stream.from;
        let mut source = Source::new(bytes);
        source.pass(stream.from)?;
        let bytes = source.bytes(read)?;
        Ok(Self {
            plain,
            bytes,
            all: stream.plain,
        })
    }

    /// Whether a producer makes these bytes of this plain, as far as it goes.
    pub(super) fn fits(&self, producer: Producer, block: u64) -> bool {
        let mut encoder = producer.encoder();
        let mut work = Work::up_to(Work::of_blob(self.all).allowed() / 2);
        let mut compared = Compared {
            wanted: &self.bytes,
            at: 0,
        };
        if producer.operation() == Operation::Stream {
            let fed = self.feed(
                &mut *encoder,
                0,
                self.plain.len(),
                self.all,
                true,
                &mut compared,
                &mut work,
            );
            return fed.is_ok();
        }
        let blocks = producer.blocks(self.all, block);
        let mut from = 0;
        for number in 1..=blocks {
            let left = block.min(self.all - from as u64);
            let to = from + usize::try_from(left).unwrap_or(usize::MAX);
            if to > self.plain.len() {
                // A block is compared whole, or as far as it is handed out.
                let fed = self.feed(
                    &mut *encoder,
                    from,
                    self.plain.len(),
                    left,
                    number == blocks,
                    &mut compared,
                    &mut work,
                );
                return fed.is_ok();
            }
            if self
                .feed(
                    &mut *encoder,
                    from,
                    to,
                    left,
                    number == blocks,
                    &mut compared,
                    &mut work,
                )
                .is_err()
            {
                return false;
            }
            from = to;
        }
        true
    }

    #[expect(clippy::too_many_arguments, reason = "a start and what watches it")]
    fn feed(
        &self,
        encoder: &mut dyn Encoder,
        from: usize,
        to: usize,
        left: u64,
        last: bool,
        output: &mut dyn Output,
        work: &mut Work,
    ) -> Result<(), Stop> {
        encoder.start(&Start {
            before: &self.plain[from.saturating_sub(DICTIONARY)..from],
            position: from as u64,
            left,
            phase: 0,
            last,
        });
        encoder.feed(&self.plain[from..to], output, work)
    }
}

struct Compared<'a> {
    wanted: &'a [u8],
    at: usize,
}

impl Output for Compared<'_> {
    fn block(&mut self, bytes: &[u8], _: Border) -> Result<(), Stop> {
        // What was read of the file may end before a block does.
        let wanted = &self.wanted[self.at.min(self.wanted.len())..];
        let both = bytes.len().min(wanted.len());
        self.at += bytes.len();
        if bytes[..both] == wanted[..both] {
            Ok(())
        } else {
            Err(Stop::Differs)
        }
    }
}

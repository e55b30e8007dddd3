//! Known answers: what the real producer makes of one sample. An emulator that gives another answer here, on this machine, is not run.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::encoder::{Border, DICTIONARY, Encoder, Output, Start, Stop};
use super::id::{Operation, Producer};
use super::sample::Sample;
use super::work::Work;

/// Plain bytes of a block of a framed answer.
pub const ANSWER_BLOCK: usize = 131_072;

/// Whether the emulator of a producer gives the real one's answer for [`Sample::Text`].
pub fn answers(producer: Producer) -> bool {
    let mut hash = Hash(Sha256::new());
    let made = make(producer, &Sample::Text.plain(), &mut hash);
    made.is_ok() && HEXLOWER.encode(&hash.0.finalize()) == known(producer)
}

struct Hash(Sha256);

impl Output for Hash {
    fn block(&mut self, bytes: &[u8], _: Border) -> Result<(), Stop> {
        self.0.update(bytes);
        Ok(())
    }
}

/// Makes the whole of some plain: one stream, or the blocks of a framed operation of [`ANSWER_BLOCK`].
///
/// # Errors
///
/// What `output` stops with, and [`Stop::Work`].
pub fn make(producer: Producer, plain: &[u8], output: &mut dyn Output) -> Result<(), Stop> {
    let mut encoder = producer.encoder();
    let size = plain.len() as u64;
    let mut work = Work::of_blob(size);
    match producer.operation() {
        Operation::Stream => part(&mut *encoder, plain, 0..plain.len(), true, output, &mut work),
        Operation::Framed => {
            let blocks = producer.blocks(size, ANSWER_BLOCK as u64);
            for (number, from) in (1..=blocks).zip((0..).step_by(ANSWER_BLOCK)) {
                let to = plain.len().min(from + ANSWER_BLOCK);
                part(&mut *encoder, plain, from..to, number == blocks, output, &mut work)?;
            }
            Ok(())
        }
    }
}

fn part(
    encoder: &mut dyn Encoder,
    plain: &[u8],
    range: std::ops::Range<usize>,
    last: bool,
    output: &mut dyn Output,
    work: &mut Work,
) -> Result<(), Stop> {
    encoder.start(&Start {
        before: &plain[range.start.saturating_sub(DICTIONARY)..range.start],
        position: range.start as u64,
        left: range.len() as u64,
        phase: 0,
        last,
    });
    encoder.feed(&plain[range], output, work)
}

/// The SHA-256 of what the real producer made.
fn known(producer: Producer) -> &'static str {
    match producer {
        Producer::Go1Level1 => "4d74ce213343bbc095bc1f2275d3fa3d39a373f0e0f41f00920442f37c9728a4",
        Producer::Go1Level6 => "8e369573fe4906e907d35fefdc0c9eadaf7ab0ea0fa17c1e7131e06162369b47",
        Producer::Go1Level9 => "e7a58098b14dcaeba3b233f47ece4fda25364ab29cbb3c2fcf0b97946a1f6025",
        Producer::Zlib1Level6 => "2ffa61f92b958b32fb94e9e2d3c8c455eedc934f627588102c589a9c78f06cd8",
        Producer::Zlib1Level9 => "e9a83393090818c4646e46423beb8eca1f98e39d7eaef9e3903d450d85c4b0bd",
        Producer::Pigz1Level6 => "10db2febe1944bd0f6e4bfec6aa077f6b16846d526d17b5bf13ca13854455b5f",
        Producer::Pigz1Level9 => "0dc22be1eabb8435aa983125badd41c4a4c29ea64e8e8a1957cd09dba14d8ac5",
        Producer::Klauspost2Level5 => "d474239a2f5498dbec749f58c41b69ea5e8dd20646e04de5430870c8a98f6d12",
        Producer::Klauspost2Level6 => "f5265b451635559de0ece7ca73f3da6b024051bf967ee8b2e5069f8353ecf538",
        Producer::Pgzip2Level5 => "c296838dac65f2eab01840839b7a01b11d0644dad300d27235e2214a9c871b91",
        Producer::Pgzip1Level5 => "2ceb4a9952ab4b87c5a6cfbecef5c24a0f50a81ab23b25256fb82db717cd71c5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_emulator_gives_the_answer_of_its_producer_and_of_no_other() {
        for producer in Producer::ALL {
            assert!(answers(producer), "{}", producer.as_str());
        }
        let mut all: Vec<_> = Producer::ALL.map(known).into();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Producer::ALL.len(), "answers tell producers apart");
    }
}

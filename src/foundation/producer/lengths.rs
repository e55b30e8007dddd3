//! How Go's library and klauspost's write the lengths of both codes: as one run over both, repeats first by 6, zeros first by 138.

use super::bits::Bits;
use super::format::{DISTANCES, LENGTH_SYMBOLS, LITERALS, ORDER};
use super::huffman::{Code, Maker};

/// The head of a block with codes of its own, made and measured before it is written.
#[derive(Debug)]
pub(crate) struct Head {
    /// A symbol and the value of its extra bits.
    runs: Box<[(u8, u8); LITERALS + DISTANCES + 2]>,
    count: usize,
    counts: [u32; LENGTH_SYMBOLS],
    code: Code,
    literals: usize,
    distances: usize,
}

impl Head {
    pub(crate) fn new() -> Self {
        Self {
            runs: Box::new([(0, 0); LITERALS + DISTANCES + 2]),
            count: 0,
            counts: [0; LENGTH_SYMBOLS],
            code: Code::empty(),
            literals: 0,
            distances: 0,
        }
    }

    fn run(&mut self, symbol: u8, extra: u8) {
        self.runs[self.count] = (symbol, extra);
        self.count += 1;
        self.counts[usize::from(symbol)] += 1;
    }

    /// Makes the head for so many symbols of each code.
    pub(crate) fn make(
        &mut self,
        literal: &Code,
        literals: usize,
        distance: &Code,
        distances: usize,
        maker: &mut Maker,
    ) {
        self.count = 0;
        self.counts.fill(0);
        (self.literals, self.distances) = (literals, distances);
        let length = |at: usize| match at.checked_sub(literals) {
            None => literal.lengths[at],
            Some(at) => distance.lengths[at],
        };
        let mut at = 0;
        while at < literals + distances {
            let value = length(at);
            let mut end = at + 1;
            while end < literals + distances && length(end) == value {
                end += 1;
            }
            self.take(value, end - at);
            at = end;
        }
        maker.make(&self.counts, 7, &mut self.code);
    }

    /// Adds a whole run of one length.
    fn take(&mut self, value: u8, mut repeats: usize) {
        let part = |repeats: usize, most: usize| u8::try_from(repeats.min(most)).unwrap_or(u8::MAX);
        if value == 0 {
            while repeats >= 11 {
                let some = part(repeats, 138);
                self.run(18, some - 11);
                repeats -= usize::from(some);
            }
            if repeats >= 3 {
                self.run(17, part(repeats, 10) - 3);
                repeats = 0;
            }
        } else {
            self.run(value, 0);
            repeats -= 1;
            while repeats >= 3 {
                let some = part(repeats, 6);
                self.run(16, some - 3);
                repeats -= usize::from(some);
            }
        }
        (0..repeats).for_each(|_| self.run(value, 0));
    }

    /// Lengths of the code for code lengths that have to stand there.
    fn symbols(&self) -> usize {
        let last = (4..LENGTH_SYMBOLS).rev().find(|at| self.counts[ORDER[*at]] > 0);
        last.map_or(4, |last| last + 1)
    }

    /// Bits of the head.
    pub(crate) fn size(&self) -> u64 {
        let extra = u64::from(self.counts[16]) * 2 + u64::from(self.counts[17]) * 3 + u64::from(self.counts[18]) * 7;
        3 + 5 + 5 + 4 + 3 * self.symbols() as u64 + self.code.size(&self.counts) + extra
    }

    /// Writes the head of a block that others follow.
    pub(crate) fn write(&self, bits: &mut Bits) {
        bits.put(4, 3);
        bits.put(self.literals as u64 - 257, 5);
        bits.put(self.distances as u64 - 1, 5);
        let symbols = self.symbols();
        bits.put(symbols as u64 - 4, 4);
        for symbol in &ORDER[..symbols] {
            bits.put(u64::from(self.code.lengths[*symbol]), 3);
        }
        for (symbol, extra) in &self.runs[..self.count] {
            let (code, length) = self.code.of(usize::from(*symbol));
            bits.put(code, length);
            match symbol {
                16 => bits.put(u64::from(*extra), 2),
                17 => bits.put(u64::from(*extra), 3),
                18 => bits.put(u64::from(*extra), 7),
                _ => {}
            }
        }
    }
}

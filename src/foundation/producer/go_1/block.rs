//! How blocks are written: which of stored, fixed and own codes, by Go's estimates of their sizes.

use crate::producer::bits::Bits;
use crate::producer::format::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END, FIRST_LENGTH, FIXED_LITERALS, LENGTH_BASE, LENGTH_CODE,
    LENGTH_EXTRA, LITERALS, STORED, distance_code,
};
use crate::producer::huffman::{Code, Maker};
use crate::producer::lengths::Head;

/// A literal, or a match: bit 31, the length less 3 from bit 16, the distance less 1 below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token(u32);

impl Token {
    #[inline]
    pub(super) fn literal(byte: u8) -> Self {
        Self(u32::from(byte))
    }

    #[inline]
    pub(super) fn matched(length: u32, distance: u32) -> Self {
        Self(1 << 31 | (length - 3) << 16 | (distance - 1))
    }

    #[inline]
    fn parts(self) -> Result<(usize, u32), usize> {
        if self.0 >> 31 == 0 {
            Err(self.0 as usize)
        } else {
            Ok(((self.0 >> 16 & 255) as usize, self.0 & 0x7fff))
        }
    }
}

/// Writes blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    maker: Maker,
    head: Head,
    literal: Code,
    distance: Code,
    no_distance: Code,
    fixed_literal: Code,
    fixed_distance: Code,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

impl Blocks {
    pub(super) fn new() -> Self {
        let mut no_distance = [0; DISTANCES];
        no_distance[0] = 1;
        Self {
            maker: Maker::new(),
            head: Head::new(),
            literal: Code::empty(),
            distance: Code::empty(),
            no_distance: Code::of_lengths(&no_distance),
            fixed_literal: Code::of_lengths(&FIXED_LITERALS),
            fixed_distance: Code::of_lengths(&[5; DISTANCES]),
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
        }
    }

    /// Counts the symbols and makes both codes and the head.
    fn make(&mut self, tokens: &[Token]) {
        self.literals.fill(0);
        self.distances.fill(0);
        self.literals[END] = 1;
        for token in tokens {
            match token.parts() {
                Err(literal) => self.literals[literal] += 1,
                Ok((length, distance)) => {
                    self.literals[FIRST_LENGTH + usize::from(LENGTH_CODE[length])] += 1;
                    self.distances[distance_code(distance)] += 1;
                }
            }
        }
        let used = |counts: &[u32]| counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let literals = used(&self.literals);
        let distances = used(&self.distances).max(1);
        if self.distances[..distances] == [0] {
            // A code needs a symbol.
            self.distances[0] = 1;
        }
        self.maker.make(&self.literals, 15, &mut self.literal);
        self.maker.make(&self.distances, 15, &mut self.distance);
        self.head
            .make(&self.literal, literals, &self.distance, distances, &mut self.maker);
    }

    /// The block of a search by chains; `plain` unless it reaches before the window.
    pub(super) fn smallest(&mut self, tokens: &[Token], plain: Option<&[u8]>, bits: &mut Bits) {
        self.make(tokens);
        let stored = plain.filter(|plain| plain.len() <= STORED);
        let mut extra = 0;
        if stored.is_some() {
            // Symbols above those in use count nothing.
            extra = bits_behind(&self.literals[FIRST_LENGTH..], &LENGTH_EXTRA)
                + bits_behind(&self.distances, &DISTANCE_EXTRA);
        }
        let fixed = 3 + self.fixed_literal.size(&self.literals) + self.fixed_distance.size(&self.distances) + extra;
        let own = self.own_size() + extra;
        if let Some(plain) = stored.filter(|plain| (plain.len() as u64 + 5) * 8 < fixed.min(own)) {
            return store(plain, bits);
        }
        if own < fixed {
            self.head.write(bits);
            write(tokens, &self.literal, &self.distance, bits);
        } else {
            bits.put(2, 3);
            write(tokens, &self.fixed_literal, &self.fixed_distance, bits);
        }
    }

    /// The block of a search by a table.
    pub(super) fn own(&mut self, tokens: &[Token], plain: &[u8], bits: &mut Bits) {
        self.make(tokens);
        if saves_little(plain, self.own_size()) {
            return store(plain, bits);
        }
        self.head.write(bits);
        write(tokens, &self.literal, &self.distance, bits);
    }

    /// A block without matches.
    pub(super) fn literals(&mut self, plain: &[u8], bits: &mut Bits) {
        self.literals.fill(0);
        self.literals[END] = 1;
        for byte in plain {
            self.literals[usize::from(*byte)] += 1;
        }
        self.maker.make(&self.literals, 15, &mut self.literal);
        self.head
            .make(&self.literal, END + 1, &self.no_distance, 1, &mut self.maker);
        // Go counts one distance, of one bit.
        if saves_little(plain, self.head.size() + self.literal.size(&self.literals) + 1) {
            return store(plain, bits);
        }
        self.head.write(bits);
        for byte in plain {
            let (code, length) = self.literal.of(usize::from(*byte));
            bits.put(code, length);
        }
        let (code, length) = self.literal.of(END);
        bits.put(code, length);
    }

    fn own_size(&self) -> u64 {
        self.head.size() + self.literal.size(&self.literals) + self.distance.size(&self.distances)
    }
}

/// Extra bits behind so many of each symbol.
fn bits_behind(counts: &[u32], extra: &[u8]) -> u64 {
    counts
        .iter()
        .zip(extra)
        .map(|(count, extra)| u64::from(*count) * u64::from(*extra))
        .sum()
}

fn saves_little(plain: &[u8], size: u64) -> bool {
    plain.len() <= STORED && (plain.len() as u64 + 5) * 8 < size + (size >> 4)
}

/// A stored block, which Go never makes the last one.
pub(super) fn store(plain: &[u8], bits: &mut Bits) {
    bits.put(0, 3);
    bits.align();
    let length = plain.len() as u64;
    bits.put(length, 16);
    bits.put(length ^ 0xffff, 16);
    bits.bytes(plain);
}

/// The empty stored block that ends a stream.
pub(super) fn end(bits: &mut Bits) {
    bits.put(1, 3);
    bits.align();
    bits.put(0xffff_0000, 32);
}

fn write(tokens: &[Token], literal: &Code, distance: &Code, bits: &mut Bits) {
    for token in tokens {
        match token.parts() {
            Err(byte) => {
                let (code, length) = literal.of(byte);
                bits.put(code, length);
            }
            Ok((matched, back)) => {
                let symbol = usize::from(LENGTH_CODE[matched]);
                let (code, length) = literal.of(FIRST_LENGTH + symbol);
                let extra = matched as u64 - u64::from(LENGTH_BASE[symbol]);
                let (mut value, mut width) = (code | extra << length, length + u32::from(LENGTH_EXTRA[symbol]));
                let symbol = distance_code(back);
                let (code, length) = distance.of(symbol);
                let extra = u64::from(back) - u64::from(DISTANCE_BASE[symbol]);
                value |= (code | extra << length) << width;
                width += length + u32::from(DISTANCE_EXTRA[symbol]);
                bits.put(value, width);
            }
        }
    }
    let (code, length) = literal.of(END);
    bits.put(code, length);
}

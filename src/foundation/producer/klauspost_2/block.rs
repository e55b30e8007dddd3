//! How blocks are written: with the table before as long as that seems cheaper, else with a new one, fixed, or stored.

use crate::producer::bits::Bits;
use crate::producer::format::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END, FIRST_LENGTH, FIXED_LITERALS, LENGTH_BASE, LENGTH_CODE,
    LENGTH_EXTRA, LITERALS, distance_code,
};
use crate::producer::huffman::{Code, Maker};
use crate::producer::lengths::Head;

use super::tokens::Tokens;

/// Below so many tokens the fixed code may be smaller.
const FEW: usize = 250;
/// A new table is expected to be worse than the best one by this power of two.
const PENALTY: u32 = 7;
/// A guess of the bits of a head.
const HEAD: u64 = 70 * 8;

/// What releases do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edition {
    /// 1.15.12 to 1.18.0: a block that stays open states every symbol, and its end costs nothing where tables are compared.
    First,
    /// Up to 1.20.3.
    Second,
}

/// Writes blocks, and remembers the table under which the last one is still open.
#[derive(Debug)]
pub(super) struct Blocks {
    edition: Edition,
    maker: Maker,
    head: Head,
    literal: Code,
    other_literal: Code,
    distance: Code,
    no_distance: Code,
    fixed_literal: Code,
    fixed_distance: Code,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
    /// Bits of the open block's head; 0 if none is open.
    open: u64,
    /// The open table has no matches.
    only_literals: bool,
}

impl Blocks {
    pub(super) fn new(edition: Edition) -> Self {
        let mut no_distance = [0; DISTANCES];
        no_distance[0] = 1;
        Self {
            edition,
            maker: Maker::new(),
            head: Head::new(),
            literal: Code::empty(),
            other_literal: Code::empty(),
            distance: Code::empty(),
            no_distance: Code::of_lengths(&no_distance),
            fixed_literal: Code::of_lengths(&FIXED_LITERALS),
            fixed_distance: Code::of_lengths(&[5; DISTANCES]),
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            open: 0,
            only_literals: false,
        }
    }

    pub(super) fn start(&mut self) {
        (self.open, self.only_literals) = (0, false);
    }

    /// Ends the open block, if there is one.
    fn close(&mut self, bits: &mut Bits) {
        if self.open > 0 {
            let (code, length) = self.literal.of(END);
            bits.put(code, length);
            self.open = 0;
        }
    }

    pub(super) fn store(&mut self, plain: &[u8], bits: &mut Bits) {
        self.close(bits);
        bits.put(0, 3);
        bits.align();
        let length = plain.len() as u64;
        bits.put(length, 16);
        bits.put(length ^ 0xffff, 16);
        bits.bytes(plain);
    }

    /// Ends the stream with an empty block.
    pub(super) fn finish(&mut self, bits: &mut Bits) {
        self.close(bits);
        bits.put(3, 10);
        bits.align();
    }

    fn reusable(&self, tokens: &Tokens) -> bool {
        let has = |counts: &[u32], lengths: &[u8]| {
            counts
                .iter()
                .zip(lengths)
                .all(|(count, length)| *count == 0 || *length > 0)
        };
        has(&tokens.distances, &self.distance.lengths) && has(&tokens.literals, &self.literal.lengths)
    }

    /// Writes tokens; `sync` if the block must end.
    pub(super) fn tokens(&mut self, tokens: &mut Tokens, plain: &[u8], sync: bool, bits: &mut Bits) {
        if sync {
            tokens.end();
        }
        if self.open > 0 && self.only_literals {
            self.close(bits);
            self.only_literals = false;
        }
        if self.open > 0 && !self.reusable(tokens) {
            self.close(bits);
        }
        self.literals = tokens.literals;
        self.distances = tokens.distances;
        let (mut literals, mut distances) = (LITERALS, DISTANCES);
        if sync || self.edition == Edition::Second {
            self.literals[END] = 1;
            let used = |counts: &[u32]| counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
            (literals, distances) = (used(&self.literals), used(&self.distances));
            if distances == 0 {
                (self.distances[0], distances) = (1, 1);
            }
        }
        let extra =
            bits_behind(&self.literals[FIRST_LENGTH..], &LENGTH_EXTRA) + bits_behind(&self.distances, &DISTANCE_EXTRA);
        let stored = (plain.len() as u64 + 5) * 8;
        let few = tokens.len() < FEW;
        if self.open > 0 {
            let mut new = self.open + tokens.guess();
            new += u64::from(self.literal.lengths[END]) + (new >> PENALTY);
            let again = self.literal.size(&self.literals) + self.distance.size(&self.distances) + extra;
            let size = new.min(again);
            if new < again {
                self.close(bits);
            }
            let fixed = few && self.fixed_size(extra) + 7 < size;
            if stored <= size {
                return self.store(plain, bits);
            }
            if fixed {
                return self.fixed(tokens, bits);
            }
        }
        if self.open == 0 {
            self.literals[END] = 1;
            self.maker.make(&self.literals, 15, &mut self.literal);
            self.maker.make(&self.distances, 15, &mut self.distance);
            self.head
                .make(&self.literal, literals, &self.distance, distances, &mut self.maker);
            let size =
                self.head.size() + self.literal.size(&self.literals) + self.distance.size(&self.distances) + extra;
            let fixed = self.fixed_size(extra);
            if few && fixed <= size {
                if stored <= fixed {
                    return self.store(plain, bits);
                }
                return self.fixed(tokens, bits);
            }
            if stored <= size {
                return self.store(plain, bits);
            }
            self.head.write(bits);
            self.open = self.head.size();
            self.only_literals = false;
        }
        write(tokens, &self.literal, &self.distance, bits);
        if sync {
            self.close(bits);
        }
    }

    fn fixed_size(&self, extra: u64) -> u64 {
        3 + self.fixed_literal.size(&self.literals) + self.fixed_distance.size(&self.distances) + extra
    }

    fn fixed(&mut self, tokens: &Tokens, bits: &mut Bits) {
        self.close(bits);
        bits.put(2, 3);
        write(tokens, &self.fixed_literal, &self.fixed_distance, bits);
        let (code, length) = self.fixed_literal.of(END);
        bits.put(code, length);
    }

    /// Writes plain without matches; `sync` if the block must end.
    pub(super) fn plain(&mut self, plain: &[u8], sync: bool, bits: &mut Bits) {
        self.literals.fill(0);
        for byte in plain {
            self.literals[usize::from(*byte)] += 1;
        }
        if plain.len() > 1_024 && is_noise(&self.literals[..END], plain.len()) {
            return self.store(plain, bits);
        }
        self.literals[END] = 1;
        self.maker.make(&self.literals[..=END], 15, &mut self.other_literal);
        let mut new = self.other_literal.size(&self.literals[..=END]);
        new += if self.open == 0 { HEAD } else { self.open };
        new += new >> PENALTY;
        if (plain.len() as u64 + 5) * 8 <= new {
            return self.store(plain, bits);
        }
        if self.open > 0 {
            let counts = &self.literals[..END];
            let again = counts
                .iter()
                .zip(&self.literal.lengths)
                .all(|(count, length)| *count == 0 || *length > 0);
            if !again || new < self.literal.size(counts) {
                self.close(bits);
            }
        }
        if self.open == 0 {
            std::mem::swap(&mut self.literal, &mut self.other_literal);
            self.head
                .make(&self.literal, END + 1, &self.no_distance, 1, &mut self.maker);
            self.head.write(bits);
            self.only_literals = true;
            self.open = self.head.size();
        }
        for byte in plain {
            let (code, length) = self.literal.of(usize::from(*byte));
            bits.put(code, length);
        }
        if sync {
            self.close(bits);
            self.only_literals = false;
        }
    }
}

/// Bytes so evenly spread that no code helps, by the sum of squares against twice the size.
fn is_noise(counts: &[u32], size: usize) -> bool {
    let whole = f64::from(u32::try_from(size).unwrap_or(u32::MAX));
    let (mean, most) = (whole / 256.0, whole * 2.0);
    let mut sum = 0.0;
    for count in counts {
        let differs = f64::from(*count) - mean;
        sum += differs * differs;
        if sum > most {
            break;
        }
    }
    sum < most
}

/// Extra bits behind so many of each symbol.
fn bits_behind(counts: &[u32], extra: &[u8]) -> u64 {
    counts
        .iter()
        .zip(extra)
        .map(|(count, extra)| u64::from(*count) * u64::from(*extra))
        .sum()
}

fn write(tokens: &Tokens, literal: &Code, distance: &Code, bits: &mut Bits) {
    for token in &tokens.list {
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
}

//! How blocks are written: which of stored, fixed and own codes, by their sizes in whole bytes.

use crate::producer::bits::Bits;
use crate::producer::format::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END, FIRST_LENGTH, FIXED_LITERALS, LENGTH_BASE, LENGTH_CODE,
    LENGTH_EXTRA, LENGTH_SYMBOLS, LITERALS, ORDER, distance_code,
};
use crate::producer::huffman::Code;

use super::tree::{Kind, Maker, Tree};

const LITERAL: Kind = Kind {
    symbols: LITERALS,
    limit: 15,
    extra: |symbol| {
        symbol
            .checked_sub(FIRST_LENGTH)
            .map_or(0, |length| LENGTH_EXTRA[length])
    },
    fixed: Some(|symbol| FIXED_LITERALS[symbol]),
};

const DISTANCE: Kind = Kind {
    symbols: DISTANCES,
    limit: 15,
    extra: |symbol| DISTANCE_EXTRA[symbol],
    fixed: Some(|_| 5),
};

const LENGTH: Kind = Kind {
    symbols: LENGTH_SYMBOLS,
    limit: 7,
    extra: |symbol| match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    },
    fixed: None,
};

/// A literal, or a match: bit 31, the length less 3 from bit 16, the distance less 1 below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol(u32);

/// Writes blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    maker: Maker,
    literal: Tree,
    distance: Tree,
    length: Tree,
    fixed_literal: Code,
    fixed_distance: Code,
    symbols: Vec<Symbol>,
    /// Runs of lengths: symbol and extra bits.
    runs: Vec<(u8, u8)>,
}

/// Symbols of a block.
pub(super) const SYMBOLS: usize = 16_383;

impl Blocks {
    pub(super) fn new() -> Self {
        Self {
            maker: Maker::new(),
            literal: Tree::new(),
            distance: Tree::new(),
            length: Tree::new(),
            fixed_literal: Code::of_lengths(&FIXED_LITERALS),
            fixed_distance: Code::of_lengths(&[5; DISTANCES]),
            symbols: Vec::with_capacity(SYMBOLS + 1),
            runs: Vec::with_capacity(LITERALS + DISTANCES),
        }
    }

    pub(super) fn start(&mut self) {
        self.symbols.clear();
        self.literal.counts.fill(0);
        self.distance.counts.fill(0);
        self.literal.counts[END] = 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Adds a literal; true if the block is full.
    #[inline]
    pub(super) fn literal(&mut self, byte: u8) -> bool {
        self.symbols.push(Symbol(u32::from(byte)));
        self.literal.counts[usize::from(byte)] += 1;
        self.symbols.len() == SYMBOLS
    }

    /// Adds a match; true if the block is full.
    #[inline]
    pub(super) fn matched(&mut self, length: u32, distance: u32) -> bool {
        self.symbols.push(Symbol(1 << 31 | (length - 3) << 16 | (distance - 1)));
        let symbol = LENGTH_CODE[(length - 3) as usize & 255];
        self.literal.counts[FIRST_LENGTH + usize::from(symbol)] += 1;
        self.distance.counts[distance_code(distance - 1)] += 1;
        self.symbols.len() == SYMBOLS
    }

    /// Writes the block; `plain` unless it reaches before the window.
    pub(super) fn write(&mut self, plain: Option<&[u8]>, size: usize, last: bool, bits: &mut Bits) {
        self.maker.make(&mut self.literal, &LITERAL);
        self.maker.make(&mut self.distance, &DISTANCE);
        self.length.counts.fill(0);
        self.runs.clear();
        runs(&self.literal, &mut self.length, &mut self.runs);
        runs(&self.distance, &mut self.length, &mut self.runs);
        self.maker.make(&mut self.length, &LENGTH);
        let lengths = (3..LENGTH_SYMBOLS)
            .rev()
            .find(|at| self.length.lengths[ORDER[*at]] > 0)
            .unwrap_or(2)
            + 1;
        let head = 3 * i64::try_from(lengths).unwrap_or(0) + 14;
        let own = (self.literal.size + self.distance.size + self.length.size + head + 3 + 7) >> 3;
        let fixed = (self.literal.fixed_size + self.distance.fixed_size + 3 + 7) >> 3;
        let last = u64::from(last);
        match plain {
            Some(plain) if i64::try_from(size).unwrap_or(i64::MAX) + 4 <= own.min(fixed) => store(plain, last, bits),
            _ if fixed <= own => {
                bits.put(2 | last, 3);
                self.symbols(
                    bits,
                    &self.fixed_literal.lengths,
                    &self.fixed_literal.codes,
                    &self.fixed_distance.lengths,
                    &self.fixed_distance.codes,
                );
            }
            _ => {
                bits.put(4 | last, 3);
                self.head(lengths, bits);
                self.symbols(
                    bits,
                    &self.literal.lengths,
                    &self.literal.codes,
                    &self.distance.lengths,
                    &self.distance.codes,
                );
            }
        }
        if last == 1 {
            bits.align();
        }
        self.start();
    }

    fn head(&self, lengths: usize, bits: &mut Bits) {
        bits.put(self.literal.last as u64 + 1 - 257, 5);
        bits.put(self.distance.last as u64, 5);
        bits.put(lengths as u64 - 4, 4);
        for symbol in &ORDER[..lengths] {
            bits.put(u64::from(self.length.lengths[*symbol]), 3);
        }
        for (symbol, extra) in &self.runs {
            let at = usize::from(*symbol);
            bits.put(u64::from(self.length.codes[at]), u32::from(self.length.lengths[at]));
            bits.put(u64::from(*extra), u32::from((LENGTH.extra)(at)));
        }
    }

    fn symbols(&self, bits: &mut Bits, lengths: &[u8], codes: &[u16], distance_lengths: &[u8], distance_codes: &[u16]) {
        for Symbol(symbol) in &self.symbols {
            if symbol >> 31 == 0 {
                let byte = *symbol as usize;
                bits.put(u64::from(codes[byte]), u32::from(lengths[byte]));
                continue;
            }
            let length = symbol >> 16 & 255;
            let at = usize::from(LENGTH_CODE[length as usize]);
            let mut value = u64::from(codes[FIRST_LENGTH + at]);
            let mut width = u32::from(lengths[FIRST_LENGTH + at]);
            value |= (u64::from(length) - u64::from(LENGTH_BASE[at])) << width;
            width += u32::from(LENGTH_EXTRA[at]);
            let distance = symbol & 0x7fff;
            let at = distance_code(distance);
            value |= u64::from(distance_codes[at]) << width;
            width += u32::from(distance_lengths[at]);
            value |= (u64::from(distance) - u64::from(DISTANCE_BASE[at])) << width;
            width += u32::from(DISTANCE_EXTRA[at]);
            bits.put(value, width);
        }
        bits.put(u64::from(codes[END]), u32::from(lengths[END]));
    }
}

/// A stored block.
pub(super) fn store(plain: &[u8], last: u64, bits: &mut Bits) {
    bits.put(last, 3);
    bits.align();
    let length = plain.len() as u64;
    bits.put(length, 16);
    bits.put(length ^ 0xffff, 16);
    bits.bytes(plain);
}

/// Adds the runs of a tree's lengths, and counts them. Zlib cuts a run of 7 where a new length begins, of 6 where it goes on.
fn runs(tree: &Tree, counted: &mut Tree, runs: &mut Vec<(u8, u8)>) {
    let lengths = &tree.lengths[..=tree.last];
    let mut before = None;
    let mut at = 0;
    while at < lengths.len() {
        let length = lengths[at];
        let (most, least) = match length {
            0 => (138, 3),
            _ if before == Some(length) => (6, 3),
            _ => (7, 4),
        };
        let repeats: u8 = (0..most)
            .zip(&lengths[at..])
            .take_while(|(_, other)| **other == length)
            .fold(0, |count, _| count + 1);
        let mut run = |symbol: u8, extra: u8| {
            counted.counts[usize::from(symbol)] += 1;
            runs.push((symbol, extra));
        };
        match (length, repeats) {
            _ if repeats < least => (0..repeats).for_each(|_| run(length, 0)),
            (0, ..=10) => run(17, repeats - 3),
            (0, _) => run(18, repeats - 11),
            _ if before == Some(length) => run(16, repeats - 3),
            _ => {
                run(length, 0);
                run(16, repeats - 4);
            }
        }
        before = Some(length);
        at += usize::from(repeats);
    }
}

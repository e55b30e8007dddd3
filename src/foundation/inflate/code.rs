//! Codes to read by: a table for short codes, counts of each length for long ones.

use std::io::Read;

use super::source::{Fault, Source};

const SHORT: u32 = 10;

/// A code.
#[derive(Debug)]
pub(super) struct Code {
    /// Symbol and length of every short code by its first bits; length 0 where a long one begins.
    short: Box<[(u16, u8); 1 << SHORT]>,
    counts: [u16; 16],
    /// Symbols by length, then by number.
    symbols: [u16; 288],
}

impl Code {
    pub(super) fn new() -> Self {
        Self {
            short: Box::new([(0, 0); 1 << SHORT]),
            counts: [0; 16],
            symbols: [0; 288],
        }
    }

    /// Makes the code of these lengths. One that is not complete is refused but for a single symbol or none, as RFC 1951 allows.
    pub(super) fn make(&mut self, lengths: &[u8]) -> Result<(), Fault> {
        self.counts.fill(0);
        for length in lengths {
            self.counts[usize::from(length & 15)] += 1;
        }
        let used = lengths.len() - usize::from(self.counts[0]);
        self.counts[0] = 0;
        let mut free: i32 = 1;
        for count in &self.counts[1..] {
            free = free * 2 - i32::from(*count);
            if free < 0 {
                return Err(Fault::Damaged);
            }
        }
        if free > 0 && used > 1 {
            return Err(Fault::Damaged);
        }
        let mut next = [0_usize; 16];
        let mut first = [0_u16; 16];
        for length in 1..15 {
            next[length + 1] = next[length] + usize::from(self.counts[length]);
            first[length + 1] = (first[length] + self.counts[length]) << 1;
        }
        self.short.fill((0, 0));
        for (symbol, length) in (0_u16..).zip(lengths) {
            let at = usize::from(length & 15);
            if at == 0 {
                continue;
            }
            self.symbols[next[at]] = symbol;
            next[at] += 1;
            let width = u32::from(*length);
            if width <= SHORT {
                let reversed = first[at].reverse_bits() >> (16 - width);
                for entry in self.short.iter_mut().skip(usize::from(reversed)).step_by(1 << width) {
                    *entry = (symbol, *length);
                }
            }
            first[at] = first[at].wrapping_add(1);
        }
        Ok(())
    }

    /// Reads a symbol.
    #[inline]
    pub(super) fn read<R: Read>(&self, source: &mut Source<R>) -> Result<usize, Fault> {
        let (symbol, length) = self.find(source.peek()?);
        source.skip(length)?;
        symbol.ok_or(Fault::Damaged)
    }

    /// Returns the symbol that bits begin with, and its length; behind the end of a source they are no bits. Bits that stand for nothing are of
    /// the greatest length.
    #[inline]
    pub(super) fn find(&self, bits: u64) -> (Option<usize>, u32) {
        let (symbol, length) = self.short[(bits & ((1 << SHORT) - 1)) as usize % (1 << SHORT)];
        if length > 0 {
            return (Some(usize::from(symbol)), u32::from(length));
        }
        self.find_long(bits)
    }

    fn find_long(&self, bits: u64) -> (Option<usize>, u32) {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_usize);
        for length in 1..16 {
            code |= u32::from(bits >> (length - 1) & 1 == 1);
            let count = u32::from(self.counts[length as usize]);
            if code < first + count {
                let symbol = self.symbols[index + (code - first) as usize];
                return (Some(usize::from(symbol)), length);
            }
            index += count as usize;
            first = (first + count) << 1;
            code <<= 1;
        }
        (None, 15)
    }
}

//! Reads deflate, a block at a time.

use std::fmt;
use std::io::Read;

use super::code::Code;
use super::source::{Fault, Ready, Source};

/// The farthest match.
const WINDOW: usize = 32_768;
/// Plain that is handed out at once, behind a window of it.
const PART: usize = 65_536;

const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// How a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// As it is.
    Stored,
    /// With the code of the format.
    Fixed,
    /// With a code of its own.
    Own,
}

/// What a block was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// How it stands.
    pub kind: BlockKind,
    /// Whether it is the last one.
    pub last: bool,
    /// Its plain bytes.
    pub plain: u64,
    /// Its literals and matches; of a stored one none.
    pub symbols: u64,
    /// Where it ends, in bits of the source, before the rest of the last byte.
    pub end: u64,
}

/// Reads the blocks of one stream after another.
pub struct Inflater {
    literal: Code,
    distance: Code,
    fixed_literal: Code,
    fixed_distance: Code,
    plain: Box<[u8]>,
    filled: usize,
    /// Plain of the stream that a match may reach.
    reach: usize,
    /// From here on, nobody was given what stands in `plain`.
    given: usize,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Inflater")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// For the first stream.
    pub fn new() -> Self {
        let (mut fixed_literal, mut fixed_distance) = (Code::new(), Code::new());
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        // Both are complete, so neither is refused.
        let whole = fixed_literal.make(&lengths).is_ok() && fixed_distance.make(&[5; 32]).is_ok();
        debug_assert!(whole, "the codes of the format are complete");
        Self {
            literal: Code::new(),
            distance: Code::new(),
            fixed_literal,
            fixed_distance,
            plain: vec![0; WINDOW + PART].into_boxed_slice(),
            filled: 0,
            reach: 0,
            given: 0,
        }
    }

    /// Forgets the stream before.
    pub fn start(&mut self) {
        (self.filled, self.reach, self.given) = (0, 0, 0);
    }

    /// Reads one block, and hands out its plain.
    ///
    /// # Errors
    ///
    /// [`Fault`], or what `plain` fails with.
    pub fn block<R: Read, E: From<Fault>>(
        &mut self,
        source: &mut Source<R>,
        plain: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Block, E> {
        let last = source.take(1)? == 1;
        let mut count = Count { plain: 0, symbols: 0 };
        let kind = match source.take(2)? {
            0 => {
                self.stored(source, plain, &mut count)?;
                BlockKind::Stored
            }
            1 => {
                self.symbols(source, plain, &mut count, true)?;
                BlockKind::Fixed
            }
            2 => {
                self.head(source)?;
                self.symbols(source, plain, &mut count, false)?;
                BlockKind::Own
            }
            _ => return Err(Fault::Damaged.into()),
        };
        self.give(plain)?;
        let end = source.position();
        Ok(Block {
            kind,
            last,
            plain: count.plain,
            symbols: count.symbols,
            end,
        })
    }

    fn give<E>(&mut self, plain: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.given < self.filled {
            plain(&self.plain[self.given..self.filled])?;
            self.given = self.filled;
        }
        Ok(())
    }

    /// Makes room for the longest match.
    fn room<E>(&mut self, plain: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.filled + LONGEST <= self.plain.len() {
            return Ok(());
        }
        self.give(plain)?;
        self.plain.copy_within(self.filled - WINDOW..self.filled, 0);
        (self.filled, self.given) = (WINDOW, WINDOW);
        Ok(())
    }

    fn stored<R: Read, E: From<Fault>>(
        &mut self,
        source: &mut Source<R>,
        plain: &mut dyn FnMut(&[u8]) -> Result<(), E>,
        count: &mut Count,
    ) -> Result<(), E> {
        source.align()?;
        let size = source.take(16)?;
        if source.take(16)? != size ^ 0xffff {
            return Err(Fault::Damaged.into());
        }
        let mut left = size;
        while left > 0 {
            self.room(plain)?;
            let room = self.plain.len() - self.filled;
            let now = usize::try_from(left).unwrap_or(room).min(room);
            source.parts(now as u64, &mut |part: &[u8]| {
                self.plain[self.filled..self.filled + part.len()].copy_from_slice(part);
                self.filled += part.len();
                Ok::<(), Fault>(())
            })?;
            left -= now as u64;
        }
        self.reach = WINDOW.min(self.reach + usize::try_from(size).unwrap_or(WINDOW));
        count.plain = size;
        Ok(())
    }

    fn head<R: Read>(&mut self, source: &mut Source<R>) -> Result<(), Fault> {
        let size = |value: u64| usize::try_from(value).map_err(|_| Fault::Damaged);
        let literals = size(source.take(5)?)? + 257;
        let distances = size(source.take(5)?)? + 1;
        let lengths_of = size(source.take(4)?)? + 4;
        if literals > 286 || distances > 30 {
            return Err(Fault::Damaged);
        }
        let mut first = [0_u8; 19];
        for symbol in &ORDER[..lengths_of] {
            first[*symbol] = source.take(3)?.to_le_bytes()[0];
        }
        self.literal.make(&first)?;
        let mut lengths = [0_u8; 286 + 30];
        let mut at = 0;
        while at < literals + distances {
            let symbol = self.literal.read(source)?;
            let (value, repeats) = match symbol {
                0..16 => (u8::try_from(symbol).unwrap_or(0), 1),
                16 if at == 0 => return Err(Fault::Damaged),
                16 => (lengths[at - 1], 3 + size(source.take(2)?)?),
                17 => (0, 3 + size(source.take(3)?)?),
                _ => (0, 11 + size(source.take(7)?)?),
            };
            if at + repeats > literals + distances {
                return Err(Fault::Damaged);
            }
            lengths[at..at + repeats].fill(value);
            at += repeats;
        }
        if lengths[256] == 0 {
            return Err(Fault::Damaged);
        }
        self.literal.make(&lengths[..literals])?;
        self.distance.make(&lengths[literals..literals + distances])
    }

    fn symbols<R: Read, E: From<Fault>>(
        &mut self,
        source: &mut Source<R>,
        plain: &mut dyn FnMut(&[u8]) -> Result<(), E>,
        count: &mut Count,
        fixed: bool,
    ) -> Result<(), E> {
        loop {
            self.room(plain)?;
            if self.at_hand(source, count, fixed)? {
                return Ok(());
            }
            self.room(plain)?;
            let (literal, distance) = if fixed {
                (&self.fixed_literal, &self.fixed_distance)
            } else {
                (&self.literal, &self.distance)
            };
            let symbol = literal.read(source)?;
            if symbol == 256 {
                return Ok(());
            }
            count.symbols += 1;
            if symbol < 256 {
                self.plain[self.filled] = u8::try_from(symbol).unwrap_or(0);
                self.filled += 1;
                self.reach = WINDOW.min(self.reach + 1);
                count.plain += 1;
                continue;
            }
            let length = with_extra(source, length_of(symbol - 257))?;
            let symbol = distance.read(source)?;
            let distance = with_extra(source, distance_of(symbol))?;
            if distance > self.reach {
                return Err(Fault::Damaged.into());
            }
            let from = self.filled - distance;
            if distance >= length {
                self.plain.copy_within(from..from + length, self.filled);
            } else {
                for at in 0..length {
                    self.plain[self.filled + at] = self.plain[from + at];
                }
            }
            self.filled += length;
            self.reach = WINDOW.min(self.reach + length);
            count.plain += length as u64;
        }
    }

    /// Reads symbols as long as their bits are at hand and there is room; returns whether the block ends with them. A symbol that is none of
    /// the format's is left to who reads symbol by symbol.
    fn at_hand<R: Read>(&mut self, source: &mut Source<R>, count: &mut Count, fixed: bool) -> Result<bool, Fault> {
        let (literals, distances) = if fixed {
            (&self.fixed_literal, &self.fixed_distance)
        } else {
            (&self.literal, &self.distance)
        };
        let (plain, start) = (&mut *self.plain, self.filled);
        let Ready {
            mut bits,
            count: mut have,
            bytes,
        } = source.ready();
        let (mut filled, mut symbols, mut at, mut ends) = (start, 0, 0, false);
        // A length with its distance takes at most 48 bits.
        while filled + LONGEST <= plain.len() {
            if have < 48 {
                let Some(more) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
                    break;
                };
                bits |= u64::from_le_bytes(*more) << have;
                at += ((63 - have) >> 3) as usize;
                have |= 0b11_1000;
            }
            let (Some(mut symbol), mut width) = literals.find(bits) else {
                break;
            };
            // Literals seldom come alone; three of them have at most 45 bits.
            let mut alone = 0;
            while symbol < 256 && alone < 2 {
                plain[filled] = symbol.to_le_bytes()[0];
                filled += 1;
                symbols += 1;
                alone += 1;
                (bits, have) = (bits >> width, have - width);
                let (Some(next), next_width) = literals.find(bits) else {
                    (symbol, width) = (usize::MAX, 0);
                    break;
                };
                (symbol, width) = (next, next_width);
            }
            if symbol < 256 {
                plain[filled] = symbol.to_le_bytes()[0];
                filled += 1;
                symbols += 1;
                (bits, have) = (bits >> width, have - width);
                continue;
            }
            if symbol == 256 {
                (bits, have) = (bits >> width, have - width);
                ends = true;
                break;
            }
            if alone > 0 {
                // Bits for all of the match may be missing.
                continue;
            }
            let Some((least, extra)) = length_of(symbol - 257) else {
                break;
            };
            let after = bits >> width;
            let length = least + usize::try_from(after & ((1 << extra) - 1)).unwrap_or(0);
            let after = after >> extra;
            let (Some(symbol), far_width) = distances.find(after) else {
                break;
            };
            let Some((least, far_extra)) = distance_of(symbol) else {
                break;
            };
            let distance = least + usize::try_from(after >> far_width & ((1 << far_extra) - 1)).unwrap_or(0);
            if distance > self.reach + (filled - start) {
                return Err(Fault::Damaged);
            }
            (bits, have) = (
                after >> far_width >> far_extra,
                have - (width + extra + far_width + far_extra),
            );
            copy(plain, filled, distance, length);
            filled += length;
            symbols += 1;
        }
        source.go_on(bits, have, at);
        count.symbols += symbols;
        count.plain += (filled - start) as u64;
        self.reach = WINDOW.min(self.reach + (filled - start));
        self.filled = filled;
        Ok(ends)
    }
}

/// Bytes that are copied at once: a match may write as many more than it has.
const COPIED: usize = 16;
/// The longest match, with what copying it may write behind it.
const LONGEST: usize = 258 + COPIED;

/// Copies a match within the plain; there is room for [`LONGEST`].
#[inline]
fn copy(plain: &mut [u8], to: usize, distance: usize, length: usize) {
    let from = to - distance;
    if distance >= COPIED {
        let mut done = 0;
        while done < length {
            let part: [u8; COPIED] = *plain[from + done..].first_chunk().unwrap_or(&[0; COPIED]);
            plain[to + done..to + done + COPIED].copy_from_slice(&part);
            done += COPIED;
        }
    } else if distance == 1 {
        let byte = plain[from];
        plain[to..to + length].fill(byte);
    } else {
        for at in 0..length {
            plain[to + at] = plain[from + at];
        }
    }
}

struct Count {
    plain: u64,
    symbols: u64,
}

/// The shortest length of a symbol, less the first one's number, and its extra bits.
#[inline]
fn length_of(symbol: usize) -> Option<(usize, u32)> {
    match symbol {
        0..8 => Some((symbol + 3, 0)),
        8..28 => {
            let extra = u32::try_from(symbol / 4 - 1).unwrap_or(0);
            Some((((4 + symbol % 4) << extra) + 3, extra))
        }
        28 => Some((258, 0)),
        _ => None,
    }
}

/// The shortest distance of a symbol, and its extra bits.
#[inline]
fn distance_of(symbol: usize) -> Option<(usize, u32)> {
    match symbol {
        0..4 => Some((symbol + 1, 0)),
        4..30 => {
            let extra = u32::try_from(symbol / 2 - 1).unwrap_or(0);
            Some((((2 + symbol % 2) << extra) + 1, extra))
        }
        _ => None,
    }
}

/// Adds the extra bits that follow.
fn with_extra<R: Read>(source: &mut Source<R>, least: Option<(usize, u32)>) -> Result<usize, Fault> {
    let (least, extra) = least.ok_or(Fault::Damaged)?;
    Ok(least + usize::try_from(source.take(extra)?).unwrap_or(0))
}

//! Literals and matches of one block, counted as they come, and a guess of the bits that they need.

use crate::producer::format::{
    DISTANCE_EXTRA, DISTANCES, END, FIRST_LENGTH, LENGTH_CODE, LENGTH_EXTRA, LITERALS, LONGEST, SHORTEST, STORED,
    distance_code,
};

/// A literal, or a match: bit 31, the length less 3 from bit 16, the distance less 1 below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token(u32);

impl Token {
    /// Length less 3 and distance less 1 of a match; else the literal.
    #[inline]
    pub(super) fn parts(self) -> Result<(usize, u32), usize> {
        if self.0 >> 31 == 0 {
            Err(self.0 as usize)
        } else {
            Ok(((self.0 >> 16 & 255) as usize, self.0 & 0x7fff))
        }
    }
}

/// The tokens of a block.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) list: Vec<Token>,
    /// Whether the block's end was added, which counts as a token.
    pub(super) ended: bool,
    pub(super) literals: [u32; LITERALS],
    pub(super) distances: [u32; DISTANCES],
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            list: Vec::with_capacity(STORED + 1),
            ended: false,
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
        }
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.ended = false;
        self.literals.fill(0);
        self.distances.fill(0);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len() + usize::from(self.ended)
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.literals[END] += 1;
    }

    #[inline]
    pub(super) fn literals(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.list.push(Token(u32::from(*byte)));
            self.literals[usize::from(*byte)] += 1;
        }
    }

    /// Adds a match of any length, as several if it must.
    #[inline]
    pub(super) fn matched(&mut self, mut length: usize, distance: u32) {
        let code = distance_code(distance - 1);
        while length > 0 {
            let some = match length {
                ..=LONGEST => length,
                // What is left must be a match too.
                _ if length > LONGEST + SHORTEST => LONGEST,
                _ => LONGEST - SHORTEST,
            };
            length -= some;
            let short = (some - SHORTEST) & 255;
            self.literals[FIRST_LENGTH + usize::from(LENGTH_CODE[short])] += 1;
            self.distances[code] += 1;
            let short = u32::try_from(short).unwrap_or(0);
            self.list.push(Token(1 << 31 | short << 16 | (distance - 1)));
        }
    }

    /// About the bits that a code made for these tokens needs, with its steps rounded as klauspost rounds them.
    pub(super) fn guess(&self) -> u64 {
        let mut bits = 0_u64;
        let mut matches = 0_u32;
        let mut sum = 0_f32;
        let share = 1.0 / single(u32::try_from(self.len()).unwrap_or(u32::MAX));
        for count in self.literals[..END].iter().filter(|count| **count > 0) {
            sum += weight(*count, share);
        }
        // The end of the block.
        sum += 15.0;
        for (count, extra) in self.literals[FIRST_LENGTH..].iter().zip(LENGTH_EXTRA) {
            if *count > 0 {
                sum += weight(*count, share);
                bits += u64::from(*count) * u64::from(extra);
                matches += count;
            }
        }
        if matches > 0 {
            let share = 1.0 / single(matches);
            for (count, extra) in self.distances.iter().zip(DISTANCE_EXTRA) {
                if *count > 0 {
                    sum += weight(*count, share);
                    bits += u64::from(*count) * u64::from(extra);
                }
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 15 bits for each of 65,536 tokens"
        )]
        let whole = sum as u64;
        whole + bits
    }
}

/// Exact: a block has less than 2^24 tokens.
#[expect(clippy::cast_precision_loss, reason = "below 2^24")]
fn single(count: u32) -> f32 {
    count as f32
}

fn weight(count: u32, share: f32) -> f32 {
    let count = single(count);
    (-logarithm(count * share)).clamp(1.0, 15.0) * count
}

/// The logarithm by two of a share, by a polynomial of its fraction.
fn logarithm(value: f32) -> f32 {
    let bits = value.to_bits();
    let [exponent, _, _, _] = (bits >> 23 & 255).to_le_bytes();
    let whole = f32::from(i16::from(exponent) - 128);
    let fraction = f32::from_bits((bits & 0x807f_ffff) + (127 << 23));
    let linear = -0.344_848_43_f32 * fraction + 2.024_665_8_f32;
    whole + (linear * fraction - 0.674_877_6_f32)
}

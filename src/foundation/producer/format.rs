//! The numbers of RFC 1951 that every producer writes: codes of lengths and distances, and the fixed code.

/// Symbols of the literal and length code.
pub(crate) const LITERALS: usize = 286;
/// Symbols of the distance code.
pub(crate) const DISTANCES: usize = 30;
/// Symbols of the code for code lengths.
pub(crate) const LENGTH_SYMBOLS: usize = 19;
/// Ends a block.
pub(crate) const END: usize = 256;
/// Symbol of the first length.
pub(crate) const FIRST_LENGTH: usize = 257;
/// Plain bytes of the largest stored block.
pub(crate) const STORED: usize = 65_535;
/// The shortest match.
pub(crate) const SHORTEST: usize = 3;
/// The longest one.
pub(crate) const LONGEST: usize = 258;

/// The order in which the lengths of the code for code lengths stand.
pub(crate) const ORDER: [usize; LENGTH_SYMBOLS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Extra bits of each length symbol from [`FIRST_LENGTH`] on.
pub(crate) const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// Extra bits of each distance symbol.
pub(crate) const DISTANCE_EXTRA: [u8; DISTANCES] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];

/// The shortest length of each length symbol, less 3.
pub(crate) const LENGTH_BASE: [u16; 29] = {
    let mut bases = [0; 29];
    let (mut symbol, mut base) = (0, 0);
    while symbol < 28 {
        bases[symbol] = base;
        base += 1 << LENGTH_EXTRA[symbol];
        symbol += 1;
    }
    bases[28] = 255;
    bases
};

/// The shortest distance of each distance symbol, less 1.
pub(crate) const DISTANCE_BASE: [u16; DISTANCES] = {
    let mut bases = [0_u16; DISTANCES];
    let (mut symbol, mut base) = (0, 0);
    while symbol < DISTANCES {
        bases[symbol] = base;
        base = base.wrapping_add(1 << DISTANCE_EXTRA[symbol]);
        symbol += 1;
    }
    bases
};

/// The length symbol, from [`FIRST_LENGTH`] on, of each length less 3.
pub(crate) const LENGTH_CODE: [u8; 256] = {
    let mut codes = [28_u8; 256];
    let mut symbol: u8 = 0;
    let mut length = 0;
    while symbol < 28 {
        let mut step = 0;
        while step < 1 << LENGTH_EXTRA[symbol as usize] && length < 255 {
            codes[length] = symbol;
            length += 1;
            step += 1;
        }
        symbol += 1;
    }
    codes
};

/// The distance symbols of distances less 1: below 256 each, above them in steps of 128.
const DISTANCE_CODE: [u8; 512] = {
    let mut codes = [0_u8; 512];
    let mut symbol: u8 = 0;
    while (symbol as usize) < DISTANCES {
        let (base, extra) = (DISTANCE_BASE[symbol as usize] as usize, DISTANCE_EXTRA[symbol as usize]);
        let mut distance = base;
        while distance < base + (1 << extra) {
            if distance < 256 {
                codes[distance] = symbol;
            } else {
                codes[256 + (distance >> 7)] = symbol;
            }
            distance += 1;
        }
        symbol += 1;
    }
    codes
};

/// The distance symbol of a distance less 1.
#[inline]
pub(crate) fn distance_code(distance: u32) -> usize {
    let at = if distance < 256 {
        distance
    } else {
        256 + (distance >> 7)
    };
    usize::from(DISTANCE_CODE[(at & 511) as usize])
}

/// The lengths of the fixed literal code.
pub(crate) const FIXED_LITERALS: [u8; 288] = {
    let mut lengths = [8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    lengths
};

/// Puts the first bits of a code first in the stream, as the format has them.
pub(crate) fn reversed(code: u16, length: u32) -> u16 {
    if length == 0 {
        0
    } else {
        code.reverse_bits() >> (16 - length)
    }
}

/// The codes that the lengths give: within a length in the order of the symbols, reversed.
pub(crate) fn assign(lengths: &[u8], codes: &mut [u16]) {
    let mut counts = [0_u16; 16];
    for length in lengths.iter().filter(|length| **length > 0) {
        counts[usize::from(length & 15)] += 1;
    }
    let mut next = [0_u16; 16];
    let mut code = 0_u16;
    for length in 1..16 {
        code = (code + counts[length - 1]) << 1;
        next[length] = code;
    }
    for (code, length) in codes.iter_mut().zip(lengths) {
        *code = 0;
        if *length > 0 {
            let place = &mut next[usize::from(length & 15)];
            *code = reversed(*place, u32::from(*length));
            *place = place.wrapping_add(1);
        }
    }
}

//! Another time and size in the head of a tar member: the commonest difference of all is a layer built anew from the same files.

use std::ops::Range;

/// Bytes of a head.
pub const HEAD: usize = 512;

pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const TIME: Range<usize> = 136..148;
pub(super) const CHECKSUM: Range<usize> = 148..156;
/// What eleven octal digits hold.
const LARGEST: u64 = (1 << 33) - 1;

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) time: u64,
    pub(super) size: u64,
}

/// Reads a head, if its fields say how they are written.
pub(super) fn read(block: &[u8; HEAD]) -> Option<Told> {
    let written = block.get(CHECKSUM)?;
    let (digits, end) = written.split_at_checked(6)?;
    if end != b"\0 " || octal(digits)? != checksum(block) {
        return None;
    }
    Some(Told {
        time: field(block.get(TIME)?)?,
        size: field(block.get(SIZE)?)?,
    })
}

fn field(field: &[u8]) -> Option<u64> {
    let (digits, end) = field.split_at_checked(11)?;
    octal(digits).filter(|_| end == b"\0" || end == b" ")
}

/// The head with so many seconds and bytes more, its checksum anew; nothing if the block is no head whose fields say how they are written:
/// eleven octal digits and NUL or blank for both, six octal digits, NUL and blank for the checksum, which must be right; or if a sum does
/// not fit.
pub fn retold(block: &[u8; HEAD], time: i64, size: i64) -> Option<[u8; HEAD]> {
    let before = read(block)?;
    let mut told = *block;
    for (place, before, more) in [(TIME, before.time, time), (SIZE, before.size, size)] {
        let value = before.checked_add_signed(more).filter(|value| *value <= LARGEST)?;
        write_octal(value, told.get_mut(place)?.split_at_mut_checked(11)?.0);
    }
    let sum = checksum(&told);
    write_octal(sum, told.get_mut(CHECKSUM)?.split_at_mut_checked(6)?.0);
    Some(told)
}

/// The sum of all bytes, those of the sum itself taken for blanks: below 2^18, which six digits hold.
fn checksum(block: &[u8; HEAD]) -> u64 {
    let all = block.iter().enumerate();
    all.map(|(at, byte)| {
        if CHECKSUM.contains(&at) {
            u64::from(b' ')
        } else {
            u64::from(*byte)
        }
    })
    .sum()
}

fn octal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'7' => Some(value << 3 | u64::from(digit & 7)),
        _ => None,
    })
}

fn write_octal(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' | (value.to_le_bytes()[0] & 7);
        value >>= 3;
    }
}

//! Numbers of recipes and scripts: LEB128, as short as can be, up to 2^53 − 1; with a sign in zigzag (SPEC M-152, M-158).

const LARGEST: u64 = (1 << 53) - 1;

/// Reads a number and leaves what follows; nothing if it is cut, too long or too large.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    let mut shift = 0;
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 127);
        if shift > 49 || *byte == 0 && shift > 0 {
            return None;
        }
        value |= low << shift;
        if *byte < 128 {
            return (value <= LARGEST).then_some(value);
        }
        shift += 7;
    }
}

/// Writes a number.
pub(crate) fn write(mut value: u64, bytes: &mut Vec<u8>) {
    debug_assert!(value <= LARGEST, "numbers end at 2^53 - 1");
    while value >= 128 {
        bytes.push(value.to_le_bytes()[0] | 128);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Writes a number with a sign.
pub(crate) fn write_signed(value: i64, bytes: &mut Vec<u8>) {
    write(zigzag(value), bytes);
}

/// The number with a sign that a number stands for: 0, −1, 1, −2, … are written 0, 1, 2, 3, ….
pub(crate) fn signed(value: u64) -> i64 {
    let half = (value >> 1).cast_signed();
    if value & 1 == 0 { half } else { !half }
}

/// The number that stands for one with a sign.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_sign_come_back() {
        for (value, written) in [
            (0, 0),
            (-1, 1),
            (1, 2),
            (-2, 3),
            ((1 << 52) - 1, LARGEST - 1),
            (-(1 << 52), LARGEST),
        ] {
            let mut bytes = Vec::new();
            write_signed(value, &mut bytes);
            assert_eq!(read(&mut bytes.as_slice()), Some(written));
            assert_eq!(signed(written), value);
        }
    }

    #[test]
    fn numbers_come_back_and_have_one_form() {
        for value in [0, 1, 127, 128, 300, 65_536, 1 << 49, LARGEST] {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            bytes.push(7);
            let mut rest = bytes.as_slice();
            assert_eq!(read(&mut rest), Some(value));
            assert_eq!(rest, [7]);
            assert_eq!(read(&mut &bytes[..bytes.len() - 2]), None, "cut");
        }
        assert_eq!(read(&mut [0x80, 0].as_slice()), None, "not minimal");
        assert_eq!(read(&mut [0xff, 0].as_slice()), None, "not minimal");
        let mut larger = Vec::new();
        larger.extend([0x80; 7]);
        larger.push(0x10);
        assert_eq!(read(&mut larger.as_slice()), None, "2^53");
        assert_eq!(read(&mut [0xff; 20].as_slice()), None, "no end");
    }
}

//! Base45 (RFC 9285), in its one form: two bytes in three characters that QR codes hold in five and a half bits each.

use crate::domain::{Class, Error, Result};

pub(super) const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Returns the text of bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(2).saturating_mul(3));
    for group in bytes.chunks(2) {
        let mut number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        for _ in 0..=group.len() {
            let digit = usize::try_from(number % 45).unwrap_or(0);
            out.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
            number /= 45;
        }
    }
    out
}

/// Returns the bytes of a text.
///
/// # Errors
///
/// `E-FORMAT base45`.
pub(super) fn decode(text: &str) -> Result<Vec<u8>> {
    let wrong = || {
        Error::new(Class::Format, "base45", "a piece of the summary is no base45")
            .expected("the characters of the QR code as they are")
            .remedy("scan that code again")
    };
    let mut out = Vec::with_capacity(text.len());
    for group in text.as_bytes().chunks(3) {
        let mut number = 0_u32;
        for character in group.iter().rev() {
            let digit = ALPHABET.iter().position(|known| known == character).ok_or_else(wrong)?;
            number = number
                .saturating_mul(45)
                .saturating_add(u32::try_from(digit).unwrap_or(u32::MAX));
        }
        match group.len() {
            3 => out.extend(u16::try_from(number).map_err(|_| wrong())?.to_be_bytes()),
            2 => out.push(u8::try_from(number).map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9285, sections 4.3 and 4.4.
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        for (bytes, text) in [
            ("AB", "BB8"),
            ("Hello!!", "%69 VD92EX0"),
            ("base-45", "UJCLQE7W581"),
            ("ietf!", "QED8WEX0"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        for bad in ["GGW", "BB8:", ":::", "bb8", "BB8_A", "Z", "::"] {
            assert_eq!(decode(bad).unwrap_err().code(), "base45", "{bad}");
        }
        assert_eq!(decode("FGW").unwrap(), [0xff, 0xff]);
    }
}

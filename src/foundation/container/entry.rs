//! Entries of the restricted ustar: headers are generated and compared, never parsed (SPEC section 4).
//!
//! There is no tar parser for headers that an attacker chose, hence no PAX, GNU name, sparse, link, device, duplicate or
//! traversal to get wrong. Only the size field of the five entries before the signed head is read.

use super::kind::Kind;
use crate::domain::{Class, Error, Result};

/// A tar block.
pub(crate) const BLOCK: usize = 512;
/// The two zero blocks at the end.
pub(crate) const END_BYTES: usize = 2 * BLOCK;
/// Names of the five entries that come before anything is verified, in order.
pub(crate) const PROLOGUE: [&str; 5] = [
    "00-format",
    "01-signatures.json",
    "02-trust.json",
    "03-head.json",
    "04-approvals.json",
];
/// Name of the fill.
pub(crate) const FILL: &str = "06-fill";

/// Returns the name of an index page, counted from 1.
pub(crate) fn page_name(number: usize) -> String {
    format!("05-index/{number:04}")
}

/// Returns the name of a chunk, counted from 1.
pub(crate) fn chunk_name(number: u64) -> String {
    format!("chunks/{number:010}")
}

/// Returns how many zero bytes follow content of a size.
pub(crate) fn padding(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64)
        .map_or(0, |end| end.saturating_sub(size))
}

/// Returns the bytes of header, content and padding together.
pub(crate) fn entry_bytes(size: u64) -> u64 {
    (BLOCK as u64).saturating_add(size).saturating_add(padding(size))
}

/// Returns the one header that an entry may have. Names have at most 100 bytes, sizes at most 33 bits.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "constant offsets inside 512 bytes"
)]
pub(crate) fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Reads the size field of an entry before the head, and compares every other byte with the one header that fits.
///
/// # Errors
///
/// `E-FORMAT header` for any other byte than expected, `E-LIMIT size` for a size above the cap.
pub(crate) fn claimed_size(kind: &Kind, found: &[u8; BLOCK], name: &str, cap: u64) -> Result<u64> {
    let size = found
        .get(124..135)
        .filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u64::from_str_radix(digits, 8).ok())
        .ok_or_else(|| wrong_header(kind, kind.noun, name))?;
    compare_header(kind, kind.noun, found, name, size)?;
    if size > cap {
        return Err(
            Error::new(Class::Limit, "size", format!("the entry {name} has {size} bytes"))
                .expected(format!("at most {cap}")),
        );
    }
    Ok(size)
}

/// Compares a header with the one that an entry must have; `read` is what people call what it stands in.
///
/// # Errors
///
/// `E-FORMAT header`.
pub(crate) fn compare_header(kind: &Kind, read: &str, found: &[u8; BLOCK], name: &str, size: u64) -> Result<()> {
    if *found == header(name, size) {
        Ok(())
    } else {
        Err(wrong_header(kind, read, name))
    }
}

fn wrong_header(kind: &Kind, read: &str, name: &str) -> Error {
    let noun = kind.noun;
    if PROLOGUE.first() == Some(&name) {
        return Error::new(
            Class::Format,
            "header",
            format!("this is no airlock {noun}: it does not begin with the header of 00-format"),
        )
        .expected(format!(
            "a file made by `{}`, as it was made: not packed, unpacked or encrypted again",
            kind.made_with
        ))
        .remedy("check that it is the right file, or copy it again");
    }
    Error::new(
        Class::Format,
        "header",
        format!("the header before the entry {name} is not the expected one"),
    )
    .expected("exactly the header that follows from the format and the signed head")
    .remedy(format!(
        "copy the {read} again, or ask {} for it: something changed it or it is no airlock {noun}",
        kind.maker
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::tests::KIND;

    #[test]
    fn headers_are_read_back_by_tar() {
        let mut archive = header("chunks/0000000001", 5).to_vec();
        archive.extend_from_slice(b"hello");
        archive.resize(BLOCK * 4, 0);
        let mut archive = tar::Archive::new(&archive[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(
            (entry.path().unwrap().to_str().unwrap(), entry.size()),
            ("chunks/0000000001", 5)
        );
        assert_eq!(entry.header().mode().unwrap(), 0o644);
    }

    #[test]
    fn the_cap_itself_fits_and_any_other_byte_does_not() {
        let good = header("00-format", 128);
        assert_eq!(claimed_size(&KIND, &good, "00-format", 128).unwrap(), 128);
        assert_eq!(
            claimed_size(&KIND, &header("00-format", 129), "00-format", 128)
                .unwrap_err()
                .class(),
            Class::Limit
        );
        for at in 0..BLOCK {
            for bit in 0..8 {
                let mut bad = good;
                bad[at] ^= 1 << bit;
                assert_eq!(
                    claimed_size(&KIND, &bad, "00-format", 128).unwrap_err().class(),
                    Class::Format,
                    "{at}.{bit}"
                );
            }
        }
    }

    #[test]
    fn padding_fills_the_block() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}

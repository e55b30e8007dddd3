//! Lines for a telephone: `NN ABCDE ×6 CC`, base32 in groups of five, with two letters that tell a misheard line.

use data_encoding::{BASE32, BASE32_NOPAD};
use sha2::{Digest as _, Sha256};

use super::series::no_line;
use crate::domain::{Class, Error, Result};

/// Letters of a full line, and of a group.
const LINE: usize = 30;
const GROUP: usize = 5;
/// Lines of the longest summary that can be dictated.
const LINES: usize = 99;

/// Returns the lines of a summary; nothing where it has more than can be numbered with two digits.
pub fn dictated(summary: &[u8]) -> Option<Vec<String>> {
    let letters = BASE32_NOPAD.encode(summary);
    let lines: Vec<&str> = split(&letters, LINE).collect();
    (lines.len() <= LINES).then(|| {
        let line = |(number, letters): (usize, &str)| {
            let number = format!("{number:02}");
            let groups: Vec<&str> = split(letters, GROUP).collect();
            format!("{number} {} {}", groups.join(" "), check(&number, letters))
        };
        (1..).zip(lines).map(line).collect()
    })
}

/// Puts dictated lines together again; how they were spaced does not matter.
///
/// # Errors
///
/// `E-FORMAT series-line` and `base32`; `E-INTEGRITY` and `E-INCOMPLETE series`.
pub(super) fn join(text: &str) -> Result<Vec<u8>> {
    let mut whole = String::new();
    for (place, line) in (1..).zip(text.split('\n')) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some((number, rest)) = words.split_first() else {
            continue;
        };
        let Some((found, groups)) = rest.split_last() else {
            return Err(no_line(place));
        };
        let letters = groups.concat();
        let is_number = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_base32 = (1..=LINE).contains(&letters.len())
            && letters.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
        if !is_number || !is_base32 {
            return Err(no_line(place));
        }
        if check(number, &letters) != *found {
            return Err(
                Error::new(Class::Integrity, "series", format!("line {number} was misheard"))
                    .remedy("ask for that line again"),
            );
        }
        let expected = whole.len().checked_div(LINE).unwrap_or(0).saturating_add(1);
        if number.parse() != Ok(expected) || !whole.len().is_multiple_of(LINE) {
            return Err(Error::new(
                Class::Incomplete,
                "series",
                format!("line {number} does not follow the one before"),
            )
            .expected(format!("line {expected:02}"))
            .remedy("give all lines of the summary, in their order"));
        }
        whole += &letters;
    }
    let padded = format!(
        "{whole}{}",
        "=".repeat(whole.len().next_multiple_of(8).saturating_sub(whole.len()))
    );
    // Refuses lengths that no bytes have, and bits at the end that mean nothing.
    BASE32.decode(padded.as_bytes()).map_err(|error| {
        Error::new(Class::Format, "base32", "the lines are no base32")
            .remedy("ask for the last line again")
            .with_source(error)
    })
}

fn check(number: &str, letters: &str) -> String {
    let hash = Sha256::digest(format!("{number}{letters}"));
    BASE32_NOPAD.encode(&hash).chars().take(2).collect()
}

/// Cuts letters, which are ASCII, into pieces of a length.
fn split(letters: &str, length: usize) -> impl Iterator<Item = &str> {
    letters
        .as_bytes()
        .chunks(length)
        .filter_map(|piece| std::str::from_utf8(piece).ok())
}

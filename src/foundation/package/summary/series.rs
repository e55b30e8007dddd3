//! The text of a series of QR codes: `AIRLOCK1/SSSS/I/N:` and base45 of piece I of N.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::base45;
use crate::domain::{Class, Error, Result};

/// Bytes of a piece at most, and pieces.
const PIECE_BYTES: usize = 400;
const PIECES: usize = 16;
/// Bytes of the largest summary.
pub(super) const SUMMARY_BYTES: usize = PIECE_BYTES * PIECES;
const START: &str = "AIRLOCK1/";

/// Returns one text a code, in order. Every character is one of QR's alphanumeric mode.
pub fn series(summary: &[u8]) -> Vec<String> {
    let count = summary.len().div_ceil(PIECE_BYTES).max(1);
    let pieces = summary.chunks(summary.len().div_ceil(count).max(1));
    let name = name(summary);
    (1..)
        .zip(pieces)
        .map(|(number, piece)| format!("{START}{name}/{number}/{count}:{}", base45::encode(piece)))
        .collect()
}

/// Puts the texts of codes, one a line and in any order, together again.
///
/// # Errors
///
/// `E-FORMAT series-line` and `base45`; `E-INTEGRITY` and `E-INCOMPLETE series`.
pub(super) fn join(text: &str) -> Result<Vec<u8>> {
    let mut pieces = BTreeMap::new();
    let mut whole = None;
    let mut mixed = false;
    for (number, line) in (1..)
        .zip(text.split('\n'))
        .map(|(number, line)| (number, line.trim_matches('\r')))
        .filter(|(_, line)| !line.is_empty())
    {
        let piece = Piece::parse(line).ok_or_else(|| no_line(number))?;
        let bytes = base45::decode(piece.text)?;
        mixed |= *whole.get_or_insert((piece.name, piece.count)) != (piece.name, piece.count);
        if pieces
            .insert(piece.number, bytes.clone())
            .is_some_and(|earlier| earlier != bytes)
        {
            return Err(integrity(format!(
                "piece {} is there twice, and not the same",
                piece.number
            )));
        }
    }
    let (name, count) = whole.ok_or_else(|| integrity("there is no piece of a summary".to_owned()))?;
    if mixed {
        return Err(integrity("the pieces are of different summaries".to_owned()));
    }
    let missing: Vec<String> = (1..=count)
        .filter(|number| !pieces.contains_key(number))
        .map(|number| number.to_string())
        .collect();
    if !missing.is_empty() {
        return Err(Error::new(
            Class::Incomplete,
            "series",
            format!(
                "of the {count} codes of the summary these are missing: {}",
                missing.join(", ")
            ),
        )
        .remedy("scan the missing codes, and give all of them together"));
    }
    let sizes: Vec<usize> = pieces.values().map(Vec::len).collect();
    let summary: Vec<u8> = pieces.into_values().flatten().collect();
    if self::name(&summary) != name {
        return Err(integrity(
            "the pieces together are not the summary that they name".to_owned(),
        ));
    }
    let size = summary.len().div_ceil(count);
    let cut_as_told =
        count == summary.len().div_ceil(PIECE_BYTES) && sizes.iter().rev().skip(1).all(|piece| *piece == size);
    if cut_as_told { Ok(summary) } else { Err(series_line()) }
}

/// SSSS: which summary a piece is of.
fn name(summary: &[u8]) -> String {
    let [first, second, ..]: [u8; 32] = Sha256::digest(summary).into();
    format!("{first:02X}{second:02X}")
}

struct Piece<'a> {
    name: &'a str,
    number: usize,
    count: usize,
    text: &'a str,
}

impl<'a> Piece<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, text) = line.strip_prefix(START)?.split_once(':')?;
        let mut members = head.split('/');
        let piece = Self {
            name: members.next()?,
            number: number(members.next()?)?,
            count: number(members.next()?)?,
            text,
        };
        let named = piece.name.len() == 4 && piece.name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        let in_mode = text.bytes().all(|byte| base45::ALPHABET.contains(&byte));
        (named
            && in_mode
            && members.next().is_none()
            && !text.is_empty()
            && piece.number <= piece.count
            && piece.count <= PIECES)
            .then_some(piece)
    }
}

/// One or two digits, without a zero in front.
fn number(text: &str) -> Option<usize> {
    let plain =
        (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

pub(super) fn series_line() -> Error {
    of_line("the text is none of a summary".to_owned())
}

/// Says of a line, counted from 1, that it is none of a summary.
pub(super) fn no_line(number: usize) -> Error {
    of_line(format!("line {number} of the text is none of a summary"))
}

fn of_line(found: String) -> Error {
    Error::new(Class::Format, "series-line", found)
        .expected("the text of one QR code a line, or the dictated lines, as `airlock status summary` prints them")
}

fn integrity(found: String) -> Error {
    Error::new(Class::Integrity, "series", found).remedy("scan the codes again, all of one summary")
}

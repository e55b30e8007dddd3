//! Files that begin as a summary of a package does: texts of codes, dictated lines, or its bytes.

#[cfg(feature = "vendor")]
use std::io::BufRead as _;
use std::path::Path;

#[cfg(feature = "vendor")]
use crate::domain::Class;
use crate::domain::{Error, Result};
#[cfg(feature = "vendor")]
use crate::stream::read_bounded;
use crate::stream::{open_lasting, read_exact_or_end};

/// Bytes of what a summary is read from.
#[cfg(feature = "vendor")]
const TEXT_BYTES: u64 = 64 << 10;
/// How the text of a code begins.
pub(super) const CODE: &[u8] = b"AIRLOCK1/";

/// How the line begins that `airlock status summary` says before what it prints: on a terminal it is copied along.
const HEADING: &[u8] = b"SUMMARY OF PACKAGE ";
/// Letters of a dictated line without its number: six groups of five, and two that check it.
const LINE_LETTERS: usize = 32;

/// What decoders of codes put before each text unless they are told not to.
const DECODER: &[u8] = b"QR-CODE:";
/// Bytes that are looked at.
const LOOKED: usize = 512;

/// What a file is, by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    /// As a summary.
    Summary,
    /// As dictated lines do, but for their numbers.
    Unnumbered,
    /// As a picture, perhaps of a code.
    Picture,
    /// Otherwise.
    Other,
}

/// Says what begins with these bytes.
fn begins(start: &[u8]) -> Begins {
    if start.starts_with(b"\x89PNG") || start.starts_with(b"\xff\xd8\xff") {
        return Begins::Picture;
    }
    if start.first() == Some(&1) {
        return Begins::Summary;
    }
    let text = start.trim_ascii_start().to_ascii_uppercase();
    let text = text.strip_prefix(DECODER).unwrap_or(&text);
    if text.starts_with(HEADING) {
        return Begins::Summary;
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut letters = first.iter().filter(|byte| !byte.is_ascii_whitespace());
    if letters.clone().count() == LINE_LETTERS && letters.all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
        return Begins::Unnumbered;
    }
    let is_spoken = matches!(
        text,
        [b'0'..=b'9', b'0'..=b'9', b' ' | b'\t' | b'A'..=b'Z' | b'2'..=b'7', ..]
    );
    if is_spoken || text.starts_with(CODE) {
        Begins::Summary
    } else {
        Begins::Other
    }
}

/// Whether a file begins as a summary does; what cannot be looked at is for whoever reads it to say.
///
/// # Errors
///
/// `E-IO`.
pub(super) fn is_one(path: &Path) -> Result<bool> {
    Ok(matches!(look(path)?, Begins::Summary | Begins::Unnumbered))
}

/// Whether a text is that of a code.
pub(super) fn is_code(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(CODE)
}

fn look(path: &Path) -> Result<Begins> {
    let Ok(mut file) = open_lasting(path, "open") else {
        return Ok(Begins::Other);
    };
    let mut start = [0; LOOKED];
    let read = read_exact_or_end(&mut file, &mut start).map_err(|e| Error::io("read", path, e))?;
    Ok(begins(start.get(..read).unwrap_or_default()))
}

/// Returns what a file holds that begins as a summary does, its lines as they are printed. Of standard input nothing is taken that is none.
///
/// # Errors
///
/// `E-USAGE picture`; `E-FORMAT series-line` for dictated lines without numbers; `E-LIMIT` for what is too long to be a summary; `E-IO`.
#[cfg(feature = "vendor")]
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let is_input = path == Path::new("-");
    let found = if is_input {
        let mut input = std::io::stdin().lock();
        begins(input.fill_buf().map_err(|e| Error::io("read", path, e))?)
    } else {
        look(path)?
    };
    let data = match found {
        Begins::Other => return Ok(None),
        Begins::Picture => {
            return Err(
                Error::new(Class::Usage, "picture", format!("{} is a picture", path.display()))
                    .expected("a status package, or the text of a summary")
                    .remedy("where it shows the code of a summary, decode it with `zbarimg --raw`, and give the text"),
            );
        }
        Begins::Unnumbered => {
            return Err(Error::new(
                Class::Format,
                "series-line",
                format!("the lines of {} have no numbers", path.display()),
            )
            .expected("two digits before each dictated line, from 01 on")
            .remedy("write before each line the number that `airlock status summary --spoken` prints there"));
        }
        Begins::Summary if is_input => read_bounded(std::io::stdin().lock(), TEXT_BYTES, "the summary")?,
        Begins::Summary => read_bounded(open_lasting(path, "open")?, TEXT_BYTES, "the summary")?,
    };
    Ok(Some(as_printed(data)))
}

/// Returns texts as `airlock status summary` prints them, line by line: upper case, without what a decoder put before them, and dictated lines
/// with their blanks, however they were written down.
#[cfg(feature = "vendor")]
fn as_printed(data: Vec<u8>) -> Vec<u8> {
    if data.first() == Some(&1) {
        return data;
    }
    let lines = data.trim_ascii_end().split(|byte| *byte == b'\n');
    lines.map(line_as_printed).collect::<Vec<_>>().join(&b'\n')
}

#[cfg(feature = "vendor")]
fn line_as_printed(line: &[u8]) -> Vec<u8> {
    let line = line.trim_ascii_start().to_ascii_uppercase();
    let line = line.strip_prefix(DECODER).unwrap_or(&line);
    // A blank at the end of a code is one of its letters.
    if line.starts_with(CODE) {
        return line.to_vec();
    }
    if line.starts_with(HEADING) {
        return Vec::new();
    }
    let letters: Vec<u8> = line
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    match (letters.split_at_checked(2), letters.len().checked_sub(2)) {
        (Some((number, rest)), Some(end)) if rest.len() > 2 && number.iter().all(u8::is_ascii_digit) => {
            let (groups, check) = rest.split_at(end.saturating_sub(2));
            [number, groups, check].join(&b' ')
        }
        _ => letters,
    }
}

//! Entry 00: which kind of file this is, in which version, and which chunks its volume holds.

use super::chunk_ranges::ChunkRanges;
use super::kind::Kind;
use super::volumes::chunks_of;
use crate::domain::{Class, Error, Result};

/// Returns the text of entry 00 for a file of one volume.
pub(crate) fn format_lines(kind: &Kind, chunks: u64) -> String {
    volume_lines(kind, &[chunks], 1)
}

/// Returns the text of entry 00 for one volume, counted from 1, of a file whose volumes hold so many chunks.
pub(crate) fn volume_lines(kind: &Kind, volumes: &[u64], volume: usize) -> String {
    let (first, last) = chunks_of(volumes, volume);
    let count = volumes.len();
    format!("{} 1\nvolume {volume}/{count} chunks {first}-{last}\n", kind.word)
}

/// Begins the second line of a repair file.
const REPAIR: &str = "repair chunks ";

/// Returns the text of entry 00 for a file that holds these chunks alone.
pub(crate) fn repair_lines(kind: &Kind, chunks: &ChunkRanges) -> String {
    format!("{} 1\n{REPAIR}{chunks}\n", kind.word)
}

/// Whether an entry 00 is that of a repair file, whichever chunks it names.
pub(crate) fn is_of_repair(text: &[u8]) -> bool {
    second_line(text).is_some_and(|line| line.starts_with(REPAIR))
}

/// Returns the chunks that an entry 00 of a repair file names as a writer does. As with volumes, it may be believed once the head is verified.
pub(crate) fn claimed_repair(text: &[u8]) -> Option<ChunkRanges> {
    ChunkRanges::parse(second_line(text)?.strip_prefix(REPAIR)?)
}

fn second_line(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok()?.lines().nth(1)
}

/// Returns which volume of how many an entry 00 says that it is: what may be believed once the head is verified.
pub(crate) fn claimed_volume(text: &[u8]) -> Option<(usize, usize)> {
    let numbers = second_line(text)?.strip_prefix("volume ")?;
    let (volume, count) = numbers.split_once(' ')?.0.split_once('/')?;
    Some((volume.parse().ok()?, count.parse().ok()?))
}

/// Tells apart what is no airlock file, of another kind, or of another version. Whether the second line agrees with the head is
/// judged once the head is verified.
///
/// # Errors
///
/// `E-FORMAT unsupported-version`, `wrong-type`, `format-lines`, and the kind's own code for what is none at all.
pub(super) fn check_format(kind: &Kind, text: &[u8]) -> Result<()> {
    let Kind { word, noun, .. } = kind;
    let lines = std::str::from_utf8(text).unwrap_or_default();
    let first = lines.lines().next().unwrap_or_default();
    let (found, version) = first.split_once(' ').unwrap_or((first, ""));
    if found != *word || !first.contains(' ') {
        return Err(other_kind(kind, first));
    }
    if version != "1" {
        return Err(Error::new(
            Class::Format,
            "unsupported-version",
            format!("the {noun} has format version {version:?}"),
        )
        .expected("version 1")
        .remedy(format!(
            "update airlock, or ask {} for a {noun} of version 1",
            kind.maker
        )));
    }
    let second = lines.strip_prefix(word).and_then(|rest| rest.strip_prefix(" 1\n"));
    let is_line_of = |begin: &str, bytes: &[u8]| {
        let rest = second.and_then(|line| line.strip_prefix(begin));
        rest.is_some_and(|rest| {
            rest.ends_with('\n')
                && rest.matches('\n').count() == 1
                && rest.bytes().all(|byte| byte.is_ascii_digit() || bytes.contains(&byte))
        })
    };
    if is_line_of("volume ", b"/- \nchunks") || (kind.is_repaired && is_line_of(REPAIR, b"-,\n")) {
        Ok(())
    } else {
        Err(Error::new(
            Class::Format,
            "format-lines",
            if kind.is_repaired {
                "the second format line is neither one of a volume nor one of a repair file"
            } else {
                "the second format line is not one of a volume"
            },
        ))
    }
}

fn other_kind(kind: &Kind, first: &str) -> Error {
    let other = first
        .split_once(' ')
        .and_then(|(word, _)| kind.others.iter().find(|other| other.word == word));
    match other {
        Some(other) => Error::new(
            Class::Format,
            "wrong-type",
            format!("this is a {} ({})", other.noun, other.word),
        )
        .expected(format!("a {}", kind.noun))
        .remedy(other.remedy),
        None => Error::new(
            Class::Format,
            kind.no_such_file,
            format!("the format line is not that of a {}", kind.noun),
        )
        .expected(format!("{} 1", kind.word))
        .remedy(format!(
            "check that it is the right file, or copy the {} again",
            kind.noun
        )),
    }
}

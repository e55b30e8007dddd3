//! What no text keeps when it leaves, whatever the profile says (M-97).
//!
//! A net, not a promise: it knows what addresses, logins and keys look like and what the site named, not what a text means. Stretches that it
//! finds are taken out whole, and where in doubt, too much: a version of four numbers looks like an address, and the word behind "basic" like
//! a login. A key that agents report line by line is seen only in the lines that begin and end it.
//!
//! Texts are hostile, and a site's pattern may be clumsy; time stays linear in the text. What is always looked for looks at each byte a few
//! times. A site's pattern looks [`AHEAD`] bytes ahead, goes on from there for a stretch that it has not seen the end of, and after
//! [`STRETCHES`] finds in one text, or [`LONG`] long ones, takes out the rest of it.

mod address;
mod names;
mod secret;

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use crate::appliance::secret::KnownValues;
use crate::appliance::status::CUT_MARK;
use crate::domain::{Class, Error, Result};
use crate::package::{Piece, Quoted};

/// Patterns that a site may name.
const PATTERNS: usize = 64;
/// Bytes of one pattern.
const PATTERN_BYTES: usize = 1024;
/// Bytes that one pattern takes when it is compiled.
const COMPILED_BYTES: usize = 1 << 20;
/// Bytes that a site's pattern looks ahead for a stretch.
const AHEAD: usize = 4096;
/// Finds of one pattern in one text.
const STRETCHES: usize = 4096;
/// Finds among them that are longer than what was looked ahead.
const LONG: usize = 64;

/// Looked for in every text. Each takes whatever it passed, or stops at a character that the next find stops at no more: so all finds
/// together look at each byte a few times.
const ALWAYS: &[&str] = &[
    // IPv4, also with zeros in front.
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}",
    // MACs, in the three ways that they are written.
    r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}",
    r"(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}",
    r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
    // What stands behind the name of a way to log in.
    r#"(?i-u)\b(?:bearer|basic)[ \t\r\n:="']{1,16}[a-z0-9._~+/=%-]+"#,
    // JWTs and what else has a JSON header in base64.
    r"e[yw][A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,8}",
    r"AGE-SECRET-KEY-1[A-Z0-9]+",
];

/// Takes out of texts what must not leave.
#[derive(Debug)]
pub struct Redactor {
    always: Vec<Regex>,
    named: Regex,
    authorization: Regex,
    login: Regex,
    site: Vec<Regex>,
    own: Vec<Regex>,
}

impl Redactor {
    /// Makes a redactor of a site: its own patterns (regular expressions), and its own names and addresses, which are found as whole words
    /// in upper and lower case alike.
    ///
    /// # Errors
    ///
    /// `E-USAGE redact` for a pattern that does not parse, is empty or too large, and for more than 64.
    pub fn new(patterns: &[String], own: &[String]) -> Result<Self> {
        if patterns.len() > PATTERNS {
            return Err(
                refused(format!("redact has {} patterns", patterns.len())).expected(format!("at most {PATTERNS}"))
            );
        }
        Ok(Self {
            always: ALWAYS.iter().map(|pattern| compiled(pattern)).collect::<Result<_>>()?,
            named: compiled(&names::of_secrets())?,
            authorization: compiled(names::AUTHORIZATION)?,
            login: compiled(names::LOGIN)?,
            site: patterns.iter().map(|pattern| of_site(pattern)).collect::<Result<_>>()?,
            own: own
                .iter()
                .filter(|name| says_something(name))
                .map(|name| compiled(&whole_word(name)))
                .collect::<Result<_>>()?,
        })
    }

    /// Quotes a text without what must not leave, whole.
    pub fn text(&self, text: &str) -> Quoted {
        Quoted::of(self.kept(text, &KnownValues::none()))
    }

    /// Quotes at most so many bytes of a text without what must not leave. It is cut after that was taken out: else a secret that lies
    /// across the cut would look like none.
    pub fn within(&self, text: &str, most: usize) -> Quoted {
        self.within_known(text, most, &KnownValues::none())
    }

    /// As [`Redactor::within`], and without values that are known here.
    pub(super) fn within_known(&self, text: &str, most: usize, known: &KnownValues) -> Quoted {
        let mut room = most;
        let mut pieces = Vec::new();
        for piece in self.kept(text, known) {
            let (piece, bytes) = match piece {
                Piece::Redacted => (Piece::Redacted, 1),
                Piece::Text(text) if text.len() <= room => {
                    let bytes = text.len();
                    (Piece::Text(text), bytes)
                }
                Piece::Text(mut text) => {
                    text.truncate(floor(&text, room));
                    (Piece::Text(text), room)
                }
            };
            if room == 0 {
                break;
            }
            pieces.push(piece);
            room = room.saturating_sub(bytes);
        }
        Quoted::of(pieces)
    }

    /// What stays of a text, and where something was taken out.
    fn kept(&self, text: &str, known: &KnownValues) -> Vec<Piece> {
        let mut found: Vec<Range<usize>> = self
            .always
            .iter()
            .chain(&self.own)
            .flat_map(|regex| all(regex, text))
            .collect();
        found.extend(address::ipv6(text));
        found.extend(address::mail(text));
        found.extend(secret::key_blocks(text));
        found.extend(secret::url_users(text));
        found.extend(secret::runs_of_32(text));
        found.extend(secret::data_source_users(text));
        found.extend(secret::named(&self.named, text));
        found.extend(secret::authorization(&self.authorization, text));
        found.extend(secret::logins(&self.login, text));
        found.extend(before_cut(text));
        found.extend(known.find(text));
        for regex in &self.site {
            look_ahead(regex, text, &mut found);
        }
        pieces(text, joined(found))
    }
}

/// Finds the last word of a text that was cut when it was reported: it may be the beginning of what is known by its whole.
fn before_cut(text: &str) -> Option<Range<usize>> {
    let kept = text.strip_suffix(CUT_MARK)?;
    let start = kept.rfind(char::is_whitespace).map_or(0, |at| ceil(kept, at + 1));
    Some(start..kept.len())
}

/// Refuses what the site wrote into its configuration.
fn refused(found: String) -> Error {
    Error::new(Class::Usage, "redact", found)
        .remedy("correct redact under [export] in the configuration: nothing is made while what it names would leave")
}

/// Compiles a pattern of the site.
fn of_site(pattern: &str) -> Result<Regex> {
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES {
        return Err(refused(format!("a pattern of redact has {} bytes", pattern.len()))
            .expected(format!("1 to {PATTERN_BYTES} bytes")));
    }
    compiled(pattern)
}

fn compiled(pattern: &str) -> Result<Regex> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES)
        .build()
        .map_err(|error| {
            // The library draws the place over several lines; its last one says what is wrong.
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            refused(format!("the pattern {pattern:?} of redact cannot be used: {reason}"))
                .expected("a regular expression without look-around and back references, as in \"ORDER-[0-9]+\"")
                .with_source(error)
        })
}

/// Whether a name of the appliance says anything of the site.
fn says_something(name: &str) -> bool {
    name.len() > 1 && !name.eq_ignore_ascii_case("localhost")
}

/// Returns a pattern that finds a name, but not inside of a longer word.
fn whole_word(name: &str) -> String {
    let edge = |c: Option<char>| {
        if c.is_some_and(char::is_alphanumeric) {
            r"\b"
        } else {
            ""
        }
    };
    let (before, after) = (edge(name.chars().next()), edge(name.chars().next_back()));
    format!("(?i){before}{}{after}", regex::escape(name))
}

fn all<'a>(regex: &'a Regex, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    regex.find_iter(text).map(|found| found.range())
}

/// Looks for a site's pattern, a bounded way ahead from each place.
fn look_ahead(regex: &Regex, text: &str, found: &mut Vec<Range<usize>>) {
    let (mut at, mut stretches, mut long) = (0, 0, 0);
    while at < text.len() {
        let end = floor(text, at + AHEAD);
        let Some(mut stretch) = regex
            .find_at(text.get(..end).unwrap_or(text), at)
            .map(|found| found.range())
        else {
            if end == text.len() {
                return;
            }
            // What begins in the second half may end behind what was seen.
            at = ceil(text, at + AHEAD / 2);
            continue;
        };
        if stretch.end == end && end < text.len() {
            long += 1;
            let whole = regex.find_at(text, stretch.start).map(|found| found.range());
            stretch.end = whole.map_or(end, |whole| whole.end.max(end));
        }
        stretches += usize::from(!stretch.is_empty());
        if stretches == STRETCHES || long == LONG {
            found.push(stretch.start..text.len());
            return;
        }
        at = if stretch.is_empty() {
            ceil(text, stretch.end + 1)
        } else {
            stretch.end
        };
        found.push(stretch);
    }
}

/// Returns where a character begins, at a place or before it; the end of the text behind it.
fn floor(text: &str, at: usize) -> usize {
    let starts = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    starts.unwrap_or_default()
}

/// Returns where a character begins, at a place or behind it.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

/// Orders stretches, and joins those that touch.
fn joined(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|stretch| stretch.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for stretch in found.into_iter().filter(|stretch| !stretch.is_empty()) {
        match joined.last_mut() {
            Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
            _ => joined.push(stretch),
        }
    }
    joined
}

fn pieces(text: &str, out: Vec<Range<usize>>) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(out.len() * 2 + 1);
    let mut at = 0;
    let keep = |from: usize, to: usize, pieces: &mut Vec<Piece>| {
        if let Some(kept) = text.get(from..to).filter(|kept| !kept.is_empty()) {
            pieces.push(Piece::Text(kept.to_owned()));
        }
    };
    for stretch in out {
        keep(at, stretch.start, &mut pieces);
        pieces.push(Piece::Redacted);
        at = stretch.end;
    }
    keep(at, text.len(), &mut pieces);
    pieces
}

#[cfg(test)]
#[path = "redact/tests.rs"]
mod tests;

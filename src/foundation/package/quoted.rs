//! Quoted text: what people or agents wrote, in a form that moves no cursor (M-94).
//!
//! `\` and the characters of [`is_quoted`] are written as `\` and two lower-case hex digits for each byte of their UTF-8; `\..`
//! stands for a stretch that the site took out. Everything else stands as it is. A text has one quoted form.
//!
//! The page does not say what a stretch that was taken out counts in a text's size: here it is one byte, so that a text within its bound is
//! within the bound of its string too, four bytes for each of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Class, Error, Result};

/// A text in quoted form. Those that a reader hands over were checked; of others [`Self::check`] says whether they may be written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quoted(String);

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it was written.
    Text(String),
    /// Taken out.
    Redacted,
}

const REDACTED: &str = "\\..";

impl Quoted {
    /// Quotes a text of which nothing is taken out.
    pub fn text(text: &str) -> Self {
        let mut quoted = Self(String::with_capacity(text.len()));
        quoted.push_text(text);
        quoted
    }

    /// Quotes stretches of a text.
    pub fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut quoted = Self(String::new());
        for piece in pieces {
            match piece {
                Piece::Text(text) => quoted.push_text(&text),
                Piece::Redacted => quoted.0.push_str(REDACTED),
            }
        }
        quoted
    }

    fn push_text(&mut self, text: &str) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for c in text.chars() {
            if !is_quoted(c) {
                self.0.push(c);
                continue;
            }
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                self.0.push('\\');
                for nibble in [byte >> 4, byte & 15] {
                    let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
                    self.0.push(char::from(digit));
                }
            }
        }
    }

    /// Returns the quoted form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the stretches of the text, joined where they lie side by side.
    ///
    /// What [`Self::check`] refuses comes back as well as it can be read.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        walk(&self.0, &mut |piece| match (piece, pieces.last_mut()) {
            (Some(c), Some(Piece::Text(text))) => text.push(c),
            (Some(c), _) => pieces.push(Piece::Text(c.into())),
            (None, _) => pieces.push(Piece::Redacted),
        });
        pieces
    }

    /// Checks that the text has exactly this quoted form, and at most so many bytes.
    ///
    /// # Errors
    ///
    /// `E-FORMAT quoted`; `E-LIMIT text-size`.
    pub fn check(&self, most: usize) -> Result<()> {
        let mut bytes = 0_usize;
        let whole = walk(&self.0, &mut |piece| {
            bytes = bytes.saturating_add(piece.map_or(1, char::len_utf8));
        });
        if !whole {
            return Err(Error::new(
                Class::Format,
                "quoted",
                "a text is not in the one quoted form that it has",
            )
            .expected("control and invisible characters, and `\\`, as `\\` and two lower-case hex digits a byte"));
        }
        if bytes > most {
            return Err(
                Error::new(Class::Limit, "text-size", format!("a text has {bytes} bytes"))
                    .expected(format!("at most {most}")),
            );
        }
        Ok(())
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Hands over character by character, nothing for what was taken out. Returns whether the whole text is in quoted form.
fn walk(text: &str, take: &mut dyn FnMut(Option<char>)) -> bool {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(REDACTED) {
            take(None);
            rest = after;
        } else if c == '\\' {
            let Some((decoded, after)) = escaped(rest) else {
                return false;
            };
            take(Some(decoded));
            rest = after;
        } else if is_quoted(c) {
            return false;
        } else {
            take(Some(c));
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    true
}

/// Reads one character that had to be quoted.
fn escaped(text: &str) -> Option<(char, &str)> {
    let mut bytes = [0; 4];
    let mut rest = text;
    let (first, after) = escaped_byte(rest)?;
    let length = match first {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    for (at, byte) in bytes.iter_mut().take(length).enumerate() {
        let (next, after) = if at == 0 { (first, after) } else { escaped_byte(rest)? };
        (*byte, rest) = (next, after);
    }
    let decoded = std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
    is_quoted(decoded).then_some((decoded, rest))
}

fn escaped_byte(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('\\')?.split_at_checked(2)?;
    let lower = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    Some((u8::from_str_radix(digits, 16).ok().filter(|_| lower)?, rest))
}

/// Whether a character is written in hex digits: the escape itself, and what controls, turns or hides other text.
fn is_quoted(c: char) -> bool {
    matches!(
        c,
        '\\' | '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_have_one_quoted_form() {
        for (text, quoted) in [
            ("", ""),
            ("Druckerei Süd", "Druckerei Süd"),
            ("a\nb\t", "a\\0ab\\09"),
            ("c:\\x", "c:\\5cx"),
            ("\u{1b}[2K\u{7f}", "\\1b[2K\\7f"),
            ("\u{9f}\u{a0}", "\\c2\\9f\u{a0}"),
            ("x\u{202e}y\u{feff}", "x\\e2\\80\\aey\\ef\\bb\\bf"),
            ("\u{e0001}", "\\f3\\a0\\80\\81"),
        ] {
            assert_eq!(Quoted::text(text).as_str(), quoted);
            assert!(Quoted::text(text).check(usize::MAX).is_ok());
        }
        let redacted = Quoted::of([Piece::Text("at ".into()), Piece::Redacted, Piece::Text("\\.".into())]);
        assert_eq!(redacted.as_str(), "at \\..\\5c.");
        assert_eq!(
            redacted.pieces(),
            [Piece::Text("at ".into()), Piece::Redacted, Piece::Text("\\.".into())]
        );
        redacted.check(6).unwrap();
        assert_eq!(redacted.check(5).unwrap_err().class(), Class::Limit);
    }

    #[test]
    fn every_other_form_is_refused() {
        for bad in [
            "\n",
            "\u{202e}",
            "\\",
            "\\0",
            "\\0A",
            "\\5C",
            "\\41",
            "\\c3\\a9",
            "\\e2\\80",
            "\\e2\\80x\\ae",
            "\\ff",
            "\\80",
            "\\.",
            "\\+1",
            "\\c0\\80",
            "\\é",
            "\\ed\\a0\\80",
        ] {
            let error = Quoted(bad.into()).check(usize::MAX).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Format, "quoted"), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text: String, hidden in "[\\\\\u{0}-\u{1f}\u{200b}-\u{206f}\u{e0000}-\u{e0fff}a-f0-9.]{0,20}") {
            for text in [&text, &hidden] {
                let quoted = Quoted::text(text);
                let read: String = quoted.pieces().into_iter().map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Redacted => panic!("nothing was taken out"),
                }).collect();
                prop_assert_eq!(&read, text);
                prop_assert!(quoted.check(text.len()).is_ok());
                prop_assert!(text.is_empty() || quoted.check(text.len() - 1).is_err());
                prop_assert!(!quoted.as_str().chars().any(|c| c != '\\' && is_quoted(c)));
            }
        }

        #[test]
        fn what_is_accepted_is_written_again_the_same(text in "[\\\\0-9a-f.xé\u{202e}\n]{0,16}") {
            let quoted = Quoted(text);
            if quoted.check(usize::MAX).is_ok() {
                prop_assert_eq!(Quoted::of(quoted.pieces()), quoted);
            }
        }
    }
}

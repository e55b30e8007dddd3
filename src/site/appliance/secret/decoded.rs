//! A text without its escapes, and where each byte of it stood: programs write what they were given in URLs, in JSON, in texts of
//! programs, and each of them escapes other characters. What is looked for is looked for behind them.

use std::ops::Range;

use zeroize::Zeroizing;

/// Characters of a number or name of an entity, with the semicolon.
const LONGEST_ENTITY: usize = 10;
/// How often a text is read anew: what is escaped once may lie within what is escaped too.
const TIMES: usize = 2;

/// A text without escapes.
pub(super) struct Decoded {
    text: Zeroizing<String>,
    /// For every byte, and the end, where it begins in the text of before.
    places: Vec<usize>,
}

/// Returns what a text is without escapes, in every way in which that makes another one of it.
pub(super) fn decoded(text: &str) -> Vec<Decoded> {
    let mut all = Vec::new();
    for plus in ["+", " "] {
        let mut last: Option<Decoded> = None;
        if plus == " " && !text.contains('+') {
            break;
        }
        for _ in 0..TIMES {
            let from = last.as_ref().map_or(text, Decoded::text);
            let Some(mut next) = once(from, plus) else { break };
            if let Some(last) = &last {
                for place in &mut next.places {
                    *place = last.place(*place);
                }
            }
            if let Some(last) = last.replace(next) {
                all.push(last);
            }
        }
        all.extend(last);
    }
    add(text, &mut all, without_entities);
    add(text, &mut all, with_single_quotes);
    add(text, &mut all, lines_joined);
    all
}

/// Adds what a way of reading makes of a text, and of everything that was made of it before.
fn add(text: &str, all: &mut Vec<Decoded>, read: fn(&str) -> Option<Decoded>) {
    let mut more: Vec<Decoded> = read(text).into_iter().collect();
    for before in &*all {
        if let Some(mut next) = read(before.text()) {
            for place in &mut next.places {
                *place = before.place(*place);
            }
            more.push(next);
        }
    }
    all.extend(more);
}

/// A text without the entities of XML and HTML; nothing where it has none.
fn without_entities(text: &str) -> Option<Decoded> {
    if !text.contains('&') {
        return None;
    }
    let mut read = replaced(text, entity)?;
    // What a page shows of a page.
    if let Some(mut next) = replaced(read.text(), entity) {
        for place in &mut next.places {
            *place = read.place(*place);
        }
        read = next;
    }
    Some(read)
}

/// A text in which a quote is one where languages write several: twice in YAML, SQL and CSV, closed and opened again in shells.
fn with_single_quotes(text: &str) -> Option<Decoded> {
    if !["''", "\"\"", "'\\'", "'\"'"]
        .iter()
        .any(|quotes| text.contains(quotes))
    {
        return None;
    }
    replaced(text, |rest| {
        [("'\\''", '\''), ("'\"'\"'", '\''), ("''", '\''), ("\"\"", '"')]
            .iter()
            .find(|(written, _)| rest.starts_with(written))
            .map(|(written, read)| (written.len(), *read))
    })
}

/// A text in which some places are one character; nothing where there is none.
fn replaced(text: &str, read: impl Fn(&str) -> Option<(usize, char)>) -> Option<Decoded> {
    let mut out = Decoded {
        text: Zeroizing::new(String::with_capacity(text.len())),
        places: Vec::with_capacity(text.len().saturating_add(1)),
    };
    let mut is_other = false;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        if let Some((length, c)) = read(rest) {
            is_other = true;
            out.push(c.encode_utf8(&mut [0; 4]), at, 0);
            at = at.saturating_add(length);
        } else {
            out.push(first.encode_utf8(&mut [0; 4]), at, 1);
            at = at.saturating_add(first.len_utf8());
        }
    }
    out.places.push(text.len());
    is_other.then_some(out)
}

/// An entity: its length and its character.
fn entity(rest: &str) -> Option<(usize, char)> {
    let name = rest.strip_prefix('&')?;
    let end = name.bytes().take(LONGEST_ENTITY).position(|byte| byte == b';')?;
    let name = name.get(..end)?;
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)?
        }
    };
    Some((end.saturating_add(2), c))
}

/// A text without its line breaks and what its lines are indented by: what is long is printed in lines. Nothing where there is one line.
fn lines_joined(text: &str) -> Option<Decoded> {
    if !text.trim_end().contains('\n') {
        return None;
    }
    let mut out = Decoded {
        text: Zeroizing::new(String::with_capacity(text.len())),
        places: Vec::with_capacity(text.len().saturating_add(1)),
    };
    let mut is_indent = false;
    for (at, c) in text.char_indices() {
        let is_break = matches!(c, '\n' | '\r');
        if is_break || (is_indent && matches!(c, ' ' | '\t')) {
            is_indent = true;
            continue;
        }
        is_indent = false;
        out.push(c.encode_utf8(&mut [0; 4]), at, 1);
    }
    out.places.push(text.len());
    Some(out)
}

impl Decoded {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns where a stretch of it stands in the text that it was made of.
    pub(super) fn stretch(&self, stretch: &Range<usize>) -> Range<usize> {
        self.place(stretch.start)..self.place(stretch.end)
    }

    fn place(&self, at: usize) -> usize {
        self.places.get(at).or(self.places.last()).copied().unwrap_or_default()
    }
}

/// Reads a text once; nothing where there is no escape in it.
fn once(text: &str, plus: &str) -> Option<Decoded> {
    if !text.contains(['%', '\\']) && (plus == "+" || !text.contains('+')) {
        return None;
    }
    let mut out = Decoded {
        text: Zeroizing::new(String::with_capacity(text.len())),
        places: Vec::with_capacity(text.len().saturating_add(1)),
    };
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let (length, bytes) = match first {
            '%' => percent(rest),
            '\\' => escape(rest),
            '+' if plus != "+" => Some((1, vec![b' '])),
            _ => None,
        }
        .unwrap_or_default();
        if length == 0 {
            out.push(first.encode_utf8(&mut [0; 4]), at, 1);
            at = at.saturating_add(first.len_utf8());
            continue;
        }
        // Each byte of a run of `%XX` has its own place.
        let each = if first == '%' { 3 } else { 0 };
        let mut begin = at;
        for chunk in bytes.utf8_chunks() {
            out.push(chunk.valid(), begin, each);
            begin = begin.saturating_add(chunk.valid().len().saturating_mul(each));
            // What is no text stays as it was.
            let invalid = chunk.invalid().len().saturating_mul(each);
            let end = begin.saturating_add(invalid);
            out.push(text.get(begin..end).unwrap_or_default(), begin, 1);
            begin = end;
        }
        at = at.saturating_add(length);
    }
    out.places.push(text.len());
    (out.text.as_str() != text).then_some(out)
}

impl Decoded {
    /// Adds a text whose bytes stand `each` bytes apart, from a place on.
    fn push(&mut self, text: &str, at: usize, each: usize) {
        self.text.push_str(text);
        self.places
            .extend((0..text.len()).map(|number| at.saturating_add(number.saturating_mul(each))));
    }
}

/// A run of `%XX`: its length and the bytes.
fn percent(rest: &str) -> Option<(usize, Vec<u8>)> {
    let mut bytes = Vec::new();
    for three in rest.as_bytes().chunks(3) {
        let &[b'%', high, low] = three else { break };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else {
            break;
        };
        bytes.push((high << 4) | low);
    }
    (!bytes.is_empty()).then(|| (bytes.len().saturating_mul(3), bytes))
}

/// An escape behind a backslash: its length and the bytes.
fn escape(rest: &str) -> Option<(usize, Vec<u8>)> {
    let one = |byte: u8| Some((2, vec![byte]));
    match rest.as_bytes().get(1)? {
        b'n' => one(b'\n'),
        b't' => one(b'\t'),
        b'r' => one(b'\r'),
        b'b' => one(8),
        b'f' => one(12),
        // Shells and patterns put one before whatever means something to them.
        byte if byte.is_ascii_punctuation() || *byte == b' ' => one(*byte),
        b'x' => hex(rest, 2, 2)
            .filter(|byte| *byte < 0x80)
            .and_then(char::from_u32)
            .map(|c| (4, c.to_string().into_bytes())),
        b'u' => {
            let first = hex(rest, 2, 4)?;
            let second = rest
                .get(6..)
                .filter(|rest| rest.starts_with("\\u"))
                .and_then(|rest| hex(rest, 2, 4));
            if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (first, second) {
                let c = char::from_u32(0x1_0000_u32.saturating_add(((first & 0x3ff) << 10) | (low & 0x3ff)))?;
                return Some((12, c.to_string().into_bytes()));
            }
            char::from_u32(first).map(|c| (6, c.to_string().into_bytes()))
        }
        _ => None,
    }
}

/// A number of so many hex digits.
fn hex(text: &str, at: usize, length: usize) -> Option<u32> {
    let digits = text.as_bytes().get(at..at.checked_add(length)?)?;
    digits
        .iter()
        .try_fold(0_u32, |sum, byte| Some((sum << 4) | u32::from(digit(*byte)?)))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_and_each_byte_knows_its_place() {
        for (text, expected) in [
            ("a%20b", vec!["a b"]),
            ("%C3%A9!", vec!["é!"]),
            ("%zz%2", vec![]),
            ("%ff%41", vec!["%ffA"]),
            ("a\\u0026\\/\\\"", vec!["a&/\""]),
            ("\\ud83d\\ude00", vec!["\u{1f600}"]),
            ("\\udbff\\udfff", vec!["\u{10ffff}"]),
            ("a%2520b", vec!["a%20b", "a b"]),
            ("a+b%21", vec!["a+b!", "a b!"]),
            ("plain", vec![]),
            ("ab\n  cd\r\n\nef\n", vec!["abcdef"]),
            ("a%20\nb\\nc", vec!["a \nb\nc", "a%20b\\nc", "a bc"]),
            ("one line\n", vec![]),
            ("a&amp;b&#39;c&#x3c;&quot;", vec!["a&b'c<\""]),
            ("a&amp;lt;b", vec!["a<b"]),
            ("a&nosuch;b & c; &#xffffffff;", vec![]),
            ("it''s", vec!["it's"]),
            ("say \"\"x\"\"", vec!["say \"x\""]),
            ("a'\"'\"'b", vec!["a'b"]),
            ("a\\&b\\;c", vec!["a&b;c"]),
        ] {
            let all = decoded(text);
            assert_eq!(all.iter().map(Decoded::text).collect::<Vec<_>>(), expected, "{text}");
        }
        let one = decoded("x%C3%A9y%2Fz").remove(0);
        assert_eq!(one.text(), "xéy/z");
        assert_eq!(one.stretch(&(1..4)), 1..8);
        assert_eq!(one.stretch(&(4..6)), 8..12);
        let lines = decoded("<ab\n  cd>").remove(0);
        assert_eq!((lines.text(), lines.stretch(&(1..5))), ("<abcd>", 1..8));
        let entities = decoded("<a&amp;b>").remove(0);
        assert_eq!((entities.text(), entities.stretch(&(1..4))), ("<a&b>", 1..8));
        let shell = decoded("<a'\\''b>").remove(1);
        assert_eq!((shell.text(), shell.stretch(&(1..4))), ("<a'b>", 1..7));
        let twice = decoded("<a%252Fb>").remove(1);
        assert_eq!((twice.text(), twice.stretch(&(1..4))), ("<a/b>", 1..8));
    }
}

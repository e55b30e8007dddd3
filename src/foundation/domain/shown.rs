//! Text from outside, as it may stand on a terminal, in a log line and in an error body.
//!
//! A vendor's name, a file's name, an agent's message: none of them may move the cursor, turn the direction of writing, hide a part of
//! itself or pretend to be the next line. What could is shown as `\u` and four hex digits, the way JSON writes it, here and in the two programs of
//! `bundle-spec` that share nothing else with this crate. [`Error`](super::Error) and the places that print hold it.

/// First and last of what a terminal may misread: control characters, separators of lines, and all that is invisible or turns the
/// direction of writing. The same table stands in `bundle-spec/verify.py` and `audit.sh`.
const HOSTILE: [(u32, u32); 19] = [
    (0x00, 0x1f),
    (0x7f, 0x9f),
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x61c, 0x61c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x1_bca0, 0x1_bca3),
    (0x1_d173, 0x1_d17a),
    (0xe_0000, 0xe_0fff),
];

/// Whether a terminal, or who reads it, could take the character for something else than a letter.
fn is_hostile(c: char) -> bool {
    let number = u32::from(c);
    HOSTILE.iter().any(|&(first, last)| (first..=last).contains(&number))
}

/// Whether nothing in a text is hostile: it looks like what it is.
pub fn is_plain(text: &str) -> bool {
    !text.contains(is_hostile)
}

/// Returns one piece of text from outside as part of a line: whatever is hostile in it is escaped, line breaks too.
pub fn shown(text: &str) -> String {
    escape(text, is_hostile)
}

/// Returns our own text as it may be printed: its line breaks stay, everything else that is hostile is escaped.
///
/// A JSON text keeps its value: hostile characters stand only inside its strings, and the escape is JSON's own.
pub fn shown_lines(text: &str) -> String {
    escape(text, |c| c != '\n' && is_hostile(c))
}

/// Writes numbers one after the other as people say them: `1, 2 and 5`.
pub fn enumerated<N: std::fmt::Display>(numbers: &[N]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    match numbers.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => numbers.concat(),
    }
}

/// Returns a number of things: `1 blob`, `3 blobs`.
pub fn counted<N: std::fmt::Display + PartialEq + From<u8> + Copy>(number: N, thing: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

fn escape(text: &str, hostile: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // `{:?}`, by which our sentences quote values, has escapes of its own: one style is enough.
        let (c, length) = match debug_escape(rest).filter(|(c, _)| is_hostile(*c)) {
            Some(escaped) => escaped,
            None if hostile(c) => (c, c.len_utf8()),
            None => {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        for unit in c.encode_utf16(&mut [0; 2]) {
            out += &format!("\\u{unit:04x}");
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// Reads `\u{…}` at the beginning: the character, and the length of its escape.
fn debug_escape(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("\\u{")?;
    let digits = digits.get(..digits.find('}').filter(|length| (1..=6).contains(length))?)?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c, digits.len().saturating_add(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_shown_as_it_is() {
        for text in ["", "Zürich", "東京, Ελλάδα; 100 %", "C:\\users\\{u}", "\\u{41}", "😀"] {
            assert_eq!((shown(text), shown_lines(text)), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn what_a_terminal_misreads_becomes_an_escape_of_json() {
        for (text, is_shown) in [
            ("\u{1b}[31m", "\\u001b[31m"),
            ("a\u{9b}m\u{7f}\r\0", "a\\u009bm\\u007f\\u000d\\u0000"),
            (
                "\u{202e}lave\u{2066}\u{61c}\u{200f}",
                "\\u202elave\\u2066\\u061c\\u200f",
            ),
            (
                "a\u{200b}b\u{2028}c\u{2029}\u{feff}\u{ad}",
                "a\\u200bb\\u2028c\\u2029\\ufeff\\u00ad",
            ),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(
                (shown(text), shown_lines(text)),
                (is_shown.to_owned(), is_shown.to_owned())
            );
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(serde_json::from_str::<String>(&shown_lines(&json)).unwrap(), text);
            assert!(!shown_lines(&json).contains(is_hostile));
            // As `{:?}` quotes it.
            assert!(!shown(&format!("{text:?}")).contains("\\u{"));
        }
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!(
            [counted(0_u64, "site"), counted(1_usize, "site"), counted(2_u32, "site")].join(", "),
            "0 sites, 1 site, 2 sites"
        );
    }

    #[test]
    fn only_our_own_line_breaks_break_lines() {
        assert_eq!(shown("a\nb"), "a\\u000ab");
        assert_eq!(shown_lines("a\nb\tc"), "a\nb\\u0009c");
        assert_eq!(shown(&format!("{:?}", "\u{b}\u{202e}")), "\"\\u000b\\u202e\"");
    }

    #[test]
    fn the_table_is_the_one_of_the_independent_verifier() {
        let python = include_str!("../../../bundle-spec/verify.py");
        let table = python
            .split("HOSTILE = (")
            .nth(1)
            .and_then(|rest| rest.split("))\n").next())
            .unwrap();
        let numbers: Vec<u32> = table
            .split("0x")
            .skip(1)
            .map(|text| u32::from_str_radix(text.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap(), 16).unwrap())
            .collect();
        let ours: Vec<u32> = HOSTILE.iter().flat_map(|&(first, last)| [first, last]).collect();
        // Python's strings may hold halves of surrogate pairs, ours cannot.
        let theirs: Vec<u32> = numbers
            .into_iter()
            .filter(|number| ![0xd800, 0xdfff].contains(number))
            .collect();
        assert_eq!(ours, theirs);
    }
}

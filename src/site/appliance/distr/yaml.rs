//! Text for YAML documents that other programs read: quoted, indented, never able to end what it stands in. Pure.

/// Returns a text as a single-quoted scalar. Line ends and other control characters, which would change on reading, become spaces.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Returns lines of a literal block, each indented.
pub(super) fn block(text: &str, indent: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        out += &format!("{:indent$}{line}\n", "");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_scalar() {
        for (text, expected) in [
            ("plain", "'plain'"),
            ("", "''"),
            ("it's", "'it''s'"),
            ("a\nb: c", "'a b: c'"),
            ("'\n---\nkind: Secret", "''' --- kind: Secret'"),
            ("a\u{2028}b\u{85}c", "'a b c'"),
        ] {
            assert_eq!(quoted(text), expected, "{text:?}");
        }
        assert_eq!(block("a\nb\n", 2), "  a\n  b\n");
    }
}

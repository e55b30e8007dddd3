//! Secrets by where they stand or by their length: users in URLs, and secrets of targets.

use std::ops::Range;

/// Hex digits of a target's secret.
const SECRET: usize = 32;

/// Finds private keys in their armour: also without their end, and an end without its beginning, since texts are cut.
pub(super) fn key_blocks(text: &str) -> Vec<Range<usize>> {
    /// Bytes of a line before the words that are looked for.
    const BEFORE: usize = 48;
    let mut found = Vec::new();
    // Where the block that is open begins; before the first one, the text.
    let (mut open, mut is_first) = (None, true);
    for (at, words) in text.match_indices("PRIVATE KEY") {
        let before = text
            .get(text.floor_char_boundary(at.saturating_sub(BEFORE))..at)
            .unwrap_or_default();
        let Some((_, line)) = before.rsplit_once("-----") else {
            continue;
        };
        if line.starts_with("BEGIN ") {
            open.get_or_insert(at - line.len() - "-----".len());
        } else if line.starts_with("END ")
            && let Some(start) = open.take().or(is_first.then_some(0))
        {
            let rest = text.get(at + words.len()..).unwrap_or_default();
            let behind = rest
                .trim_start_matches(|c: char| c.is_ascii_uppercase() || c == ' ')
                .trim_start_matches('-');
            found.push(start..text.len() - behind.len());
        } else {
            continue;
        }
        is_first = false;
    }
    found.extend(open.map(|start| start..text.len()));
    found
}

/// Finds what stands between `://` and the last `@` before the path.
pub(super) fn url_users(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let rest = text.get(start..).unwrap_or_default();
        let ends = |c: char| c.is_whitespace() || c.is_control() || "/?#\"'<>".contains(c);
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        if let Some(user) = authority.rfind('@') {
            found.push(start..start + user);
        }
    }
    found
}

/// Finds runs of exactly 32 hex digits. Digits that belong to an escape before them (`%3d`, `\x3d`, `\u003d`) do not count.
pub(super) fn runs_of_32(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let escape = match bytes.get(..at).unwrap_or_default() {
            [.., b'%'] | [.., b'\\', b'x'] => 2,
            [.., b'\\', b'u'] => 4,
            _ => 0,
        };
        if length == SECRET {
            found.push(at..at + length);
        } else if length.saturating_sub(escape) == SECRET {
            found.push(at + escape..at + length);
        }
        at += length.max(1);
    }
    found
}

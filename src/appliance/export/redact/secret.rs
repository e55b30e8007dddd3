//! Secrets by where they stand or by their length: behind a name such as `password=`, users in URLs, and secrets of targets.

use std::ops::Range;

use regex::Regex;

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
        let before = super::floor(text, at.saturating_sub(BEFORE));
        let before = text.get(before..at).unwrap_or_default();
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

/// Finds what stands behind the names of secrets: up to its quotation mark, else up to white space; where the mark is not closed, the rest
/// of the line. What reaches into another one is not looked at again.
pub(super) fn named(names: &Regex, text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for name in names.find_iter(text) {
        let start = name.end();
        if found.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        // JSON inside of a text has escapes before its marks.
        let escapes = rest.len() - rest.trim_start_matches('\\').len();
        let quoted = rest.get(escapes..).unwrap_or_default();
        let (skip, length) = match quoted.chars().next() {
            Some(mark @ ('"' | '\'' | '`')) => {
                (escapes + 1, closed(quoted.get(1..).unwrap_or_default(), mark, escapes))
            }
            _ => (0, rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        if length > 0 {
            found.push(start + skip..start + skip + length);
        }
    }
    found
}

/// Where a quoted text ends behind its first mark: before the mark that has as many escapes in front of it, or where the line ends.
fn closed(text: &str, mark: char, escapes: usize) -> usize {
    let mut before = 0;
    for (at, c) in text.char_indices() {
        match c {
            '\n' | '\r' => return at,
            '\\' => before += 1,
            c if c == mark && before <= escapes => return at - before,
            _ => before = 0,
        }
    }
    text.len()
}

/// Finds what stands between `://` and the last `@` before the path. A password may hold what else ends that part: behind a colon that no
/// number of a port follows, the last `@` before white space counts.
pub(super) fn url_users(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Up to here no `@` stands, or it was taken out.
    let mut seen = 0;
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let rest = text.get(start..).unwrap_or_default();
        let is_space = |c: char| c.is_whitespace() || c.is_control() || "\"'<>".contains(c);
        let authority = rest
            .find(|c| is_space(c) || "/?#".contains(c))
            .and_then(|end| rest.get(..end))
            .unwrap_or(rest);
        let port = authority.rsplit_once(':').map(|(_, port)| port);
        let user = match authority.rfind('@') {
            Some(user) => Some(user),
            None if start >= seen && port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) => {
                let word = rest.find(is_space).and_then(|end| rest.get(..end)).unwrap_or(rest);
                seen = start + word.len();
                word.rfind('@')
            }
            None => None,
        };
        found.extend(user.map(|user| start..start + user));
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

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
/// of the line.
pub(super) fn named(names: &Regex, text: &str) -> Vec<Range<usize>> {
    let mut values = Values::new(text);
    for name in names.find_iter(text) {
        let matched = name.as_str();
        if matched.ends_with('>') && !matched.ends_with("=>") || matched.ends_with("CDATA[") {
            values.take_element(name.end());
        } else if matched.ends_with(['"', '\'']) {
            let mark = matched.get(..matched.len() - 1).unwrap_or_default();
            values.take(name.start() + mark.trim_end_matches('\\').len());
        } else {
            values.take(name.end());
        }
    }
    values.found
}

/// Finds what stands behind `Authorization:`, whatever way to log in it names: what is in quotation marks, else two words, and what commas
/// add to them.
pub(super) fn authorization(names: &Regex, text: &str) -> Vec<Range<usize>> {
    let mut values = Values::new(text);
    for name in names.find_iter(text) {
        values.take_credentials(name.end());
    }
    values.found
}

/// Finds users with their passwords behind the options of commands.
pub(super) fn logins(options: &Regex, text: &str) -> Vec<Range<usize>> {
    let mut values = Values::new(text);
    for login in options.captures_iter(text).filter_map(|option| option.get(1)) {
        values.take(login.start());
    }
    values.found
}

/// Values that are found one after the other. All finds together look at each byte a few times: what lies within one with an end of its own
/// is not looked at again, and white space is looked for once in each word.
struct Values<'a> {
    text: &'a str,
    found: Vec<Range<usize>>,
    /// Where the last one with an end of its own ends.
    taken: usize,
    /// Where the word ends that was taken last.
    word: usize,
}

impl<'a> Values<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            found: Vec::new(),
            taken: 0,
            word: 0,
        }
    }

    fn rest(&self, start: usize) -> &'a str {
        self.text.get(start..).unwrap_or_default()
    }

    /// Takes the value that begins here.
    fn take(&mut self, start: usize) {
        if start < self.taken {
            return;
        }
        if self.take_quoted(start) {
            return;
        }
        match block(self.rest(start)) {
            Some(length) => self.take_to(start, start + length),
            None => {
                self.take_word(start);
            }
        }
    }

    /// Takes a value in quotation marks, and what a shell adds to it: `'it'\''s'`. Says whether one begins here.
    fn take_quoted(&mut self, start: usize) -> bool {
        let mut at = start;
        loop {
            let rest = self.rest(at);
            // JSON inside of a text has escapes before its marks.
            let escapes = rest.len() - rest.trim_start_matches('\\').len();
            let quoted = rest.get(escapes..).unwrap_or_default();
            let Some(mark) = quoted.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
                return at > start;
            };
            let from = at + escapes + 1;
            let to = from + closed(self.rest(from), mark, escapes);
            self.take_to(from, to);
            let behind = to + escapes + 1;
            if escapes > 0 && at == start || behind >= self.text.len() || self.rest(to).starts_with(['\n', '\r']) {
                return true;
            }
            at = behind;
        }
    }

    /// Takes a word, and returns where it ends.
    fn take_word(&mut self, start: usize) -> usize {
        if start >= self.word {
            let rest = self.rest(start);
            self.word = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.found.push(start..self.word);
        }
        self.word
    }

    /// Takes the text of an element: up to the next one, or what is left of the line where none follows there.
    fn take_element(&mut self, start: usize) {
        if start < self.taken {
            return;
        }
        let rest = self.rest(start);
        let blank = rest.len() - rest.trim_start().len();
        let inner = rest.get(blank..).unwrap_or_default();
        let end = inner.find(['<', '\n', '\r']).unwrap_or(inner.len());
        self.take_to(start + blank, start + blank + end);
    }

    fn take_credentials(&mut self, start: usize) {
        if start < self.taken || self.take_quoted(start) {
            return;
        }
        let mut at = start;
        for words in 1.. {
            let end = self.take_word(at);
            let goes_on = words == 1 || self.text.get(at..end).is_some_and(|word| word.ends_with(','));
            let behind = self.rest(end);
            at = end + behind.len() - behind.trim_start_matches([' ', '\t']).len();
            if !goes_on || at == end || self.rest(at).starts_with(['\n', '\r']) {
                break;
            }
        }
        self.taken = self.word;
    }

    fn take_to(&mut self, from: usize, to: usize) {
        self.taken = self.taken.max(to);
        self.found.push(from..to);
    }
}

/// How long a text of several lines in YAML is that begins here: behind `|` or `>`, every line that is set in as far as the first one.
fn block(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(['|', '>'])?;
    let mut lines = rest.split_inclusive('\n');
    let first = lines.next()?;
    if !first.ends_with('\n') || !first.trim_end().chars().all(|c| matches!(c, '+' | '-' | '0'..='9')) {
        return None;
    }
    let mut length = 1 + first.len();
    let mut indent = None;
    for line in lines {
        let inside = line.len() - line.trim_start_matches([' ', '\t']).len();
        let is_blank = line.trim().is_empty();
        if !is_blank && inside < (*indent.get_or_insert(inside)).max(1) {
            break;
        }
        length += line.len();
    }
    Some(length)
}

/// Where a quoted text ends behind its first mark: before the mark that has as many escapes in front of it, or where the line ends. A mark
/// that stands twice, or in a word, is one of the text.
fn closed(text: &str, mark: char, escapes: usize) -> usize {
    let mut before = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' | '\r' => return at,
            '\\' => before += 1,
            c if c == mark && before <= escapes => {
                let next = chars.peek().map(|(_, next)| *next);
                let is_doubled = escapes == 0 && next == Some(mark);
                if !is_doubled && !next.is_some_and(char::is_alphanumeric) {
                    return at - before;
                }
                if is_doubled {
                    chars.next();
                }
                before = 0;
            }
            _ => before = 0,
        }
    }
    text.len()
}

/// Finds users with their passwords in the names of data sources: `root:secret@tcp(db:3306)`.
pub(super) fn data_source_users(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut seen = 0;
    for (at, _) in text.match_indices('@') {
        let behind = text.get(at + 1..).unwrap_or_default();
        let network = behind.bytes().take(16).take_while(u8::is_ascii_alphanumeric).count();
        if network == 0 || !behind.get(network..).is_some_and(|rest| rest.starts_with('(')) {
            continue;
        }
        let before = text.get(seen..at).unwrap_or_default();
        let word = before
            .rfind(|c: char| c.is_whitespace() || "\"'`".contains(c))
            .map_or(0, |mark| super::ceil(before, mark + 1));
        let word = before.get(word..).unwrap_or_default();
        if let Some((user, _)) = word.split_once(':') {
            let name = user.rfind('=').map_or(0, |assigned| assigned + 1);
            found.push(at - word.len() + name..at);
        }
        seen = at + 1 + network;
    }
    found
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

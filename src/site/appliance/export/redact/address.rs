//! Addresses that no pattern describes well: IPv6, and e-mail.

use std::net::Ipv6Addr;
use std::ops::Range;

/// The longest text of an IPv6 address: six groups and an IPv4 address.
const LONGEST: usize = 45;

/// Finds IPv6 addresses: in every run of hex digits, colons and full stops, the longest that begins at each group.
///
/// A group that hangs on a word is none, so that `std::fmt` stays; a word with a colon behind it may stand before an address.
pub(super) fn ipv6(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = next(bytes, at, is_part) {
        let end = next(bytes, start, |byte| !is_part(byte)).unwrap_or(bytes.len());
        let run = text.get(start..end).unwrap_or_default();
        if run.bytes().filter(|byte| *byte == b':').count() >= 2 {
            let word_before = text.get(..start).unwrap_or_default().chars().next_back();
            let word_behind = text.get(end..).unwrap_or_default().chars().next();
            in_run(
                run,
                word_before.is_some_and(char::is_alphanumeric),
                word_behind.is_some_and(char::is_alphanumeric),
                |address| found.push(start + address.start..start + address.end),
            );
        }
        at = end;
    }
    found
}

/// Finds the addresses of one run. `before` and `behind`: it hangs on a word.
fn in_run(run: &str, before: bool, behind: bool, mut take: impl FnMut(Range<usize>)) {
    let bytes = run.as_bytes();
    let is_separator = |at: usize| bytes.get(at).is_some_and(|byte| matches!(byte, b':' | b'.'));
    let mut start = 0;
    while start < bytes.len() {
        let begins = start.checked_sub(1).map_or(!before, is_separator);
        let ends = |end: usize| {
            if end == bytes.len() {
                !behind || is_separator(end - 1)
            } else {
                is_separator(end)
            }
        };
        let candidates = (start..=farthest(bytes, start)).rev();
        let end = candidates
            .filter(|_| begins)
            .find(|end| ends(*end) && run.get(start..*end).is_some_and(is_address));
        if let Some(end) = end {
            take(start..end);
        }
        start = end.unwrap_or(start + 1);
    }
}

/// Returns where an address that begins here ends at the latest: before its ninth colon.
fn farthest(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let mut colons = rest.iter().enumerate().take(LONGEST).filter(|(_, byte)| **byte == b':');
    start + colons.nth(8).map_or(rest.len().min(LONGEST), |(place, _)| place)
}

/// Whether a text is an address; `::` alone names none.
fn is_address(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_hexdigit()) && text.parse::<Ipv6Addr>().is_ok()
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

fn next(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter().position(|byte| is(*byte)).map(|place| from + place)
}

/// Finds e-mail addresses and what else names somebody on a host: not the digest behind a name, `app@sha256:…`, nor a version, `app@1.2`.
pub(super) fn mail(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).unwrap_or_default();
        let user = before
            .trim_end_matches(|c: char| c.is_alphanumeric() || "._%+-".contains(c))
            .len();
        let behind = text.get(at + 1..).unwrap_or_default();
        let is_host = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
        let host = behind.find(|c| !is_host(c)).unwrap_or(behind.len());
        let (host, rest) = behind.split_at(host);
        let host = host.trim_end_matches(['.', '-']);
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_digest = matches!(host, "sha256" | "sha384" | "sha512") && rest.starts_with(':');
        if user < at && last.starts_with(char::is_alphabetic) && !is_digest {
            found.push(user..at + 1 + host.len());
        }
    }
    found
}

//! Forms of text and lists that several parts of the document share.

use serde::{Deserialize, Deserializer};

use crate::domain::{Class, Error, Uuid};

/// Longest text for people, in bytes.
pub(super) const TEXT_BYTES: usize = 128;
/// Longest duration. Agents count nanoseconds in 64 bits and would stumble over 300 years.
const HOURS: u64 = 1000;

/// RFC 1123 label: what kubernetes calls namespaces, and helm its releases.
pub fn is_label(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A list without room for more: ten thousand targets have one deployment each, and an appliance keeps all of them in memory.
pub(super) fn exact<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let mut list = Vec::deserialize(deserializer)?;
    list.shrink_to_fit();
    Ok(list)
}

pub(super) fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Whole numbers with units, as Go writes its durations: `1h30m`, `5m0s`, `250ms`; [`HOURS`] at most.
pub fn is_go_duration(text: &str) -> bool {
    let mut rest = text;
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let Some((unit, milliseconds)) = units.into_iter().find(|(unit, _)| after.starts_with(unit)) else {
            return false;
        };
        let Some(number) = number.parse::<u64>().ok().filter(|_| digits <= 9) else {
            return false;
        };
        sum = sum.saturating_add(number.saturating_mul(milliseconds));
        rest = after.get(unit.len()..).unwrap_or_default();
    }
    !text.is_empty() && sum <= HOURS * 3_600_000
}

pub(super) fn ascending(mut ids: impl Iterator<Item = Uuid>) -> bool {
    let Some(mut last) = ids.next() else { return true };
    ids.all(|id| std::mem::replace(&mut last, id) < id)
}

/// Something is said that cannot be so.
pub(in crate::bundle) fn wrong(found: String, expected: &str) -> Error {
    Error::new(Class::Content, "desired-state", found)
        .expected(expected)
        .remedy(
            "have the vendor make the release again; `airlock bundle create` writes the desired state as it must be",
        )
}

//! Looks for many values in a text, in time that is linear in both, however long and alike the values are.
//!
//! What is looked up is how a value begins, in each of its [`Look`]s: [`HEAD`] bytes, or all of a shorter one. Where that stands, the text
//! is compared on, and as much is found as it has in common with the value: so what is left of a value in a text that was cut is found too.
//! The whole of a long value is written only then. Within what was found the same value is not compared again, but beginning behind it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::look::Look;
use crate::domain::SecretValue;
use crate::domain::limits::SECRET_SOUGHT_BYTES;

/// Bytes by which a head is looked up. Shorter values stand in every other text.
const SHORTEST: usize = SECRET_SOUGHT_BYTES;
/// Bytes of the beginning of a value that are looked for.
const HEAD: usize = 32;
/// Bytes of a value of which each look has that many, whatever it leaves out.
const SOURCE: usize = 48;
/// Shortest line of a value that is looked for alone: texts come line by line.
const LINE: usize = 16;
/// What two bytes may say.
const PAIRS: usize = 1 << 16;

/// The values.
#[derive(Default)]
pub(super) struct Search {
    heads: Vec<Head>,
    /// Heads by their first bytes.
    by_key: HashMap<[u8; SHORTEST], Vec<usize>>,
    /// Whether a head begins with two bytes; empty where there is none.
    pairs: Vec<bool>,
}

/// How some values begin.
struct Head {
    text: Zeroizing<String>,
    /// It is all of a value in one look.
    is_whole: bool,
    /// It is base64: what stands around it in the text shares bits with the value.
    is_base64: bool,
    /// What goes on behind it.
    long: Vec<Long>,
}

/// A value that is longer than its head, in one look.
struct Long {
    value: Arc<SecretValue>,
    /// The part of the value.
    part: Range<usize>,
    look: Look,
    whole: OnceLock<Zeroizing<String>>,
}

impl Search {
    pub(super) fn of(values: &[Arc<SecretValue>]) -> Self {
        let mut search = Self::default();
        let mut places = HashMap::new();
        let mut seen = HashSet::new();
        for value in values.iter().filter(|value| seen.insert(value.as_str())) {
            let text = value.as_str();
            search.add(value, 0..text.len(), &mut places);
            let mut parts = HashSet::from([text]);
            for line in text.lines().map(str::trim).filter(|line| line.len() >= LINE) {
                if parts.insert(line) {
                    let start = line.as_ptr().addr().saturating_sub(text.as_ptr().addr());
                    search.add(value, start..start.saturating_add(line.len()), &mut places);
                }
            }
        }
        for head in places.into_keys() {
            drop(Zeroizing::new(head));
        }
        search
    }

    fn add(&mut self, value: &Arc<SecretValue>, part: Range<usize>, places: &mut HashMap<String, usize>) {
        let text = value.as_str().get(part.clone()).unwrap_or_default();
        let beginning = text.get(..floor(text, SOURCE)).unwrap_or_default();
        // Most are written the same way in any text.
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        let is_other =
            |look: &&Look| !is_plain || matches!(look, Look::Plain | Look::Hex | Look::HexUpper | Look::Base64(..));
        for look in Look::ALL.iter().filter(|_| text.len() >= SHORTEST).filter(is_other) {
            let mut head = look.of(beginning);
            let is_whole = beginning.len() == text.len() && head.len() <= HEAD;
            let end = floor(&head, HEAD);
            head.truncate(end);
            let Some(key) = head.as_bytes().first_chunk::<SHORTEST>().copied() else {
                continue;
            };
            let place = *places.entry(head.to_string()).or_insert_with(|| {
                self.by_key.entry(key).or_default().push(self.heads.len());
                self.pairs.resize(PAIRS, false);
                if let [first, second, ..] = key
                    && let Some(pair) = self.pairs.get_mut(pair(first, second))
                {
                    *pair = true;
                }
                self.heads.push(Head {
                    text: head,
                    is_whole: false,
                    is_base64: false,
                    long: Vec::new(),
                });
                self.heads.len().saturating_sub(1)
            });
            let Some(head) = self.heads.get_mut(place) else {
                continue;
            };
            head.is_base64 |= matches!(look, Look::Base64(..));
            if is_whole {
                head.is_whole = true;
            } else {
                head.long.push(Long {
                    value: value.clone(),
                    part: part.clone(),
                    look: *look,
                    whole: OnceLock::new(),
                });
            }
        }
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Returns where values stand in a text, by where they begin; stretches may lie across one another.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.heads.is_empty() {
            return found;
        }
        // How far each head's values were followed.
        let mut followed: HashMap<usize, usize> = HashMap::new();
        for (start, window) in text.as_bytes().windows(SHORTEST).enumerate() {
            let &[first, second, ..] = window else { continue };
            if self.pairs.get(pair(first, second)) != Some(&true) {
                continue;
            }
            let places = window.first_chunk().and_then(|key| self.by_key.get(key));
            for place in places.into_iter().flatten() {
                let Some(head) = self.heads.get(*place) else { continue };
                let rest = text.as_bytes().get(start..).unwrap_or_default();
                if !rest.starts_with(head.text.as_bytes()) {
                    continue;
                }
                let end = start.saturating_add(head.text.len());
                if head.is_whole {
                    found.push(head.stretch(text, start..end));
                }
                if !head.long.is_empty() {
                    let before = followed.entry(*place).or_default();
                    let from = end.max(*before);
                    let to = head.follow(text, start, from);
                    // What was found before reaches from there.
                    let begins = if start < *before {
                        before.saturating_sub(1)
                    } else {
                        start
                    };
                    if to > *before {
                        found.push(head.stretch(text, floor(text, begins)..ceil(text, to)));
                    }
                    *before = to;
                }
            }
        }
        found.sort_unstable_by_key(|stretch| (stretch.start, stretch.end));
        found
    }
}

impl Head {
    /// Returns a stretch with what belongs to the value beside it.
    fn stretch(&self, text: &str, found: Range<usize>) -> Range<usize> {
        if !self.is_base64 {
            return found;
        }
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
        let (before, behind) = (text.get(..found.start), text.get(found.end..));
        let before = before.unwrap_or_default().as_bytes().last().is_some_and(is_digit);
        let behind = behind.unwrap_or_default().as_bytes();
        let digits = behind.iter().take(4).take_while(|byte| is_digit(byte)).count();
        let padding = behind
            .iter()
            .skip(digits)
            .take(2)
            .take_while(|byte| **byte == b'=')
            .count();
        let end = found.end.saturating_add(digits).saturating_add(padding);
        found.start.saturating_sub(usize::from(before))..end
    }

    /// Returns how far a text that has this head at `start` goes on from `from` like the values do.
    fn follow(&self, text: &str, start: usize, from: usize) -> usize {
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        let like = self.long.iter().map(|long| {
            let whole = long
                .whole()
                .as_bytes()
                .get(from.saturating_sub(start)..)
                .unwrap_or_default();
            whole.iter().zip(rest).take_while(|(a, b)| a == b).count()
        });
        from.saturating_add(like.max().unwrap_or_default())
    }
}

impl Long {
    fn whole(&self) -> &str {
        let part = || self.value.as_str().get(self.part.clone()).unwrap_or_default();
        self.whole.get_or_init(|| self.look.of(part()))
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

/// Returns the last end of a character up to a place.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}

/// Returns the first end of a character from a place on.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(values: &[String]) -> Search {
        let value = |text: &String| Arc::new(SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap());
        Search::of(&values.iter().map(value).collect::<Vec<_>>())
    }

    /// Nanoseconds that this thread had a processor.
    #[expect(clippy::disallowed_methods, reason = "a file of the kernel")]
    fn spent() -> u64 {
        let all = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        all.split(' ').next().unwrap().parse().unwrap()
    }

    fn covered(found: Vec<Range<usize>>) -> Vec<(usize, usize)> {
        let mut out: Vec<(usize, usize)> = Vec::new();
        for stretch in found {
            match out.last_mut() {
                Some((_, end)) if stretch.start <= *end => *end = stretch.end.max(*end),
                _ => out.push((stretch.start, stretch.end)),
            }
        }
        out
    }

    #[test]
    fn a_long_value_is_found_whole_in_every_look_and_where_it_was_cut() {
        let value: String = (0..600).fold(String::new(), |text, number| text + &format!("{number}\u{fc}$\" "));
        let search = search(std::slice::from_ref(&value));
        for look in Look::ALL {
            let written = look.of(&value);
            let text = format!("<{}>", *written);
            assert_eq!(covered(search.find(&text)), [(1, text.len() - 1)], "{look:?}");
            let cut = floor(&text, 500);
            assert_eq!(covered(search.find(&text[..cut])), [(1, cut)], "{look:?}");
        }
        assert!(search.find(&value[1..]).is_empty());
        assert!(search.find(&value[..19]).is_empty());
        // Beginnings of it, one in the other: what is found reaches as far as any.
        let twice = format!("{}{value}", &value[..floor(&value, 60)]);
        assert_eq!(covered(search.find(&twice)), [(0, twice.len())]);
    }

    #[test]
    fn values_that_are_all_alike_take_linear_time() {
        let begun = spent();
        let mut values: Vec<String> = (0..256)
            .map(|number| format!("a \"value\" $ of its own {number}"))
            .collect();
        values.push("$".repeat(64 << 10));
        values.push("0123456789abcde\u{e4}\n".repeat(3 << 10));
        let search = search(&values);
        for text in [
            "$".repeat(64 << 10),
            "$".repeat(60_000) + &"a ".repeat(2_000),
            "%24".repeat(20_000),
        ] {
            let end = text.find('a').unwrap_or(text.len());
            assert_eq!(covered(search.find(&text)), [(0, end)]);
        }
        for value in &values {
            assert_eq!(covered(search.find(value)), [(0, value.len())]);
        }
        let took = spent() - begun;
        assert!(took < 1_000_000_000, "{took} ns");
    }
}

//! The search of level 5: a short and a long table, the next position tried too, and every third position within a match inserted.

use super::history::{FARTHEST, History, long_hash, low, short_hash, small};
use super::tokens::Tokens;

/// Plain at the end that is not searched.
pub(super) const MARGIN: usize = 11;

/// A match under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) at: usize,
    pub(super) place: usize,
    /// 0 if not measured yet.
    pub(super) length: usize,
}

/// Searches one block.
pub(super) fn search(history: &mut History, tokens: &mut Tokens, plain: &[u8]) {
    let mut at = history.add(plain);
    if plain.len() < MARGIN + 2 {
        return;
    }
    let limit = history.plain.len() - MARGIN;
    let mut emitted = at;
    let mut value = history.eight(at);
    'block: loop {
        let mut next = at;
        let mut found;
        loop {
            let (short, long) = (short_hash(value), long_hash(value));
            at = next;
            next = at + 1 + ((at - emitted) >> 6);
            if next > limit {
                break 'block;
            }
            let number = history.number_of(at);
            let short_candidate = std::mem::replace(history.short(short), number);
            let [last, before] = history.long(long);
            history.insert_long(long, number);
            let next_value = history.eight(next);
            let (next_short, next_long) = (short_hash(next_value), long_hash(next_value));
            let next_number = history.number_of(next);
            let four = low(value);
            if let Some(found_here) = by_long(history, last, before, at, four) {
                found = found_here;
                *history.short(next_short) = next_number;
                history.insert_long(next_long, next_number);
                break;
            }
            if let Some(place) = history.equal(short_candidate, at, four) {
                let length = history.common(at + 4, place + 4) + 4;
                found = Match { at, place, length };
                let candidates = history.long(next_long);
                *history.short(next_short) = next_number;
                history.insert_long(next_long, next_number);
                for (number, entry) in candidates.into_iter().enumerate() {
                    // The one before counts only if the last is near.
                    if number == 1 && history.near(candidates[0], next).is_none() {
                        break;
                    }
                    if let Some(place) = history.equal(entry, next, low(next_value)) {
                        let length = history.common(next + 4, place + 4) + 4;
                        if length > found.length {
                            found = Match {
                                at: next,
                                place,
                                length,
                            };
                            break;
                        }
                    }
                }
                break;
            }
            value = next_value;
        }
        measure(history, &mut found);
        let end = found.at + found.length;
        if found.length < 30 && end < limit {
            let entry = history.long(long_hash(history.eight(end)))[0];
            better(history, entry, found, &mut found);
        }
        extend_back(history, emitted, &mut found);
        tokens.literals(&history.plain[emitted..found.at]);
        tokens.matched(found.length, small(found.at - found.place));
        at = found.at + found.length;
        emitted = at;
        if next >= at {
            at = next + 1;
        }
        if at >= limit {
            break;
        }
        insert(history, at + 1 - found.length, at);
        let behind = history.eight(at - 1);
        let number = history.number_of(at - 1);
        *history.short(short_hash(behind)) = number;
        history.insert_long(long_hash(behind), number);
        // No hash reads the eighth byte.
        value = behind >> 8;
    }
    remainder(history, tokens, emitted);
}

/// A match by the long table: the last position, or the one before if it is longer or the last is none.
pub(super) fn by_long(history: &History, last: u32, before: u32, at: usize, four: u32) -> Option<Match> {
    let near = history.near(last, at)?;
    if history.four(near) == four {
        let mut found = Match {
            at,
            place: near,
            length: 0,
        };
        if let Some(place) = history.equal(before, at, four) {
            found.length = history.common(at + 4, near + 4) + 4;
            let length = history.common(at + 4, place + 4) + 4;
            if length > found.length {
                found = Match { at, place, length };
            }
        }
        return Some(found);
    }
    let place = history.equal(before, at, four)?;
    Some(Match { at, place, length: 0 })
}

/// Measures a match to its end.
pub(super) fn measure(history: &History, found: &mut Match) {
    if found.length == 0 {
        found.length = history.common_to_end(found.at + 4, found.place + 4) + 4;
    } else if found.length == 258 {
        found.length += history.common_to_end(found.at + 258, found.place + 258);
    }
}

/// Takes a match that ends like `first` but begins elsewhere, if it is longer than the best. Its first two bytes may differ.
pub(super) fn better(history: &History, entry: u32, first: Match, best: &mut Match) {
    const SKIPPED: usize = 2;
    let at = first.at + SKIPPED;
    // Of the entry the length is taken off, so it may lie before the history.
    let Some(place) = (entry as usize + SKIPPED).checked_sub(first.length + history.number as usize) else {
        return;
    };
    if place < at && at - place < FARTHEST {
        let length = history.common_to_end(at, place);
        if length > best.length {
            *best = Match { at, place, length };
        }
    }
}

/// Extends a match to the left.
pub(super) fn extend_back(history: &History, emitted: usize, found: &mut Match) {
    while found.place > 0 && found.at > emitted && history.plain[found.place - 1] == history.plain[found.at - 1] {
        found.at -= 1;
        found.place -= 1;
        found.length += 1;
    }
}

/// Adds the literals behind the last match, unless there was none.
pub(super) fn remainder(history: &History, tokens: &mut Tokens, emitted: usize) {
    if !tokens.list.is_empty() {
        tokens.literals(&history.plain[emitted..]);
    }
}

fn insert(history: &mut History, from: usize, to: usize) {
    if from + 1 >= to {
        return;
    }
    let value = history.eight(from);
    let number = history.number_of(from);
    *history.short(short_hash(value)) = number;
    history.insert_long(long_hash(value), number);
    // Eight bytes are enough for a long one at the next, and a short one at the one after it.
    history.insert_long(long_hash(value >> 8), number + 1);
    *history.short(short_hash(value >> 16)) = number + 2;
    let mut at = from + 4;
    while at + 1 < to {
        let value = history.eight(at);
        let number = history.number_of(at);
        history.insert_long(long_hash(value), number);
        *history.short(short_hash(value >> 8)) = number + 1;
        at += 3;
    }
}

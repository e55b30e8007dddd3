//! The search of level 6: as level 5, with the distance before tried, both long positions at the end of a match, and all positions
//! within a match inserted.

use super::history::{FARTHEST, History, long_hash, low, short_hash, small};
use super::level_5::{MARGIN, Match, better, by_long, extend_back, measure, remainder};
use super::tokens::Tokens;

/// Searches one block.
pub(super) fn search(history: &mut History, tokens: &mut Tokens, plain: &[u8]) {
    let mut at = history.add(plain);
    if plain.len() < MARGIN + 2 {
        return;
    }
    let limit = history.plain.len() - MARGIN;
    let mut emitted = at;
    let mut value = history.eight(at);
    let mut distance = 1;
    'block: loop {
        let mut next = at;
        let mut found;
        loop {
            let (short, long) = (short_hash(value), long_hash(value));
            at = next;
            next = at + 1 + ((at - emitted) >> 7);
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
                // The distance of the match before, one byte on.
                let place = at + 1 - distance;
                if history.four(place) == low(value >> 8) {
                    let length = history.common(at + 5, place + 4) + 4;
                    if length > found.length {
                        found = Match {
                            at: at + 1,
                            place,
                            length,
                        };
                        break;
                    }
                }
                if history.near(candidates[0], next).is_some() {
                    for entry in candidates {
                        if let Some(place) = history.equal(entry, next, low(next_value)) {
                            let length = history.common(next + 4, place + 4) + 4;
                            if length > found.length {
                                found = Match {
                                    at: next,
                                    place,
                                    length,
                                };
                            }
                        }
                    }
                }
                break;
            }
            value = next_value;
        }
        measure(history, &mut found);
        let end = found.at + found.length;
        if end < limit {
            both_ends(history, end, &mut found);
        }
        extend_back(history, emitted, &mut found);
        tokens.literals(&history.plain[emitted..found.at]);
        tokens.matched(found.length, small(found.at - found.place));
        distance = found.at - found.place;
        at = found.at + found.length;
        emitted = at;
        if next >= at {
            at = next + 1;
        }
        let mut inner = next + 1;
        if at >= limit {
            while inner + 8 < history.plain.len() {
                let value = history.eight(inner);
                let number = history.number_of(inner);
                *history.short(short_hash(value)) = number;
                history.insert_long(long_hash(value), number);
                inner += 2;
            }
            break;
        }
        while inner + 1 < at {
            let value = history.eight(inner);
            let number = history.number_of(inner);
            *history.short(short_hash(value)) = number;
            history.insert_long(long_hash(value), number);
            history.insert_long(long_hash(value >> 8), number + 1);
            inner += 2;
        }
        value = history.eight(at);
    }
    remainder(history, tokens, emitted);
}

/// Looks for a match that ends where this one ends, by both long positions there. The second is tried unless the first is too far,
/// and with the length that the first may have given.
fn both_ends(history: &History, end: usize, found: &mut Match) {
    let [last, before] = history.long(long_hash(history.eight(end)));
    let first = *found;
    better(history, last, first, found);
    let far = u64::from(history.number_of(end)) >= u64::from(last) + FARTHEST as u64;
    if !far {
        let length = found.length;
        better(history, before, Match { length, ..first }, found);
    }
}

//! Cuts lines of logs into pieces, each a request and an item of the journal.
//!
//! Lines come in the order of their numbers, and a piece is a stretch of them: so the journal can say which numbers went out, whatever comes
//! later. Within a stretch each stream (a container, or the agent) is in the order of its clock. A stretch ends where every stream's lines
//! before are none of them newer than those behind it, as far as a piece may be long: a hub takes no line that is older than what it has.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

/// Most lines of a piece.
pub(super) const BATCH_LINES: usize = 1000;
/// Most bytes of a piece.
pub(super) const BATCH_BYTES: usize = 8 << 20;

/// What the cut looks at in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure<S> {
    /// Its stream.
    pub(super) stream: S,
    /// When, by the stream's clock: seconds and nanoseconds.
    pub(super) at: (i64, u32),
    /// Bytes that it takes.
    pub(super) bytes: usize,
}

/// Returns the pieces, in order; together they are all lines.
pub(super) fn cut<S: Copy + Eq + Hash>(lines: &[Measure<S>]) -> Vec<Range<usize>> {
    let may_end = may_end(lines);
    let mut pieces = Vec::new();
    let mut start = 0_usize;
    while start < lines.len() {
        let (mut end, mut best, mut bytes) = (start, None, 2_usize);
        while let Some(line) = lines.get(end) {
            // A comma too.
            bytes = bytes.saturating_add(line.bytes).saturating_add(1);
            let full = end.saturating_sub(start) >= BATCH_LINES || bytes > BATCH_BYTES;
            if full && end > start {
                break;
            }
            end = end.saturating_add(1);
            if may_end.get(end).copied().unwrap_or(true) {
                best = Some(end);
            }
        }
        let end = best.unwrap_or(end);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

/// For each place before a line, and that behind the last: whether no stream has something newer before it than behind it.
fn may_end<S: Copy + Eq + Hash>(lines: &[Measure<S>]) -> Vec<bool> {
    /// Lines of a stream at which it became newer than ever: where, and when.
    type Newest = Vec<((i64, u32), usize)>;
    let mut open = vec![0_i64; lines.len().saturating_add(2)];
    let mut streams: HashMap<S, Newest> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        let newest = streams.entry(line.stream).or_default();
        let older = newest.partition_point(|(time, _)| *time <= line.at);
        match newest.get(older) {
            // From behind the first newer line up to this one nothing may end.
            Some((_, first)) => {
                if let Some(place) = open.get_mut(first.saturating_add(1)) {
                    *place = place.saturating_add(1);
                }
                if let Some(place) = open.get_mut(at.saturating_add(1)) {
                    *place = place.saturating_sub(1);
                }
            }
            None if newest.last().is_none_or(|(time, _)| *time < line.at) => newest.push((line.at, at)),
            None => {}
        }
    }
    let mut sum = 0_i64;
    open.iter()
        .take(lines.len().saturating_add(1))
        .map(|change| {
            sum = sum.saturating_add(*change);
            sum == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measures(times: &[(u8, i64)]) -> Vec<Measure<u8>> {
        times
            .iter()
            .map(|&(stream, at)| Measure {
                stream,
                at: (at, 0),
                bytes: 1,
            })
            .collect()
    }

    #[test]
    fn pieces_are_full_and_end_where_order_lets_them() {
        let in_order: Vec<(u8, i64)> = (0..2500).map(|n| (0, n)).collect();
        assert_eq!(cut(&measures(&in_order)), [0..1000, 1000..2000, 2000..2500]);
        // Two lines at the end of the first piece came in the other order.
        let mut swapped = in_order.clone();
        swapped.swap(999, 1000);
        assert_eq!(cut(&measures(&swapped)), [0..999, 999..1999, 1999..2500]);
        let other_stream: Vec<(u8, i64)> = swapped
            .iter()
            .enumerate()
            .map(|(n, (_, at))| (u8::from(n == 1000), *at))
            .collect();
        assert_eq!(cut(&measures(&other_stream)), [0..1000, 1000..2000, 2000..2500]);
        let backwards: Vec<(u8, i64)> = (0..1500).map(|n| (0, -n)).collect();
        assert_eq!(cut(&measures(&backwards)), [0..1000, 1000..1500]);
        let mut large = measures(&in_order);
        for line in &mut large {
            line.bytes = 3 << 20;
        }
        assert!(cut(&large).iter().all(|piece| piece.len() == 2));
        large[0].bytes = 9 << 20;
        assert_eq!(cut(&large)[0], 0..1);
        assert!(cut(&measures(&[])).is_empty());
    }

    proptest! {
        #[test]
        fn places_where_a_piece_may_end_are_those_where_order_holds(times in prop::collection::vec((0..3_u8, 0..8_i64), 0..12)) {
            let lines = measures(&times);
            let places = may_end(&lines);
            prop_assert_eq!(places.len(), lines.len() + 1);
            for (place, may_end) in places.iter().enumerate() {
                let holds = (0..place).all(|a| {
                    (place..lines.len()).all(|b| times[a].0 != times[b].0 || times[a].1 <= times[b].1)
                });
                prop_assert_eq!(*may_end, holds, "{} {:?}", place, times);
            }
        }
    }
}

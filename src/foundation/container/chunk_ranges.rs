//! Which chunks a repair file holds: ranges, ascending, none touching the next (SPEC M-172).

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Bytes that the ranges may have in entry 00, whose other words take the rest of what it may have.
const TEXT_BYTES: usize = 96;
/// More ranges than this never fit: the shortest has three bytes and a comma.
const RANGES: usize = 24;

/// Numbers of chunks, counted from 1; clones are the same list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkRanges(Arc<[(u64, u64)]>);

impl ChunkRanges {
    /// Takes numbers, ascending; all ranges that they make.
    pub fn exactly(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(ranges_of(numbers).into())
    }

    /// Takes numbers, ascending. Where they make more ranges than entry 00 has room for, the smallest gaps are filled.
    pub(crate) fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let ranges = ranges_of(numbers);
        let mut gaps: Vec<(u64, usize)> = ranges
            .windows(2)
            .zip(1..)
            .filter_map(|(pair, place)| {
                let [(_, before), (after, _)] = pair else { return None };
                Some((after.saturating_sub(*before), place))
            })
            .collect();
        // The widest first; of those that are as wide, the first.
        gaps.sort_by_key(|(width, place)| (std::cmp::Reverse(*width), *place));
        gaps.truncate(RANGES);
        loop {
            let kept = cut_at(&ranges, &gaps);
            if kept.to_string().len() <= TEXT_BYTES || gaps.pop().is_none() {
                return kept;
            }
        }
    }

    /// Reads the text of ranges; nothing for what no writer writes.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = text.split(',').map(|range| {
            let (first, last) = range.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        let ranges: Vec<(u64, u64)> = parsed.collect::<Option<_>>()?;
        let ranges = if ranges == [(0, 0)] { Vec::new() } else { ranges };
        let mut next = 1;
        for (first, last) in &ranges {
            if *first < next || last < first {
                return None;
            }
            // One that touches the one before would be part of it.
            next = last.checked_add(2)?;
        }
        let ranges = Self(ranges.into());
        (ranges.to_string() == text).then_some(ranges)
    }

    /// Whether a chunk is among them.
    pub fn contains(&self, number: u64) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < number);
        self.0.get(place).is_some_and(|(first, _)| *first <= number)
    }

    /// Returns all numbers, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + Send + use<> {
        let ranges: Vec<RangeInclusive<u64>> = self.0.iter().map(|(first, last)| *first..=*last).collect();
        ranges.into_iter().flatten()
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        let counts = self
            .0
            .iter()
            .map(|(first, last)| last.saturating_sub(*first).saturating_add(1));
        counts.fold(0, u64::saturating_add)
    }

    /// Returns the highest number; 0 where there is none.
    pub(crate) fn last(&self) -> u64 {
        self.0.last().map_or(0, |(_, last)| *last)
    }
}

fn ranges_of(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) >= number => *last = number.max(*last),
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// Joins ranges over every gap but those that are kept.
fn cut_at(ranges: &[(u64, u64)], gaps: &[(u64, usize)]) -> ChunkRanges {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (place, range) in ranges.iter().enumerate() {
        match joined.last_mut() {
            Some((_, last)) if !gaps.iter().any(|(_, kept)| *kept == place) => *last = range.1,
            _ => joined.push(*range),
        }
    }
    ChunkRanges(joined.into())
}

impl fmt::Display for ChunkRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("0-0");
        }
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{first}-{last}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_ranges_and_come_back() {
        for (numbers, text) in [
            (&[][..], "0-0"),
            (&[1], "1-1"),
            (&[3, 4, 4, 7], "3-4,7-7"),
            (&[9, 10, 11], "9-11"),
        ] {
            let ranges = ChunkRanges::of(numbers.iter().copied());
            assert_eq!(ranges.to_string(), text);
            assert_eq!(ChunkRanges::parse(text), Some(ranges.clone()));
            let mut once = numbers.to_vec();
            once.dedup();
            assert_eq!(ranges.numbers().collect::<Vec<_>>(), once);
            assert_eq!(ranges.count(), once.len() as u64);
            assert!((0..20).all(|number| ranges.contains(number) == once.contains(&number)));
        }
    }

    #[test]
    fn what_no_writer_writes_is_none() {
        for text in [
            "",
            "1",
            "1-",
            "-1",
            "0-1",
            "2-1",
            "1-1,2-2",
            "1-3,3-4",
            "5-5,1-1",
            "01-2",
            "1-2,",
            "+1-2",
            "0-0,1-1",
            "1-1,0-0",
            "1-18446744073709551616",
            "18446744073709551615-18446744073709551615",
        ] {
            assert_eq!(ChunkRanges::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_joined_over_the_smallest_gaps() {
        // Of forty ranges with gaps of 1, but for two wide ones, these two stay.
        let many = (1..=40).map(|n| n * 2 + if n > 10 { 1000 } else { 0 } + if n > 30 { 100_000 } else { 0 });
        let ranges = ChunkRanges::of(many.clone());
        assert!(ranges.to_string().len() <= TEXT_BYTES, "{ranges}");
        assert!(many.clone().all(|number| ranges.contains(number)));
        for gap in [500, 50_000] {
            assert!(!ranges.contains(gap), "{ranges}");
        }
        // Numbers of seven digits leave room for six ranges.
        let wide = ChunkRanges::of((1..=30).map(|n| n * 1_000_000));
        assert!(
            wide.to_string().len() <= TEXT_BYTES && wide.to_string().matches(',').count() >= 4,
            "{wide}"
        );
    }
}

//! Who is copied from whom: the bases that blob lines mention, as places in the index (SPEC M-145, M-146).

use std::collections::HashMap;
use std::ops::Range;

use super::index::{Blob, Need};
use crate::domain::{Class, Digest, Error, Result, limits};

/// Where a base stands in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Need(u32),
    Blob(u32),
}

/// The bases of all encoded blobs, in the order of the table of encodings.
#[derive(Debug, Clone, Default)]
pub(super) struct Bases {
    mentions: Vec<Place>,
    /// Where those of each encoded blob end.
    ends: Vec<u32>,
}

impl Bases {
    /// Adds those of the next encoded blob.
    pub(super) fn push(&mut self, places: &[Place]) {
        self.mentions.extend_from_slice(places);
        self.ends.push(u32::try_from(self.mentions.len()).unwrap_or(u32::MAX));
    }

    /// Returns those of an encoded blob, in their order.
    pub(super) fn of(&self, encoding: u32) -> &[Place] {
        self.mentions.get(self.mentions_of(encoding)).unwrap_or_default()
    }

    /// Whether nothing is copied from anything.
    pub(super) fn is_empty(&self) -> bool {
        self.mentions.is_empty()
    }

    /// Returns which of all mentions are those of an encoded blob.
    pub(super) fn mentions_of(&self, encoding: u32) -> Range<usize> {
        let end = |number: Option<u32>| {
            let end = self.ends.get(usize::try_from(number?).ok()?)?;
            usize::try_from(*end).ok()
        };
        let start = end(encoding.checked_sub(1)).unwrap_or(0);
        start..end(Some(encoding)).unwrap_or(start)
    }

    /// Returns for each mention, in their order, how long the base is of use.
    pub(super) fn spans(&self) -> Vec<Span> {
        let slot = |place: &Place| {
            let (Place::Need(number) | Place::Blob(number)) = place;
            let at = usize::try_from(*number).unwrap_or(usize::MAX);
            at.saturating_mul(2)
                .saturating_add(usize::from(matches!(place, Place::Blob(_))))
        };
        let slots = self.mentions.iter().map(|place| slot(place).saturating_add(1)).max();
        let mut lasts = vec![u32::MAX; slots.unwrap_or(0)];
        let mut spans: Vec<Span> = Vec::with_capacity(self.mentions.len());
        for encoding in (0..self.ends.len())
            .rev()
            .filter_map(|number| u32::try_from(number).ok())
        {
            for place in self.of(encoding).iter().rev() {
                let last = match lasts.get_mut(slot(place)) {
                    Some(last) if *last == u32::MAX => {
                        *last = encoding;
                        encoding
                    }
                    Some(last) => *last,
                    None => encoding,
                };
                spans.push(Span { is_first: false, last });
            }
        }
        spans.reverse();
        for (place, span) in self.mentions.iter().zip(&mut spans) {
            if let Some(last) = lasts.get_mut(slot(place)) {
                span.is_first = *last != u32::MAX;
                *last = u32::MAX;
            }
        }
        spans
    }

    /// Returns how often any is mentioned.
    pub(super) fn count(&self) -> usize {
        self.mentions.len()
    }

    /// Returns which blobs of the bundle are bases.
    pub(super) fn carried(&self) -> impl Iterator<Item = u32> {
        self.mentions.iter().filter_map(|place| match place {
            Place::Blob(number) => Some(*number),
            Place::Need(_) => None,
        })
    }

    /// Returns which needs are bases.
    pub(super) fn needs(&self) -> impl Iterator<Item = u32> {
        self.mentions.iter().filter_map(|place| match place {
            Place::Need(number) => Some(*number),
            Place::Blob(_) => None,
        })
    }
}

/// How long a base is of use, seen from a mention of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Whether nobody mentions it before.
    pub(super) is_first: bool,
    /// The encoded blob that mentions it last.
    pub(super) last: u32,
}

/// The lines that may be bases, while an index is read.
#[derive(Debug, Default)]
pub(super) struct Earlier(HashMap<Digest, u32>);

impl Earlier {
    /// A blob line that is not early.
    pub(super) fn blob(&mut self, blob: &Blob, number: usize) {
        self.0.insert(blob.digest, u32::try_from(number).unwrap_or(u32::MAX));
    }

    /// Finds the places of bases that a line mentions, where `mentioned` were before.
    ///
    /// # Errors
    ///
    /// `E-LIMIT bases`, `E-FORMAT base`.
    pub(super) fn places(&self, bases: &[Digest], mentioned: usize, needs: &[Need]) -> Result<Vec<Place>> {
        let is_repeated = |(number, base): (usize, &Digest)| bases.iter().take(number).any(|before| before == base);
        if !(1..=limits::BASES).contains(&bases.len()) || bases.iter().enumerate().any(is_repeated) {
            return Err(many(&format!(
                "a blob mentions {} bases, or one of them twice",
                bases.len()
            )));
        }
        if mentioned.saturating_add(bases.len()) > limits::BASE_MENTIONS {
            return Err(many("blobs mention more than 1,000,000 bases"));
        }
        let place = |base: &Digest| {
            if let Ok(number) = needs.binary_search_by_key(base, |need| need.digest) {
                return u32::try_from(number).ok().map(Place::Need);
            }
            self.0.get(base).copied().map(Place::Blob)
        };
        bases
            .iter()
            .map(|base| {
                place(base).ok_or_else(|| {
                    no_base(&format!(
                        "the base {base} is neither needed nor a layer that stands before its blob"
                    ))
                })
            })
            .collect()
    }
}

fn many(found: &str) -> Error {
    Error::new(Class::Limit, "bases", found)
        .expected(format!(
            "1 to {} different ones, and {} in all",
            limits::BASES,
            limits::BASE_MENTIONS
        ))
        .remedy("ask the vendor for a bundle made with --encodings none")
}

/// What is said to be a base is none.
pub(super) fn no_base(found: &str) -> Error {
    Error::new(Class::Format, "base", found)
        .remedy("ask the vendor for a bundle made with --encodings none, and tell them that this one was built wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_of_use_from_the_first_blob_that_mentions_it_to_the_last() {
        let mut bases = Bases::default();
        assert_eq!(bases.spans(), []);
        let (need, blob) = (Place::Need(3), Place::Blob(3));
        for mentioned in [&[need, blob][..], &[], &[need], &[Place::Need(0)], &[blob]] {
            bases.push(mentioned);
        }
        let span = |is_first, last| Span { is_first, last };
        assert_eq!(
            bases.spans(),
            [
                span(true, 2),
                span(true, 4),
                span(false, 2),
                span(true, 3),
                span(false, 4)
            ]
        );
        assert_eq!(bases.mentions_of(1), 2..2);
        assert_eq!(bases.mentions_of(4), 4..5);
    }
}

//! Who is copied from whom: the bases that blob lines mention, as places in the index (SPEC M-145, M-146).

use std::collections::HashMap;

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
        let end = |number: Option<u32>| {
            let end = self.ends.get(usize::try_from(number?).ok()?)?;
            usize::try_from(*end).ok()
        };
        let start = end(encoding.checked_sub(1)).unwrap_or(0);
        self.mentions
            .get(start..end(Some(encoding)).unwrap_or(start))
            .unwrap_or_default()
    }

    /// Returns how often any is mentioned.
    pub(super) fn count(&self) -> usize {
        self.mentions.len()
    }

    /// Returns which needs are bases.
    pub(super) fn needs(&self) -> impl Iterator<Item = u32> {
        self.mentions.iter().filter_map(|place| match place {
            Place::Need(number) => Some(*number),
            Place::Blob(_) => None,
        })
    }
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

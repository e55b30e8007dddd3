//! Some places of a plain that their own bytes choose: by them it is told how much of it another plain has, wherever that stands there.
//!
//! Of the places that anchors are, those are kept whose numbers begin with some zero bits, and with one more whenever they are too many. So the
//! samples of two plains keep the same places of what both have, and are compared by as many zero bits as both ask for.

use std::collections::BTreeSet;

use super::anchors::{Rate, WINDOW};
use super::number_of;

/// Places that are kept of a plain.
const MOST: usize = 16 << 10;

/// Takes a plain.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    numbers: BTreeSet<u64>,
    zeros: u32,
}

impl Sampler {
    /// Takes its next bytes. Places across two calls are passed over.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let (mut sum, mut at) = (Rate::OFTEN.sum(), 0_usize);
        while let Some(next) = sum.next(bytes, at) {
            at = next;
            let Some(window) = at.checked_sub(WINDOW).and_then(|from| bytes.get(from..at)) else {
                continue;
            };
            let number = number_of(window);
            if number.leading_zeros() >= self.zeros {
                self.numbers.insert(number);
            }
            while self.numbers.len() > MOST {
                self.zeros = self.zeros.saturating_add(1);
                self.numbers.retain(|number| number.leading_zeros() >= self.zeros);
            }
        }
    }

    /// It was taken whole.
    pub(super) fn finish(self) -> Sample {
        let all: Vec<u64> = self.numbers.into_iter().collect();
        Sample {
            left: all.clone(),
            all,
            zeros: self.zeros,
        }
    }
}

/// Places of a plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Ascending.
    all: Vec<u64>,
    /// Those of them that no other plain was found to have.
    left: Vec<u64>,
    zeros: u32,
}

impl Sample {
    /// Returns how many places another plain has of those that are left, and out of how many that is.
    pub(super) fn shared(&self, other: &Self) -> (u64, u64) {
        let zeros = self.zeros.max(other.zeros);
        let shared = with(&self.left, zeros).iter().filter(|number| other.has(**number));
        (shared.count() as u64, with(&self.all, zeros).len() as u64)
    }

    /// Forgets what another plain has too.
    pub(super) fn forget(&mut self, other: &Self) {
        self.zeros = self.zeros.max(other.zeros);
        for numbers in [&mut self.all, &mut self.left] {
            numbers.truncate(with(numbers, self.zeros).len());
        }
        self.left.retain(|number| !other.has(*number));
    }

    fn has(&self, number: u64) -> bool {
        self.all.binary_search(&number).is_ok()
    }
}

/// Those that begin with so many zero bits: the first of them.
fn with(numbers: &[u64], zeros: u32) -> &[u64] {
    let end = numbers.partition_point(|number| number.leading_zeros() >= zeros);
    numbers.get(..end).unwrap_or_default()
}

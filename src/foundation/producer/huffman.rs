//! Codes of least size under a limit of length, as Go's library and klauspost's make them: by packages, and among equal weights the
//! package before the leaf. Which of several best codes it is decides the bits.

use super::format::{LITERALS, assign};

/// Items of a level that can matter.
const WIDEST: usize = 2 * LITERALS;

/// A code for up to 288 symbols.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) lengths: [u8; 288],
    pub(crate) codes: [u16; 288],
}

impl Code {
    pub(crate) const fn empty() -> Self {
        Self {
            lengths: [0; 288],
            codes: [0; 288],
        }
    }

    /// The code that given lengths make.
    pub(crate) fn of_lengths(lengths: &[u8]) -> Self {
        let mut code = Self::empty();
        code.lengths[..lengths.len()].copy_from_slice(lengths);
        assign(lengths, &mut code.codes);
        code
    }

    /// Bits that so many of each symbol take.
    pub(crate) fn size(&self, counts: &[u32]) -> u64 {
        counts
            .iter()
            .zip(&self.lengths)
            .map(|(count, length)| u64::from(*count) * u64::from(*length))
            .sum()
    }

    /// Code and length of a symbol.
    #[inline]
    pub(crate) fn of(&self, symbol: usize) -> (u64, u32) {
        (u64::from(self.codes[symbol]), u32::from(self.lengths[symbol]))
    }
}

/// Makes codes; holds what that needs.
#[derive(Debug)]
pub(crate) struct Maker {
    leaves: Box<[(u32, u16)]>,
    /// Of each level and item whether it is a leaf.
    is_leaf: Box<[[bool; WIDEST]; 16]>,
    below: Box<[u32; WIDEST]>,
    level: Box<[u32; WIDEST]>,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Self {
            leaves: vec![(0, 0); LITERALS + 2].into_boxed_slice(),
            is_leaf: Box::new([[false; WIDEST]; 16]),
            below: Box::new([0; WIDEST]),
            level: Box::new([0; WIDEST]),
        }
    }

    /// Makes the best code for so many of each symbol, none longer than `limit`. Symbols behind `counts` keep what they had.
    pub(crate) fn make(&mut self, counts: &[u32], limit: usize, code: &mut Code) {
        let mut used = 0;
        for (symbol, count) in (0_u16..).zip(counts) {
            if *count > 0 {
                self.leaves[used] = (*count, symbol);
                used += 1;
            }
        }
        let lengths = &mut code.lengths[..counts.len()];
        lengths.fill(0);
        let leaves = &mut self.leaves[..used];
        if used <= 2 {
            for (_, symbol) in leaves.iter() {
                lengths[usize::from(*symbol)] = 1;
            }
        } else {
            leaves.sort_unstable();
            let limit = limit.min(used - 1);
            let with = levels(leaves, limit, &mut self.is_leaf, &mut self.below, &mut self.level);
            // Level k adds 1 to the length of its `with[k]` lightest leaves.
            for count in &with[1..=limit] {
                for (_, symbol) in &leaves[..*count] {
                    lengths[usize::from(*symbol)] += 1;
                }
            }
        }
        assign(lengths, &mut code.codes[..counts.len()]);
    }
}

/// How many leaves each level of the best solution has.
fn levels(
    leaves: &[(u32, u16)],
    limit: usize,
    is_leaf: &mut [[bool; WIDEST]; 16],
    below: &mut [u32; WIDEST],
    level: &mut [u32; WIDEST],
) -> [usize; 16] {
    let most = 2 * leaves.len() - 2;
    let mut below_count = 0;
    for kinds in is_leaf.iter_mut().take(limit + 1).skip(1) {
        let (mut leaf, mut package, mut count) = (0, 0, 0);
        while count < most {
            let pair = (package + 1 < below_count).then(|| below[package] + below[package + 1]);
            let next = leaves.get(leaf).map(|(weight, _)| *weight);
            let takes_leaf = match (next, pair) {
                (Some(weight), Some(pair)) => weight < pair,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            if takes_leaf {
                level[count] = leaves[leaf].0;
                leaf += 1;
            } else {
                level[count] = below[package] + below[package + 1];
                package += 2;
            }
            kinds[count] = takes_leaf;
            count += 1;
        }
        std::mem::swap(below, level);
        below_count = count;
    }
    let mut with = [0; 16];
    let mut taken = most;
    for number in (1..=limit).rev() {
        let found = is_leaf[number][..taken].iter().filter(|leaf| **leaf).count();
        with[number] = found;
        taken = 2 * (taken - found);
    }
    with
}

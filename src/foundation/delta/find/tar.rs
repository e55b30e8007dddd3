//! Where the heads of a tar's members stand, block by block.

use super::super::head;
use super::{BLOCK, number_of};

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The head of a member.
    Head(Member),
    /// Anything else.
    Other,
}

/// A member, as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Bytes of its body.
    pub(super) size: u64,
    /// Stands for its name and type, then for less and less of them: digits left out, folders left out.
    pub(super) names: [u64; 3],
    /// Stands for all of its head but time, size and checksum.
    pub(super) rest: u64,
}

/// Walks through a plain from its first block.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Blocks of the body under way that did not come yet.
    body: u64,
    /// What is no tar is not asked for heads again.
    lost: bool,
}

impl Walk {
    /// Takes the next block, the last one perhaps cut.
    pub(super) fn block(&mut self, block: &[u8]) -> Kind {
        if self.body > 0 {
            self.body = self.body.saturating_sub(1);
            return Kind::Other;
        }
        let Some(block) = <&[u8; BLOCK]>::try_from(block).ok().filter(|_| !self.lost) else {
            return Kind::Other;
        };
        if let Some(member) = member(block) {
            self.body = member.size.div_ceil(BLOCK as u64);
            return Kind::Head(member);
        }
        // Zeros end a tar, and another one may follow.
        self.lost = block.iter().any(|byte| *byte != 0);
        Kind::Other
    }
}

/// What a head says, if it is one whose fields can be told anew.
fn member(block: &[u8; BLOCK]) -> Option<Member> {
    let told = head::read(block)?;
    let mut rest = *block;
    for field in [head::SIZE, head::TIME, head::CHECKSUM] {
        rest.get_mut(field)?.fill(0);
    }
    let path = [block.get(345..500)?, b"/", block.get(..100)?, block.get(156..157)?];
    let path: Vec<u8> = path.concat().into_iter().filter(|byte| *byte != 0).collect();
    let letters: Vec<u8> = path.iter().copied().filter(|byte| !byte.is_ascii_digit()).collect();
    // A folder's name ends with a slash, and what stands behind that is its type.
    let last = path.rsplit(|byte| *byte == b'/').find(|part| part.len() > 1);
    Some(Member {
        size: told.size,
        names: [number_of(&path), number_of(&letters), number_of(last.unwrap_or(&path))],
        rest: number_of(&rest),
    })
}

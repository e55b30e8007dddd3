//! The members of a plain, by name: layers that have many in common are likely to have their bytes in common.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::tar::{Kind, Walk};
use super::{BLOCK, number_of};
use crate::stream::read_exact_or_end;

/// Blocks of a plain that is no tar, of which one stands for all.
const STRETCH: u64 = 128;

/// What stands in a plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Members by what stands for their name, and the bytes of each.
    members: BTreeMap<u64, u64>,
    bytes: u64,
}

impl Profile {
    /// Reads a plain to its end.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(mut plain: impl Read) -> io::Result<Self> {
        let (mut profile, mut walk) = (Self::default(), Walk::default());
        let mut buffer = vec![0; 128 * BLOCK];
        let (mut blocks, mut under_way) = (0_u64, 0_u64);
        loop {
            let count = read_exact_or_end(&mut plain, &mut buffer)?;
            let came = buffer.get(..count).unwrap_or_default();
            for block in came.chunks(BLOCK) {
                match walk.block(block) {
                    Kind::Head(member) => under_way = member.names[0],
                    Kind::Other if under_way == 0 && blocks.is_multiple_of(STRETCH) => {
                        // No member began yet: its own bytes stand for a stretch.
                        let bytes = profile.members.entry(number_of(block)).or_default();
                        *bytes = bytes.saturating_add(STRETCH.saturating_mul(BLOCK as u64));
                    }
                    Kind::Other => {}
                }
                if under_way != 0 {
                    let bytes = profile.members.entry(under_way).or_default();
                    *bytes = bytes.saturating_add(block.len() as u64);
                }
                blocks = blocks.saturating_add(1);
            }
            profile.bytes = profile.bytes.saturating_add(count as u64);
            if count < buffer.len() {
                return Ok(profile);
            }
        }
    }

    /// Returns the bytes of the plain.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the bytes of members that another plain has too, by their names.
    pub fn shared(&self, other: &Self) -> u64 {
        let shared = self.members.iter().filter(|(name, _)| other.members.contains_key(name));
        shared.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    }

    /// Forgets what another plain has too.
    pub fn forget(&mut self, other: &Self) {
        self.members.retain(|name, _| !other.members.contains_key(name));
    }
}

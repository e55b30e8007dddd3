//! What a plain consists of, in little: by that bases are chosen.
//!
//! Every release of an image has members of the same names, so names say which plains are versions of one another and not which of them has
//! the bytes. What has the bytes is told by samples of both; names count for what no sample finds, and less, for that is not copied but
//! compressed behind what it was.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::BLOCK;
use super::sample::{Sample, Sampler};
use super::tar::{Kind, Walk};
use crate::stream::read_exact_or_end;

/// Bytes that a name says something of are worth one of so many that are copied.
const NAMED: u64 = 4;

/// What stands in a plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Members by what stands for their name, and the bytes of each.
    members: BTreeMap<u64, u64>,
    sample: Sample,
    bytes: u64,
}

impl Profile {
    /// Reads a plain to its end.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(mut plain: impl Read) -> io::Result<Self> {
        let (mut members, mut bytes) = (BTreeMap::<u64, u64>::new(), 0_u64);
        let (mut walk, mut sampler) = (Walk::default(), Sampler::default());
        let mut buffer = vec![0; 512 * BLOCK];
        let mut under_way = None;
        loop {
            let count = read_exact_or_end(&mut plain, &mut buffer)?;
            let came = buffer.get(..count).unwrap_or_default();
            sampler.take(came);
            for block in came.chunks(BLOCK) {
                if let Kind::Head(member) = walk.block(block) {
                    under_way = Some(member.names[0]);
                }
                if let Some(name) = under_way {
                    let bytes = members.entry(name).or_default();
                    *bytes = bytes.saturating_add(block.len() as u64);
                }
            }
            bytes = bytes.saturating_add(count as u64);
            if count < buffer.len() {
                let sample = sampler.finish();
                return Ok(Self { members, sample, bytes });
            }
        }
    }

    /// Returns the bytes of the plain.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns what another plain is worth as a base, in bytes that are copied from it.
    pub fn shared(&self, other: &Self) -> u64 {
        let named = self.members.iter().filter(|(name, _)| other.members.contains_key(name));
        let named = named.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
        let (shared, all) = self.sample.shared(&other.sample);
        let content = of(self.bytes, shared, all);
        let named = named.saturating_sub(of(named, shared, all)) / NAMED;
        content.saturating_add(named)
    }

    /// Forgets what another plain has too.
    pub fn forget(&mut self, other: &Self) {
        self.members.retain(|name, _| !other.members.contains_key(name));
        self.sample.forget(&other.sample);
    }
}

/// So many of so many parts of bytes.
fn of(bytes: u64, parts: u64, all: u64) -> u64 {
    let product = u128::from(bytes).saturating_mul(u128::from(parts));
    let share = product.checked_div(u128::from(all)).unwrap_or(0);
    u64::try_from(share).unwrap_or(bytes)
}

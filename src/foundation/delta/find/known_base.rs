//! One base by what stands in it: blocks, heads, members, anchors.

use std::collections::HashMap;
use std::io;

use super::anchors::{Anchors, Rate};
use super::tar::{Kind, Walk};
use super::{BLOCK, BasePlain, number_of};

/// Blocks that are known of all bases of a layer together; of larger ones every other is, or fewer.
const BLOCKS: u64 = 8 << 20;
/// Bytes that are read at once.
const READ: usize = 1 << 20;
/// Bytes of memory for a member, in four tables.
const MEMBER: u64 = 160;

/// How much is known of each base, by what all bases of a layer have together: memory is bounded whatever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Density {
    /// Of so many blocks one is known.
    every: u64,
    anchors: Rate,
}

impl Density {
    /// For bases of these sizes.
    pub fn of(sizes: impl Iterator<Item = u64>) -> Self {
        let all = sizes.fold(0, u64::saturating_add);
        Self {
            every: all.div_ceil(BLOCK as u64).div_ceil(BLOCKS).max(1),
            anchors: Rate::of(all),
        }
    }

    pub(super) fn anchors(self) -> Rate {
        self.anchors
    }

    /// Returns an upper bound of the memory that blocks and anchors of a base take.
    pub fn memory(self, size: u64) -> u64 {
        let blocks = (size >> BLOCK.trailing_zeros()).checked_div(self.every).unwrap_or(0);
        let anchors = self.anchors.most(size) as u64;
        blocks.saturating_mul(16).saturating_add(anchors.saturating_mul(8))
    }
}

/// What is known of a base.
#[derive(Debug)]
pub struct KnownBase {
    /// By the number of a block's bytes, ascending: which block.
    blocks: Vec<(u64, u32)>,
    /// Heads by what stands for them but for time and size.
    heads: HashMap<u64, u64>,
    /// Bodies by the names of their members, and by what is left of these: where, and how long.
    bodies: [HashMap<u64, (u64, u64)>; 3],
    /// The size of one that is no tar, as one body.
    whole: Option<u64>,
    /// Places at any byte.
    anchors: Anchors,
}

impl KnownBase {
    /// Reads a base.
    ///
    /// # Errors
    ///
    /// Those of the base.
    pub fn read(base: &dyn BasePlain, density: Density) -> io::Result<Self> {
        let mut known = Self {
            blocks: Vec::new(),
            heads: HashMap::new(),
            bodies: Default::default(),
            whole: None,
            anchors: Anchors::of(density.anchors, base.size()),
        };
        let (mut walk, mut offset, mut is_tar) = (Walk::default(), 0_u64, false);
        let mut buffer = Vec::new();
        while offset < base.size() {
            let now = usize::try_from(base.size().saturating_sub(offset)).map_or(READ, |left| left.min(READ));
            buffer.resize(now, 0);
            base.read(offset, &mut buffer)?;
            known.anchors.take(&buffer);
            for block in buffer.chunks(BLOCK) {
                if let Kind::Head(member) = walk.block(block) {
                    is_tar = true;
                    known.heads.entry(member.rest).or_insert(offset);
                    let begins = offset.saturating_add(BLOCK as u64);
                    let size = member.size.min(base.size().saturating_sub(begins));
                    for (bodies, name) in known.bodies.iter_mut().zip(member.names) {
                        bodies.entry(name).or_insert((begins, size));
                    }
                }
                let at = offset >> BLOCK.trailing_zeros();
                let is_known = block.len() == BLOCK && at.is_multiple_of(density.every);
                if is_known && block.iter().any(|byte| *byte != 0) {
                    let at = u32::try_from(at).unwrap_or(u32::MAX);
                    known.blocks.push((number_of(block), at));
                }
                offset = offset.saturating_add(block.len() as u64);
            }
        }
        known.whole = (!is_tar).then(|| base.size());
        known.blocks.sort_unstable();
        known.blocks.dedup_by_key(|(number, _)| *number);
        known.blocks.shrink_to_fit();
        known.anchors.finish();
        Ok(known)
    }

    /// Returns the bytes of memory that it takes, about.
    pub fn memory(&self) -> u64 {
        let blocks = (self.blocks.len() as u64).saturating_mul(16);
        let members = (self.heads.len() as u64).saturating_mul(MEMBER);
        blocks.saturating_add(members).saturating_add(self.anchors.memory())
    }

    pub(super) fn block(&self, block: &[u8]) -> Option<u64> {
        let number = number_of(block);
        let at = self.blocks.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let (_, block) = self.blocks.get(at)?;
        Some(u64::from(*block).saturating_mul(BLOCK as u64))
    }

    pub(super) fn head(&self, rest: u64) -> Option<u64> {
        self.heads.get(&rest).copied()
    }

    /// By a name, or by so much less of it.
    pub(super) fn body(&self, likeness: usize, name: u64) -> Option<(u64, u64)> {
        self.bodies.get(likeness)?.get(&name).copied()
    }

    pub(super) fn whole(&self) -> Option<u64> {
        self.whole
    }

    pub(super) fn anchor(&self, window: &[u8]) -> Option<u64> {
        self.anchors.find(window)
    }
}

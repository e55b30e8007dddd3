//! Bases by what stands in them: blocks, heads, members, anchors.

use std::collections::HashMap;
use std::io;

use super::super::grammar::Stretch;
use super::anchors::Anchors;
use super::tar::{Kind, Walk};
use super::{BLOCK, BasePlain, number_of};

/// Blocks that are known of all bases together; of larger ones every other is, or fewer.
const BLOCKS: u64 = 8 << 20;
/// Bytes that are read at once.
const READ: usize = 1 << 20;

/// A place in a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: usize,
    pub(super) offset: u64,
}

impl Place {
    /// Where a stretch begins.
    pub(super) fn of(stretch: &Stretch) -> Self {
        Self {
            base: stretch.base,
            offset: stretch.offset,
        }
    }

    /// The place so many bytes behind.
    pub(super) fn moved(self, bytes: u64) -> Self {
        let offset = self.offset.saturating_add(bytes);
        Self { offset, ..self }
    }

    /// So many bytes from there on.
    pub(super) fn stretch(self, length: u64) -> Stretch {
        Stretch {
            base: self.base,
            offset: self.offset,
            length,
        }
    }
}

/// The body of a member in a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) place: Place,
    pub(super) size: u64,
}

/// What is known of bases.
#[derive(Debug)]
pub struct Known {
    /// By the number of a block's bytes, ascending: base and block.
    blocks: Vec<(u64, u8, u32)>,
    /// Heads by what stands for them but for time and size.
    heads: HashMap<u64, Place>,
    /// Bodies by the names of their members, and by what is left of these.
    bodies: [HashMap<u64, Body>; 3],
    /// Bases that are no tar, as one body each.
    whole: Vec<Body>,
    /// Places at any byte.
    pub(super) anchors: Anchors,
}

impl Known {
    /// Reads the bases, in their order.
    ///
    /// # Errors
    ///
    /// Those of the bases.
    pub fn of(bases: &[&dyn BasePlain]) -> io::Result<Self> {
        let all = bases.iter().map(|base| base.size()).fold(0, u64::saturating_add);
        let every = all.div_ceil(BLOCK as u64).div_ceil(BLOCKS).max(1);
        let mut known = Self {
            blocks: Vec::new(),
            heads: HashMap::new(),
            bodies: Default::default(),
            whole: Vec::new(),
            anchors: Anchors::of(all),
        };
        for (number, base) in bases.iter().enumerate() {
            known.read(number, *base, every)?;
        }
        known.blocks.sort_unstable();
        known.blocks.dedup_by_key(|(number, ..)| *number);
        known.anchors.finish();
        Ok(known)
    }

    fn read(&mut self, number: usize, base: &dyn BasePlain, every: u64) -> io::Result<()> {
        let (mut walk, mut offset, mut is_tar) = (Walk::default(), 0_u64, false);
        let mut buffer = Vec::new();
        self.anchors.base(base.size());
        while offset < base.size() {
            let now = usize::try_from(base.size().saturating_sub(offset)).map_or(READ, |left| left.min(READ));
            buffer.resize(now, 0);
            base.read(offset, &mut buffer)?;
            let behind = base.size().saturating_sub(offset).saturating_sub(now as u64);
            self.anchors.take(&buffer, behind);
            for block in buffer.chunks(BLOCK) {
                let place = Place { base: number, offset };
                if let Kind::Head(member) = walk.block(block) {
                    is_tar = true;
                    self.heads.entry(member.rest).or_insert(place);
                    let begins = offset.saturating_add(BLOCK as u64);
                    let body = Body {
                        place: Place {
                            offset: begins,
                            ..place
                        },
                        size: member.size.min(base.size().saturating_sub(begins)),
                    };
                    for (bodies, name) in self.bodies.iter_mut().zip(member.names) {
                        bodies.entry(name).or_insert(body);
                    }
                }
                let at = offset >> BLOCK.trailing_zeros();
                if block.len() == BLOCK && at.is_multiple_of(every) && block.iter().any(|byte| *byte != 0) {
                    let (base, at) = (
                        u8::try_from(number).unwrap_or(u8::MAX),
                        u32::try_from(at).unwrap_or(u32::MAX),
                    );
                    self.blocks.push((number_of(block), base, at));
                }
                offset = offset.saturating_add(block.len() as u64);
            }
        }
        if !is_tar {
            let place = Place {
                base: number,
                offset: 0,
            };
            self.whole.push(Body {
                place,
                size: base.size(),
            });
        }
        Ok(())
    }

    /// Returns where a block of these bytes may stand.
    pub(super) fn block(&self, block: &[u8]) -> Option<Place> {
        let number = number_of(block);
        let at = self.blocks.binary_search_by_key(&number, |(number, ..)| *number).ok()?;
        let (_, base, block) = self.blocks.get(at)?;
        Some(Place {
            base: usize::from(*base),
            offset: u64::from(*block).saturating_mul(BLOCK as u64),
        })
    }

    /// Returns where a head stands that is like one but for time and size.
    pub(super) fn head(&self, rest: u64) -> Option<Place> {
        self.heads.get(&rest).copied()
    }

    /// Returns the body of the member of a name, or of one that is like it.
    pub(super) fn body(&self, names: [u64; 3]) -> Option<Body> {
        let mut found = self.bodies.iter().zip(names);
        found.find_map(|(bodies, name)| bodies.get(&name).copied())
    }

    /// Returns what a plain is compared with that is no tar.
    pub(super) fn whole(&self) -> Option<Body> {
        self.whole.first().copied()
    }
}

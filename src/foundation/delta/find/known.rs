//! Bases by what stands in them: all of them together, asked in their order.

use std::io;
use std::sync::Arc;

use super::super::grammar::Stretch;
use super::BasePlain;
use super::anchors::Sum;
use super::known_base::{Density, KnownBase};

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
    density: Density,
    bases: Vec<Arc<KnownBase>>,
}

impl Known {
    /// Reads the bases, in their order.
    ///
    /// # Errors
    ///
    /// Those of the bases.
    pub fn of(bases: &[&dyn BasePlain]) -> io::Result<Self> {
        let density = Density::of(bases.iter().map(|base| base.size()));
        let known = bases.iter().map(|base| KnownBase::read(*base, density).map(Arc::new));
        Ok(Self::joined(density, known.collect::<io::Result<_>>()?))
    }

    /// Of bases that were read before, each as densely.
    pub fn joined(density: Density, bases: Vec<Arc<KnownBase>>) -> Self {
        Self { density, bases }
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &KnownBase)> {
        self.bases.iter().map(|base| &**base).enumerate()
    }

    /// Returns where a block of these bytes may stand.
    pub(super) fn block(&self, block: &[u8]) -> Option<Place> {
        self.numbered().find_map(|(base, known)| {
            let offset = known.block(block)?;
            Some(Place { base, offset })
        })
    }

    /// Returns where a head stands that is like one but for time and size.
    pub(super) fn head(&self, rest: u64) -> Option<Place> {
        self.numbered().find_map(|(base, known)| {
            let offset = known.head(rest)?;
            Some(Place { base, offset })
        })
    }

    /// Returns the body of the member of a name, or of one that is like it.
    pub(super) fn body(&self, names: [u64; 3]) -> Option<Body> {
        names.into_iter().enumerate().find_map(|(likeness, name)| {
            self.numbered().find_map(|(base, known)| {
                let (offset, size) = known.body(likeness, name)?;
                let place = Place { base, offset };
                Some(Body { place, size })
            })
        })
    }

    /// Returns what a plain is compared with that is no tar.
    pub(super) fn whole(&self) -> Option<Body> {
        self.numbered().find_map(|(base, known)| {
            let place = Place { base, offset: 0 };
            known.whole().map(|size| Body { place, size })
        })
    }

    /// Returns the sum that finds anchors.
    pub(super) fn sum(&self) -> Sum {
        self.density.anchors().sum()
    }

    /// Returns the place behind an anchor of these bytes.
    pub(super) fn anchor(&self, window: &[u8]) -> Option<Place> {
        self.numbered().find_map(|(base, known)| {
            let offset = known.anchor(window)?;
            Some(Place { base, offset })
        })
    }
}

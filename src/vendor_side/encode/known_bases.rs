//! What is known of bases, kept for the layers that come: those of an image are copied from the same ones, and a base is read through once for
//! all of them, not once for each.

use std::io;
use std::sync::Arc;

use super::bases::Chosen;
use crate::delta::find::{BasePlain as _, Density, Known, KnownBase};
use crate::domain::Digest;

/// Bytes of memory that what is not in use may take.
const KEPT: u64 = 96 << 20;

/// What is known of bases.
#[derive(Debug, Default)]
pub(super) struct KnownBases {
    /// What was used last stands last.
    kept: Vec<Kept>,
    read: u64,
}

#[derive(Debug)]
struct Kept {
    digest: Digest,
    density: Density,
    known: Arc<KnownBase>,
}

impl KnownBases {
    /// Returns what is known of bases, in their order; those are read of which that is not kept.
    ///
    /// # Errors
    ///
    /// Those of reading them.
    pub(super) fn of(&mut self, chosen: &[Chosen]) -> io::Result<Known> {
        let density = Density::of(chosen.iter().map(|one| one.plain.size()));
        // What is in use goes last.
        let is_used = |kept: &Kept| kept.density == density && chosen.iter().any(|one| one.base.digest == kept.digest);
        self.kept.sort_by_key(is_used);
        let mut known = Vec::with_capacity(chosen.len());
        for one in chosen {
            let digest = one.base.digest;
            let found = self.kept.iter().find(|kept| kept.digest == digest && is_used(kept));
            if let Some(kept) = found {
                known.push(Arc::clone(&kept.known));
                continue;
            }
            self.make_room(density.memory(one.plain.size()), &is_used);
            let read = Arc::new(KnownBase::read(&one.plain, density)?);
            self.read = self.read.saturating_add(one.plain.size());
            known.push(Arc::clone(&read));
            self.kept.push(Kept {
                digest,
                density,
                known: read,
            });
        }
        Ok(Known::joined(density, known))
    }

    /// Nothing is in use: what is kept goes, the longest unused first, until it is little.
    pub(super) fn let_go(&mut self) {
        self.make_room(0, &|_| false);
    }

    /// Returns how many bytes of bases were read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    fn make_room(&mut self, needed: u64, is_used: &dyn Fn(&Kept) -> bool) {
        let taken = |kept: &[Kept]| {
            kept.iter()
                .map(|kept| kept.known.memory())
                .fold(needed, u64::saturating_add)
        };
        while taken(&self.kept) > KEPT {
            let Some(oldest) = self.kept.iter().position(|kept| !is_used(kept)) else {
                break;
            };
            self.kept.remove(oldest);
        }
    }
}

//! Layers that all sites of a bundle hold and whose bytes are at hand: what the layers of the bundle may be copied from.
//!
//! Each is read once, when the first layer is looked at that may be copied: what is compressed in it is unpacked into a file without a name,
//! and its members are noted. Bases are chosen by the members that they have in common with a layer, the same for the same layers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::earlier::{Content, Earlier};
use crate::delta::find::{BasePlain, Profile};
use crate::domain::{Digest, Result, limits};
use crate::encoding::{Base, BasePlains, unpack};
use crate::stream::unnamed_file;

/// Bases of a layer.
const MOST: usize = 4;
/// Of a hundred parts of a layer, so many must a further base have that those before it do not.
const LEAST_MORE: u64 = 5;
/// Smaller layers are no bases.
const LEAST: u64 = 64 << 10;

/// A layer that others may be copied from.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) base: Base,
    pub(super) plain: FilePlain,
    profile: Profile,
}

/// The plain of a base in a file.
#[derive(Debug, Clone)]
pub(super) struct FilePlain {
    file: Arc<File>,
    start: u64,
    size: u64,
}

impl BasePlain for FilePlain {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.start.saturating_add(offset))
    }
}

/// A plain from its beginning.
struct FromStart<'a>(&'a FilePlain, u64);

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.0.size.saturating_sub(self.1);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.0.read(self.1, buffer.get_mut(..count).unwrap_or_default())?;
        self.1 = self.1.saturating_add(count as u64);
        Ok(count)
    }
}

/// What may be copied from.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    earlier: Earlier<'a>,
    /// By digest.
    offered: BTreeMap<Digest, u64>,
    work: &'a Path,
    opened: Option<Vec<Candidate>>,
}

impl<'a> Candidates<'a> {
    /// Of what is held by all sites, those whose bytes are at hand.
    pub(super) fn new(held: &BTreeMap<Digest, u64>, earlier: Earlier<'a>, work: &'a Path) -> Self {
        let at_hand = held
            .iter()
            .filter(|(digest, size)| **size >= LEAST && earlier.has(digest, **size));
        Self {
            offered: at_hand.map(|(digest, size)| (*digest, *size)).collect(),
            earlier,
            work,
            opened: None,
        }
    }

    /// Returns what is kept for later bundles.
    pub(super) fn content(&mut self) -> Option<&mut Content> {
        self.earlier.content()
    }

    /// Returns what is offered: what a form that was made depends on.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.offered.keys()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }

    /// Returns the layers that one of this profile is copied from, the best first. `alive` is called while layers are read.
    ///
    /// # Errors
    ///
    /// Those of reading bundles that are named; `E-IO`, `E-SPACE`.
    pub(super) fn choose(&mut self, mut profile: Profile, alive: &mut dyn FnMut()) -> Result<Vec<&Candidate>> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => self.open(alive)?,
        };
        let opened = &*self.opened.insert(opened);
        let least = profile.bytes().saturating_mul(LEAST_MORE) / 100;
        let mut chosen: Vec<&Candidate> = Vec::new();
        while chosen.len() < MOST {
            let shared = opened.iter().map(|candidate| profile.shared(&candidate.profile));
            // The first of the best: they stand by their digests.
            let Some((best, bytes)) = shared
                .enumerate()
                .reduce(|best, next| if next.1 > best.1 { next } else { best })
            else {
                break;
            };
            let Some(candidate) = opened.get(best).filter(|_| bytes > 0 && bytes >= least) else {
                break;
            };
            profile.forget(&candidate.profile);
            chosen.push(candidate);
        }
        Ok(chosen)
    }

    fn open(&mut self, alive: &mut dyn FnMut()) -> Result<Vec<Candidate>> {
        let (scratch, mut end) = (Arc::new(unnamed_file(self.work)?), 0_u64);
        let mut opened = Vec::with_capacity(self.offered.len());
        for (digest, size) in &self.offered {
            alive();
            let Some(file) = self.earlier.open(digest, *size, alive)? else {
                continue;
            };
            let mut base = Base {
                digest: *digest,
                size: *size,
                inflated: None,
                carried: false,
            };
            let most = limits::PLAIN_BYTES.min(size.saturating_mul(limits::PLAIN_FOR_A_BYTE));
            let inflated = unpack(&base, &file, (&scratch, end), most)?;
            let plain = match inflated {
                Some(size) => {
                    let start = end;
                    end = end.saturating_add(size);
                    base.inflated = Some(size);
                    FilePlain {
                        file: Arc::clone(&scratch),
                        start,
                        size,
                    }
                }
                None => FilePlain {
                    file: Arc::clone(&file.0),
                    start: file.1,
                    size: *size,
                },
            };
            let profile = Profile::read(FromStart(&plain, 0))
                .map_err(|error| crate::domain::Error::io("read", Path::new("a layer of an earlier bundle"), error))?;
            opened.push(Candidate { base, plain, profile });
        }
        Ok(opened)
    }
}

/// Opens the plains of chosen layers, for the reader's own code.
pub(super) fn plains(chosen: &[&Candidate]) -> BasePlains {
    BasePlains::of(chosen.iter().map(|candidate| {
        let FilePlain { file, start, .. } = &candidate.plain;
        (Arc::clone(file), *start)
    }))
}

//! Layers that all sites of a bundle hold and whose bytes are at hand, and layers of the bundle itself: what its layers may be copied from.
//!
//! Each is read once, when the first layer is looked at that may be copied from it: what is compressed in it is unpacked into a file without a
//! name, and what it consists of is noted. Bases are chosen by what they have of a layer; of those that have as much, the one that sites are
//! the surest to hold for longer. That is the same for the same layers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::candidate::{Content as Kind, MAGIC, by_magic};
use super::earlier::{Content, Earlier};
use super::known_bases::KnownBases;
use super::layer::compare;
use super::report::BaseReport;
use crate::delta::find::{BasePlain, Known, Profile};
use crate::domain::{Digest, Error, Result, limits};
use crate::encoding::{Base, BasePlains, Encoding, OpenedBase, unpack};
use crate::stream::unnamed_file;

/// Bases of a layer.
const MOST: usize = 4;
/// Of a hundred parts of a layer, so many must a further base have that those before it do not.
const LEAST_MORE: u64 = 5;
/// Smaller layers are no bases.
const LEAST: u64 = 64 << 10;
/// Of so many parts of what the best one has, another one may lack one and is as good.
const AS_GOOD: u64 = 64;

/// A layer that one is copied from.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) base: Base,
    pub(super) plain: FilePlain,
}

/// A layer that others may be copied from.
#[derive(Debug)]
struct Candidate {
    layer: Chosen,
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
    /// With their sizes; those first that are preferred where others are as good.
    offered: Vec<(Digest, u64)>,
    /// Those that would do, had anybody here their bytes.
    lacking: Vec<(Digest, u64)>,
    opened: Option<Vec<Candidate>>,
    /// Layers of the bundle that stand before the one under way.
    carried: BTreeMap<Digest, Carried>,
    scratch: Scratch<'a>,
    known: KnownBases,
}

/// A layer of the bundle that later ones may be copied from.
#[derive(Debug)]
struct Carried {
    size: u64,
    encoding: Option<Encoding>,
    /// Whether a later one asked for it.
    is_opened: bool,
    /// Nothing where it is a gzip file that does not travel as its plain.
    candidate: Option<Candidate>,
}

/// Opens a layer of the bundle once more.
pub(super) type Reread<'r> = dyn Fn(&Digest, u64) -> Result<Box<dyn Read + Send>> + 'r;

/// Where plains are unpacked.
#[derive(Debug)]
struct Scratch<'a> {
    work: &'a Path,
    file: Option<Arc<File>>,
    end: u64,
    /// What became of layers so far.
    report: BaseReport,
}

impl Scratch<'_> {
    fn file(&mut self) -> Result<Arc<File>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Arc::new(unnamed_file(self.work)?),
        };
        Ok(Arc::clone(self.file.insert(file)))
    }

    /// Returns the plain of a layer, inflated where it is a gzip file of at most so many bytes of plain.
    fn unpack(&mut self, base: &mut Base, layer: &OpenedBase, most: u64) -> Result<FilePlain> {
        let (file, start) = (self.file()?, self.end);
        base.inflated = unpack(base, layer, (&file, start, self.work), most)?;
        self.report.inflated = self.report.inflated.saturating_add(base.inflated.unwrap_or(0));
        Ok(match base.inflated {
            Some(size) => {
                self.end = start.saturating_add(size);
                FilePlain { file, start, size }
            }
            None => FilePlain {
                file: Arc::clone(&layer.0),
                start: layer.1,
                size: base.size,
            },
        })
    }

    /// Copies a layer, and compares it.
    fn copy(&mut self, base: &Base, layer: &mut dyn Read) -> Result<OpenedBase> {
        let (file, start) = (self.file()?, self.end);
        let mut out = &*file;
        out.seek(SeekFrom::Start(start))
            .map_err(|error| Error::io("write", Path::new("the copy of a layer"), error))?;
        compare(base.digest, base.size, layer, &mut out)?;
        self.end = start.saturating_add(base.size);
        Ok((file, start))
    }
}

impl<'a> Candidates<'a> {
    /// Of what is held by all sites, those whose bytes are at hand; none that the bundle carries.
    ///
    /// `aged` says of some after how many newer releases sites let them go.
    pub(super) fn new(
        (held, aged): (&BTreeMap<Digest, u64>, &BTreeMap<Digest, u64>),
        carried: &BTreeSet<Digest>,
        earlier: Earlier<'a>,
        work: &'a Path,
    ) -> Self {
        let large = held.iter().map(|(digest, size)| (*digest, *size));
        let large = large.filter(|(digest, size)| *size >= LEAST && !carried.contains(digest));
        let (mut offered, lacking): (Vec<_>, Vec<_>) = large.partition(|(digest, size)| earlier.has(digest, *size));
        offered.sort_by_key(|(digest, _)| (aged.get(digest).copied().unwrap_or(0), *digest));
        Self {
            offered,
            lacking,
            earlier,
            opened: None,
            carried: BTreeMap::new(),
            scratch: Scratch {
                work,
                file: None,
                end: 0,
                report: BaseReport::default(),
            },
            known: KnownBases::default(),
        }
    }

    /// Returns what was read to find what layers are copied from.
    pub(super) fn report(&self) -> BaseReport {
        BaseReport {
            indexed: self.known.read(),
            ..self.scratch.report
        }
    }

    /// Returns what is known of layers that were chosen.
    ///
    /// # Errors
    ///
    /// Those of reading them.
    pub(super) fn known(&mut self, chosen: &[Chosen]) -> io::Result<Known> {
        self.known.of(chosen)
    }

    /// Lets go what is known of layers beyond what is kept for later ones.
    pub(super) fn let_go(&mut self) {
        self.known.let_go();
    }

    /// Returns what is kept for later bundles.
    pub(super) fn content(&mut self) -> Option<&mut Content> {
        self.earlier.content()
    }

    /// Returns what is offered, in its order: what a form that was made depends on.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.offered.iter().map(|(digest, _)| digest)
    }

    /// Returns what would be offered too, were its bytes at hand.
    pub(super) fn lacking(&self) -> &[(Digest, u64)] {
        &self.lacking
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }

    /// A layer of the bundle has its place, and how it travels is known: later ones may be copied from it.
    pub(super) fn carry(&mut self, digest: Digest, size: u64, encoding: Option<Encoding>) {
        let carried = Carried {
            size,
            encoding,
            is_opened: false,
            candidate: None,
        };
        self.carried.insert(digest, carried);
    }

    /// Returns the layers that one of this profile is copied from, the best first: of those that all sites hold, and of those `related` to it
    /// in the bundle. `alive` is called while layers are read.
    ///
    /// # Errors
    ///
    /// Those of reading bundles that are named, and of `reread`; `E-IO`, `E-SPACE`.
    pub(super) fn choose(
        &mut self,
        mut profile: Profile,
        (related, reread): (&[Digest], &Reread<'_>),
        alive: &mut dyn FnMut(),
    ) -> Result<Vec<Chosen>> {
        if self.opened.is_none() {
            self.opened = Some(self.open(alive)?);
        }
        for digest in related {
            alive();
            self.open_carried(digest, reread)?;
        }
        let carried = related.iter().filter_map(|digest| self.carried.get(digest));
        let carried = carried.filter_map(|carried| carried.candidate.as_ref());
        let mut left: Vec<&Candidate> = self.opened.iter().flatten().chain(carried).collect();
        let least = profile.bytes().saturating_mul(LEAST_MORE) / 100;
        let (mut chosen, mut all): (Vec<Chosen>, u64) = (Vec::new(), 0);
        while chosen.len() < MOST {
            let shared = left.iter().map(|candidate| profile.shared(&candidate.profile));
            let shared: Vec<u64> = shared.collect();
            let most = shared.iter().copied().max().unwrap_or(0);
            if most == 0 || most < least {
                break;
            }
            let as_good = most.saturating_sub(most / AS_GOOD);
            let Some(best) = shared.iter().position(|bytes| *bytes >= as_good) else {
                break;
            };
            let candidate = left.remove(best);
            let with = all.saturating_add(candidate.layer.base.plain_size());
            if with <= limits::BASE_PLAIN_BYTES {
                all = with;
                profile.forget(&candidate.profile);
                chosen.push(candidate.layer.clone());
            }
        }
        Ok(chosen)
    }

    fn open(&mut self, alive: &mut dyn FnMut()) -> Result<Vec<Candidate>> {
        let mut opened = Vec::with_capacity(self.offered.len());
        for (digest, size) in &self.offered {
            alive();
            let Some(file) = self.earlier.open(digest, *size, alive)? else {
                // It seemed to be there, and is other bytes.
                self.lacking.push((*digest, *size));
                continue;
            };
            let mut base = Base {
                digest: *digest,
                size: *size,
                inflated: None,
                carried: false,
            };
            let most = limits::PLAIN_BYTES.min(size.saturating_mul(limits::PLAIN_FOR_A_BYTE));
            let plain = self.scratch.unpack(&mut base, &file, most)?;
            opened.push(Candidate::of(base, plain)?);
            self.scratch.report.layers = self.scratch.report.layers.saturating_add(1);
        }
        Ok(opened)
    }

    /// Opens a layer that stands before in the bundle, the first time that it is asked for.
    fn open_carried(&mut self, digest: &Digest, reread: &Reread<'_>) -> Result<()> {
        let Some(carried) = self.carried.get_mut(digest).filter(|carried| !carried.is_opened) else {
            return Ok(());
        };
        let mut base = Base {
            digest: *digest,
            size: carried.size,
            inflated: None,
            carried: true,
        };
        let copy = self.scratch.copy(&base, &mut *reread(digest, carried.size)?)?;
        let as_it_is = FilePlain {
            file: Arc::clone(&copy.0),
            start: copy.1,
            size: base.size,
        };
        // A reader takes it for its plain unless it travels as one.
        let plain = match carried.encoding {
            Some(Encoding::Gzip(gzip)) => Some(self.scratch.unpack(&mut base, &copy, gzip.plain_size)?),
            Some(Encoding::Plain) => Some(as_it_is),
            None => {
                let mut first = [0; MAGIC];
                let is_plain = as_it_is.read(0, &mut first).is_ok() && by_magic(&first) == Ok(Kind::Plain);
                is_plain.then_some(as_it_is)
            }
        };
        carried.is_opened = true;
        self.scratch.report.layers = self.scratch.report.layers.saturating_add(1);
        carried.candidate = plain.map(|plain| Candidate::of(base, plain)).transpose()?;
        Ok(())
    }
}

impl Candidate {
    fn of(base: Base, plain: FilePlain) -> Result<Self> {
        let profile = Profile::read(FromStart(&plain, 0))
            .map_err(|error| Error::io("read", Path::new("a layer of an earlier bundle"), error))?;
        let layer = Chosen { base, plain };
        Ok(Self { layer, profile })
    }
}

/// Opens the plains of chosen layers, for the reader's own code.
pub(super) fn plains(chosen: &[Chosen]) -> BasePlains {
    BasePlains::of(chosen.iter().map(|chosen| {
        let FilePlain { file, start, .. } = &chosen.plain;
        (Arc::clone(file), *start)
    }))
}

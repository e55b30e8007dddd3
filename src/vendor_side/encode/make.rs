//! Makes the travel form of one layer, and has it judged by the reader's own code before it is used.

use std::cell::RefCell;
use std::io::Read;

use super::bases::{self, Candidates, Reread};
use super::keeper::{Keeper, Written};
use super::layer::{Layer, unreadable};
use super::plain::with_plain;
use super::report::Reason;
use super::survey::{Survey, reason};
use crate::bundle::{BlobSource as _, Verdict};
use crate::collect::Sources;
use crate::delta::find::{BasePlain, Profile};
use crate::domain::{Digest, Result, limits};
use crate::encoding::{
    Base, BasePlains, Bases, Encoding, Gzip, Level, Made as Delta, write_delta_travel, write_gzip_travel, write_travel,
};
use crate::recipe::find::{Found, Search};

/// Of ten parts of a layer, one that is copied has so few that nothing else is tried.
const SURELY_TENTHS: u64 = 3;
/// Of ten parts of another form, one that is copied has at most so many: what is copied ties the bundle to what its sites hold.
const BETTER_TENTHS: u64 = 8;

/// What was made of a layer.
pub(super) enum Made {
    Form(Form),
    AsItIs(Reason),
    /// The same, of a layer that a copy was made of.
    CopiedAsItIs(Reason),
}

/// A travel form of which the reader's own code made the layer.
pub(super) struct Form {
    pub(super) written: Written,
    pub(super) encoding: Encoding,
    /// What it is copied from.
    pub(super) bases: Vec<Base>,
    /// Pieces and framed operations of its recipe.
    pub(super) pieces: u64,
}

/// A layer whose turn it is.
pub(super) struct Maker<'a, 'c> {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) level: Level,
    pub(super) sources: &'a Sources,
    pub(super) keeper: &'a mut Keeper,
    /// Whether it is far away, so that a copy was made of it when it was read.
    pub(super) is_far: bool,
    /// What it may be copied from.
    pub(super) candidates: &'a mut Candidates<'c>,
    /// And which layers of the bundle.
    pub(super) related: &'a [Digest],
    /// Opens these.
    pub(super) reread: &'a Reread<'a>,
    /// Is told how much of the layer is done: half when its form is written, the other half when it was judged.
    pub(super) told: &'a mut dyn FnMut(u64),
}

impl Maker<'_, '_> {
    /// Makes the travel form of the layer.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source`; `E-IO` and `E-SPACE` of the source and of what is written.
    pub(super) fn make(mut self, survey: Survey<'_>) -> Result<Made> {
        let (digest, size) = (self.digest, self.size);
        let made = match survey {
            Survey::AsItIs(reason, true) => Made::AsItIs(reason),
            Survey::AsItIs(reason, false) => return Ok(Made::AsItIs(reason)),
            Survey::Plain => return self.plain(self.sources.open(&digest, size)?),
            Survey::Read(layer) => self.copied_or(&layer, &Way::Plain(digest, size), &mut |maker, layer| {
                maker.plain(layer.open().map_err(unreadable)?)
            })?,
            Survey::Gzip(layer, found) => self.gzip(&layer, &found.0, &found.1)?,
        };
        Ok(match made {
            Made::AsItIs(reason) if self.is_far => Made::CopiedAsItIs(reason),
            made => made,
        })
    }

    fn plain(&mut self, mut source: impl Read + Send) -> Result<Made> {
        let (digest, size, level) = (self.digest, self.size, self.level);
        let told = &mut *self.told;
        let written = self
            .keeper
            .write(&mut |out| write_travel(digest, size, &mut source, level, out, &mut |done| told(done / 2)))?;
        let Some(written) = written else {
            return Ok(Made::AsItIs(Reason::NoGain));
        };
        Ok(match self.judge(&written, Encoding::Plain, None)? {
            Verdict::Same | Verdict::Laborious => Made::Form(Form {
                written,
                encoding: Encoding::Plain,
                bases: Vec::new(),
                pieces: 0,
            }),
            Verdict::Another => Made::AsItIs(Reason::RebuildDiffers),
        })
    }

    fn gzip(&mut self, layer: &Layer<'_>, search: &Search, likely: &Found) -> Result<Made> {
        match self.copied_or(layer, &Way::Gzip(likely), &mut |maker, layer| {
            maker.by_recipe(layer, likely)
        })? {
            Made::AsItIs(Reason::RebuildDiffers) => {}
            made => return Ok(made),
        }
        // A border that does not do: seldom, and found by rebuilding only.
        let told = &mut *self.told;
        let mut alive = || told(0);
        let alive: RefCell<&mut dyn FnMut()> = RefCell::new(&mut alive);
        match search.thorough(&mut || layer.open_telling(&alive)) {
            Ok(found) => self.copied_or(layer, &Way::Gzip(&found), &mut |maker, layer| {
                maker.by_recipe(layer, &found)
            }),
            Err(why) => reason(why).map(Made::AsItIs),
        }
    }

    fn by_recipe(&mut self, layer: &Layer<'_>, found: &Found) -> Result<Made> {
        let (size, level) = (self.size, self.level);
        if found.plain > limits::PLAIN_BYTES.min(size.saturating_mul(limits::PLAIN_FOR_A_BYTE)) {
            return Ok(Made::AsItIs(Reason::TooLarge));
        }
        let gzip = gzip_of(found);
        let told = &mut *self.told;
        let mut half = |done: u64| told(share(done, found.plain, size) / 2);
        let written = self.keeper.write(&mut |out| {
            with_plain(layer.open().map_err(unreadable)?, found.plain, |plain| {
                write_gzip_travel(size, (gzip, &found.recipe), plain, level, out, &mut half)
            })
        })?;
        let Some(written) = written else {
            return Ok(Made::AsItIs(Reason::NoGain));
        };
        let encoding = Encoding::Gzip(gzip);
        Ok(match self.judge(&written, encoding, None)? {
            Verdict::Same => Made::Form(Form {
                written,
                encoding,
                bases: Vec::new(),
                pieces: found.pieces,
            }),
            Verdict::Another => Made::AsItIs(Reason::RebuildDiffers),
            Verdict::Laborious => Made::AsItIs(Reason::Work),
        })
    }

    /// Copies the layer from bases where that makes it much smaller than `other` does.
    fn copied_or(&mut self, layer: &Layer<'_>, way: &Way<'_>, other: &mut MakeOther<'_>) -> Result<Made> {
        let delta = match self.delta(layer, way)? {
            Some(delta) if delta.written.form.size <= self.size.saturating_mul(SURELY_TENTHS) / 10 => {
                return Ok(Made::Form(delta));
            }
            Some(delta) => delta,
            None => return other(self, layer),
        };
        self.keeper.hold(&delta.written);
        let made = other(self, layer)?;
        match &made {
            Made::Form(form) if delta.written.form.size > form.written.form.size.saturating_mul(BETTER_TENTHS) / 10 => {
                Ok(made)
            }
            _ => Ok(Made::Form(delta)),
        }
    }

    /// Makes the travel form over what the layer has in common with others, and has it judged; nothing where that is of no use.
    fn delta(&mut self, layer: &Layer<'_>, way: &Way<'_>) -> Result<Option<Form>> {
        if self.candidates.is_empty() && self.related.is_empty() {
            return Ok(None);
        }
        let (size, level) = (self.size, self.level);
        let profile = way.with_plain(layer, |plain| Profile::read(plain).map_err(unreadable))?;
        let told = &mut *self.told;
        let related = (self.related, self.reread);
        let chosen = self.candidates.choose(profile, related, &mut || told(0))?;
        if chosen.is_empty() {
            return Ok(None);
        }
        let plains: Vec<&dyn BasePlain> = chosen.iter().map(|one| &one.plain as &dyn BasePlain).collect();
        let known = self.candidates.known(&chosen).map_err(unreadable)?;
        let of_bases = Bases {
            plains: &plains,
            known: &known,
        };
        let (told, all) = (&mut *self.told, way.plain_size());
        let mut half = |done: u64| told(share(done, all, size) / 2);
        let keeper = &mut *self.keeper;
        let written = keeper.write(&mut |out| {
            way.with_plain(layer, |plain| {
                write_delta_travel(way.made(size), of_bases, plain, level, out, &mut half)
            })
        })?;
        drop(known);
        self.candidates.let_go();
        let Some(written) = written else { return Ok(None) };
        let bases: Vec<Base> = chosen.iter().map(|one| one.base).collect();
        let copying = (bases.clone(), bases::plains(&chosen));
        let encoding = way.encoding();
        let verdict = self.judge(&written, encoding, Some(copying))?;
        Ok((verdict == Verdict::Same).then_some(Form {
            written,
            encoding,
            bases,
            pieces: way.pieces(),
        }))
    }

    fn judge(
        &mut self,
        written: &Written,
        encoding: Encoding,
        copying: Option<(Vec<Base>, BasePlains)>,
    ) -> Result<Verdict> {
        let (size, told) = (self.size, &mut *self.told);
        let plain = match encoding {
            Encoding::Plain => size,
            Encoding::Gzip(gzip) => gzip.plain_size,
        };
        let mut half = |done: u64| told((size / 2).saturating_add(share(done, plain, size) / 2));
        self.keeper
            .judge((self.digest, size), (encoding, copying), written, &mut half)
    }
}

/// How a layer is made of its plain.
enum Way<'a> {
    /// It is its plain.
    Plain(Digest, u64),
    /// By a recipe.
    Gzip(&'a Found),
}

/// Makes the form that is not copied from anything.
type MakeOther<'o> = dyn FnMut(&mut Maker<'_, '_>, &Layer<'_>) -> Result<Made> + 'o;

impl Way<'_> {
    fn made(&self, size: u64) -> Delta<'_> {
        match self {
            Self::Plain(digest, size) => Delta::Plain(*digest, *size),
            Self::Gzip(found) => Delta::Gzip(size, gzip_of(found), &found.recipe),
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Plain(..) => Encoding::Plain,
            Self::Gzip(found) => Encoding::Gzip(gzip_of(found)),
        }
    }

    fn plain_size(&self) -> u64 {
        match self {
            Self::Plain(_, size) => *size,
            Self::Gzip(found) => found.plain,
        }
    }

    fn pieces(&self) -> u64 {
        match self {
            Self::Plain(..) => 0,
            Self::Gzip(found) => found.pieces,
        }
    }

    /// Hands the plain to `work`.
    fn with_plain<T>(&self, layer: &Layer<'_>, work: impl FnOnce(&mut (dyn Read + Send)) -> Result<T>) -> Result<T> {
        let mut file = layer.open().map_err(unreadable)?;
        match self {
            Self::Plain(..) => work(&mut file),
            Self::Gzip(found) => with_plain(file, found.plain, work),
        }
    }
}

fn gzip_of(found: &Found) -> Gzip {
    Gzip {
        producer: found.producer,
        plain_size: found.plain,
        plain_digest: found.plain_digest,
    }
}

/// What a part of the plain is of the layer.
fn share(done: u64, plain: u64, size: u64) -> u64 {
    let share = u128::from(done) * u128::from(size) / u128::from(plain.max(1));
    u64::try_from(share).unwrap_or(size).min(size)
}

//! Makes the travel form of one layer, and has it judged by the reader's own code before it is used.

use std::cell::RefCell;
use std::io::{Cursor, Read};

use super::candidate::{Content, MAGIC, by_magic};
use super::keeper::{Keeper, Written};
use super::layer::{Layer, unreadable};
use super::plain::with_plain;
use super::report::Reason;
use super::shelf::Shelf;
use crate::bundle::{BlobSource as _, Verdict};
use crate::collect::Sources;
use crate::domain::{Digest, Result, limits};
use crate::encoding::{Encoding, Gzip, Level, write_gzip_travel, write_travel};
use crate::recipe::find::{Found, Search, Why};
use crate::stream::read_exact_or_end;

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
    /// Pieces and framed operations of its recipe.
    pub(super) pieces: u64,
}

/// A layer whose turn it is.
pub(super) struct Maker<'a> {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) level: Level,
    pub(super) sources: &'a Sources,
    pub(super) keeper: &'a mut Keeper,
    /// Copies of layers that are far away.
    pub(super) copies: Option<&'a Shelf>,
    /// Is told how much of the layer is done: half when its form is written, the other half when it was judged.
    pub(super) told: &'a mut dyn FnMut(u64),
}

impl Maker<'_> {
    /// Reads the layer and makes its travel form.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source`; `E-IO` and `E-SPACE` of the source and of what is written.
    pub(super) fn make(mut self) -> Result<Made> {
        let mut source = self.sources.open(&self.digest, self.size)?;
        let mut first = [0; MAGIC];
        let count = read_exact_or_end(&mut source, &mut first).map_err(unreadable)?;
        let first = first.get(..count).unwrap_or_default();
        let content = match by_magic(first) {
            Ok(content) => content,
            Err(reason) => return Ok(Made::AsItIs(reason)),
        };
        let source = Cursor::new(first.to_vec()).chain(source);
        match content {
            Content::Plain => self.plain(source),
            Content::Gzip => Ok(match self.gzip(source)? {
                Made::AsItIs(reason) if self.copies.is_some() => Made::CopiedAsItIs(reason),
                made => made,
            }),
        }
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
        Ok(match self.judge(&written, Encoding::Plain)? {
            Verdict::Same | Verdict::Laborious => Made::Form(Form {
                written,
                encoding: Encoding::Plain,
                pieces: 0,
            }),
            Verdict::Another => Made::AsItIs(Reason::RebuildDiffers),
        })
    }

    fn gzip(&mut self, source: impl Read) -> Result<Made> {
        let layer = Layer::read(self.digest, self.size, source, self.sources, self.copies)?;
        let told = &mut *self.told;
        let mut alive = || told(0);
        let alive: RefCell<&mut dyn FnMut()> = RefCell::new(&mut alive);
        let mut open = || layer.open_telling(&alive);
        let search = match Search::of(&mut open) {
            Ok(search) => search,
            Err(why) => return reason(why).map(Made::AsItIs),
        };
        let likely = match search.likely(&mut open) {
            Ok(found) => found,
            Err(why) => return reason(why).map(Made::AsItIs),
        };
        match self.by_recipe(&layer, &likely)? {
            Made::AsItIs(Reason::RebuildDiffers) => {}
            made => return Ok(made),
        }
        // A border that does not do: seldom, and found by rebuilding only.
        let told = &mut *self.told;
        let mut alive = || told(0);
        let alive: RefCell<&mut dyn FnMut()> = RefCell::new(&mut alive);
        match search.thorough(&mut || layer.open_telling(&alive)) {
            Ok(found) => self.by_recipe(&layer, &found),
            Err(why) => reason(why).map(Made::AsItIs),
        }
    }

    fn by_recipe(&mut self, layer: &Layer<'_>, found: &Found) -> Result<Made> {
        let (size, level) = (self.size, self.level);
        if found.plain > limits::PLAIN_BYTES.min(size.saturating_mul(limits::PLAIN_FOR_A_BYTE)) {
            return Ok(Made::AsItIs(Reason::TooLarge));
        }
        let gzip = Gzip {
            producer: found.producer,
            plain_size: found.plain,
            plain_digest: found.plain_digest,
        };
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
        Ok(match self.judge(&written, encoding)? {
            Verdict::Same => Made::Form(Form {
                written,
                encoding,
                pieces: found.pieces,
            }),
            Verdict::Another => Made::AsItIs(Reason::RebuildDiffers),
            Verdict::Laborious => Made::AsItIs(Reason::Work),
        })
    }

    fn judge(&mut self, written: &Written, encoding: Encoding) -> Result<Verdict> {
        let (size, told) = (self.size, &mut *self.told);
        let plain = match encoding {
            Encoding::Plain => size,
            Encoding::Gzip(gzip) => gzip.plain_size,
        };
        let mut half = |done: u64| told((size / 2).saturating_add(share(done, plain, size) / 2));
        self.keeper.judge((self.digest, size), encoding, written, &mut half)
    }
}

/// What a part of the plain is of the layer.
fn share(done: u64, plain: u64, size: u64) -> u64 {
    let share = u128::from(done) * u128::from(size) / u128::from(plain.max(1));
    u64::try_from(share).unwrap_or(size).min(size)
}

/// Why a gzip file travels as it is.
///
/// # Errors
///
/// Those of its source.
fn reason(why: Why) -> Result<Reason> {
    match why {
        Why::Io(error) => Err(unreadable(error)),
        Why::NoGzip | Why::UnknownProducer => Ok(Reason::UnknownProducer),
        Why::Differs => Ok(Reason::RebuildDiffers),
        Why::TooLarge => Ok(Reason::RecipeTooLarge),
        Why::Work => Ok(Reason::Work),
    }
}

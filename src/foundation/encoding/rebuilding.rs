//! A gzip file on its way: its plain goes in, and what its producer makes of that comes out (SPEC M-152 to M-155, M-165).

use sha2::{Digest as _, Sha256};

use super::line::Gzip;
use super::workshop::{TakeMade, Workshop};
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::recipe::{Fault, Joiner, PieceBuffers, Splitter, judge};

/// A gzip file that is being made again.
pub(super) struct Rebuilding {
    digest: Digest,
    gzip: Gzip,
    splitter: Splitter,
    workshop: Workshop,
    joiner: Joiner,
    plain: Sha256,
}

/// Takes bytes of the blob in order.
type Take<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// What ends a step of the recipe.
pub(super) enum Ends {
    Fault(Fault),
    Error(Error),
}

impl From<Fault> for Ends {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Rebuilding {
    /// Judges the recipe whole, before anything is made by it.
    ///
    /// # Errors
    ///
    /// `E-FORMAT recipe`.
    pub(super) fn new(digest: Digest, size: u64, gzip: Gzip, recipe: Vec<u8>, buffers: &PieceBuffers) -> Result<Self> {
        let recipe = judge(recipe, gzip.producer, gzip.plain_size, size).map_err(|fault| told(fault, digest, gzip))?;
        Ok(Self {
            digest,
            gzip,
            joiner: Joiner::new(&recipe),
            workshop: Workshop::new(gzip.producer, gzip.plain_size, buffers),
            splitter: Splitter::new(recipe, buffers),
            plain: Sha256::new(),
        })
    }

    /// Takes the plain that comes next.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY rebuild`, `E-LIMIT rebuild-work`, `E-INTERNAL panic`, those of `take`.
    pub(super) fn plain(&mut self, plain: &[u8], take: &mut Take<'_>) -> Result<()> {
        self.plain.update(plain);
        self.run(Some(plain), take)
    }

    /// Takes the end of the plain, which is the one that was signed; then everything was handed over. Returns whether that took no more than
    /// half of the work that it may.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY plain-digest`, and as for [`Self::plain`].
    pub(super) fn finish(mut self, take: &mut Take<'_>) -> Result<bool> {
        let plain = Digest(Hash(std::mem::take(&mut self.plain).finalize().into()));
        if plain != self.gzip.plain_digest {
            return Err(Error::new(
                Class::Integrity,
                "plain-digest",
                format!(
                    "the plain of {} is {plain}, and not {} as was signed",
                    self.digest, self.gzip.plain_digest
                ),
            )
            .remedy(
                "ask the vendor for a bundle made with --encodings none, and tell them that this one was built wrong",
            ));
        }
        self.run(None, take)?;
        Ok(self.joiner.is_easy())
    }

    /// Goes on with more plain, or with its end.
    fn run(&mut self, plain: Option<&[u8]>, take: &mut Take<'_>) -> Result<()> {
        let Self {
            splitter,
            workshop,
            joiner,
            ..
        } = self;
        let mut made = |made| match joiner.take(made) {
            Ok(bytes) => take(&bytes).map(Ok),
            Err(fault) => Ok(Err(fault)),
        };
        let made: &mut TakeMade<'_> = &mut made;
        let mut step = |step| match workshop.step(step, made) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => Err(Ends::Fault(fault)),
            Err(error) => Err(Ends::Error(error)),
        };
        let split = match plain {
            Some(plain) => splitter.feed(plain, &mut step),
            None => splitter.finish(&mut step),
        };
        let rest = match (&split, plain) {
            (Ok(()), Some(_)) | (Err(Ends::Error(_)), _) => Ok(()),
            // A fault that was met here stands behind what is still under way.
            (Ok(()), None) | (Err(Ends::Fault(_)), _) => match workshop.rest(made)? {
                Ok(()) => Ok(()),
                Err(fault) => Err(told(fault, self.digest, self.gzip)),
            },
        };
        rest?;
        split.map_err(|ends| match ends {
            Ends::Error(error) => error,
            Ends::Fault(fault) => told(fault, self.digest, self.gzip),
        })
    }
}

/// What a fault of a recipe is to whoever reads a bundle.
fn told(fault: Fault, digest: Digest, gzip: Gzip) -> Error {
    let producer = gzip.producer.as_str();
    match fault {
        Fault::Recipe(found) => Error::new(
            Class::Format,
            "recipe",
            format!("the recipe of {digest} for {producer} has {found}"),
        )
        .remedy("ask the vendor for a bundle made with --encodings none, and tell them that this one was built wrong"),
        Fault::Differs => Error::new(
            Class::Integrity,
            "rebuild",
            format!("{producer} makes other bytes of the plain of {digest} than its recipe states"),
        )
        .remedy(AGAIN),
        Fault::Work => Error::new(
            Class::Limit,
            "rebuild-work",
            format!("making {digest} as {producer} does takes more work than its plain may"),
        )
        .expected("at most 4,096 for each byte of plain, and 4,194,304")
        .remedy("ask the vendor for a bundle made with --encodings none"),
    }
}

/// The plain is right and the blob another.
pub(super) fn other_blob(digest: Digest, found: Digest, gzip: Gzip) -> Error {
    Error::new(
        Class::Integrity,
        "content-digest",
        format!(
            "content signed as {digest} is {found} as {} makes it; what is compressed in it is what was signed",
            gzip.producer.as_str()
        ),
    )
    .remedy(AGAIN)
}

const AGAIN: &str = "import the same bundle once more, for the memory of this machine may have failed; if it is refused again, ask the vendor for a bundle made with --encodings none";

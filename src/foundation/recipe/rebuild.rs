//! Rebuilds a blob on one thread: what several make together, in one.

use std::sync::Arc;

use super::buffers::PieceBuffers;
use super::join::Joiner;
use super::judge::{Fault, Judged};
use super::piece::Worker;
use super::split::{Splitter, Step};

/// A blob under way.
#[derive(Debug)]
pub struct Rebuild {
    splitter: Splitter,
    worker: Worker,
    joiner: Joiner,
}

impl Rebuild {
    /// For a recipe.
    pub fn new(recipe: Judged) -> Self {
        let buffers = PieceBuffers::default();
        Self {
            worker: Worker::new(recipe.producer(), recipe.plain(), &buffers, Arc::default()),
            joiner: Joiner::new(&recipe),
            splitter: Splitter::new(recipe, &buffers),
        }
    }

    /// Whether what was made so far needed no more than half of the work that a blob may take: what a writer asks for.
    pub fn is_easy(&self) -> bool {
        self.joiner.is_easy()
    }

    /// Takes plain in any cuts, and hands out the bytes of the blob.
    ///
    /// # Errors
    ///
    /// [`Fault::Differs`], [`Fault::Work`], and what `blob` fails with.
    pub fn feed<E: From<Fault>>(
        &mut self,
        plain: &[u8],
        blob: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (worker, joiner) = (&mut self.worker, &mut self.joiner);
        self.splitter.feed(plain, &mut |step| take(worker, joiner, step, blob))
    }

    /// Takes the end of the plain.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn finish<E: From<Fault>>(&mut self, blob: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let (worker, joiner) = (&mut self.worker, &mut self.joiner);
        self.splitter.finish(&mut |step| take(worker, joiner, step, blob))
    }
}

fn take<E: From<Fault>>(
    worker: &mut Worker,
    joiner: &mut Joiner,
    step: Step,
    blob: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let made = match step {
        Step::Piece(piece) => worker.make(&piece)?,
        Step::Made(made) => made,
    };
    blob(&joiner.take(made)?)
}

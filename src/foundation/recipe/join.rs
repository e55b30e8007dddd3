//! Puts what was made together again, in the order of the recipe: a piece may begin in the byte in which the one before ends.

use crate::producer::Work;
use crate::stream::PooledVec;

use super::judge::{Fault, Judged};
use super::piece::Made;

/// Joins parts in order.
#[derive(Debug)]
pub struct Joiner {
    /// The bits of the byte that is not complete.
    carried: u8,
    framed: u64,
    work: Work,
}

impl Joiner {
    /// For the parts of a recipe.
    pub fn new(recipe: &Judged) -> Self {
        Self {
            carried: 0,
            framed: 0,
            work: Work::of_blob(recipe.plain),
        }
    }

    /// Whether no more than half of the work that a blob may take was needed: what a writer asks for.
    pub fn is_easy(&self) -> bool {
        self.work.done() <= self.work.allowed() / 2
    }

    /// Takes the next part, and returns the bytes of the blob that are complete with it.
    ///
    /// # Errors
    ///
    /// [`Fault::Differs`], [`Fault::Work`].
    pub fn take(&mut self, mut made: Made) -> Result<PooledVec, Fault> {
        self.work.count(made.work).map_err(|_| Fault::Work)?;
        if let Some(framed) = made.framed {
            self.framed += made.bytes.len() as u64;
            if self.framed > framed.bytes || framed.last && self.framed != framed.bytes {
                return Err(Fault::Differs);
            }
            if framed.last {
                self.framed = 0;
            }
        }
        if let Some(first) = made.bytes.first_mut() {
            *first |= std::mem::take(&mut self.carried);
        }
        self.carried |= made.tail;
        Ok(made.bytes)
    }
}

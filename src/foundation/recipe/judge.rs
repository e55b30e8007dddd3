//! Judges a recipe whole, before the first byte is rebuilt.

use crate::producer::{Operation as Shape, Producer};

use super::grammar::{Operation, Operations};

/// What is wrong with a recipe or with what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The recipe breaks the grammar or one of its bounds: what was found.
    Recipe(&'static str),
    /// What is made is not what the recipe states.
    Differs,
    /// Rebuilding takes more work than a blob of this size may.
    Work,
}

/// A recipe that was found right.
#[derive(Debug, Clone)]
pub struct Judged {
    pub(super) bytes: Vec<u8>,
    pub(super) producer: Producer,
    pub(super) plain: u64,
}

impl Judged {
    /// The producer of the blob.
    pub fn producer(&self) -> Producer {
        self.producer
    }

    /// Plain bytes of the blob.
    pub fn plain(&self) -> u64 {
        self.plain
    }
}

/// Judges a recipe for a blob of so many plain bytes and so many bytes.
///
/// # Errors
///
/// [`Fault::Recipe`].
pub fn judge(bytes: Vec<u8>, producer: Producer, plain: u64, size: u64) -> Result<Judged, Fault> {
    let mut sums = Sums { plain: 0, bytes: 0 };
    for operation in Operations::of(&bytes) {
        let Some(operation) = operation else {
            return Err(Fault::Recipe(NO_OPERATION));
        };
        match operation {
            Operation::Raw(raw) => sums.add(0, raw.len() as u64)?,
            Operation::Stream(pieces) => {
                if producer.operation() != Shape::Stream {
                    return Err(Fault::Recipe("a stream, which this producer does not make"));
                }
                if pieces.number() > 1 && !producer.begins_anywhere() {
                    return Err(Fault::Recipe("a second piece of a producer that makes one"));
                }
                let (mut all_plain, mut all_bits) = (0_u64, 0_u64);
                for piece in pieces {
                    let (plain, bits) = piece.ok_or(Fault::Recipe(NO_OPERATION))?;
                    bounds(plain, bits)?;
                    all_plain = all_plain.checked_add(plain).ok_or(Fault::Recipe(SUMS))?;
                    all_bits = all_bits.checked_add(bits).ok_or(Fault::Recipe(SUMS))?;
                }
                if all_bits % 8 != 0 {
                    return Err(Fault::Recipe("a stream that does not end on a byte"));
                }
                sums.add(all_plain, all_bits / 8)?;
            }
            Operation::Framed { plain, bytes, .. } => {
                if producer.operation() != Shape::Framed {
                    return Err(Fault::Recipe("a framed operation, which this producer does not make"));
                }
                bounds(plain, bytes.saturating_mul(8))?;
                sums.add(plain, bytes)?;
            }
        }
    }
    if sums.plain != plain || sums.bytes != size {
        return Err(Fault::Recipe(SUMS));
    }
    Ok(Judged { bytes, producer, plain })
}

const NO_OPERATION: &str = "bytes that are no operation";
const SUMS: &str = "operations that do not add up to the sizes of the blob";

fn bounds(plain: u64, bits: u64) -> Result<(), Fault> {
    if plain == 0 {
        return Err(Fault::Recipe("a piece without plain bytes"));
    }
    if bits > plain.saturating_mul(10).saturating_add(65_536) {
        return Err(Fault::Recipe("more bits than any producer makes of so few plain bytes"));
    }
    Ok(())
}

struct Sums {
    plain: u64,
    bytes: u64,
}

impl Sums {
    fn add(&mut self, plain: u64, bytes: u64) -> Result<(), Fault> {
        self.plain = self.plain.checked_add(plain).ok_or(Fault::Recipe(SUMS))?;
        self.bytes = self.bytes.checked_add(bytes).ok_or(Fault::Recipe(SUMS))?;
        Ok(())
    }
}

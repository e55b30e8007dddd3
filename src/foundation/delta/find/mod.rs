//! Finds what of a plain other plains have: for the writer alone, who may do it better any day.
//!
//! Layers are tars, and tars are blocks of 512 bytes in the old layer as in the new one. So a base is known by its blocks, and what is equal
//! is copied block by block; the head of a member is told anew where only time and size differ. What is left is looked at byte by byte:
//! large files hold smaller ones that move by any number of bytes, as archives and class libraries do. What is left then are literal bytes,
//! and what a base has in their place stands in front of them while they are compressed. What is no tar is treated the same, as one body.
//!
//! Which plains are bases is chosen by what is likely to stand in them: a few places of each that their own bytes choose tell how much of a
//! plain another one has, wherever that stands, and only where that is not there do names count, by which what is new is compressed behind what
//! was old. Names alone say nothing: every release of an image has the same.
//!
//! Memory: 16 bytes for each block of the bases of a layer, 8 for each anchor, and no more than 128 and 64 MiB of them whatever the bases are.
//! Time: every byte of a base and of the plain is looked at a few times, and a place in a base for each 16th byte of the plain at most. What is
//! known of a base does for every layer that is compared with as much.
//!
//! | File | What it is |
//! |---|---|
//! | `tar` | where the heads of a tar's members stand, block by block |
//! | `profile` | what a plain consists of: by that the bases are chosen that have most of it |
//! | `sample` | some of its places that their own bytes choose |
//! | `anchors` | places in bases that their own bytes choose |
//! | `known_base` | a base by its blocks, heads, members and anchors |
//! | `known` | all bases, asked in their order |
//! | `view` | the bytes around a place in a base |
//! | `run` | what no base has block by block, byte by byte |
//! | `matcher` | a plain as it comes, block by block, to a script for each group |
//! | `prefix` | what stands in front of a record's literals |

mod anchors;
mod known;
mod known_base;
mod matcher;
mod prefix;
mod profile;
mod run;
mod sample;
mod tar;
mod view;

#[cfg(test)]
mod tests;

use std::io;

pub use known::Known;
pub use known_base::{Density, KnownBase};
pub use matcher::{Group, Matcher};
pub use profile::Profile;

/// The plain of a base.
pub trait BasePlain: Sync {
    /// Its bytes.
    fn size(&self) -> u64;

    /// Fills the buffer with those at an offset.
    ///
    /// # Errors
    ///
    /// Those of whatever it lies in.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// Bytes of a block.
const BLOCK: usize = super::HEAD;

/// A number for bytes that are the same; what it says is compared.
fn number_of(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mut number = bytes.len() as u64;
    for word in bytes.chunks(8) {
        let mut padded = [0; 8];
        if let Some(to) = padded.get_mut(..word.len()) {
            to.copy_from_slice(word);
        }
        number = (number.rotate_left(5) ^ u64::from_le_bytes(padded)).wrapping_mul(FACTOR);
    }
    number ^ (number >> 29)
}

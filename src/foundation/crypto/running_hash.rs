//! SHA-256 whose state can be taken out, kept, and gone on with.
//!
//! SHA-256 is a chain: each block of 64 bytes turns one state into the next, and the digest is the last state. So the states that a blob's hash
//! goes through at the ends of its pieces prove each piece alone: whoever starts at one state and hashes the piece must arrive at the next
//! one. To find other bytes of the same length that do is as hard as to find another blob with the same digest. These *midstates* cost
//! nothing to make, for the blob has to be hashed anyway, and with them a hash that was stopped goes on without its first bytes.

use sha2::block_api::compress256;

use crate::domain::Hash;

/// Bytes of a block: states exist at its borders alone.
pub const HASH_BLOCK: u64 = 64;

/// The state before the first block (FIPS 180-4, section 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A SHA-256 under way.
#[derive(Debug, Clone)]
pub struct RunningHash {
    state: [u32; 8],
    /// Bytes so far.
    length: u64,
    /// Those of them that fill no block yet.
    tail: Vec<u8>,
}

impl Default for RunningHash {
    fn default() -> Self {
        Self {
            state: START,
            length: 0,
            tail: Vec::new(),
        }
    }
}

impl RunningHash {
    /// Goes on behind the `length` bytes that led to a state; nothing when no block ends there.
    pub fn after(midstate: &Hash, length: u64) -> Option<Self> {
        let (words, _) = midstate.0.as_chunks::<4>();
        let mut state = [0; 8];
        for (word, bytes) in state.iter_mut().zip(words) {
            *word = u32::from_be_bytes(*bytes);
        }
        length.is_multiple_of(HASH_BLOCK).then_some(Self {
            state,
            length,
            tail: Vec::new(),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if !self.tail.is_empty() {
            let room = 64_usize.saturating_sub(self.tail.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.tail.extend_from_slice(now);
            bytes = later;
            let (blocks, _) = self.tail.as_chunks();
            if blocks.is_empty() {
                return;
            }
            compress256(&mut self.state, blocks);
            self.tail.clear();
        }
        let (blocks, rest) = bytes.as_chunks();
        compress256(&mut self.state, blocks);
        self.tail.extend_from_slice(rest);
    }

    /// Returns the state, in the byte order of a digest; nothing inside a block.
    pub fn midstate(&self) -> Option<Hash> {
        self.tail.is_empty().then(|| self.words())
    }

    /// Returns the digest of everything that was taken.
    pub fn finish(mut self) -> Hash {
        // Section 5.1.1: one bit, zeros, and the length in bits end the last block.
        self.tail.push(0x80);
        while self.tail.len() % 64 != 56 {
            self.tail.push(0);
        }
        self.tail.extend(self.length.wrapping_mul(8).to_be_bytes());
        let (blocks, _) = self.tail.as_chunks();
        compress256(&mut self.state, blocks);
        self.words()
    }

    fn words(&self) -> Hash {
        let mut bytes = [0; 32];
        let (parts, _) = bytes.as_chunks_mut::<4>();
        for (part, word) in parts.iter_mut().zip(self.state) {
            *part = word.to_be_bytes();
        }
        Hash(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_known_answers_come_out() {
        assert_eq!(
            RunningHash::default().finish().to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let mut hash = RunningHash::default();
        hash.update(b"abc");
        assert_eq!(hash.midstate(), None, "inside a block");
        assert_eq!(
            hash.finish().to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(RunningHash::after(&Hash([0; 32]), 65).is_none());
    }

    proptest! {
        #[test]
        fn it_is_sha256_however_it_is_cut(bytes in proptest::collection::vec(any::<u8>(), 0..600), cuts in proptest::collection::vec(0..600_usize, 0..4)) {
            let mut hash = RunningHash::default();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                hash.update(&bytes[from..cut]);
                if let Some(state) = hash.midstate() {
                    hash = RunningHash::after(&state, cut as u64).unwrap();
                }
                from = cut;
            }
            hash.update(&bytes[from..]);
            prop_assert_eq!(hash.finish(), Hash(Sha256::digest(&bytes).into()));
        }
    }
}

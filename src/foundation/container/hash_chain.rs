//! The hash of a blob larger than a chunk, handed from worker to worker in the order of its pieces.
//!
//! SHA-256 is one chain, so no two pieces of a blob are hashed at once. But each is hashed by the worker that has just decoded it, while it
//! lies in the cache of that worker's core: on another one a fifth of the time would go by waiting for it.

use std::sync::mpsc;

use super::cut::{ChunkSpan, Payload, PayloadBlob, out_of_place};
use crate::crypto::RunningHash;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::panics::{self, caught};

/// Gives each piece its link, in payload order.
pub(super) struct HashChain<'a, B> {
    payload: Payload<'a, B>,
    /// What the next piece waits for.
    next: Option<Before>,
}

/// What a piece is hashed behind.
enum Before {
    Known(RunningHash),
    /// Comes from whoever hashes the piece before.
    Coming(mpsc::Receiver<RunningHash>),
}

/// The part of one piece. Dropped before it was used, it ends the chain: whoever waits for it fails, and nobody for ever.
pub(super) struct HashLink {
    before: Before,
    /// Whoever hashes the piece behind this one; nobody behind the last.
    after: Option<mpsc::Sender<RunningHash>>,
}

/// What a blob's hash says behind a piece.
#[derive(Debug, Clone, Copy)]
pub(super) enum PieceHash {
    /// The blob goes on: the state up to here.
    Midstate(Hash),
    /// It was the last one.
    Digest(Digest),
}

impl<'a, B: PayloadBlob> HashChain<'a, B> {
    /// For a payload that is read from its start, or goes on inside a large blob, behind what `under_way` has hashed.
    pub(super) fn new(payload: Payload<'a, B>, under_way: Option<RunningHash>) -> Self {
        Self {
            payload,
            next: under_way.map(Before::Known),
        }
    }

    /// Returns the link of a chunk, if that is a piece of a blob which travels as it is.
    pub(super) fn link(&mut self, span: ChunkSpan) -> Option<HashLink> {
        if !self.payload.is_piece(span) || self.payload.is_encoded_piece(span) {
            return None;
        }
        let before = match self.next.take() {
            Some(before) if span.offset > 0 => before,
            _ => Before::Known(RunningHash::default()),
        };
        let blob = self.payload.blobs.get(span.blob)?;
        let goes_on = span.offset.saturating_add(span.plain) < blob.travel_size();
        let after = goes_on.then(|| {
            let (after, coming) = mpsc::channel();
            self.next = Some(Before::Coming(coming));
            after
        });
        Some(HashLink { before, after })
    }
}

impl HashLink {
    /// Waits for its turn, and hashes the piece.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when the piece before it met an error, which is the one to report; `E-INTERNAL panic`.
    pub(super) fn pass(self, piece: &[u8]) -> Result<PieceHash> {
        caught("hasher", || {
            panics::point("hasher");
            let mut hash = match self.before {
                Before::Known(hash) => hash,
                Before::Coming(coming) => coming.recv().map_err(|_| ended())?,
            };
            hash.update(piece);
            let Some(after) = self.after else {
                return Ok(PieceHash::Digest(Digest(hash.finish())));
            };
            let midstate = hash.midstate().ok_or_else(out_of_place)?;
            // Nobody is there any more after an error further on.
            after.send(hash).ok();
            Ok(PieceHash::Midstate(midstate))
        })
        .flatten()
    }
}

fn ended() -> Error {
    Error::new(
        Class::Internal,
        "pieces",
        "the piece of a blob before this one was not hashed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [u64; 3] = [3, 200, 70];

    fn payload() -> Payload<'static, u64> {
        Payload {
            blobs: &SIZES,
            early: 0,
            chunk_bytes: 64,
            copies: false,
        }
    }

    fn bytes(size: u64) -> Vec<u8> {
        (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[test]
    fn pieces_that_are_hashed_out_of_order_make_the_digests_of_their_blobs() {
        let mut chain = HashChain::new(payload(), None);
        let links: Vec<_> = payload().cut().map(|span| (span, chain.link(span))).collect();
        assert!(links[0].1.is_none(), "three bytes are no piece");
        let (sender, digests) = mpsc::channel();
        std::thread::scope(|scope| {
            for (span, link) in links.into_iter().rev() {
                let Some(link) = link else { continue };
                let sender = sender.clone();
                scope.spawn(move || {
                    let bytes = bytes(SIZES[span.blob]);
                    let from = usize::try_from(span.offset).unwrap();
                    let piece = &bytes[from..from + usize::try_from(span.plain).unwrap()];
                    if let PieceHash::Digest(digest) = link.pass(piece).unwrap() {
                        sender.send((span.blob, digest)).unwrap();
                    }
                });
            }
        });
        drop(sender);
        let mut digests: Vec<_> = digests.into_iter().collect();
        digests.sort_unstable_by_key(|(blob, _)| *blob);
        let of = |blob: usize| super::super::digest_of(&bytes(SIZES[blob]));
        assert_eq!(digests, [(1, of(1)), (2, of(2))]);
    }

    #[test]
    fn whoever_waits_for_a_piece_that_is_gone_fails() {
        let mut chain = HashChain::new(payload(), None);
        let mut links: Vec<_> = payload().cut().filter_map(|span| chain.link(span)).collect();
        let second = links.remove(1);
        links.remove(0);
        assert_eq!(second.pass(&[0; 64]).unwrap_err().code(), "pieces");
        assert_eq!(links.remove(0).pass(&[0; 64]).unwrap_err().code(), "pieces");
    }

    #[test]
    fn a_payload_goes_on_behind_what_was_hashed() {
        let bytes = bytes(200);
        let mut hash = RunningHash::default();
        hash.update(&bytes[..128]);
        let mut chain = HashChain::new(payload(), Some(hash));
        let spans: Vec<_> = payload().cut().skip(3).collect();
        let third = chain.link(spans[0]).unwrap().pass(&bytes[128..192]).unwrap();
        assert!(matches!(third, PieceHash::Midstate(_)));
        let PieceHash::Digest(digest) = chain.link(spans[1]).unwrap().pass(&bytes[192..]).unwrap() else {
            panic!("the last piece");
        };
        assert_eq!(digest, super::super::digest_of(&bytes));
    }
}

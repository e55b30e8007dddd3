//! What pieces are given away in, what is made of them, and what makes it: used again by the blobs of a bundle, one after the other.

use std::sync::{Arc, Mutex, PoisonError};

use super::grammar::BLOCKS;
use super::piece::{AHEAD, GATHERED};
use crate::producer::{DICTIONARY, Encoder, Producer};
use crate::stream::{PooledVec, VecPool, worker_count};

/// Emulators that nobody uses.
type Idle = Vec<(Producer, Box<dyn Encoder>)>;

/// Memory of pieces.
#[derive(Debug, Clone, Default)]
pub struct PieceBuffers {
    /// One pool for plain and for what is made of it: seldom is there much of both.
    bytes: VecPool,
    idle: Arc<Mutex<Idle>>,
}

impl PieceBuffers {
    /// Returns a copy of some plain.
    pub(super) fn piece(&self, plain: &[u8]) -> PooledVec {
        let mut piece = self.bytes.take(plain.len());
        piece.extend_from_slice(plain);
        piece
    }

    /// Returns room for the plain of the largest piece, with what stands before and behind it, and for a part of so many bytes more.
    pub(super) fn plain(&self, part: usize) -> PooledVec {
        let bytes = GATHERED.max(*BLOCKS.end()).saturating_add(AHEAD);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.bytes.take(bytes.saturating_add(DICTIONARY).saturating_add(part))
    }

    /// Returns room for what is made.
    pub(super) fn made(&self, bytes: usize) -> PooledVec {
        self.bytes.take(bytes)
    }

    /// Returns an emulator, which has to be started. Those of other producers are let go.
    pub(super) fn encoder(&self, producer: Producer) -> Box<dyn Encoder> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(of, _)| *of == producer);
        let used = idle.pop();
        drop(idle);
        used.map_or_else(|| producer.encoder(), |(_, encoder)| encoder)
    }

    /// Takes an emulator back.
    pub(super) fn done(&self, producer: Producer, encoder: Box<dyn Encoder>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < worker_count() {
            idle.push((producer, encoder));
        }
    }
}

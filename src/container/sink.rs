//! Who takes the payload, and a decoded chunk on its way there.

use std::sync::Arc;

use super::cut::ChunkSpan;
use crate::domain::{Hash, Result};
use crate::stream::PooledBuffer;

/// Takes the blobs of a payload in order. Those that lie in one chunk arrive verified; one that is larger arrives in pieces and
/// is verified only when [`PayloadSink::end`] is called.
///
/// Every method may fail with any error; it ends the reading.
pub(crate) trait PayloadSink<B> {
    /// How many chunks an earlier try has done, so that they need not be read again.
    fn chunks_done(&self) -> u64;

    /// The bytes of the file that an earlier try had read and that were passed over now.
    fn resumed(&mut self, bytes: u64);

    /// Every blob before this one was handed over or passed over. Told before each blob and each piece, and at the end.
    fn reached(&mut self, blob: usize) -> Result<()>;

    /// A blob that an earlier try has stored is passed over.
    fn recall(&mut self, blob: &B) -> Result<()>;

    /// The large blob in which the earlier try ended goes on: its first `length` bytes are to be handed to `take`.
    fn go_on(&mut self, blob: &B, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// A blob that lies in one chunk or in none: its digest was compared.
    fn blob(&mut self, blob: &B, bytes: &[u8]) -> Result<()>;

    /// A blob larger than a chunk begins.
    fn begin(&mut self, blob: &B) -> Result<()>;

    /// The next piece of the blob that began: not verified yet.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete and its digest was compared. `pieces` are the hashes of its chunks.
    fn end(&mut self, blob: &B, pieces: &[Hash]) -> Result<()>;

    /// Every blob and piece of the first `chunks` chunks was handed over: the place to go on from after a stop.
    fn chunk_done(&mut self, chunks: u64, bytes_read: u64) -> Result<()>;
}

/// A chunk whose bytes were compared and decoded.
pub(super) struct DecodedChunk {
    /// Its number, from 1.
    pub(super) number: u64,
    /// What lies in it.
    pub(super) span: ChunkSpan,
    /// Its plain bytes.
    pub(super) plain: Arc<PooledBuffer>,
    /// Hash of the plain bytes, for a piece of a large blob.
    pub(super) piece: Option<Hash>,
    /// Bytes of the file up to its end.
    pub(super) position: u64,
}

//! Who takes the payload, and a decoded chunk on its way there.

use std::ops::Range;
use std::sync::Arc;

use super::cut::ChunkSpan;
use super::hash_chain::PieceHash;
use crate::domain::{Class, Error, Hash, Result};
use crate::stream::PooledBuffer;

/// Stores content on the threads that decode it, in any order and before whoever knows the order is told of it.
pub trait ContentStore<B>: Send + Sync {
    /// Stores a blob that lies in one chunk or in none: its digest was compared.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading when its chunk's turn comes.
    fn blob(&self, blob: &B, bytes: &[u8]) -> Result<()>;

    /// Stores a piece of a blob larger than a chunk: it begins `offset` bytes behind the blob's start, and nothing is verified of it but
    /// that it is the chunk that was signed.
    ///
    /// # Errors
    ///
    /// As [`ContentStore::blob`].
    fn piece(&self, blob: &B, offset: u64, bytes: &[u8]) -> Result<()>;
}

/// Takes the blobs of a payload in order. Those that lie in one chunk arrive verified; one that is larger arrives in pieces and
/// is verified only when [`PayloadSink::end`] is called.
///
/// Every method may fail with any error; it ends the reading.
pub(crate) trait PayloadSink<B> {
    /// What stores content beside the order, if anything does. Asked once, before the first chunk.
    fn content_store(&self) -> Option<Arc<dyn ContentStore<B>>> {
        None
    }

    /// What of a stopped reading a next try need not do again, in words; nothing where nothing is kept.
    fn kept(&self) -> Option<&'static str> {
        None
    }

    /// How many chunks an earlier try has done, so that they need not be read again.
    fn chunks_done(&self) -> u64 {
        0
    }

    /// The midstates that an earlier try was told of at the ends of some of the chunks that are done.
    fn kept_midstates(&mut self, _chunks: Range<u64>) -> Result<Vec<Hash>> {
        Err(no_earlier_try())
    }

    /// The bytes of the file that an earlier try had read and that were passed over now.
    fn resumed(&mut self, _bytes: u64) {}

    /// Of what an earlier try had read, so much is passed over by now: the file stands there. A pipe may take its time for it.
    fn passed_over(&mut self, _position: u64) {}

    /// Every blob before this one was handed over or passed over. Told before each blob and each piece, and at the end.
    fn reached(&mut self, blob: usize) -> Result<()>;

    /// A blob that an earlier try has stored is passed over. `midstates` are those of a blob larger than a chunk.
    fn recall(&mut self, _blob: &B, _midstates: Vec<Hash>) -> Result<()> {
        Err(no_earlier_try())
    }

    /// The large blob in which the earlier try ended goes on behind its first `length` bytes.
    fn go_on(&mut self, _blob: &B, _length: u64) -> Result<()> {
        Err(no_earlier_try())
    }

    /// A blob that lies in one chunk or in none: its digest was compared.
    fn blob(&mut self, blob: &B, bytes: &[u8]) -> Result<()>;

    /// A blob larger than a chunk begins.
    fn begin(&mut self, blob: &B) -> Result<()>;

    /// The next piece of the blob that began: not verified yet.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete and its digest was compared. `midstates` are the states of its SHA-256 at the ends of its chunks
    /// but the last, where that is the digest.
    fn end(&mut self, blob: &B, midstates: Vec<Hash>) -> Result<()>;

    /// An encoded blob begins: bytes of its travel form follow, and the blob is whoever's who makes it of them.
    fn begin_travel(&mut self, _blob: &B) -> Result<()> {
        Err(no_encoding())
    }

    /// The next bytes of the travel form that began: chunks, or a part of one, that were signed.
    fn travel(&mut self, _bytes: &[u8]) -> Result<()> {
        Err(no_encoding())
    }

    /// Every byte of the travel form was handed over.
    fn end_travel(&mut self, _blob: &B) -> Result<()> {
        Err(no_encoding())
    }

    /// The file was read so far, inside an encoded blob: no place to go on from.
    fn inside(&mut self, _position: u64) {}

    /// Every blob and piece of the first `chunks` chunks was handed over: the place to go on from after a stop. `midstate` is the one
    /// that a next try needs of the last of them, where a blob goes on behind it.
    fn chunk_done(&mut self, chunks: u64, bytes_read: u64, midstate: Option<Hash>) -> Result<()>;
}

/// A chunk whose bytes were compared and decoded.
pub(super) struct DecodedChunk {
    /// Its number, from 1.
    pub(super) number: u64,
    /// What lies in it.
    pub(super) span: ChunkSpan,
    /// Its plain bytes.
    pub(super) plain: PooledBuffer,
    /// What the hash of a large blob says behind it, where it is a piece of one that travels as it is.
    pub(super) hash: Option<PieceHash>,
    /// Bytes of the file up to its end.
    pub(super) position: u64,
}

/// The index of a kind without encodings states none.
pub(super) fn no_encoding() -> Error {
    Error::new(
        Class::Internal,
        "encoding",
        "a travel form was handed to who makes nothing of it",
    )
}

fn no_earlier_try() -> Error {
    Error::new(
        Class::Internal,
        "resume",
        "a reading was to go on although no earlier one was named",
    )
}

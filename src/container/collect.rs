//! Cuts decoded chunks into blobs and hands them over, from the first or from where an earlier try ended.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blob_hasher::{BlobHasher, digest_of};
use super::cut::{ChunkSpan, Payload, PayloadBlob};
use super::kind::Kind;
use super::signed_digest::check_digest;
use super::sink::{DecodedChunk, PayloadSink};
use crate::domain::{Class, Error, Hash, Result};
use crate::stream::PooledBuffer;

/// Cuts decoded chunks into blobs and hands them over.
pub(super) struct Collector<'a, 'b, 'scope, B> {
    kind: &'static Kind,
    payload: Payload<'a, B>,
    /// The next blob that begins.
    blob: usize,
    large: Option<Large<B>>,
    hasher: BlobHasher<'scope>,
    sink: &'b mut dyn PayloadSink<B>,
}

/// A blob larger than a chunk, on its way.
struct Large<B> {
    blob: B,
    seen: u64,
    pieces: Vec<Hash>,
}

impl<'a, 'b, 'scope, B: PayloadBlob> Collector<'a, 'b, 'scope, B> {
    /// Starts at the first blob.
    pub(super) fn new(
        kind: &'static Kind,
        payload: Payload<'a, B>,
        hasher: BlobHasher<'scope>,
        sink: &'b mut dyn PayloadSink<B>,
    ) -> Self {
        Self {
            kind,
            payload,
            blob: 0,
            large: None,
            hasher,
            sink,
        }
    }

    /// Puts back the state in which an earlier try ended after so many chunks.
    pub(super) fn catch_up(&mut self, done: u64) -> Result<()> {
        let chunk_bytes = self.payload.chunk_bytes;
        for span in self.payload.cut().take(usize::try_from(done).unwrap_or(usize::MAX)) {
            while self.blob < span.blob {
                self.recall()?;
            }
            let Some(blob) = self.payload.blobs.get(span.blob).copied() else {
                break;
            };
            if blob.travel_size() <= chunk_bytes {
                let end = span.plain;
                let mut held: u64 = 0;
                while held < end {
                    let next = self.payload.blobs.get(self.blob);
                    held = held.saturating_add(next.map_or(end, PayloadBlob::travel_size));
                    self.recall()?;
                }
            } else if span.offset.saturating_add(span.plain) == blob.travel_size() {
                self.large = None;
                self.recall()?;
            } else {
                self.large = Some(Large {
                    blob,
                    seen: span.offset.saturating_add(span.plain),
                    pieces: Vec::new(),
                });
            }
        }
        let Some(mut large) = self.large.take() else {
            return Ok(());
        };
        // The earlier try ended inside a large blob: its prefix is hashed again, in the pieces it arrived in.
        self.hasher.begin();
        let mut piece = Sha256::new();
        let mut in_piece: u64 = 0;
        let mut pieces = Vec::new();
        self.sink.go_on(&large.blob, large.seen, &mut |mut bytes| {
            self.hasher.update_slice(bytes);
            while !bytes.is_empty() {
                let room = usize::try_from(chunk_bytes.saturating_sub(in_piece)).unwrap_or(usize::MAX);
                let (now, later) = bytes.split_at(room.min(bytes.len()));
                piece.update(now);
                in_piece = in_piece.saturating_add(now.len() as u64);
                if in_piece == chunk_bytes {
                    pieces.push(Hash(std::mem::take(&mut piece).finalize().into()));
                    in_piece = 0;
                }
                bytes = later;
            }
        })?;
        large.pieces = pieces;
        self.large = Some(large);
        Ok(())
    }

    /// Passes over a blob that an earlier try has stored.
    fn recall(&mut self) -> Result<()> {
        let Some(blob) = self.payload.blobs.get(self.blob).copied() else {
            return Ok(());
        };
        self.sink.reached(self.blob)?;
        self.sink.recall(&blob)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    /// Takes the next chunk.
    pub(super) fn chunk(&mut self, decoded: DecodedChunk) -> Result<()> {
        let DecodedChunk {
            number,
            span,
            plain,
            piece,
            position,
        } = decoded;
        self.empty_blobs(span.blob)?;
        match piece {
            Some(hash) => self.piece(span, &plain, hash)?,
            None => {
                for (blob, bytes) in self.payload.blobs_in(span, &plain) {
                    self.whole(&blob, bytes)?;
                }
            }
        }
        drop(plain);
        self.sink.chunk_done(number, position)
    }

    /// Hands over blobs without bytes, which lie in no chunk, up to a blob.
    fn empty_blobs(&mut self, until: usize) -> Result<()> {
        while self.blob < until {
            let Some(blob) = self.payload.blobs.get(self.blob).copied() else {
                break;
            };
            check_digest(self.kind, blob.digest(), digest_of(b""))?;
            self.whole(&blob, b"")?;
        }
        self.sink.reached(self.blob)
    }

    fn whole(&mut self, blob: &B, bytes: &[u8]) -> Result<()> {
        self.sink.reached(self.blob)?;
        self.sink.blob(blob, bytes)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    fn piece(&mut self, span: ChunkSpan, plain: &Arc<PooledBuffer>, hash: Hash) -> Result<()> {
        if span.offset == 0 {
            let Some(blob) = self.payload.blobs.get(span.blob).copied() else {
                return Ok(());
            };
            self.hasher.begin();
            self.sink.begin(&blob)?;
            self.large = Some(Large {
                blob,
                seen: 0,
                pieces: Vec::new(),
            });
        }
        let Some(mut large) = self.large.take() else {
            return Err(Error::new(
                Class::Internal,
                "pieces",
                "a piece came before its blob began",
            ));
        };
        self.hasher.update(Arc::clone(plain));
        self.sink.piece(plain)?;
        large.pieces.push(hash);
        large.seen = large.seen.saturating_add(span.plain);
        if large.seen < large.blob.travel_size() {
            self.large = Some(large);
            return Ok(());
        }
        check_digest(self.kind, large.blob.digest(), self.hasher.finish()?)?;
        self.sink.end(&large.blob, &large.pieces)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    /// Hands over what lies behind the last chunk.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.empty_blobs(self.payload.blobs.len())
    }
}

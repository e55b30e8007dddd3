//! Cuts decoded chunks into blobs and hands them over in order, from the first or from where an earlier try ended.

use std::sync::Arc;

use super::cut::{ChunkSpan, Payload, PayloadBlob, out_of_place};
use super::hash_chain::PieceHash;
use super::kind::Kind;
use super::large::{Large, Progress};
use super::signed_digest::{check_digest, digest_of};
use super::sink::{ContentStore, DecodedChunk, PayloadSink};
use crate::crypto::RunningHash;
use crate::domain::{Hash, Result};

/// Cuts decoded chunks into blobs and hands them over.
pub(super) struct Collector<'a, 'b, B> {
    kind: &'static Kind,
    payload: Payload<'a, B>,
    /// The next blob that begins.
    blob: usize,
    large: Option<Large<B>>,
    /// For blobs without bytes, which lie in no chunk.
    store: Option<Arc<dyn ContentStore<B>>>,
    sink: &'b mut dyn PayloadSink<B>,
}

impl<'a, 'b, B: PayloadBlob> Collector<'a, 'b, B> {
    /// Starts at the first blob.
    pub(super) fn new(
        kind: &'static Kind,
        payload: Payload<'a, B>,
        store: Option<Arc<dyn ContentStore<B>>>,
        sink: &'b mut dyn PayloadSink<B>,
    ) -> Self {
        Self {
            kind,
            payload,
            blob: 0,
            large: None,
            store,
            sink,
        }
    }

    /// Puts back the state in which an earlier try ended after so many chunks. Nothing of large blobs is read again: their hash goes on
    /// from the midstate that was kept, and is returned.
    pub(super) fn catch_up(&mut self, done: u64) -> Result<Option<RunningHash>> {
        let chunk_bytes = self.payload.chunk_bytes;
        // The chunk in which the large blob under way began.
        let mut first = 1;
        let mut under_way = None;
        for (number, span) in (1..=done).zip(self.payload.cut()) {
            while self.blob < span.blob {
                self.recall(Vec::new())?;
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
                    self.recall(Vec::new())?;
                }
                continue;
            }
            if span.offset == 0 {
                first = number;
            }
            if blob.is_encoded() {
                // No place to go on from lies inside one, and its chunks prove no piece of the blob.
                let end = span.offset.saturating_add(span.plain) == blob.travel_size();
                under_way = (!end).then_some((blob, 0, first..first));
                if end {
                    self.recall(Vec::new())?;
                }
                continue;
            }
            let seen = span.offset.saturating_add(span.plain);
            if seen == blob.travel_size() {
                under_way = None;
                let midstates = self.sink.kept_midstates(first..number)?;
                self.recall(midstates)?;
            } else {
                under_way = Some((blob, seen, first..number.saturating_add(1)));
            }
        }
        if let Some((blob, seen, chunks)) = under_way {
            if blob.is_encoded() {
                return Err(out_of_place());
            }
            let midstates = self.sink.kept_midstates(chunks)?;
            let (large, hash) = Large::after(blob, seen, midstates)?;
            self.large = Some(large);
            self.sink.go_on(&blob, seen)?;
            return Ok(Some(hash));
        }
        Ok(None)
    }

    /// Passes over a blob that an earlier try has stored.
    fn recall(&mut self, midstates: Vec<Hash>) -> Result<()> {
        let Some(blob) = self.payload.blobs.get(self.blob).copied() else {
            return Ok(());
        };
        self.sink.reached(self.blob)?;
        self.sink.recall(&blob, midstates)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    /// Takes the next chunk.
    pub(super) fn chunk(&mut self, decoded: DecodedChunk) -> Result<()> {
        let DecodedChunk {
            number,
            span,
            plain,
            hash,
            position,
        } = decoded;
        self.empty_blobs(span.blob)?;
        let midstate = if self.payload.is_encoded_piece(span) {
            if !self.encoded_piece(span, &plain)? {
                self.sink.inside(position);
                return Ok(());
            }
            None
        } else if self.payload.is_piece(span) {
            self.piece(span, &plain, hash)?
        } else {
            for (blob, bytes) in self.payload.blobs_in(span, &plain) {
                if blob.is_encoded() {
                    self.encoded(&blob, bytes)?;
                } else {
                    self.whole(&blob, bytes)?;
                }
            }
            None
        };
        drop(plain);
        self.sink.chunk_done(number, position, midstate)
    }

    /// Says that every early blob was handed over.
    pub(super) fn pass_early(&mut self) -> Result<()> {
        self.empty_blobs(self.payload.early.min(self.payload.blobs.len()))
    }

    /// Hands over blobs without bytes, which lie in no chunk, up to a blob.
    fn empty_blobs(&mut self, until: usize) -> Result<()> {
        while self.blob < until {
            let Some(blob) = self.payload.blobs.get(self.blob).copied() else {
                break;
            };
            check_digest(self.kind, blob.digest(), digest_of(b""))?;
            if let Some(store) = &self.store {
                store.blob(&blob, b"")?;
            }
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

    /// Hands on an encoded blob that lies whole in a chunk.
    fn encoded(&mut self, blob: &B, bytes: &[u8]) -> Result<()> {
        self.sink.reached(self.blob)?;
        self.sink.begin_travel(blob)?;
        self.sink.travel(bytes)?;
        self.sink.end_travel(blob)?;
        self.blob = self.blob.saturating_add(1);
        Ok(())
    }

    /// Hands on a piece of an encoded blob; returns whether it was the last one.
    fn encoded_piece(&mut self, span: ChunkSpan, bytes: &[u8]) -> Result<bool> {
        let blob = self.payload.blobs.get(span.blob).copied().ok_or_else(out_of_place)?;
        if span.offset == 0 {
            self.sink.begin_travel(&blob)?;
        }
        self.sink.travel(bytes)?;
        let is_last = span.offset.saturating_add(span.plain) == blob.travel_size();
        if is_last {
            self.sink.end_travel(&blob)?;
            self.blob = self.blob.saturating_add(1);
        }
        Ok(is_last)
    }

    /// Takes a piece of a large blob; returns the midstate at its end, where the blob goes on.
    fn piece(&mut self, span: ChunkSpan, plain: &[u8], hash: Option<PieceHash>) -> Result<Option<Hash>> {
        if span.offset == 0
            && let Some(blob) = self.payload.blobs.get(span.blob).copied()
        {
            self.sink.begin(&blob)?;
            self.large = Some(Large::new(blob));
        }
        let (large, hash) = self.large.take().zip(hash).ok_or_else(out_of_place)?;
        let blob = large.blob;
        let progress = large.piece(span, hash, self.kind)?;
        self.sink.piece(plain)?;
        match progress {
            Progress::GoesOn(large, midstate) => {
                self.large = Some(large);
                Ok(Some(midstate))
            }
            Progress::Whole(midstates) => {
                self.sink.end(&blob, midstates)?;
                self.blob = self.blob.saturating_add(1);
                Ok(None)
            }
        }
    }

    /// Hands over what lies behind the last chunk.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.empty_blobs(self.payload.blobs.len())
    }
}

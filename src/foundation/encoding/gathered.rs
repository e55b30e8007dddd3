//! The body of a record that comes in parts, in a buffer that is used again.
//!
//! A buffer of megabytes that is made and freed for every blob costs more than its own bytes: the allocator takes it for the usual size from
//! then on, and keeps that much of what is freed in each of its arenas.

use super::plain_cut::RECORD;
use crate::stream::{BufferPool, PooledBuffer};

/// Buffers for bodies and prefixes of records.
#[derive(Debug, Clone)]
pub(super) struct RecordBuffers(BufferPool);

impl Default for RecordBuffers {
    fn default() -> Self {
        Self(BufferPool::new(usize::try_from(RECORD).unwrap_or(usize::MAX)))
    }
}

impl RecordBuffers {
    /// Returns an empty one.
    pub(super) fn empty(&self) -> Gathered {
        Gathered {
            buffers: self.clone(),
            buffer: None,
            filled: 0,
        }
    }
}

/// Bytes of a record, at most [`RECORD`].
pub(super) struct Gathered {
    buffers: RecordBuffers,
    /// Nothing before the first byte.
    buffer: Option<PooledBuffer>,
    filled: usize,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Moves bytes over until `wanted` are gathered; returns how many.
    pub(super) fn fill(&mut self, wanted: usize, bytes: &mut &[u8]) -> usize {
        let missing = wanted.saturating_sub(self.filled);
        let (now, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        let room = self.room(now.len());
        let count = now.len().min(room.len());
        room.copy_from_slice(now.get(..count).unwrap_or_default());
        *bytes = rest;
        count
    }

    /// Returns room for so many bytes more, which count as gathered.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let buffers = &self.buffers;
        let buffer = self.buffer.get_or_insert_with(|| buffers.0.take(0)).spare();
        let start = self.filled;
        self.filled = start.saturating_add(bytes).min(buffer.len());
        buffer.get_mut(start..self.filled).unwrap_or_default()
    }

    /// Returns what was gathered; the next byte begins anew.
    pub(super) fn take(&mut self) -> Option<PooledBuffer> {
        let mut buffer = self.buffer.take()?;
        buffer.set_len(self.filled);
        self.filled = 0;
        Some(buffer)
    }

    /// Returns how many bytes are gathered.
    pub(super) fn len(&self) -> usize {
        self.filled
    }
}

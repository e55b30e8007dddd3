//! The plain under way: the record that is decoded, and the bytes before it that its frame may refer to.

use super::plain_cut::{PREFIX, RECORD, RecordSpan};
use crate::domain::{Class, Error, Result};
use crate::stream::{BufferPool, PooledBuffer};

/// Bytes of a full window: the longest prefix, and a record.
pub(super) const WINDOW: usize = PREFIX + (4 << 20);

/// The plain under way.
pub(super) struct Window {
    buffer: PooledBuffer,
    /// Bytes of the group's plain that are at hand.
    end: usize,
}

impl Window {
    /// For a plain of `size` bytes.
    pub(super) fn new(pool: &BufferPool) -> Self {
        Self {
            buffer: pool.take(WINDOW),
            end: 0,
        }
    }

    /// Makes the next record: `make` is given its prefix and the bytes to fill. Returns them.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub(super) fn record(
        &mut self,
        span: RecordSpan,
        make: impl FnOnce(&[u8], &mut [u8]) -> Result<()>,
    ) -> Result<&[u8]> {
        let plain = usize::try_from(span.plain.min(RECORD)).unwrap_or(0);
        let buffer = self.buffer.spare();
        if span.first {
            self.end = 0;
        }
        if self.end.saturating_add(plain) > WINDOW {
            // Records before this one were full, so that what moves begins where a page does.
            let start = self.end.saturating_sub(PREFIX);
            buffer.copy_within(start..self.end, 0);
            self.end = self.end.saturating_sub(start);
        }
        let (before, rest) = buffer.split_at_mut_checked(self.end).ok_or_else(out_of_window)?;
        let prefix = before.get(self.end.saturating_sub(PREFIX)..).unwrap_or_default();
        make(prefix, rest.get_mut(..plain).ok_or_else(out_of_window)?)?;
        let start = self.end;
        self.end = start.saturating_add(plain);
        self.buffer.get(start..self.end).ok_or_else(out_of_window)
    }
}

fn out_of_window() -> Error {
    Error::new(Class::Internal, "window", "a record lies outside the window")
}

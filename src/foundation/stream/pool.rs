//! Buffers that are used again, so that a long run does not keep asking the system for fresh pages. Each begins at the border of a page:
//! what is read or written past the page cache must.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a page: what buffers begin at, and what is written past the page cache counts in.
pub const PAGE: usize = 4096;

/// A pool of equally large buffers; it grows to as many as are in use at once.
#[derive(Clone)]
pub struct BufferPool {
    size: usize,
    /// Bytes of each block of memory.
    block: usize,
    free: Arc<Mutex<Vec<Box<[u8]>>>>,
}

/// What the allocator never takes for the usual size of a block, whatever is freed: twice the size of what it takes for that it keeps in each
/// of its arenas, and what is asked for below it comes out of these.
const APART: usize = (32 << 20) + PAGE;

/// A buffer with its first `len` bytes filled; goes back to its pool when dropped.
pub struct PooledBuffer {
    buffer: Box<[u8]>,
    /// Where its first page begins.
    start: usize,
    /// Bytes from there on.
    size: usize,
    len: usize,
    free: Arc<Mutex<Vec<Box<[u8]>>>>,
}

impl BufferPool {
    /// Makes an empty pool of buffers of a size.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            block: size.saturating_add(PAGE),
            free: Arc::default(),
        }
    }

    /// As [`new`](Self::new), of megabytes that are let go while much else is still asked for. Each stands in a block of its own, of more bytes
    /// than it has; those that nobody touches take no memory.
    pub fn apart(size: usize) -> Self {
        Self {
            block: size.saturating_add(PAGE).max(APART),
            ..Self::new(size)
        }
    }

    /// Lets go of buffers that nobody uses, but for so many.
    pub fn keep(&self, buffers: usize) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .truncate(buffers);
    }

    /// Returns a buffer whose content is undefined and counts as `len` bytes, at most the pool's size.
    pub fn take(&self, len: usize) -> PooledBuffer {
        let used = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffer = used.unwrap_or_else(|| vec![0; self.block].into_boxed_slice());
        PooledBuffer {
            // At most a page less one byte, for bytes.
            start: buffer.as_ptr().align_offset(PAGE).min(PAGE),
            buffer,
            size: self.size,
            len: len.min(self.size),
            free: Arc::clone(&self.free),
        }
    }
}

impl PooledBuffer {
    /// Returns the bytes to fill.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        self.spare().get_mut(..len).unwrap_or_default()
    }

    /// Says how many bytes count, at most the buffer's size.
    pub fn set_len(&mut self, len: usize) {
        self.len = len.min(self.size);
    }

    /// Returns the whole buffer, to fill before its length is known.
    pub fn spare(&mut self) -> &mut [u8] {
        let end = self.start.saturating_add(self.size);
        self.buffer.get_mut(self.start..end).unwrap_or_default()
    }
}

impl Deref for PooledBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let end = self.start.saturating_add(self.len);
        self.buffer.get(self.start..end).unwrap_or_default()
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BufferPool({} bytes each)", self.size)
    }
}

impl fmt::Debug for PooledBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PooledBuffer({} bytes)", self.len)
    }
}

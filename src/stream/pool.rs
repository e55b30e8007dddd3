//! Buffers that are used again, so that a long run does not keep asking the system for fresh pages.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// A pool of equally large buffers; it grows to as many as are in use at once.
#[derive(Clone)]
pub struct BufferPool {
    size: usize,
    free: Arc<Mutex<Vec<Box<[u8]>>>>,
}

/// A buffer with its first `len` bytes filled; goes back to its pool when dropped.
pub struct PooledBuffer {
    buffer: Box<[u8]>,
    len: usize,
    free: Arc<Mutex<Vec<Box<[u8]>>>>,
}

impl BufferPool {
    /// Makes an empty pool of buffers of a size.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            free: Arc::default(),
        }
    }

    /// Returns a buffer whose content is undefined and counts as `len` bytes, at most the pool's size.
    pub fn take(&self, len: usize) -> PooledBuffer {
        let used = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        PooledBuffer {
            buffer: used.unwrap_or_else(|| vec![0; self.size].into_boxed_slice()),
            len: len.min(self.size),
            free: Arc::clone(&self.free),
        }
    }
}

impl PooledBuffer {
    /// Returns the bytes to fill.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or_default()
    }

    /// Says how many bytes count, at most the buffer's size.
    pub fn set_len(&mut self, len: usize) {
        self.len = len.min(self.buffer.len());
    }

    /// Returns the whole buffer, to fill before its length is known.
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
}

impl Deref for PooledBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
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

//! Buffers that pieces of files are read into, where they must pass through memory: kept for the next piece, because fresh memory costs more
//! than the read itself (the kernel clears its pages, and the program them once more).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a buffer: what a core's cache holds twice, for what is read and what is made of it.
pub(super) const BUFFER_BYTES: usize = 128 << 10;
/// Buffers that are kept while nobody has them.
const KEPT: usize = 16;

/// The buffers. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

/// A buffer of [`BUFFER_BYTES`]; given back when dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    buffers: Buffers,
}

impl Buffers {
    /// Takes a buffer. What is in it is of no meaning.
    pub(super) fn take(&self) -> Buffer {
        let kept = self.lock().pop();
        Buffer {
            bytes: kept.unwrap_or_else(|| vec![0; BUFFER_BYTES].into()),
            buffers: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut kept = self.buffers.lock();
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_taken_again_and_few_are_kept() {
        let buffers = Buffers::default();
        let mut one = buffers.take();
        let address = one.as_mut().as_ptr();
        assert_eq!(one.as_ref().len(), BUFFER_BYTES);
        drop(one);
        assert_eq!(buffers.take().as_ref().as_ptr(), address);
        let many: Vec<Buffer> = (0..KEPT * 2).map(|_| buffers.take()).collect();
        drop(many);
        assert_eq!(buffers.lock().len(), KEPT);
    }
}

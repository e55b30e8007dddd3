//! Vectors that are used again, for what has a size of its own every time.
//!
//! Megabytes that one thread takes and another frees cost more than they hold: the allocator keeps them in the arena of the first, and takes
//! the largest that was freed for the usual size from then on.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Vectors that wait to be used again, at most: more than are in use at once, so that large ones are never freed.
const WAITING: usize = 12;

/// A pool of vectors of bytes; a few of those that nobody uses wait in it.
#[derive(Clone, Default)]
pub struct VecPool(Arc<Mutex<Vec<Vec<u8>>>>);

/// A vector of bytes; goes back to its pool when dropped, if it has one.
#[derive(Default)]
pub struct PooledVec {
    bytes: Vec<u8>,
    pool: Option<VecPool>,
}

impl VecPool {
    /// Returns an empty vector with room for so many bytes.
    pub fn take(&self, room: usize) -> PooledVec {
        let mut bytes = self.fitting(room).unwrap_or_default();
        bytes.reserve_exact(room);
        PooledVec {
            bytes,
            pool: Some(self.clone()),
        }
    }

    /// Takes the smallest with that much room out; if none has it, the largest: else all of them would grow to the most that was ever asked for.
    fn fitting(&self, room: usize) -> Option<Vec<u8>> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = || free.iter().enumerate().map(|(place, vec)| (vec.capacity(), place));
        let fitting = all().filter(|(capacity, _)| *capacity >= room).min();
        let (_, place) = fitting.or_else(|| all().max())?;
        Some(free.swap_remove(place))
    }
}

impl PooledVec {
    /// Returns what it holds so far, and goes on empty without room.
    #[must_use]
    pub fn split(&mut self) -> Self {
        let pool = self.pool.clone();
        Self {
            bytes: std::mem::take(&mut self.bytes),
            pool,
        }
    }
}

impl From<Vec<u8>> for PooledVec {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, pool: None }
    }
}

impl Deref for PooledVec {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for PooledVec {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for PooledVec {
    fn drop(&mut self) {
        let Some(VecPool(free)) = self.pool.take() else { return };
        if self.bytes.capacity() == 0 {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < WAITING {
            free.push(bytes);
        }
    }
}

impl fmt::Debug for VecPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VecPool")
    }
}

impl fmt::Debug for PooledVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PooledVec({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_fits_is_taken_and_else_the_largest() {
        let pool = VecPool::default();
        let sizes = [300, 100, 200];
        drop(sizes.map(|size| pool.take(size)));
        assert_eq!([150, 90, 400].map(|size| pool.take(size).capacity()), [200, 100, 400]);
        let taken = [pool.take(0), pool.take(0), pool.take(0)];
        assert_eq!(
            taken.map(|vec| vec.capacity()),
            [100, 200, 400],
            "the largest has grown"
        );
    }

    #[test]
    fn a_vector_is_used_again_and_few_wait() {
        let pool = VecPool::default();
        let mut first = pool.take(1000);
        first.extend_from_slice(b"bytes");
        let place = first.as_ptr();
        let part = first.split();
        assert_eq!((part.as_slice(), first.len()), (&b"bytes"[..], 0));
        drop((first, part));
        let again = pool.take(10);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        let many: Vec<PooledVec> = (0..20).map(|_| pool.take(1)).collect();
        drop((again, many));
        assert_eq!(pool.0.lock().unwrap().len(), WAITING);
    }
}

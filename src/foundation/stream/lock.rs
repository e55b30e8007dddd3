//! Files that processes take turns with.

use std::fs::File;
use std::ops::Deref;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Result;

/// An open file that may be locked as a whole; the lock ends with this value, or with the process.
///
/// It is given back, not left to the closing of the file: a program that another thread is about to start holds a copy of every open
/// file until it runs, and with the copy the lock.
#[derive(Debug)]
pub struct LockFile(File);

impl LockFile {
    /// Takes an open file, without locking it.
    pub fn new(file: File) -> Self {
        Self(file)
    }

    /// Locks the file, waiting for whoever holds it.
    ///
    /// # Errors
    ///
    /// What the system says; `NOSYS`, `OPNOTSUPP` or `NOLCK` where the file system has no locks.
    pub fn lock(&self) -> Result<()> {
        flock(&self.0, FlockOperation::LockExclusive)
    }

    /// Locks the file, unless somebody else holds it.
    ///
    /// # Errors
    ///
    /// `WOULDBLOCK` when somebody else does; those of [`Self::lock`].
    pub fn try_lock(&self) -> Result<()> {
        flock(&self.0, FlockOperation::NonBlockingLockExclusive)
    }
}

impl LockFile {
    /// Locks the file beside others who do so, unless somebody holds it alone.
    ///
    /// # Errors
    ///
    /// As [`Self::try_lock`].
    pub fn try_lock_shared(&self) -> Result<()> {
        flock(&self.0, FlockOperation::NonBlockingLockShared)
    }
}

impl Deref for LockFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Where that fails there was no lock, or closing the file gives it back.
        flock(&self.0, FlockOperation::Unlock).ok();
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_lock_ends_with_its_value_whoever_has_a_copy_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let held = LockFile::new(file.reopen().unwrap());
        held.try_lock().unwrap();
        // As in a process that was forked a moment ago.
        let copy = held.try_clone().unwrap();
        let next = LockFile::new(file.reopen().unwrap());
        assert_eq!(next.try_lock(), Err(Errno::WOULDBLOCK));
        drop(held);
        next.try_lock().unwrap();
        drop(copy);
        let third = LockFile::new(file.reopen().unwrap());
        assert_eq!(third.try_lock(), Err(Errno::WOULDBLOCK));
        drop(next);
        third.lock().unwrap();
    }
}

//! The right to write the status database: one process has it, a server or a command where none runs.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use crate::appliance::folder::STATUS_LOCK;
use crate::domain::{Error, Result};
use crate::stream::open_or_create;

/// How often it is tried.
const LOOK: Duration = Duration::from_millis(10);

/// Held as long as this process may write; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

/// Takes the lock when it is free within a time; none while another process has it.
///
/// # Errors
///
/// As [`take`].
pub(super) fn take_within(state: &Path, patience: Duration) -> Result<Option<WriterLock>> {
    let deadline = Instant::now() + patience;
    loop {
        let lock = take(state)?;
        if lock.is_some() || Instant::now() >= deadline {
            return Ok(lock);
        }
        std::thread::sleep(LOOK);
    }
}

/// Takes the lock; none while another process has it.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`.
pub(super) fn take(state: &Path) -> Result<Option<WriterLock>> {
    let path = state.join(STATUS_LOCK);
    let file = open_or_create(&path, 0o600)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(WriterLock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::io("lock", &path, error.into())),
    }
}

//! Why the content of a blob cannot be used.

use std::io;

use rustix::io::Errno;

use crate::domain::Error;

/// Why content cannot be used.
#[derive(Debug)]
pub(super) enum Failure {
    /// The disk.
    Io(io::Error),
    /// There is no such file, though a release names it.
    Gone,
    /// The file holds something else.
    Damaged(String),
    /// The caller's own: what it keeps of the blob cannot be read.
    Caller(Error),
}

impl Failure {
    /// What a failure to open or read a blob's file is: damage where it is about that file, as bytes on a bad sector are, or something
    /// that nobody can open; and not about this process or the machine.
    pub(super) fn of(doing: &str, error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Self::Gone,
            Some(Errno::LOOP) => Self::Damaged("it is a link".into()),
            Some(Errno::IO | Errno::ACCESS | Errno::PERM | Errno::NXIO | Errno::NODEV | Errno::NOTDIR) => {
                Self::Damaged(format!("it cannot be {doing}: {error}"))
            }
            _ => Self::Io(error),
        }
    }
}

//! Why the content of a blob cannot be used.

use std::io;

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

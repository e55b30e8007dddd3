//! Files of other tools that are compressed with zstd, expanded as they are read.
//!
//! Nothing of a bundle passes here: its frames are checked first ([`frame`](super::frame)). Windows are at most 128 MiB, the library's own
//! bound; what a file expands to is for the caller to bound.

use std::io::{self, BufRead, Read};

use crate::domain::{Class, Error, Result};

/// Returns what comes out of a file of zstd frames; one that is cut or damaged fails as it is read.
///
/// # Errors
///
/// `E-INTERNAL` when the library cannot start.
pub fn zstd_reader(file: impl BufRead) -> Result<impl Read> {
    let internal = |error: io::Error| Error::new(Class::Internal, "zstd", format!("zstd cannot start: {error}"));
    zstd::stream::read::Decoder::with_buffer(file).map_err(internal)
}

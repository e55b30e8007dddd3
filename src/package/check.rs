//! Judges the bytes of a package as a whole, without a ledger: for guards and fuzzers.

use std::io::{self, Cursor, Read};

use super::head::Head;
use super::keys::StatusKeys;
use super::reader::OpenedPackage;
use crate::container::Input;
use crate::crypto::PublicKey;
use crate::domain::Result;

/// Bytes in memory as a source.
struct Bytes(Cursor<Vec<u8>>);

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for Bytes {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.0.by_ref().take(count), &mut io::sink())?;
        if passed == count {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// Judges everything that holds without a ledger: V1 to V4 and V6 to V10, as a package of whoever has this key.
///
/// # Errors
///
/// Those of all these steps.
pub fn check(bytes: &[u8], key: PublicKey) -> Result<Head> {
    OpenedPackage::open(Box::new(Bytes(Cursor::new(bytes.to_vec()))))?
        .verify(StatusKeys::new(key, []))?
        .read_index()?
        .read_lines(&mut |_, _| Ok(()))
}

//! Judges the bytes of a package as a whole, without a ledger: for guards and fuzzers.

use std::io::Cursor;

use super::head::Head;
use super::keys::StatusKeys;
use super::reader::OpenedPackage;
use crate::crypto::PublicKey;
use crate::domain::Result;

/// Judges everything that holds without a ledger: V1 to V4 and V6 to V10, as a package of whoever has this key.
///
/// # Errors
///
/// Those of all these steps.
pub fn check(bytes: &[u8], key: PublicKey) -> Result<Head> {
    OpenedPackage::open(Box::new(Cursor::new(bytes.to_vec())))?
        .verify(StatusKeys::new(key, []))?
        .read_index()?
        .read_lines(&mut |_, _| Ok(()))
}

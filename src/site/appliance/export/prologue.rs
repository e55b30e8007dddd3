//! The bytes before the payload of a package in the outbox, written anew: approvals and the signature stand there, and nothing else changes.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use super::outbox::{self, ExportLock};
use crate::appliance::state::Appliance;
use crate::db::site::packages::PackageRow;
use crate::domain::{Error, Result};
use crate::media::UncachedFile;
use crate::package::UnsignedPackage;

/// Takes a package of the outbox apart.
///
/// # Errors
///
/// Those of [`UnsignedPackage::open`]; `E-IO`.
pub(super) fn open(appliance: &Appliance, row: &PackageRow) -> Result<UnsignedPackage> {
    UnsignedPackage::open(Box::new(UncachedFile::open(&appliance.package_path(row.head))?))
}

/// Writes a package in its own place: a new file over the old one, durable before it has the name (E3). Whoever calls has read it whole.
///
/// # Errors
///
/// `E-LIMIT reserve` when the approvals do not fit in front of the payload; `E-STATE planted`, `E-IO` and `E-SPACE`. The old file stays then.
pub(super) fn replace(
    appliance: &Appliance,
    lock: &ExportLock,
    row: &PackageRow,
    package: &UnsignedPackage,
) -> Result<()> {
    let path = appliance.package_path(row.head);
    let mut old = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
    outbox::put(appliance, lock, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        package.write(&mut old, &mut out)?;
        out.flush().map_err(|error| Error::io("write", &path, error))?;
        Ok((row.head, ()))
    })
}

//! X10: what must be here already is here, and what comes fits on the disk.

use crate::appliance::damage::{carrier, import_again};
use crate::appliance::state::Appliance;
use crate::bundle::VerifiedBundle;
use crate::db::site::release;
use crate::domain::{Class, Error, Result, counted};
use crate::store::space;

/// Bytes that stay free beside what a bundle needs: the database grows too.
const MARGIN_BYTES: u64 = 32 << 20;

/// Checks both, for a bundle of whose content an earlier try has written `part_bytes`.
pub(super) fn check(appliance: &Appliance, bundle: &VerifiedBundle, part_bytes: u64) -> Result<()> {
    let domain = bundle.head().domain;
    let mut missing = Vec::new();
    for need in bundle.index().needs() {
        let held = appliance
            .db
            .read(|connection| release::retained_blob(connection, domain, &need.digest))?;
        if held != Some(need.size) {
            missing.push(need.digest.to_string());
        } else if appliance.store.size_of(&need.digest)? != Some(need.size) {
            let error = Error::new(
                Class::State,
                "base-damaged",
                format!("{} was imported but is not in the store any more", need.digest),
            );
            return Err(match appliance.db.read(|c| carrier(c, domain, &need.digest))? {
                Some(release) => error.remedy(import_again(&release)),
                None => error,
            });
        }
    }
    if !missing.is_empty() {
        let count = missing.len();
        missing.truncate(20);
        return Err(Error::new(
            Class::Dependency,
            "needs",
            format!(
                "the bundle builds on {} that this appliance does not hold: {}",
                counted(count, "blob"),
                missing.join(", ")
            ),
        )
        .expected("the bundles before this one to be imported")
        .remedy("import the base bundle first, or ask the vendor for a full one"));
    }
    let mut bytes: u64 = 0;
    let mut files: u64 = 0;
    for blob in bundle.index().blobs() {
        if appliance.store.size_of(&blob.digest)? != Some(blob.size) {
            bytes = bytes.saturating_add(blob.size);
            files = files.saturating_add(1);
        }
    }
    check_space(appliance, bytes.saturating_sub(part_bytes), files)
}

/// Checks that so many bytes in so many files fit on the disk.
pub(super) fn check_space(appliance: &Appliance, bytes: u64, files: u64) -> Result<()> {
    let free = space(appliance.folder())?;
    let wanted = bytes.saturating_add(MARGIN_BYTES);
    if wanted > free.bytes || files.saturating_add(16) > free.inodes {
        return Err(Error::new(
            Class::Space,
            "no-space",
            format!(
                "{} has {} bytes and {} files left",
                appliance.folder().display(),
                free.bytes,
                free.inodes
            ),
        )
        .expected(format!("room for {wanted} bytes in {files} files"))
        .remedy("free space on that file system and import again"));
    }
    Ok(())
}

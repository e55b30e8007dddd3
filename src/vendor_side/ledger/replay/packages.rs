//! Package files of the workspace, verified again before anything of them is sent: whoever can write there must not speak for a site.

use std::path::{Path, PathBuf};

use crate::crypto::PublicKey;
use crate::db::ledger::told::StoredPackage;
use crate::domain::{Class, Error, InstanceId, Result, SiteId};
use crate::media;
use crate::package::{Head, LineageEntry, OpenedPackage, StatusKeys, TakeLine, VerifiedPackage};
use crate::stream::open_beside;

/// Folder of the packages in a workspace.
const FOLDER: &str = "packages";

/// Where a site's package is.
pub(super) fn path(workspace: &Path, site: &SiteId, package: &StoredPackage) -> PathBuf {
    let short = |text: &str| text.chars().take(8).collect::<String>();
    workspace.join(FOLDER).join(site.as_str()).join(format!(
        "{}-{}-{}",
        short(package.instance.as_str()),
        package.number,
        short(&package.head.to_hex())
    ))
}

/// Reads a package to its end and returns its head; nothing where the file is gone.
///
/// # Errors
///
/// `E-INTEGRITY package-file` for another package than the one that was taken in; those of reading packages; `E-IO`.
pub(super) fn verify(path: &Path, package: &StoredPackage, keys: &[PublicKey]) -> Result<Option<Head>> {
    match open(path, package, keys)? {
        Some(opened) => opened.read_lines(&mut |_, _| Ok(())).map(Some),
        None => Ok(None),
    }
}

/// Hands over the lines of a package that was verified; each chunk is compared with its hash again.
///
/// # Errors
///
/// As [`verify`], and those of `take`.
pub(super) fn read(path: &Path, package: &StoredPackage, keys: &[PublicKey], take: &mut TakeLine<'_>) -> Result<()> {
    if let Some(opened) = open(path, package, keys)? {
        opened.read_lines(take)?;
    }
    Ok(())
}

fn open(path: &Path, package: &StoredPackage, keys: &[PublicKey]) -> Result<Option<VerifiedPackage>> {
    let mut refusal = Error::new(Class::Signature, "no-key", "the site has no status key");
    for key in keys {
        let Some(file) = open_beside(path, "open the package")? else {
            return Ok(None);
        };
        let opened = OpenedPackage::open(media::input(file, path)?)?;
        if opened.head_digest() != package.head {
            return Err(Error::new(
                Class::Integrity,
                "package-file",
                format!("{} is not the package that was taken in", path.display()),
            ));
        }
        // It was signed by the key that was in force then.
        let others = keys.iter().copied().filter(|other| other != key);
        match opened.verify(StatusKeys::new(*key, others)) {
            Ok(signed) => return signed.read_index().map(Some),
            Err(error) if error.class() == Class::Signature => refusal = error,
            Err(error) => return Err(error),
        }
    }
    Err(refusal)
}

/// The instance that a record belongs to by a package's own lineage.
pub(super) fn owner(lineage: &[LineageEntry], number: u64) -> Option<&InstanceId> {
    let entry = lineage.iter().rev().find(|entry| entry.records <= number)?;
    Some(&entry.instance)
}

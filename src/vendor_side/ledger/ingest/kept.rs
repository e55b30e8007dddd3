//! The file that is kept of a package that was taken in: where it stands, and whether it is the package from its first byte to its last.

use std::path::{Path, PathBuf};

use super::judge::{Court, Seen, verify};
use super::verdict::Identity;
use crate::container::Input;
use crate::db::Connection;
use crate::domain::Result;
use crate::media;
use crate::package::OpenedPackage;
use crate::stream::open_plain;

/// Folder of a workspace where the files of packages stand that were taken in.
pub(super) const PACKAGES: &str = "packages";

/// Returns where the file of a package stands in a workspace.
pub(super) fn path(folder: &Path, identity: &Identity) -> PathBuf {
    let of_site = folder.join(PACKAGES).join(identity.site.as_str());
    of_site.join(file_name(identity, 8))
}

/// Opens the file of a package from its beginning; nothing where there is none.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub(super) fn open(folder: &Path, identity: &Identity) -> Result<Option<Box<dyn Input>>> {
    let path = path(folder, identity);
    open_plain(&path)?.map(|file| media::input(file, &path)).transpose()
}

/// Whether the file that is kept of a package is it from its first byte to its last. One that cannot be read is not.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO` when it cannot be opened.
pub(in crate::ledger) fn is_kept_whole(
    folder: &Path,
    connection: &Connection,
    court: Court,
    identity: &Identity,
) -> Result<bool> {
    let Some(input) = open(folder, identity)? else {
        return Ok(false);
    };
    let read = OpenedPackage::open(input)
        .and_then(|opened| verify(connection, court, opened, &mut Seen::default()))
        .and_then(|(_, signed)| {
            let is_it = signed.head_digest() == identity.head;
            signed.read_index()?.read_lines(&mut |_, _| Ok(()))?;
            Ok(is_it)
        });
    Ok(read.unwrap_or(false))
}

/// `INSTANCE8-NUMBER-HEAD`, with so many digits of the head.
pub(super) fn file_name(identity: &Identity, digits: usize) -> String {
    let Identity {
        instance, number, head, ..
    } = identity;
    let short = |text: &str, count: usize| text.chars().take(count).collect::<String>();
    format!(
        "{}-{number}-{}",
        short(instance.as_str(), 8),
        short(&head.to_string(), digits)
    )
}

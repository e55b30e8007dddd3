//! The file of the keys that approve exports.

use std::path::Path;

use crate::crypto::{SITE_KEYS_BYTES, SiteKeys};
use crate::domain::Result;
use crate::stream::{open_named, read_bounded};

/// Reads the keys of the site's role.
///
/// # Errors
///
/// Those of [`SiteKeys::parse`]; `E-IO`.
pub(super) fn read(path: &Path) -> Result<SiteKeys> {
    let file = open_named(path, "open the file of the site's keys")?;
    let bytes = read_bounded(file, SITE_KEYS_BYTES, "the file of the site's keys")?;
    SiteKeys::parse(&bytes, &path.display().to_string())
}

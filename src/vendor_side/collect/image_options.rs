//! What a release says of one image besides its source and name.

use super::reference::Platform;

/// How one image is carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageOptions {
    /// Platforms to carry, in place of the release's; an empty list means all.
    pub platforms: Option<Vec<Platform>>,
    /// Whether what it is about (its `subject`) may be gone from the source.
    pub allow_missing_subject: bool,
    /// Whether layers that say that they are found elsewhere, or are not to be distributed, are carried.
    pub allow_nondistributable_artifacts: bool,
}

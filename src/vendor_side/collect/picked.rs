//! An image that was picked out of a layout or an archive, and what is called so there.

use super::reference::ImageReference;
use crate::domain::{Digest, Tag};

/// The image that a release file means.
#[derive(Debug, Clone)]
pub(super) struct Picked {
    /// Its digest.
    pub(super) digest: Digest,
    /// Its media type.
    pub(super) media_type: String,
    /// Every name that it has there and that may be meant: where one was asked for, that one. The first counts most.
    pub(super) names: Vec<KnownName>,
}

/// A name that an image has where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownName {
    /// The full name, if there is one.
    pub(super) name: Option<ImageReference>,
    /// The tag that it goes by, if any.
    pub(super) tag: Option<Tag>,
}

impl KnownName {
    /// Of a full name.
    pub(super) fn whole(name: ImageReference) -> Self {
        Self {
            tag: name.tag.clone(),
            name: Some(name),
        }
    }
}

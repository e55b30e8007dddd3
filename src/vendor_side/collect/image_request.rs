//! What is to be collected: one image.

use super::image_options::ImageOptions;
use super::source::Source;
use crate::domain::{RepositoryName, Tag};

/// An image to carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRequest {
    /// Where it comes from.
    pub source: Source,
    /// Repository and tag to store it under; what is missing follows from the source.
    pub name: Option<(RepositoryName, Option<Tag>)>,
    /// How it is carried.
    pub options: ImageOptions,
}

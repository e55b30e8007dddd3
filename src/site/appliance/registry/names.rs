//! How requests name content: a repository, and a tag or digest in it.

use crate::domain::{Digest, Tag};

/// A repository as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name in the path.
    pub name: String,
    /// The host of `?ns=`.
    pub namespace: Option<String>,
}

/// What a request refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A tag.
    Tag(Tag),
    /// A digest.
    Digest(Digest),
}

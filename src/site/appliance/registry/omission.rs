//! What an index of a release goes on naming and the release does not carry.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::RepositoryName;

/// A manifest that is left out, and the repositories in which an index names it: in any other it is what nobody knows.
#[derive(Debug)]
pub(super) struct Omission {
    pub(super) platform: Arc<str>,
    pub(super) repositories: BTreeSet<RepositoryName>,
}

//! Lines of the index.

use serde::{Deserialize, Serialize};

use crate::crypto::canonical::integer;
use crate::domain::{Digest, RepositoryName, Tag};

/// A name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagLine {
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// The repository, with its original host.
    pub repository: RepositoryName,
    /// Size of the manifest or index.
    #[serde(with = "integer")]
    pub size: u64,
    /// The tag; left out for what is reachable by digest only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
}

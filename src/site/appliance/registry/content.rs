//! What a client may have, or why there is nothing for it.

use std::sync::Arc;

use crate::appliance::hidden::HiddenTag;
use crate::domain::Digest;

/// Content that a client may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// For manifests and indexes.
    pub media_type: Option<Arc<str>>,
    /// Bytes per piece, where hashes of its pieces are kept.
    pub piece_size: Option<u64>,
}

/// Why there is no answer; none of them tells what other repositories hold, but for [`Missing::Hidden`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The name follows no grammar.
    BadName,
    /// No such repository.
    Repository,
    /// No such content in it.
    Content,
    /// The manifest of a platform that a release leaves out of an index on purpose.
    LeftOut {
        /// Which.
        platform: Arc<str>,
    },
    /// No such tag for everybody: somebody states it, and it belongs to somebody else. Only for who may read everything.
    Hidden {
        /// Whether the repository has anything for everybody.
        listed: bool,
        /// Whose it is.
        tag: Box<HiddenTag>,
    },
}

/// What a question about content came to.
pub(super) type Answer = Result<Found, Missing>;

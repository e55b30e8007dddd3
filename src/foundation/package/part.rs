//! Parts: pages of lines, of one type each, that make up the payload (M-93).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::container::PayloadBlob;
use crate::crypto::canonical::integer;
use crate::domain::Digest;

/// What the lines of a part are about. In payload order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartType {
    /// What the site retains.
    Releases,
    /// Where something runs.
    Targets,
    /// What arrived.
    Receipts,
    /// What was done.
    Audit,
    /// Days of metrics.
    Metrics,
    /// What was reported.
    Records,
}

impl PartType {
    /// Every type, in payload order.
    pub const ALL: [Self; 6] = [
        Self::Releases,
        Self::Targets,
        Self::Receipts,
        Self::Audit,
        Self::Metrics,
        Self::Records,
    ];

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Releases => "releases",
            Self::Targets => "targets",
            Self::Receipts => "receipts",
            Self::Audit => "audit",
            Self::Metrics => "metrics",
            Self::Records => "records",
        }
    }
}

impl fmt::Display for PartType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a head says of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Lines in it.
    #[serde(with = "integer")]
    pub lines: u64,
    /// Its size in bytes.
    #[serde(with = "integer")]
    pub size: u64,
    /// What its lines are about.
    #[serde(rename = "type")]
    pub kind: PartType,
}

impl PayloadBlob for PartEntry {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn travel_size(&self) -> u64 {
        self.size
    }
}

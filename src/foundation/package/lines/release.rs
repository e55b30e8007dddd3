//! Lines of the part `releases`: what the site retains, and what of it cannot be served.

use serde::{Deserialize, Serialize};

use super::super::words::{DamagedWord, ReleaseWord};
use crate::crypto::canonical::integer;
use crate::domain::{Digest, Hash, Name, Timestamp};

/// A release that the site retains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// How many blobs it consists of, carried and needed ones.
    #[serde(with = "integer")]
    pub blobs: u64,
    /// Channel.
    pub channel: Name,
    /// Hash over the ascending digests of these blobs, 32 bytes each (M-95).
    pub content: Hash,
    /// Epoch.
    #[serde(with = "integer")]
    pub epoch: u64,
    /// Head digest.
    pub head: Hash,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// `release`.
    pub kind: ReleaseWord,
    /// Product.
    pub product: Name,
    /// Root under which it was accepted.
    #[serde(with = "integer")]
    pub root_version: u64,
    /// Number within the epoch.
    #[serde(with = "integer")]
    pub sequence: u64,
    /// When it went live, or was retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether it is live.
    pub state: ReleaseState,
}

/// Where a release stands at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Live in its scope.
    Active,
    /// Here, and not live yet.
    Available,
    /// It was live.
    Retired,
}

/// Content of the releases above that the store does not hold now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damaged {
    /// Its digest.
    pub digest: Digest,
    /// `damaged`.
    pub kind: DamagedWord,
    /// Its size in bytes.
    #[serde(with = "integer")]
    pub size: u64,
}

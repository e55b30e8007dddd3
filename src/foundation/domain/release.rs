//! What a release is called, how it is numbered, and whom it is for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Digest, Hash, Name, SiteId};

/// What a sequence of releases belongs to: counters, tags and desired state never cross it (D18).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Scope {
    /// Trust domain: the hash of root 1's payload.
    pub domain: Hash,
    /// The product.
    pub product: Name,
    /// The channel.
    pub channel: Name,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product, self.channel)
    }
}

/// Number of a release inside its scope, ordered by epoch first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Counter {
    /// Raised only by a root document, to recover from a runaway sequence.
    pub epoch: u64,
    /// Grows with every release.
    pub sequence: u64,
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch == 0 {
            write!(f, "{}", self.sequence)
        } else {
            write!(f, "{} of epoch {}", self.sequence, self.epoch)
        }
    }
}

/// Whom a bundle is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// Written out as the word `any`.
    Any(AnySite),
    /// Exactly these sites, ascending; an empty list is for nobody.
    Sites(Vec<SiteId>),
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnySite {
    /// Every site that trusts the vendor.
    #[serde(rename = "any")]
    Any,
}

impl Audience {
    /// Every site that trusts the vendor.
    pub const ANY: Self = Self::Any(AnySite::Any);

    /// Whether a site belongs to it.
    pub fn includes(&self, site: &SiteId) -> bool {
        match self {
            Self::Any(_) => true,
            Self::Sites(sites) => sites.contains(site),
        }
    }
}

/// How a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// As it is.
    None,
    /// One zstd frame.
    Zstd,
}

/// What a release document is. In the order of their names: lists of documents are sorted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentType {
    /// What the vendor holds of the one site that the bundle is for, signed for itself; at most one per release.
    Acknowledgement,
    /// A compose file as agents get it, with the placeholder host in its image references (D9). Opaque to the appliance.
    Compose,
    /// Targets, deployments and agent versions; at most one per release.
    DesiredState,
    /// An environment file of a compose deployment. Opaque to the appliance.
    Env,
    /// Release notes: UTF-8 text for people.
    Notes,
    /// Secrets for one site of the audience, sealed to its recipient key; at most one for each site.
    Secrets,
    /// Helm values: the JSON object that agents get. Opaque to the appliance.
    Values,
}

impl fmt::Display for DocumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledgement => f.write_str("acknowledgement"),
            Self::Compose => f.write_str("compose"),
            Self::DesiredState => f.write_str("desired-state"),
            Self::Env => f.write_str("env"),
            Self::Notes => f.write_str("notes"),
            Self::Secrets => f.write_str("secrets"),
            Self::Values => f.write_str("values"),
        }
    }
}

/// A piece of content of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentItem {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether nothing is read in it to follow the release: a layer. Only such content may be left out of a bundle (SPEC M-57).
    pub leaf: bool,
    /// Whether the bundle of the release needs it instead of carrying it.
    pub needed: bool,
}

//! What a summary says, in the words of the package that it is made of.

use super::age::Age;
use crate::domain::Timestamp;

/// A summary without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The first 4 bytes of the site id.
    pub site: [u8; 4],
    /// The first 8 bytes of the instance.
    pub instance: [u8; 8],
    /// Number of the package.
    pub number: u64,
    /// The first 16 bytes of its head digest.
    pub head: [u8; 16],
    /// When its stream was frozen; seconds since 1970 that fit into 32 bits.
    pub made_at: Timestamp,
    /// Last record of the package.
    pub records: u64,
    /// Last receipt.
    pub receipts: u64,
    /// Last row of the stream log.
    pub audit: u64,
    /// The first 8 bytes of that row's seal.
    pub seal: [u8; 8],
    /// Records that gaps account for, but those that were folded.
    pub lost: u64,
    /// Blobs that cannot be served.
    pub damaged: u64,
    /// Refused receipts since the acknowledgement.
    pub refused: u64,
    /// By product and channel: the live ones, and what is newer and waits.
    pub releases: Vec<SummaryRelease>,
}

/// A release of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRelease {
    /// The first 6 bytes of its head digest.
    pub head: [u8; 6],
    /// Since it went live, or since it was imported where it waits.
    pub age: Age,
    /// What its deployments do; none where it waits.
    pub live: Option<SummaryLive>,
}

/// What the deployments of a live release do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryLive {
    /// Those of the signed desired state for this site.
    pub deployments: SummaryDeployments,
    /// Those of targets made here.
    pub local: Vec<LocalState>,
}

/// Deployments of the signed desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SummaryDeployments {
    /// Each, by target and deployment.
    Each(Vec<SummaryState>),
    /// Only how many there are.
    Counted {
        /// No status, error, stale, progressing, running, healthy.
        by_state: [u64; 6],
        /// How many do not run what is wanted.
        not_wanted: u64,
    },
}

/// What runs, beside what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryRuns {
    /// What is wanted.
    Wanted,
    /// Another revision.
    Another,
    /// It is not known.
    Unknown,
}

/// State of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryState {
    /// 0 no status, 1 error, 2 stale, 3 progressing, 4 running, 5 healthy.
    pub state: u8,
    /// What runs.
    pub runs: SummaryRuns,
    /// Taken away at the site.
    pub removed: bool,
    /// Of the state.
    pub age: Age,
}

/// State of a deployment that the vendor did not state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalState {
    /// The first 8 bytes of its UUID.
    pub deployment: [u8; 8],
    /// What it does.
    pub state: SummaryState,
}

impl SummaryState {
    /// Words of `state`.
    pub const STATES: [&str; 6] = ["no status", "error", "stale", "progressing", "running", "healthy"];
}

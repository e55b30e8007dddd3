//! What became of a package.

use std::path::PathBuf;

use serde::Serialize;

use crate::domain::{Error, Hash, InstanceId, SiteId, Timestamp, Uuid};

/// Receipts, releases and deployments that a verdict lists, each: of a hostile package they could be millions.
pub(super) const LISTED: usize = 1000;

/// A package by what its verified head says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The site.
    pub site: SiteId,
    /// The life of its state folder.
    pub instance: InstanceId,
    /// The package's number within that.
    pub number: u64,
    /// Head digest.
    pub head: Hash,
}

/// What became of one file.
#[derive(Debug)]
pub struct Verdict {
    /// The file, as it was named.
    pub file: PathBuf,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a package.
#[derive(Debug)]
pub enum Outcome {
    /// Everything of it is in the ledger now.
    Taken(Box<TakenIn>),
    /// It was there before (OK-ALREADY): the ledger is as it was.
    Already(Known),
    /// It was refused.
    Refused(Box<Refused>),
}

/// A package that was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// What it is.
    #[serde(flatten)]
    pub identity: Identity,
    /// The name of the site here.
    pub name: String,
    /// Whether the file that is kept of it was gone or another one, and this one was put in its place (or would be).
    pub file_put_back: bool,
    /// What is wrong with this copy of it, where the one that is kept is whole: whoever keeps this file does not have the package.
    pub copy_is_damaged: Option<String>,
}

/// A package that was refused.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: Error,
    /// The site, once that was known (V2).
    pub site: Option<SiteId>,
    /// Head digest, once it was read.
    pub head: Option<Hash>,
    /// Instance and number, once the head was verified.
    pub numbered: Option<(InstanceId, u64)>,
    /// Why the log has no row of it, or no file was kept of it.
    pub unrecorded: Option<Error>,
}

/// What a package brought that was not known.
#[derive(Debug, Clone, Serialize)]
pub struct TakenIn {
    /// What it is.
    #[serde(flatten)]
    pub identity: Identity,
    /// The name of the site here.
    pub name: String,
    /// When its numbers were frozen, by the site's clock.
    pub made_at: Timestamp,
    /// Whether it says what the site is now: the highest number of the instance that is shown.
    pub is_newest: bool,
    /// New statuses.
    pub records: u64,
    /// New gaps.
    pub gaps: u64,
    /// Lines of containers and agents; they stay in the file.
    pub log_lines: u64,
    /// New rows of the site's log.
    pub audit_rows: u64,
    /// New receipts.
    pub new_receipts: u64,
    /// The first 1,000 of them.
    pub receipts: Vec<ReceiptTold>,
    /// Releases that the site holds and did not hold before.
    pub new_releases: u64,
    /// The first 1,000 of them.
    pub releases: Vec<HeldRelease>,
    /// Deployments that fail and did not fail before.
    pub new_failures: u64,
    /// The first 1,000 of them.
    pub failed: Vec<FailedDeployment>,
    /// What is to be looked at.
    pub findings: Vec<Noticed>,
    /// Codes of findings that this package ended.
    pub settled: Vec<&'static str>,
}

/// A receipt.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptTold {
    /// Its number.
    pub number: u64,
    /// When the act began.
    pub at: Timestamp,
    /// `imported`, `activated` or `refused`.
    pub result: &'static str,
    /// Product.
    pub product: String,
    /// Channel.
    pub channel: String,
    /// Epoch.
    pub epoch: u64,
    /// Sequence.
    pub sequence: u64,
    /// The release's label.
    pub version: String,
    /// Head digest.
    pub head: Hash,
    /// Whether this head was signed here for this site.
    pub matched: bool,
    /// Class of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Sub-code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A release that the site holds.
#[derive(Debug, Clone, Serialize)]
pub struct HeldRelease {
    /// Head digest.
    pub head: Hash,
    /// Product.
    pub product: String,
    /// Channel.
    pub channel: String,
    /// Epoch.
    pub epoch: u64,
    /// Sequence.
    pub sequence: u64,
    /// `active`, `available` or `retired`.
    pub state: String,
    /// Whether its numbers and content are what was signed here; nothing for a head that is not known.
    pub agrees: Option<bool>,
}

/// A deployment that fails.
#[derive(Debug, Clone, Serialize)]
pub struct FailedDeployment {
    /// The deployment.
    pub deployment: Uuid,
    /// What a release that was signed for the site calls its application.
    pub application: Option<String>,
    /// Its target.
    pub target: Uuid,
    /// What such a release calls the target.
    pub target_name: Option<String>,
    /// The state.
    pub state: &'static str,
    /// What the status says of the apply.
    pub signal: &'static str,
    /// Since when.
    pub first: Timestamp,
}

/// Something to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noticed {
    /// A stable word.
    pub code: &'static str,
    /// One sentence.
    pub detail: String,
}

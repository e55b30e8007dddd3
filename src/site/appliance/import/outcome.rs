//! What an import came to.

use crate::appliance::acknowledgement::Heard;
use crate::appliance::hidden::Hidden;
use crate::appliance::release_plan::ReleasePlan;
use crate::appliance::secret::MissingSecret;
use crate::bundle::{Head, Need};
use crate::db::site::owners::Held;
use crate::db::site::release::Activated;
use crate::domain::{Counter, Error, Hash, Scope};

/// What an import came to.
#[derive(Debug)]
pub struct Imported {
    /// Scope of the release.
    pub scope: Scope,
    /// Its number.
    pub counter: Counter,
    /// Its label.
    pub version: String,
    /// Head digest.
    pub head: Hash,
    /// What became of it.
    pub result: Outcome,
    /// Secrets that are to be entered here before it goes live, or shorter ones.
    pub missing: Vec<MissingSecret>,
    /// What changes when it goes live; nothing where it was here before.
    pub plan: Option<ReleasePlan>,
    /// What of it only its own clients see, or would see.
    pub hidden: Hidden,
    /// What became of the acknowledgement that its bundle brought.
    pub acknowledgement: Option<Heard>,
    /// What of its content earlier bundles had brought; nothing where it was here before.
    pub needed: Needed,
    /// What went wrong after everything that matters was done.
    pub warnings: Vec<Error>,
}

/// Content that a bundle needs and does not carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needed {
    /// How many blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Needed {
    pub(super) fn of(needs: &[Need]) -> Self {
        Self {
            blobs: needs.len() as u64,
            bytes: needs.iter().map(|need| need.size).fold(0, u64::saturating_add),
        }
    }
}

/// What became of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was published.
    Published {
        /// Number of the signed receipt.
        receipt: u64,
        /// Whether it went live.
        activated: Option<Activated>,
        /// Why it is available and cannot go live now.
        held: Option<Held>,
        /// Bytes of the bundle that an earlier try had read already.
        resumed_bytes: u64,
    },
    /// This very release was imported before.
    Already(Restored),
    /// Every check passed; nothing was kept.
    DryRun {
        /// Why it would be available and not go live.
        held: Option<Held>,
    },
}

/// What of a release that is here was missing or damaged and came from its bundle; in a dry run, what would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Blobs, release documents and index pages.
    pub blobs: u64,
    /// Whether the signed head that the database keeps was restored.
    pub signed_head: bool,
    /// Rows of the database about it that were missing or said something else.
    pub rows: u64,
    /// What of it is damaged still, because this bundle does not carry it; a warning each.
    pub lost: u64,
    /// Number of the signed receipt; nothing where all was whole, or in a dry run.
    pub receipt: Option<u64>,
}

impl Imported {
    pub(super) fn new(
        head: &Head,
        digest: Hash,
        result: Outcome,
        hidden: Hidden,
        needed: Needed,
        warnings: Vec<Error>,
    ) -> Self {
        Self {
            scope: head.scope(),
            counter: head.counter(),
            version: head.version.clone(),
            head: digest,
            result,
            missing: Vec::new(),
            plan: None,
            hidden,
            acknowledgement: None,
            needed,
            warnings,
        }
    }

    pub(super) fn waiting_for(self, missing: Vec<MissingSecret>) -> Self {
        Self { missing, ..self }
    }

    pub(super) fn planned(self, plan: ReleasePlan) -> Self {
        Self {
            plan: Some(plan),
            ..self
        }
    }

    pub(super) fn with(self, acknowledgement: Option<Heard>) -> Self {
        Self {
            acknowledgement,
            ..self
        }
    }
}

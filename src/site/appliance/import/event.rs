//! What an import tells while it runs.

use crate::appliance::release_plan::ReleasePlan;
use crate::bundle::SignedBundle;
use crate::crypto::Chain;
use crate::domain::Error;

/// What an import tells while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// The head is verified: who sent what.
    Head(&'a SignedBundle),
    /// Its links move trust forward: whatever becomes of the rest, and but in a dry run, the newest root counts from now on.
    Root {
        /// Version of the root that was the newest.
        from: u64,
        /// The chain with the new ones.
        chain: &'a Chain,
    },
    /// What changes with the release, before any of its large content is read; not in a dry run, whose outcome has it.
    Plan {
        /// What changes.
        plan: &'a ReleasePlan,
        /// Whether it goes live with this import.
        goes_live: bool,
        /// What is put here ends the import as a refusal of X13.
        refuse: &'a mut Option<Error>,
    },
    /// A line for the person who watches.
    Note(String),
    /// Bytes of what is here already that were hashed, of how many.
    Checked {
        /// Done.
        done: u64,
        /// Of what the store holds of the release.
        total: u64,
    },
    /// Bytes of a large blob that were rebuilt of what travelled in its place, of how many.
    Rebuilding {
        /// Done.
        done: u64,
        /// Of the blob.
        total: u64,
    },
    /// Bytes of the bundle that were read, of how many.
    Progress {
        /// Done, including what an earlier try had read.
        done: u64,
        /// Of the whole bundle.
        total: u64,
    },
}

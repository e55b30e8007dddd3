//! What an import tells while it runs.

use crate::bundle::SignedBundle;
use crate::crypto::Chain;

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

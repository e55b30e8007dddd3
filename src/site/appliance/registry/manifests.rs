//! Bytes of manifests that were read and checked, in memory up to a bound.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::Digest;

/// Bytes kept; thousands of ordinary manifests.
const BYTES: usize = 8 << 20;
/// A longer one is sent from its file, as blobs are: nobody's waits in memory for its client.
const LONGEST: u64 = 64 << 10;

/// Manifests by digest; content under a digest never changes, so no generation makes them stale.
#[derive(Debug, Default)]
pub(super) struct Manifests(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_digest: HashMap<Digest, Arc<[u8]>>,
    bytes: usize,
}

impl Manifests {
    /// Whether a manifest of a size is kept.
    pub(super) fn keeps(size: u64) -> bool {
        size <= LONGEST
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.by_digest.get(digest).cloned()
    }

    /// Keeps checked bytes. When the room is used up, everything goes and the busy ones come back.
    pub(super) fn keep(&self, digest: Digest, bytes: &Arc<[u8]>) {
        if !Self::keeps(bytes.len() as u64) {
            return;
        }
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes.saturating_add(bytes.len()) > BYTES {
            *kept = Kept::default();
        }
        if kept.by_digest.insert(digest, bytes.clone()).is_none() {
            kept.bytes = kept.bytes.saturating_add(bytes.len());
        }
    }
}

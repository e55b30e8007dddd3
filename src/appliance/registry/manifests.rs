//! Bytes of manifests that were read and checked, in memory up to a bound.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::Digest;

/// Bytes kept; thousands of ordinary manifests.
const BYTES: usize = 8 << 20;
/// A longer one is read from its file each time.
const LONGEST: usize = 1 << 20;

/// Manifests by digest; content under a digest never changes, so no generation makes them stale.
#[derive(Debug, Default)]
pub(super) struct Manifests(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_digest: HashMap<Digest, Arc<[u8]>>,
    bytes: usize,
}

impl Manifests {
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.by_digest.get(digest).cloned()
    }

    /// Keeps checked bytes. When the room is used up, everything goes and the busy ones come back.
    pub(super) fn keep(&self, digest: Digest, bytes: &Arc<[u8]>) {
        if bytes.len() > LONGEST {
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

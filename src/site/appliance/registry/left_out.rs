//! Platforms that were left out of the indexes of a release on purpose: told apart from what is missing.
//!
//! Bundles made for some platforms keep the bytes of their indexes, which go on naming the others. Read from the pages of the index, which
//! are kept, and only once somebody asks for something that is not here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::service::Registry;
use super::snapshot::Snapshot;
use crate::bundle::absent_lines;
use crate::db::site::release;
use crate::domain::{Digest, limits};

impl Registry {
    /// Returns the platform of a manifest that a live release of the snapshot leaves out. Waits for the disk the first time.
    pub(super) fn left_out(&self, snapshot: &Snapshot, digest: &Digest) -> Option<Arc<str>> {
        let known = snapshot.left_out.get_or_init(|| self.read_left_out(snapshot));
        known.get(digest).cloned()
    }

    fn read_left_out(&self, snapshot: &Snapshot) -> HashMap<Digest, Arc<str>> {
        let mut found = HashMap::new();
        let mut platforms: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut keep = |absent: crate::bundle::Absent| {
            let platform: Arc<str> = match platforms.get(absent.platform.as_str()) {
                Some(known) => known.clone(),
                None => absent.platform.into(),
            };
            platforms.insert(platform.clone());
            found.insert(absent.digest, platform);
        };
        for live in snapshot.active() {
            let pages = self.db().read(|connection| release::pages(connection, live.id));
            for page in pages.unwrap_or_default() {
                // What cannot be read is told elsewhere: then nothing more is known than that there is no such manifest.
                let read = self.store().read(&Digest(page.sha256), limits::PAGE_BYTES as u64);
                let goes_on = read.and_then(|bytes| absent_lines(&bytes, &mut keep));
                if !goes_on.unwrap_or(false) {
                    break;
                }
            }
        }
        found
    }
}

//! Platforms that were left out of the indexes of a release on purpose: told apart from what is missing.
//!
//! Bundles made for some platforms keep the bytes of their indexes, which go on naming the others. Read from the pages of the index, which
//! are kept, and only once somebody asks for something that is not here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;

use super::foreign_json::read;
use super::omission::Omission;
use super::service::Registry;
use super::snapshot::Snapshot;
use crate::bundle::absent_lines;
use crate::db::site::names::Candidate;
use crate::db::site::{name_claims, release};
use crate::domain::{Digest, limits};

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Child>,
}

#[derive(Deserialize)]
struct Child {
    digest: Digest,
}

impl Registry {
    /// Returns the platform of a manifest that a live release of the snapshot leaves out of an index of a repository. Waits for the disk the
    /// first time.
    pub(super) fn left_out(&self, snapshot: &Snapshot, candidates: &[Candidate], digest: &Digest) -> Option<Arc<str>> {
        let known = snapshot.left_out.get_or_init(|| self.read_left_out(snapshot));
        let found = known.get(digest)?;
        let is_named = |candidate: &Candidate| found.repositories.contains(&candidate.repository);
        candidates.iter().any(is_named).then(|| found.platform.clone())
    }

    fn read_left_out(&self, snapshot: &Snapshot) -> HashMap<Digest, Omission> {
        let mut found: HashMap<Digest, Omission> = HashMap::new();
        let mut platforms: BTreeSet<Arc<str>> = BTreeSet::new();
        for live in snapshot.active() {
            let mut keep = |absent: crate::bundle::Absent| {
                let platform: Arc<str> = match platforms.get(absent.platform.as_str()) {
                    Some(known) => known.clone(),
                    None => absent.platform.into(),
                };
                platforms.insert(platform.clone());
                found.entry(absent.digest).or_insert_with(|| Omission {
                    platform,
                    repositories: BTreeSet::new(),
                });
            };
            let pages = self.db().read(|connection| release::pages(connection, live.id));
            for page in pages.unwrap_or_default() {
                // What cannot be read is told elsewhere: then nothing more is known than that there is no such manifest.
                let read = self.store().read(&Digest(page.sha256), limits::PAGE_BYTES as u64);
                let goes_on = read.and_then(|bytes| absent_lines(&bytes, &mut keep));
                if !goes_on.unwrap_or(false) {
                    break;
                }
            }
            if !found.is_empty() {
                self.place(live, &mut found);
            }
        }
        found
    }

    /// Finds the repositories of a release in which an index names what is left out.
    fn place(&self, live: &release::ReleaseRow, found: &mut HashMap<Digest, Omission>) {
        let indexes = self
            .db()
            .read(|connection| name_claims::indexes_of(connection, live.id));
        for of_one in indexes.unwrap_or_default().chunk_by(|a, b| a.0 == b.0) {
            let Some((digest, _)) = of_one.first() else { continue };
            let bytes = self.store().read(digest, limits::MANIFEST_BYTES).unwrap_or_default();
            let children = read::<Index>(&bytes).map(|index| index.manifests);
            for child in children.unwrap_or_default() {
                if let Some(left_out) = found.get_mut(&child.digest) {
                    left_out
                        .repositories
                        .extend(of_one.iter().map(|(_, name)| name.clone()));
                }
            }
        }
    }
}

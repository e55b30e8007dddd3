//! What the database shall say of a release that is here: from its verified head and index, and its documents in the store.

use super::publish::{names, pages};
use crate::bundle::{Head, Index, kept_graph};
use crate::db::site::rows::ReleaseRows;
use crate::db::site::{NameRow, Page};
use crate::domain::{Digest, Result, limits};
use crate::store::Store;

/// The rows of a release.
pub(super) struct Rows {
    pages: Vec<Page>,
    home_hosts: Vec<String>,
    blobs: Vec<(Digest, u64)>,
    names: Vec<NameRow>,
}

impl Rows {
    /// Makes them; every document of the release is whole in the store.
    pub(super) fn of(head: &Head, index: &Index, store: &Store) -> Result<Self> {
        let graph = kept_graph(head, index, &mut |blob| {
            store.read(&blob.digest, limits::MANIFEST_BYTES)
        })?;
        let carried = index.blobs().iter().map(|blob| (blob.digest, blob.size));
        let content = index
            .needs()
            .iter()
            .filter(|need| !graph.bases_only.contains(&need.digest));
        let needed = content.map(|need| (need.digest, need.size));
        Ok(Self {
            pages: pages(head),
            home_hosts: head.home_hosts.clone(),
            blobs: carried.chain(needed).collect(),
            names: names(&graph).collect(),
        })
    }

    pub(super) fn expected(&self) -> ReleaseRows<'_> {
        ReleaseRows {
            pages: &self.pages,
            home_hosts: &self.home_hosts,
            blobs: &self.blobs,
            names: &self.names,
        }
    }
}

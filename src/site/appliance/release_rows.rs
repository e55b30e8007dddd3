//! What the database shall say of a release that is here: from its verified head and index, and its documents in the store.

use crate::bundle::{Graph, Head, Index, kept_graph, kept_index};
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

    /// As [`Self::of`], where every index page is whole in the store too.
    ///
    /// # Errors
    ///
    /// `E-STATE` where a page or document is gone or damaged; those of the index's and the graph's grammar.
    pub(super) fn of_kept(head: &Head, store: &Store) -> Result<Self> {
        let index = kept_index(head, &mut |digest| store.read(digest, limits::PAGE_BYTES as u64))?;
        Self::of(head, &index, store)
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

/// Returns everything that a client may ask for, and what refers to it.
pub(super) fn names(graph: &Graph) -> impl Iterator<Item = NameRow> {
    let contents = graph.contents().map(|content| NameRow::Content {
        repository: content.repository.clone(),
        digest: content.digest,
        media_type: content.media_type.map(ToOwned::to_owned),
    });
    let tags = graph.tags.iter().filter_map(|line| {
        let tag = line.tag.clone()?;
        Some(NameRow::Tag {
            repository: line.repository.clone(),
            tag,
            digest: line.digest,
        })
    });
    let referrers = graph.referrers.iter().map(|referrer| NameRow::Referrer {
        subject: referrer.subject,
        digest: referrer.digest,
        artifact_type: referrer.artifact_type.clone(),
        annotations: referrer.annotations.clone(),
    });
    contents.chain(tags).chain(referrers)
}

/// Returns the index pages of a release.
pub(super) fn pages(head: &Head) -> Vec<Page> {
    head.index
        .iter()
        .map(|page| Page {
            sha256: page.sha256,
            size: page.size,
        })
        .collect()
}

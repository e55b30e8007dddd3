//! Index and reference graph of a bundle whose pages and documents are kept: nothing of its payload is read.

use super::graph::{Graph, GraphBuilder};
use super::head::Head;
use super::index::{Blob, Index};
use super::index_reader::IndexReader;
use super::kind::BUNDLE;
use crate::container::{check_digest, digest_of};
use crate::domain::{Digest, Result, Step};

/// Reads the index of a verified head from pages that `load` returns, by digest.
///
/// # Errors
///
/// `E-INTEGRITY` when `load` returns other bytes; those of `load`, and of the index's grammar.
pub fn kept_index(head: &Head, load: &mut dyn FnMut(&Digest) -> Result<Vec<u8>>) -> Result<Index> {
    let mut index = IndexReader::new(head);
    for page in &head.index {
        let digest = Digest(page.sha256);
        let bytes = load(&digest)?;
        check_digest(&BUNDLE, digest, digest_of(&bytes))?;
        index.page(&bytes)?;
    }
    index.finish()
}

/// Judges the graph of a verified head and index from documents that `load` returns.
///
/// # Errors
///
/// `E-INTEGRITY` when `load` returns other bytes; those of `load`, and of the graph at X13.
pub fn kept_graph(head: &Head, index: &Index, load: &mut dyn FnMut(&Blob) -> Result<Vec<u8>>) -> Result<Graph> {
    let mut graph = GraphBuilder::new(index, head).map_err(|error| error.at(Step::X13))?;
    for (number, blob) in index.blobs().iter().enumerate().take(index.payload(head).early) {
        if graph.reads(blob) {
            let bytes = load(blob)?;
            check_digest(&BUNDLE, blob.digest, digest_of(&bytes))?;
            graph.add(number, blob, &bytes).map_err(|error| error.at(Step::X13))?;
        }
    }
    graph.finish().map_err(|error| error.at(Step::X13))
}

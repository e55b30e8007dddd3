//! The desired state of a bundle alone, or its reference graph, for who does not want the rest.

use super::desired::DesiredState;
use super::graph::Graph;
use super::index::Blob;
use super::payload::Sink;
use super::reader::VerifiedBundle;
use crate::domain::{Class, Digest, DocumentType, Error, Hash, Result};

/// Reads the desired state of a bundle whose index is verified; documents stand first, so little is read.
///
/// # Errors
///
/// Those of reading the payload up to it, and of the document.
pub fn read_desired(bundle: VerifiedBundle) -> Result<Option<DesiredState>> {
    let documents = &bundle.head().documents;
    let Some(entry) = documents.iter().find(|entry| entry.kind == DocumentType::DesiredState) else {
        return Ok(None);
    };
    let mut find = Find {
        document: Some(entry.digest),
        bytes: None,
        graph: None,
    };
    let ended = bundle.read_payload(&mut find);
    match (find.bytes, ended) {
        (Some(bytes), _) => DesiredState::parse(&bytes).map(Some),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Error::new(
            Class::Content,
            "desired-state",
            "the bundle does not hold its desired state",
        )),
    }
}

/// Reads the reference graph of a bundle whose index is verified; no layer is read.
///
/// # Errors
///
/// Those of reading the payload up to its layers, and of the graph.
pub fn read_graph(bundle: VerifiedBundle) -> Result<Graph> {
    let mut find = Find {
        document: None,
        bytes: None,
        graph: None,
    };
    let ended = bundle.read_payload(&mut find);
    match (find.graph, ended) {
        (Some(graph), _) => Ok(graph),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Error::new(
            Class::Internal,
            "graph",
            "the reference graph was not judged",
        )),
    }
}

fn enough() -> Error {
    Error::new(Class::Other, "found", "enough was read")
}

/// Takes one document, or the graph where none is named, and ends the reading.
struct Find {
    document: Option<Digest>,
    bytes: Option<Vec<u8>>,
    graph: Option<Graph>,
}

impl Sink for Find {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if self.document != Some(blob.digest) {
            return Ok(());
        }
        self.bytes = Some(bytes.to_vec());
        Err(enough())
    }

    fn begin(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        Ok(())
    }

    fn chunk_done(&mut self, _: u64, _: u64, _: Option<Hash>) -> Result<()> {
        Ok(())
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        if self.document.is_some() {
            return Ok(());
        }
        self.graph = Some(graph);
        Err(enough())
    }
}

//! The desired state of a bundle alone, or what its documents come to, for who does not want the rest.

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
        digest: entry.digest,
        found: None,
    };
    let ended = bundle.read_payload(&mut find);
    match (find.found, ended) {
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
    let mut find = FindGraph(None);
    let ended = bundle.read_payload(&mut find);
    match (find.0, ended) {
        (Some(graph), _) => Ok(graph),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Error::new(
            Class::Internal,
            "graph",
            "the reference graph was not judged",
        )),
    }
}

/// Takes the graph and ends the reading.
struct FindGraph(Option<Graph>);

impl Sink for FindGraph {
    fn blob(&mut self, _: &Blob, _: &[u8]) -> Result<()> {
        Ok(())
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
        self.0 = Some(graph);
        Err(enough())
    }
}

fn enough() -> Error {
    Error::new(Class::Other, "found", "enough was read")
}

/// Takes one blob and ends the reading.
struct Find {
    digest: Digest,
    found: Option<Vec<u8>>,
}

impl Sink for Find {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if blob.digest != self.digest {
            return Ok(());
        }
        self.found = Some(bytes.to_vec());
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

    fn graph(&mut self, _: Graph) -> Result<()> {
        Ok(())
    }
}

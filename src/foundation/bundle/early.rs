//! What a bundle says before its layers: names, what each manifest is made of, what targets shall run. For who compares bundles.

use std::collections::BTreeMap;

use super::graph::Graph;
use super::index::Blob;
use super::payload::Sink;
use super::reader::VerifiedBundle;
use crate::domain::oci::{Descriptor, Document, Layers};
use crate::domain::{Class, Digest, Error, Hash, Result, Step};

/// The early blobs of a bundle, reduced to what they say.
#[derive(Debug)]
pub struct EarlyContent {
    /// Names, and the desired state.
    pub graph: Graph,
    /// Manifests and indexes by digest.
    pub manifests: BTreeMap<Digest, ManifestParts>,
}

/// What a manifest or an index is made of.
#[derive(Debug, Clone, Default)]
pub struct ManifestParts {
    /// Layers with their sizes, in order; of an artifact its blobs.
    pub layers: Vec<(Digest, u64)>,
    /// Manifests of an index, also those that were left out.
    pub children: Vec<Digest>,
}

/// Reads the early blobs of a bundle whose index is verified; no layer is read.
///
/// # Errors
///
/// Those of reading the payload up to its layers, and of the graph.
pub fn read_early(bundle: VerifiedBundle) -> Result<EarlyContent> {
    let mut reading = Reading {
        allowed: bundle.head().layers(),
        large: None,
        manifests: BTreeMap::new(),
        graph: None,
    };
    let ended = bundle.read_payload(&mut reading);
    match (reading.graph, ended) {
        (Some(graph), _) => Ok(EarlyContent {
            graph,
            manifests: reading.manifests,
        }),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Error::new(
            Class::Internal,
            "graph",
            "the reference graph was not judged",
        )),
    }
}

/// Takes manifests until the graph is judged, and ends the reading.
struct Reading {
    allowed: Layers,
    /// A manifest larger than a chunk, under way.
    large: Option<(Digest, &'static str, Vec<u8>)>,
    manifests: BTreeMap<Digest, ManifestParts>,
    graph: Option<Graph>,
}

impl Reading {
    fn take(&mut self, digest: Digest, media_type: &str, bytes: &[u8]) -> Result<()> {
        let document = Document::parse_with(bytes, media_type, self.allowed).map_err(|error| error.at(Step::X13))?;
        let sized = |layer: &Descriptor| (layer.digest, layer.size);
        let parts = ManifestParts {
            layers: document.layers.iter().map(sized).collect(),
            children: document.manifests.iter().map(|child| child.digest).collect(),
        };
        self.manifests.insert(digest, parts);
        Ok(())
    }
}

impl Sink for Reading {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        match blob.media_type {
            Some(media_type) => self.take(blob.digest, media_type, bytes),
            None => Ok(()),
        }
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.large = blob.media_type.map(|media_type| (blob.digest, media_type, Vec::new()));
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some((_, _, gathered)) = &mut self.large {
            gathered.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        match self.large.take() {
            Some((digest, media_type, bytes)) => self.take(digest, media_type, &bytes),
            None => Ok(()),
        }
    }

    fn chunk_done(&mut self, _: u64, _: u64, _: Option<Hash>) -> Result<()> {
        Ok(())
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        self.graph = Some(graph);
        Err(Error::new(Class::Other, "found", "enough was read"))
    }
}

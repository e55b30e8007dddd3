//! Reads the payload of a bundle and judges the reference graph on the way (X11 to X13).

use std::ops::Range;
use std::sync::Arc;

use super::emulators::check_emulators;
use super::graph::{Graph, GraphBuilder};
use super::index::Blob;
use super::kind::BUNDLE;
use super::reader::VerifiedBundle;
use super::restoring::{Restoring, TakeRestored};
use crate::container::{ContentStore, PayloadSink, check_digest, digest_of, read_payload};
use crate::domain::{Class, Error, Hash, Result, Step, limits};
use crate::encoding::{Base, BasePlains, Unpacked};

/// Takes content as it is verified. Small blobs arrive verified; a blob larger than a chunk arrives in pieces and is verified only
/// when [`Sink::end`] is called.
///
/// The first methods are about what stores content beside the order, and what an earlier try left behind; by default there is neither.
pub trait Sink {
    /// What stores content on the threads that decode it, if anything does: the methods below then tell of it, in order, and
    /// need not store it once more.
    fn content_store(&self) -> Option<Arc<dyn ContentStore<Blob>>> {
        None
    }

    /// What of a stopped reading a next try need not do again, in words; nothing where nothing is kept.
    fn kept(&self) -> Option<&'static str> {
        None
    }

    /// How many chunks need not be read again.
    fn chunks_done(&self) -> u64 {
        0
    }

    /// Returns a manifest, index or release document of the chunks that are done.
    ///
    /// # Errors
    ///
    /// When it is not there any more.
    fn load(&mut self, blob: &Blob) -> Result<Vec<u8>> {
        Err(nothing_kept(&blob.digest.to_string()))
    }

    /// Returns the midstates that the earlier try was told of at the ends of some chunks, of those that are done.
    ///
    /// # Errors
    ///
    /// When they are not there any more.
    fn kept_midstates(&mut self, _chunks: Range<u64>) -> Result<Vec<Hash>> {
        Err(nothing_kept("midstates"))
    }

    /// A blob larger than a chunk that an earlier try has stored is passed over; `midstates` as for [`Sink::end`].
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn recall(&mut self, _blob: &Blob, _midstates: Vec<Hash>) -> Result<()> {
        Ok(())
    }

    /// Hands the first `length` bytes of the document in which the earlier try ended to `take`, from the start.
    ///
    /// # Errors
    ///
    /// When they are not there any more.
    fn prefix(&mut self, blob: &Blob, _length: u64, _take: &mut dyn FnMut(&[u8])) -> Result<()> {
        Err(nothing_kept(&blob.digest.to_string()))
    }

    /// A blob that lies in one chunk: its digest was compared.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()>;

    /// A blob larger than a chunk begins, or goes on where the last try ended.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn begin(&mut self, blob: &Blob) -> Result<()>;

    /// The next piece of the blob that began: not verified yet.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete and its digest was compared. `midstates` are the states of its SHA-256 at the ends of its chunks
    /// but the last, where that is the digest (`crypto::RunningHash`).
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()>;

    /// Whether whoever takes content has an encoded blob whole already, so that it is not restored: then it is told nothing more of it.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn is_held(&mut self, _blob: &Blob) -> Result<bool> {
        Ok(false)
    }

    /// Opens what an encoded blob is copied from in part, each found whole ([`BasePlains::open`]); nothing where that is not at hand: then the
    /// blob is judged as far as its bytes allow, and [`Sink::unrestored`] is told of it. `unpacked` holds what earlier blobs were copied from.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn bases(&mut self, _blob: &Blob, _bases: &[Base], _unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        Ok(None)
    }

    /// An encoded blob was not made, for what it is copied from is not at hand. Whoever stores content cannot do without it.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn unrestored(&mut self, blob: &Blob) -> Result<()> {
        Err(Error::new(
            Class::Internal,
            "bases",
            format!("what {} is copied from is not at hand, and nobody said so", blob.digest),
        ))
    }

    /// The bundle was read so far, inside an encoded blob: no place to go on from. So many bytes of its plain are made, of so many.
    fn inside(&mut self, _plain: u64, _plain_size: u64, _bytes_read: u64) {}

    /// Every blob and piece of the first `chunks` chunks was handed over: the place to go on from after a stop. `midstate` is what that
    /// needs of the last of them, where a blob goes on behind it.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn chunk_done(&mut self, chunks: u64, bytes_read: u64, midstate: Option<Hash>) -> Result<()>;

    /// The bytes of the bundle that an earlier try had read and that were passed over now.
    fn resumed(&mut self, _bytes: u64) {}

    /// Of what an earlier try had read, so much is passed over by now: the bundle stands there.
    fn passed_over(&mut self, _position: u64) {}

    /// The reference graph is good. Called once, before any layer that was not handed over in an earlier try.
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn graph(&mut self, graph: Graph) -> Result<()>;
}

impl VerifiedBundle {
    /// Reads the rest of the bundle to its end.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL emulator` at X10; `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; `E-CONTENT` and `E-LIMIT` at X13;
    /// `E-FORMAT` at X12; and those of the sink.
    pub fn read_payload(self, sink: &mut dyn Sink) -> Result<()> {
        let Self {
            mut source,
            head,
            index,
            ..
        } = self;
        check_emulators(&index)?;
        let graph = GraphBuilder::new(&index, &head).map_err(|e| e.at(Step::X13))?;
        let payload = index.payload(&head);
        let mut gate = GraphGate {
            early: payload.early,
            graph: Some(graph),
            number: 0,
            document: None,
            restoring: Restoring::new(&index, head.chunk_bytes),
            travelling: None,
            out: Out {
                store: sink.content_store(),
                sink,
            },
        };
        read_payload(&mut source, payload, &index.chunks, &mut gate).map_err(|error| error.at(Step::X11))?;
        source.end().map_err(|error| error.at(Step::X12))
    }
}

/// Stands between payload and sink: what the graph needs to see passes through it first, and no layer passes before the whole
/// graph is good.
struct GraphGate<'a, 's> {
    early: usize,
    /// Until the early blobs are in.
    graph: Option<GraphBuilder<'a>>,
    /// The blob that is next or under way.
    number: usize,
    /// A large manifest or desired state, gathered for the graph.
    document: Option<Vec<u8>>,
    restoring: Restoring<'a>,
    /// The encoded blob under way.
    travelling: Option<Travelling>,
    out: Out<'s>,
}

/// An encoded blob under way.
#[derive(Clone, Copy)]
struct Travelling {
    blob: Blob,
    /// Whoever takes content has it: its chunks are compared as ever, and no decoder sees them.
    held: bool,
}

/// Stores restored blobs, and tells of them, where workers and collector do both for others.
struct Out<'s> {
    store: Option<Arc<dyn ContentStore<Blob>>>,
    sink: &'s mut dyn Sink,
}

impl TakeRestored for Out<'_> {
    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        self.sink.bases(blob, bases, unpacked)
    }

    fn unrestored(&mut self, blob: &Blob) -> Result<()> {
        self.sink.unrestored(blob)
    }

    fn small(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if let Some(store) = &self.store {
            store.blob(blob, bytes)?;
        }
        self.sink.blob(blob, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.sink.begin(blob)
    }

    fn piece(&mut self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        if let Some(store) = &self.store {
            store.piece(blob, offset, bytes)?;
        }
        self.sink.piece(bytes)
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        self.sink.end(blob, midstates)
    }
}

impl GraphGate<'_, '_> {
    /// Whether the graph needs the bytes of a blob. A manifest that comes too late is read, to be refused.
    fn reads(&self, blob: &Blob) -> bool {
        blob.media_type.is_some() || self.graph.as_ref().is_some_and(|graph| graph.reads(blob))
    }

    fn judge(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        match &mut self.graph {
            Some(graph) => graph.add(self.number, blob, bytes),
            None => Err(Error::new(
                Class::Content,
                "early",
                "a manifest stands behind the early blobs",
            )),
        }
        .map_err(|error| error.at(Step::X13))
    }
}

impl PayloadSink<Blob> for GraphGate<'_, '_> {
    fn content_store(&self) -> Option<Arc<dyn ContentStore<Blob>>> {
        self.out.sink.content_store()
    }

    fn kept(&self) -> Option<&'static str> {
        self.out.sink.kept()
    }

    fn kept_midstates(&mut self, chunks: Range<u64>) -> Result<Vec<Hash>> {
        self.out.sink.kept_midstates(chunks)
    }

    fn chunks_done(&self) -> u64 {
        self.out.sink.chunks_done()
    }

    fn resumed(&mut self, bytes: u64) {
        self.out.sink.resumed(bytes);
    }

    fn passed_over(&mut self, position: u64) {
        self.out.sink.passed_over(position);
    }

    /// Once the early blobs are in, the whole graph is judged, before gigabytes of layers are read.
    fn reached(&mut self, blob: usize) -> Result<()> {
        self.number = blob;
        if blob < self.early {
            return Ok(());
        }
        match self.graph.take() {
            Some(graph) => {
                let graph = graph.finish().map_err(|error| error.at(Step::X13))?;
                self.out.sink.graph(graph)
            }
            None => Ok(()),
        }
    }

    fn recall(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        if let Some(graph) = &mut self.graph
            && graph.reads(blob)
        {
            check_document_size(blob)?;
            let bytes = self.out.sink.load(blob)?;
            check_digest(&BUNDLE, blob.digest, digest_of(&bytes))?;
            graph
                .add(self.number, blob, &bytes)
                .map_err(|error| error.at(Step::X13))?;
        }
        self.out.sink.recall(blob, midstates)
    }

    /// What the graph must see of it is read again; anything else is not.
    fn go_on(&mut self, blob: &Blob, length: u64) -> Result<()> {
        if self.reads(blob) {
            let mut document = Vec::new();
            self.out
                .sink
                .prefix(blob, length, &mut |bytes| document.extend_from_slice(bytes))?;
            self.document = Some(document);
        }
        self.out.sink.begin(blob)
    }

    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if self.reads(blob) {
            check_document_size(blob)?;
            self.judge(blob, bytes)?;
        }
        self.out.sink.blob(blob, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        check_document_size(blob)?;
        self.document = self.reads(blob).then(Vec::new);
        self.out.sink.begin(blob)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.sink.piece(bytes)?;
        if let Some(document) = &mut self.document {
            document.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        if let Some(document) = self.document.take() {
            self.judge(blob, &document)?;
        }
        self.out.sink.end(blob, midstates)
    }

    fn begin_travel(&mut self, blob: &Blob) -> Result<()> {
        let held = self.out.sink.is_held(blob)?;
        self.travelling = Some(Travelling { blob: *blob, held });
        if held {
            return Ok(());
        }
        self.restoring.begin(blob, &mut self.out)
    }

    fn travel(&mut self, bytes: &[u8]) -> Result<()> {
        match self.travelling {
            Some(Travelling { blob, held: false }) => self.restoring.travel(&blob, bytes, &mut self.out),
            _ => Ok(()),
        }
    }

    fn end_travel(&mut self, blob: &Blob) -> Result<()> {
        match self.travelling.take() {
            Some(Travelling { held: false, .. }) => self.restoring.end(blob, &mut self.out),
            _ => Ok(()),
        }
    }

    fn inside(&mut self, position: u64) {
        if let Some((done, all)) = self.restoring.plain_done() {
            self.out.sink.inside(done, all, position);
        }
    }

    fn chunk_done(&mut self, chunks: u64, bytes_read: u64, midstate: Option<Hash>) -> Result<()> {
        self.out.sink.chunk_done(chunks, bytes_read, midstate)
    }
}

fn nothing_kept(wanted: &str) -> Error {
    Error::new(
        Class::Internal,
        "resume",
        format!("{wanted} was asked for although no earlier try was named"),
    )
}

fn check_document_size(blob: &Blob) -> Result<()> {
    if blob.media_type.is_some() && blob.size > limits::MANIFEST_BYTES {
        return Err(Error::new(
            Class::Limit,
            "manifest-size",
            format!("the manifest {} has {} bytes", blob.digest, blob.size),
        )
        .expected(format!("at most {}", limits::MANIFEST_BYTES))
        .at(Step::X13));
    }
    Ok(())
}

//! Reads a bundle into the folder: every byte and every reference checked, on all cores, and gone on with after a stop.

use std::ops::Range;
use std::sync::Arc;

use super::work_folder::WorkFolder;
use crate::bundle::{Blob, Graph, Sink, VerifiedBundle};
use crate::container::ContentStore;
use crate::domain::{Class, Digest, Error, Hash, Result, Step, limits};
use crate::encoding::{Base, BasePlains, Unpacked};
use crate::store::{Shelf, Staging, Store};

/// What was read.
#[derive(Debug)]
pub struct Filled {
    /// The names and what they reach: all of it is here.
    pub graph: Graph,
    /// Bytes of the bundle that an earlier run had read.
    pub resumed_bytes: u64,
}

impl WorkFolder {
    /// Reads the rest of a bundle. What it needs must be here. After a stop of the medium or the disk what was verified is kept.
    ///
    /// # Errors
    ///
    /// Those of [`VerifiedBundle::read_payload`]; `E-STATE staging` when an earlier run's content is gone or was changed; `E-IO`, `E-SPACE`.
    pub fn fill(&mut self, bundle: VerifiedBundle, progress: &mut dyn FnMut(u64)) -> Result<Filled> {
        let chunk_bytes = bundle.head().chunk_bytes;
        let chunks = self.staging.chunks_done();
        let mut sink = Filling {
            store: &self.store,
            staging: &mut self.staging,
            chunk_bytes,
            chunks,
            graph: None,
            resumed_bytes: 0,
            progress,
        };
        let finished = bundle.read_payload(&mut sink);
        let Filling {
            chunks,
            graph,
            resumed_bytes,
            ..
        } = sink;
        let stopped = |error: &Error| matches!(error.class(), Class::Io | Class::Incomplete);
        if finished.as_ref().err().is_none_or(stopped) {
            // The first error is the one to report.
            let kept = self.staging.keep(chunks).map_err(|error| error.at(Step::X11));
            finished.and(kept)?;
        } else {
            finished?;
        }
        let graph = graph.ok_or_else(|| Error::new(Class::Internal, "graph", "the reference graph was not judged"))?;
        for blob in graph.contents() {
            // Between an earlier run and this one anybody may have written there, and the disk may have rotted.
            let is_good = if self.goes_on {
                self.store.examine(&blob.digest, blob.size)?.is_whole()
            } else {
                self.has(&blob.digest, blob.size)?
            };
            if !is_good {
                return Err(spoilt(&blob.digest));
            }
        }
        Ok(Filled { graph, resumed_bytes })
    }
}

fn spoilt(digest: &Digest) -> Error {
    Error::new(
        Class::State,
        "staging",
        format!("{digest} was unpacked by an earlier run, and is gone or not what it was"),
    )
    .remedy("give the same command again: what was left of that run is removed now")
}

/// Opens what a blob is copied from; nothing where one of it is not here.
pub(super) fn open_bases(store: &Store, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
    let mut file = |base: &Base| {
        let found = store.open_found(&base.digest, base.size)?;
        Ok(found.map(|file| (Arc::new(file), 0)))
    };
    BasePlains::open(bases, &mut file, &store.scratch_folder(), unpacked)
}

/// Puts content on the shelf, on the threads that decode it.
struct Shelved(Arc<Shelf>);

impl ContentStore<Blob> for Shelved {
    fn blob(&self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.0.put(&blob.digest, bytes)
    }

    fn piece(&self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        self.0.write(&blob.digest, blob.size, offset, bytes)
    }
}

/// Keeps account, in order, of what is on the shelf.
struct Filling<'a> {
    store: &'a Store,
    staging: &'a mut Staging,
    chunk_bytes: u64,
    chunks: u64,
    graph: Option<Graph>,
    resumed_bytes: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Filling<'_> {
    /// Takes up a blob that an earlier run has made, byte for byte.
    fn take_up(&mut self, blob: &Blob) -> Result<bool> {
        if self.store.size_of(&blob.digest)? != Some(blob.size)
            || self.store.take_up(&blob.digest, blob.size, self.chunk_bytes)?.is_none()
        {
            return Ok(false);
        }
        self.staging.hold(&blob.digest, blob.size);
        Ok(true)
    }
}

impl Sink for Filling<'_> {
    fn content_store(&self) -> Option<Arc<dyn ContentStore<Blob>>> {
        Some(Arc::new(Shelved(self.staging.shelf())))
    }

    fn kept(&self) -> Option<&'static str> {
        Some("the same command goes on from what was verified")
    }

    fn chunks_done(&self) -> u64 {
        self.chunks
    }

    fn load(&mut self, blob: &Blob) -> Result<Vec<u8>> {
        self.store.read(&blob.digest, limits::MANIFEST_BYTES)
    }

    fn kept_midstates(&mut self, chunks: Range<u64>) -> Result<Vec<Hash>> {
        self.staging.midstates(chunks)
    }

    fn recall(&mut self, blob: &Blob, _: Vec<Hash>) -> Result<()> {
        // The chunks of an encoded blob prove nothing of it: the blob itself does.
        if blob.is_encoded() && !self.take_up(blob)? {
            return Err(spoilt(&blob.digest));
        }
        Ok(())
    }

    fn prefix(&mut self, blob: &Blob, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.staging.prefix(&blob.digest, length, take)
    }

    fn blob(&mut self, _: &Blob, _: &[u8]) -> Result<()> {
        self.staging.small_done();
        Ok(())
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        if blob.is_encoded() {
            self.staging.begin_restored(&blob.digest);
        } else {
            self.staging.begin(&blob.digest);
        }
        Ok(())
    }

    fn is_held(&mut self, blob: &Blob) -> Result<bool> {
        self.take_up(blob)
    }

    fn bases(&mut self, _: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        if bases.iter().any(|base| base.carried) {
            self.staging.flush()?;
        }
        open_bases(self.store, bases, unpacked)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.staging.advance(bytes.len() as u64);
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        self.staging.end();
        Ok(())
    }

    fn inside(&mut self, _: u64, _: u64, bytes_read: u64) {
        (self.progress)(bytes_read);
    }

    fn chunk_done(&mut self, chunks: u64, bytes_read: u64, midstate: Option<Hash>) -> Result<()> {
        self.staging.chunk_done(chunks, midstate)?;
        self.chunks = chunks;
        (self.progress)(bytes_read);
        Ok(())
    }

    fn resumed(&mut self, bytes: u64) {
        self.resumed_bytes = bytes;
    }

    fn passed_over(&mut self, position: u64) {
        (self.progress)(position);
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        self.graph = Some(graph);
        Ok(())
    }
}

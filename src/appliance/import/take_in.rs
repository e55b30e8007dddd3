//! Takes the content of an admitted bundle in: needs and space first, then every chunk into the store (X9a to X13).

use std::collections::HashMap;

use super::admit::Admitted;
use super::event::Event;
use super::outcome::Needed;
use super::{claims, needs, room};
use crate::appliance::state::Appliance;
use crate::bundle::{Blob, Graph, Head, SignedBundle, Sink};
use crate::crypto::Chain;
use crate::db::site::release;
use crate::db::site::targets::TargetSet;
use crate::domain::{Class, Digest, Error, Hash, Result, Scope, Step, Timestamp, limits};
use crate::store::Staging;

/// A bundle whose every byte is verified and durable, and which nobody can see yet.
pub(super) struct Taken {
    pub(super) head_bytes: Vec<u8>,
    pub(super) signatures: Vec<u8>,
    pub(super) head: Head,
    pub(super) head_digest: Hash,
    pub(super) chain: Chain,
    pub(super) content: StoredContent,
    pub(super) staging: Staging,
    pub(super) started: Timestamp,
    pub(super) goes_live: bool,
}

/// The content of a bundle, durable in the store.
pub(super) struct StoredContent {
    pub(super) graph: Graph,
    /// What it says of the targets of this site.
    pub(super) targets: TargetSet,
    /// Every blob, carried or needed.
    pub(super) blobs: Vec<(Digest, u64)>,
    /// How much of that was here.
    pub(super) needed: Needed,
    /// Hashes of the pieces of large blobs.
    pub(super) pieces: HashMap<Digest, Vec<Hash>>,
    pub(super) resumed_bytes: u64,
}

/// Stores everything that the bundle carries.
pub(super) fn take_in(appliance: &Appliance, admitted: Admitted, events: &mut dyn FnMut(Event<'_>)) -> Result<Taken> {
    let Admitted {
        bundle,
        chain,
        started,
        goes_live,
    } = admitted;
    let head_digest = bundle.head_digest();
    let head = bundle.head().clone();
    let (head_bytes, signatures) = (bundle.head_bytes().to_vec(), bundle.signatures_bytes());
    let mut staging = Staging::open(&appliance.store, head_digest).map_err(|error| error.at(Step::X9a))?;
    let mut stored: Vec<Digest> = Vec::new();
    match fill(appliance, bundle, goes_live, &mut staging, &mut stored, events) {
        Ok(content) => Ok(Taken {
            head_bytes,
            signatures,
            head,
            head_digest,
            chain,
            content,
            staging,
            started,
            goes_live,
        }),
        Err(error) if error.class().keeps_incoming() => Err(error),
        Err(error) => Err(match clear(appliance, staging, &stored) {
            Ok(()) => error,
            Err(left) => error.and_then(&left),
        }),
    }
}

fn fill(
    appliance: &Appliance,
    bundle: SignedBundle,
    goes_live: bool,
    staging: &mut Staging,
    stored: &mut Vec<Digest>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<StoredContent> {
    let bundle = bundle.read_index(|hash, page| {
        stored.push(Digest(hash));
        staging.put(&Digest(hash), page)
    })?;
    let domain = bundle.head().domain;
    let needed = bundle.index().needs().to_vec();
    needs::check(appliance, domain, &needed, false, events).map_err(|error| error.at(Step::X10))?;
    room::check(appliance, &bundle, staging.part_bytes()).map_err(|error| error.at(Step::X10))?;
    let (chunks, chunk_bytes) = (bundle.head().totals.chunks, bundle.head().chunk_bytes);
    let carried = bundle.index().blobs().iter().map(|blob| (blob.digest, blob.size));
    let of_others = needed.iter().map(|need| (need.digest, need.size));
    let blobs: Vec<(Digest, u64)> = carried.clone().chain(of_others).collect();
    stored.extend(carried.map(|(digest, _)| digest));
    let done = staging.chunks_done();
    if done > 0 {
        events(Event::Note(format!("going on after chunk {done} of {chunks}")));
    }
    let total = bundle.total_bytes();
    let scope = bundle.head().scope();
    let mut sink = StoringSink {
        appliance,
        scope,
        goes_live,
        staging,
        graph: None,
        targets: None,
        pieces: HashMap::new(),
        chunks: done,
        total,
        resumed_bytes: 0,
        events,
    };
    let finished = bundle.read_payload(&mut sink);
    let StoringSink {
        staging,
        graph,
        targets,
        pieces,
        chunks,
        resumed_bytes,
        ..
    } = sink;
    if finished
        .as_ref()
        .err()
        .is_none_or(|error| matches!(error.class(), Class::Io | Class::Incomplete))
    {
        // What was verified is kept for the next try; the first error is the one to report.
        let kept = staging.keep(chunks).map_err(|error| error.at(Step::X11));
        finished.and(kept)?;
    } else {
        finished?;
    }
    needs::check_still_there(appliance, domain, &needed).map_err(|error| error.at(Step::X14))?;
    let (graph, targets) = graph
        .zip(targets)
        .ok_or_else(|| Error::new(Class::Internal, "graph", "the reference graph was not judged"))?;
    let pieces = if done > 0 {
        complete(appliance, chunk_bytes, &blobs, pieces)?
    } else {
        pieces
    };
    Ok(StoredContent {
        graph,
        targets,
        needed: Needed::of(&needed),
        blobs,
        pieces,
        resumed_bytes,
    })
}

/// Makes sure that every blob is there, which after a resumed try no single reading has seen, and that the hashes of the pieces
/// of every large one are known.
fn complete(
    appliance: &Appliance,
    chunk_bytes: u64,
    blobs: &[(Digest, u64)],
    mut pieces: HashMap<Digest, Vec<Hash>>,
) -> Result<HashMap<Digest, Vec<Hash>>> {
    for (digest, size) in blobs {
        if appliance.store.size_of(digest)? != Some(*size) {
            return Err(Error::new(
                Class::State,
                "staging",
                format!("{digest} was stored by an earlier try and is gone"),
            )
            .remedy("import the same bundle once more: `airlock import FILE`"));
        }
        if *size > limits::CHUNK_BYTES_DEFAULT && !pieces.contains_key(digest) {
            let hashes = appliance.store.hash_pieces(digest, chunk_bytes)?;
            pieces.insert(*digest, hashes);
        }
    }
    Ok(pieces)
}

/// Removes what a refused bundle left: its staging, and every blob of it that no release refers to.
fn clear(appliance: &Appliance, staging: Staging, stored: &[Digest]) -> Result<()> {
    staging.remove()?;
    for digest in stored {
        if !appliance
            .db
            .read(|connection| release::is_referenced(connection, digest))?
        {
            appliance.store.remove(digest)?;
        }
    }
    Ok(())
}

/// Puts verified content into the store.
struct StoringSink<'a> {
    appliance: &'a Appliance,
    scope: Scope,
    goes_live: bool,
    staging: &'a mut Staging,
    graph: Option<Graph>,
    targets: Option<TargetSet>,
    pieces: HashMap<Digest, Vec<Hash>>,
    chunks: u64,
    total: u64,
    resumed_bytes: u64,
    events: &'a mut dyn FnMut(Event<'_>),
}

impl Sink for StoringSink<'_> {
    fn chunks_done(&self) -> u64 {
        self.chunks
    }

    fn load(&mut self, blob: &Blob) -> Result<Vec<u8>> {
        self.appliance.store.read(&blob.digest, limits::MANIFEST_BYTES)
    }

    fn prefix(&mut self, blob: &Blob, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.staging.prefix(&blob.digest, length, take)
    }

    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if blob.size > limits::CHUNK_BYTES_DEFAULT {
            // Whole in one chunk, yet too large to be hashed again for every reader: its one piece is itself.
            self.pieces.insert(blob.digest, vec![blob.digest.0]);
        }
        self.staging.put(&blob.digest, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.staging.begin(&blob.digest, blob.size)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.staging.append(bytes)
    }

    fn end(&mut self, blob: &Blob, pieces: &[Hash]) -> Result<()> {
        if blob.size > limits::CHUNK_BYTES_DEFAULT {
            self.pieces.insert(blob.digest, pieces.to_vec());
        }
        self.staging.end()
    }

    fn chunk_done(&mut self, chunks: u64, bytes_read: u64) -> Result<()> {
        self.staging.chunk_done(chunks)?;
        self.chunks = chunks;
        (self.events)(Event::Progress {
            done: bytes_read,
            total: self.total,
        });
        Ok(())
    }

    fn resumed(&mut self, bytes: u64) {
        self.resumed_bytes = bytes;
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        // What keeps it from going live is decided, and told, where it is published.
        let claimed = claims::judge(self.appliance, &self.scope, &graph, self.goes_live)?;
        self.graph = Some(graph);
        self.targets = Some(claimed.targets);
        Ok(())
    }
}

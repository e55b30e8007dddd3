//! Takes the content of an admitted bundle in: needs and space first, then every chunk into the store (X9a to X13).

use std::collections::HashMap;

use super::desired;
use super::import::{Admitted, Event, describe};
use super::publication::Activation;
use super::state::Appliance;
use crate::bundle::{Blob, CheckOnly, Graph, Head, SignedBundle, Sink, VerifiedBundle};
use crate::crypto::Chain;
use crate::db::site::release;
use crate::db::site::targets::{TargetSet, Undeploy, check_activation};
use crate::domain::{Class, Digest, Error, Hash, Result, Scope, Step, Timestamp, limits};
use crate::store::{Staging, space};

/// Bytes that stay free beside what a bundle needs: the database grows too.
const MARGIN_BYTES: u64 = 32 << 20;

/// A bundle whose every byte is verified and durable, and which nobody can see yet.
pub(super) struct Taken {
    pub(super) head_bytes: Vec<u8>,
    pub(super) signatures: Vec<u8>,
    pub(super) head: Head,
    pub(super) head_digest: Hash,
    pub(super) chain: Chain,
    pub(super) content: Content,
    pub(super) staging: Staging,
    pub(super) now: Timestamp,
}

/// The content of a bundle, durable in the store.
pub(super) struct Content {
    pub(super) graph: Graph,
    /// What it says of the targets of this site.
    pub(super) targets: TargetSet,
    /// Every blob, carried or needed.
    pub(super) blobs: Vec<(Digest, u64)>,
    /// Hashes of the pieces of large blobs.
    pub(super) pieces: HashMap<Digest, Vec<Hash>>,
    pub(super) resumed_bytes: u64,
}

/// A bundle that passed every check of a dry run.
pub(super) struct Rehearsed {
    pub(super) detail: serde_json::Value,
}

impl Appliance {
    /// Runs every remaining check and stores nothing.
    pub(super) fn rehearse(&self, admitted: Admitted, events: &mut dyn FnMut(Event<'_>)) -> Result<Rehearsed> {
        let detail = describe(&admitted.bundle);
        let bundle = admitted.bundle.read_index(|_, _| Ok(()))?;
        self.check_needs_and_space(&bundle, 0)
            .map_err(|error| error.at(Step::X10))?;
        let total = bundle.total_bytes();
        let scope = bundle.head().scope();
        bundle.read_payload(&mut Rehearsal {
            appliance: self,
            scope,
            activation: admitted.activation,
            check: CheckOnly(|done| events(Event::Progress { done, total })),
        })?;
        Ok(Rehearsed { detail })
    }

    /// Stores everything that the bundle carries.
    pub(super) fn take_in(&self, admitted: Admitted, events: &mut dyn FnMut(Event<'_>)) -> Result<Taken> {
        let Admitted {
            bundle,
            chain,
            now,
            activation,
        } = admitted;
        let head_digest = bundle.head_digest();
        let head = bundle.head().clone();
        let (head_bytes, signatures) = (bundle.head_bytes().to_vec(), bundle.signatures_bytes());
        let mut staging = Staging::open(&self.store, head_digest).map_err(|error| error.at(Step::X9a))?;
        let mut stored: Vec<Digest> = Vec::new();
        match self.fill(bundle, activation, &mut staging, &mut stored, events) {
            Ok(content) => Ok(Taken {
                head_bytes,
                signatures,
                head,
                head_digest,
                chain,
                content,
                staging,
                now,
            }),
            Err(error) => {
                if !error.class().keeps_incoming() {
                    self.clear(staging, &stored)?;
                }
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        bundle: SignedBundle,
        activation: Activation,
        staging: &mut Staging,
        stored: &mut Vec<Digest>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Content> {
        let bundle = bundle.read_index(|hash, page| {
            stored.push(Digest(hash));
            staging.put(&Digest(hash), page)
        })?;
        self.check_needs_and_space(&bundle, staging.part_bytes())
            .map_err(|error| error.at(Step::X10))?;
        let (chunks, chunk_bytes) = (bundle.head().totals.chunks, bundle.head().chunk_bytes);
        let needs = bundle.index().needs().iter().map(|need| (need.digest, need.size));
        let carried = bundle.index().blobs().iter().map(|blob| (blob.digest, blob.size));
        let blobs: Vec<(Digest, u64)> = carried.clone().chain(needs).collect();
        stored.extend(carried.map(|(digest, _)| digest));
        let done = staging.chunks_done();
        if done > 0 {
            events(Event::Note(format!("going on after chunk {done} of {chunks}")));
        }
        let total = bundle.total_bytes();
        let scope = bundle.head().scope();
        let mut intake = Intake {
            appliance: self,
            scope,
            activation,
            staging,
            graph: None,
            targets: None,
            pieces: HashMap::new(),
            chunks: done,
            total,
            resumed_bytes: 0,
            events,
        };
        let finished = bundle.read_payload(&mut intake);
        let Intake {
            staging,
            graph,
            targets,
            pieces,
            chunks,
            resumed_bytes,
            ..
        } = intake;
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
        let (graph, targets) = graph
            .zip(targets)
            .ok_or_else(|| Error::new(Class::Internal, "graph", "the reference graph was not judged"))?;
        let pieces = if done > 0 {
            self.complete(chunk_bytes, &blobs, pieces)?
        } else {
            pieces
        };
        Ok(Content {
            graph,
            targets,
            blobs,
            pieces,
            resumed_bytes,
        })
    }

    /// X10: what must be here already is here, and what comes fits.
    fn check_needs_and_space(&self, bundle: &VerifiedBundle, part_bytes: u64) -> Result<()> {
        let domain = bundle.head().domain;
        let mut missing = Vec::new();
        for need in bundle.index().needs() {
            let held = self
                .db
                .read(|connection| release::retained_blob(connection, domain, &need.digest))?;
            if held != Some(need.size) {
                missing.push(need.digest.to_string());
            } else if self.store.size_of(&need.digest)? != Some(need.size) {
                return Err(Error::new(
                    Class::State,
                    "base-damaged",
                    format!("{} was imported but is not in the store any more", need.digest),
                )
                .remedy("ask the vendor for a full bundle"));
            }
        }
        if !missing.is_empty() {
            let count = missing.len();
            missing.truncate(20);
            return Err(Error::new(
                Class::Dependency,
                "needs",
                format!(
                    "the bundle builds on {count} blobs that this appliance does not hold: {}",
                    missing.join(", ")
                ),
            )
            .expected("the bundles before this one to be imported")
            .remedy("import the base bundle first, or ask the vendor for a full one"));
        }
        let mut bytes: u64 = 0;
        let mut files: u64 = 0;
        for blob in bundle.index().blobs() {
            if self.store.size_of(&blob.digest)? != Some(blob.size) {
                bytes = bytes.saturating_add(blob.size);
                files = files.saturating_add(1);
            }
        }
        let free = space(self.folder())?;
        let wanted = bytes.saturating_sub(part_bytes).saturating_add(MARGIN_BYTES);
        if wanted > free.bytes || files.saturating_add(16) > free.inodes {
            return Err(Error::new(
                Class::Space,
                "no-space",
                format!(
                    "{} has {} bytes and {} files left",
                    self.folder().display(),
                    free.bytes,
                    free.inodes
                ),
            )
            .expected(format!("room for {wanted} bytes in {files} files"))
            .remedy("free space on that file system and import again"));
        }
        Ok(())
    }

    /// Makes sure that every blob is there, which after a resumed try no single reading has seen, and that the hashes of the pieces
    /// of every large one are known.
    fn complete(
        &self,
        chunk_bytes: u64,
        blobs: &[(Digest, u64)],
        mut pieces: HashMap<Digest, Vec<Hash>>,
    ) -> Result<HashMap<Digest, Vec<Hash>>> {
        for (digest, size) in blobs {
            if self.store.size_of(digest)? != Some(*size) {
                return Err(Error::new(
                    Class::State,
                    "staging",
                    format!("{digest} was stored by an earlier try and is gone"),
                )
                .remedy("import the bundle again"));
            }
            if *size > limits::CHUNK_BYTES_DEFAULT && !pieces.contains_key(digest) {
                let hashes = self.store.hash_pieces(digest, chunk_bytes)?;
                pieces.insert(*digest, hashes);
            }
        }
        Ok(pieces)
    }

    /// Returns what the release says of this site's targets. Documents are read by now, and nothing of the large rest: what may not
    /// go live is refused before the medium is read on.
    fn judge_targets(&self, scope: &Scope, graph: &Graph, activation: Activation) -> Result<TargetSet> {
        let targets = graph
            .desired
            .as_ref()
            .map_or_else(TargetSet::default, |state| desired::of_site(state, self.site()));
        if activation == Activation::Automatic {
            self.db
                .read(|connection| check_activation(connection, scope, &targets, Undeploy::AsSigned))
                .map_err(|error| error.at(Step::X13))?;
        }
        Ok(targets)
    }

    /// Removes what a refused bundle left: its staging, and every blob of it that no release refers to.
    fn clear(&self, staging: Staging, stored: &[Digest]) -> Result<()> {
        staging.remove()?;
        for digest in stored {
            if !self.db.read(|connection| release::is_referenced(connection, digest))? {
                self.store.remove(digest)?;
            }
        }
        Ok(())
    }
}

/// Puts verified content into the store.
struct Intake<'a> {
    appliance: &'a Appliance,
    scope: Scope,
    activation: Activation,
    staging: &'a mut Staging,
    graph: Option<Graph>,
    targets: Option<TargetSet>,
    pieces: HashMap<Digest, Vec<Hash>>,
    chunks: u64,
    total: u64,
    resumed_bytes: u64,
    events: &'a mut dyn FnMut(Event<'_>),
}

impl Sink for Intake<'_> {
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
        let targets = self.appliance.judge_targets(&self.scope, &graph, self.activation)?;
        self.graph = Some(graph);
        self.targets = Some(targets);
        Ok(())
    }
}

/// Runs every check of an import and keeps nothing.
struct Rehearsal<'a, F> {
    appliance: &'a Appliance,
    scope: Scope,
    activation: Activation,
    check: CheckOnly<F>,
}

impl<F: FnMut(u64)> Sink for Rehearsal<'_, F> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.check.blob(blob, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.check.begin(blob)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.check.piece(bytes)
    }

    fn end(&mut self, blob: &Blob, pieces: &[Hash]) -> Result<()> {
        self.check.end(blob, pieces)
    }

    fn chunk_done(&mut self, chunks: u64, bytes_read: u64) -> Result<()> {
        self.check.chunk_done(chunks, bytes_read)
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        self.appliance
            .judge_targets(&self.scope, &graph, self.activation)
            .map(|_| ())
    }
}

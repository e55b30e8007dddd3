//! Takes the content of an admitted bundle in: needs and space first, then every chunk into the store (X9a to X13).

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::admit::Admitted;
use super::claims::{Claimed, Incoming, SecretDocuments};
use super::event::Event;
use super::outcome::Needed;
use super::{bases, claims, needs, room, volumes};
use crate::appliance::release_plan::{ReleasePlan, Room};
use crate::appliance::secret::Readiness;
use crate::appliance::state::Appliance;
use crate::bundle::{Blob, Graph, Head, Need, SignedBundle, Sink};
use crate::container::{ContentStore, is_copy_damage};
use crate::crypto::Chain;
use crate::db::site::release;
use crate::db::site::targets::TargetSet;
use crate::domain::{Class, Digest, Error, Hash, Result, Step, Timestamp, limits};
use crate::encoding::{Base, BasePlains, Unpacked};
use crate::store::{Shelf, Staging, make_way};
use crate::stream::PLANTED;

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
    /// What it needs of secrets before it goes live.
    pub(super) readiness: Readiness,
    /// What changes with it.
    pub(super) plan: ReleasePlan,
    /// Every blob of the release, carried or needed; what others are only copied from is none.
    pub(super) blobs: Vec<(Digest, u64)>,
    /// How much of that was here.
    pub(super) needed: Needed,
    /// Midstates of large blobs at the ends of their pieces, for serving (R05).
    pub(super) midstates: HashMap<Digest, Vec<Hash>>,
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
    let volumes = head.volumes.len();
    let (head_bytes, signatures) = (bundle.head_bytes().to_vec(), bundle.signatures_bytes());
    for gone in make_way(&appliance.store, head_digest).map_err(|error| error.at(Step::X9a))? {
        events(Event::Note(format!(
            "what a stopped import of {gone} kept goes for this one: give it whole when it comes again"
        )));
    }
    let mut staging = Staging::open(&appliance.store, head_digest).map_err(|error| error.at(Step::X9a))?;
    let mut stored = Stored::default();
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
        Err(error) if is_kept(&error, volumes) => {
            let name = format!("release {} ({}) of {}", head.counter(), head.version, head.scope());
            Err(match staging.call(&name) {
                Ok(()) => error,
                Err(left) => error.and_then(&left),
            })
        }
        Err(error) => Err(match clear(appliance, staging, &stored) {
            Ok(()) => error,
            Err(left) => error.and_then(&left),
        }),
    }
}

/// What an import that ends takes away again, unless a release refers to it.
#[derive(Default)]
struct Stored {
    pages: Vec<Digest>,
    /// Every blob that the bundle carries, with its size.
    blobs: Vec<(Digest, u64)>,
    /// What others that were stopped have stored is theirs.
    spared: HashSet<Digest>,
}

impl Stored {
    fn own(&self) -> impl Iterator<Item = &Digest> {
        let blobs = self.blobs.iter().map(|(digest, _)| digest);
        self.pages
            .iter()
            .chain(blobs.filter(|digest| !self.spared.contains(digest)))
    }
}

fn fill(
    appliance: &Appliance,
    bundle: SignedBundle,
    goes_live: bool,
    staging: &mut Staging,
    stored: &mut Stored,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<StoredContent> {
    let mut bundle = bundle.read_index(|hash, page| {
        stored.pages.push(Digest(hash));
        staging.put(&Digest(hash), page)
    })?;
    let domain = bundle.head().domain;
    let needed = bundle.index().needs().to_vec();
    let copied_from = bundle.index().needed_bases();
    needs::check(appliance, domain, (&needed, &copied_from), false, events).map_err(|error| error.at(Step::X10))?;
    let (here, room) = staging
        .part_bytes()
        .and_then(|part_bytes| room::check(appliance, &bundle, part_bytes))
        .map_err(|error| error.at(Step::X10))?;
    let is_shared = appliance.store.stopped_imports()?.len() > 1;
    stored.spared = if is_shared { here.clone() } else { HashSet::new() };
    staging.expect(here);
    let chunks = bundle.head().totals.chunks;
    let carried = bundle.index().blobs().iter().map(|blob| (blob.digest, blob.size));
    stored.blobs = carried.collect();
    volumes::gather(appliance, &mut bundle, staging, events).map_err(|error| error.at(Step::X10))?;
    let done = staging.chunks_done();
    if done > 0 {
        events(Event::Note(format!("going on after chunk {done} of {chunks}")));
    }
    let total = bundle.total_bytes();
    let head = bundle.head().clone();
    let volumes = head.volumes.len();
    let mut sink = StoringSink {
        appliance,
        documents: SecretDocuments::of(&head),
        chunk_bytes: head.chunk_bytes,
        head,
        goes_live,
        room,
        staging,
        graph: None,
        claimed: None,
        midstates: HashMap::new(),
        chunks: done,
        total,
        resumed_bytes: 0,
        events,
    };
    let finished = bundle.read_payload(&mut sink);
    let StoringSink {
        staging,
        graph,
        claimed,
        midstates,
        chunks,
        resumed_bytes,
        ..
    } = sink;
    if finished
        .as_ref()
        .err()
        .is_none_or(|error| error.class() != Class::Space && is_kept(error, volumes))
    {
        // What was verified is kept for the next try; the first error is the one to report.
        let kept = staging.keep(chunks).map_err(|error| error.at(Step::X11));
        finished.and(kept)?;
    } else {
        finished?;
    }
    let (graph, claimed) = graph
        .zip(claimed)
        .ok_or_else(|| Error::new(Class::Internal, "graph", "the reference graph was not judged"))?;
    let is_content = |need: &&Need| !graph.bases_only.contains(&need.digest);
    let of_others: Vec<Need> = needed.iter().filter(is_content).copied().collect();
    needs::check_still_there(appliance, domain, &of_others).map_err(|error| error.at(Step::X14))?;
    let of_others = of_others.iter().map(|need| (need.digest, need.size));
    if done > 0 {
        check_complete(appliance, stored.blobs.iter().copied().chain(of_others.clone()))?;
    }
    let mut blobs = std::mem::take(&mut stored.blobs);
    blobs.extend(of_others);
    Ok(StoredContent {
        graph,
        targets: claimed.targets,
        readiness: claimed.readiness,
        plan: claimed.plan,
        needed: Needed::of(&needed),
        blobs,
        midstates,
        resumed_bytes,
    })
}

/// Whether what came before a refusal waits for the next try: of a bundle in several volumes also where one of them is damaged, for the
/// others were good, and may be out of reach by now; and what was planted beside it stays for who looks into that.
fn is_kept(error: &Error, volumes: usize) -> bool {
    error.class().keeps_incoming() || error.is(PLANTED) || (volumes > 1 && is_copy_damage(error))
}

/// Makes sure that every blob is there, which after a resumed try no single reading has seen.
fn check_complete(appliance: &Appliance, blobs: impl Iterator<Item = (Digest, u64)>) -> Result<()> {
    for (digest, size) in blobs {
        if appliance.store.size_of(&digest)? != Some(size) {
            return Err(gone(&digest));
        }
    }
    Ok(())
}

fn gone(digest: &Digest) -> Error {
    Error::new(
        Class::State,
        "staging",
        format!("{digest} was stored by an earlier try and is gone"),
    )
    .remedy("import the same bundle once more: `airlock import FILE`")
}

/// Removes what a refused bundle left: its staging, and every blob of it that no release refers to.
fn clear(appliance: &Appliance, staging: Staging, stored: &Stored) -> Result<()> {
    staging.remove()?;
    for digest in stored.own() {
        if !appliance
            .db
            .read(|connection| release::is_referenced(connection, digest))?
        {
            appliance.store.remove(digest)?;
        }
    }
    Ok(())
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
struct StoringSink<'a> {
    appliance: &'a Appliance,
    head: Head,
    /// As far as this try has read them.
    documents: SecretDocuments,
    /// Bytes of the pieces that large blobs are served in.
    chunk_bytes: u64,
    goes_live: bool,
    room: Room,
    staging: &'a mut Staging,
    graph: Option<Graph>,
    claimed: Option<Claimed>,
    midstates: HashMap<Digest, Vec<Hash>>,
    chunks: u64,
    total: u64,
    resumed_bytes: u64,
    events: &'a mut dyn FnMut(Event<'_>),
}

impl StoringSink<'_> {
    /// A blob's digest was compared. One that lies whole in a chunk and is yet too large to be hashed again for every reader has
    /// one piece, itself, and no midstates.
    fn proved(&mut self, blob: &Blob, midstates: Vec<Hash>) {
        if blob.size > limits::CHUNK_BYTES_DEFAULT {
            self.midstates.insert(blob.digest, midstates);
        }
    }

    /// Takes up an encoded blob that the store has, byte for byte: it is not restored again.
    fn take_up(&mut self, blob: &Blob) -> Result<bool> {
        let store = &self.appliance.store;
        if store.size_of(&blob.digest)? != Some(blob.size) {
            return Ok(false);
        }
        let Some(midstates) = store.take_up(&blob.digest, blob.size, self.chunk_bytes)? else {
            return Ok(false);
        };
        self.staging.hold(&blob.digest, blob.size);
        self.proved(blob, midstates);
        Ok(true)
    }
}

impl Sink for StoringSink<'_> {
    fn content_store(&self) -> Option<Arc<dyn ContentStore<Blob>>> {
        Some(Arc::new(Shelved(self.staging.shelf())))
    }

    fn kept_midstates(&mut self, chunks: Range<u64>) -> Result<Vec<Hash>> {
        self.staging.midstates(chunks)
    }

    fn recall(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        if blob.is_encoded() {
            // Its chunks prove no piece of it: the blob itself does.
            return if self.take_up(blob)? {
                Ok(())
            } else {
                Err(gone(&blob.digest))
            };
        }
        self.proved(blob, midstates);
        Ok(())
    }

    fn kept(&self) -> Option<&'static str> {
        Some("an import goes on from what the one before it verified")
    }

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
        self.documents.take(blob, bytes);
        self.proved(blob, Vec::new());
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

    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        if bases.iter().any(|base| base.carried) {
            self.staging.flush()?;
        }
        bases::open(&self.appliance.store, blob, bases, unpacked)
    }

    fn inside(&mut self, done: u64, total: u64, _: u64) {
        (self.events)(Event::Rebuilding { done, total });
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.staging.advance(bytes.len() as u64);
        Ok(())
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        self.proved(blob, midstates);
        self.staging.end();
        Ok(())
    }

    fn chunk_done(&mut self, chunks: u64, bytes_read: u64, midstate: Option<Hash>) -> Result<()> {
        self.staging.chunk_done(chunks, midstate)?;
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

    fn passed_over(&mut self, position: u64) {
        (self.events)(Event::Progress {
            done: position,
            total: self.total,
        });
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        // What keeps it from going live is decided, and told, where it is published.
        self.documents.complete(&self.appliance.store)?;
        let incoming = Incoming {
            goes_live: self.goes_live,
            documents: &self.documents,
            room: self.room,
        };
        let claimed = claims::judge(self.appliance, &self.head, &graph, &incoming)?;
        let mut refuse = None;
        (self.events)(Event::Plan {
            plan: &claimed.plan,
            goes_live: self.goes_live && claimed.held.is_none() && claimed.readiness.missing.is_empty(),
            refuse: &mut refuse,
        });
        if let Some(error) = refuse {
            return Err(error.at(Step::X13));
        }
        self.claimed = Some(claimed);
        self.graph = Some(graph);
        Ok(())
    }
}

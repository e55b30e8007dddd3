//! A dry run: every check of the content that an import makes, and nothing kept (X9a to X13).

use std::ops::Range;

use super::admit::Admitted;
use super::claims::{Claimed, Incoming, SecretDocuments};
use super::event::Event;
use super::outcome::Needed;
use super::{bases, claims, needs, room, volumes};
use crate::appliance::hidden::Hidden;
use crate::appliance::release_plan::{ReleasePlan, Room};
use crate::appliance::secret::MissingSecret;
use crate::appliance::state::Appliance;
use crate::bundle::{Blob, CheckOnly, Graph, Head, Sink};
use crate::db::site::owners::Held;
use crate::domain::{Class, Error, Hash, Result, Step, counted, limits};
use crate::encoding::{Base, BasePlains, Unpacked};
use crate::store::Earlier;

/// A bundle that passed every check of a dry run.
pub(super) struct Rehearsed {
    pub(super) head: Head,
    pub(super) head_digest: Hash,
    /// Why it could not go live now.
    pub(super) held: Option<Held>,
    /// What it waits for.
    pub(super) missing: Vec<MissingSecret>,
    /// What would change with it.
    pub(super) plan: ReleasePlan,
    /// What of it only its own clients would see.
    pub(super) hidden: Hidden,
    /// What of its content is here already and must be.
    pub(super) needed: Needed,
}

/// Runs every remaining check and stores nothing.
pub(super) fn rehearse(
    appliance: &Appliance,
    admitted: Admitted,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Rehearsed> {
    let (head, head_digest) = (admitted.bundle.head().clone(), admitted.bundle.head_digest());
    let mut bundle = admitted.bundle.read_index(|_, _| Ok(()))?;
    let needed = bundle.index().needs().to_vec();
    let copied_from = bundle.index().needed_bases();
    needs::check(appliance, head.domain, (&needed, &copied_from), true, events).map_err(|error| error.at(Step::X10))?;
    let (_, room) = room::check(appliance, &bundle, 0).map_err(|error| error.at(Step::X10))?;
    let earlier = Earlier::read(&appliance.store, head_digest).map_err(|error| error.at(Step::X10))?;
    let done = volumes::recall(&mut bundle, &earlier).map_err(|error| error.at(Step::X10))?;
    let total = bundle.total_bytes();
    if bundle.is_missing_behind(done) {
        return Err(bundle.incomplete(earlier.chunks_done(), |done| events(Event::Progress { done, total })));
    }
    let mut hidden = Hidden::default();
    let mut sink = CheckingSink {
        appliance,
        head: &head,
        documents: SecretDocuments::of(&head),
        hidden: &mut hidden,
        goes_live: admitted.goes_live,
        room,
        claimed: None,
        unrestored: 0,
        earlier: &earlier,
        done,
        check: CheckOnly(|done| events(Event::Progress { done, total })),
    };
    bundle.read_payload(&mut sink)?;
    let CheckingSink {
        claimed, unrestored, ..
    } = sink;
    if unrestored > 0 {
        events(Event::Note(format!(
            "{} of the bundle: judged, and not made, for what is copied from travels in the same bundle and was not stored",
            counted(unrestored, "blob")
        )));
    }
    let claimed = claimed.ok_or_else(|| Error::new(Class::Internal, "graph", "the reference graph was not judged"))?;
    Ok(Rehearsed {
        head,
        head_digest,
        held: claimed.held,
        missing: claimed.readiness.missing,
        plan: claimed.plan,
        hidden,
        needed: Needed::of(&needed),
    })
}

/// Runs every check of an import and keeps nothing.
struct CheckingSink<'a, F> {
    appliance: &'a Appliance,
    head: &'a Head,
    documents: SecretDocuments,
    hidden: &'a mut Hidden,
    goes_live: bool,
    room: Room,
    claimed: Option<Claimed>,
    /// Blobs whose bases the bundle carries: nothing is stored that could be read.
    unrestored: usize,
    /// What earlier tries took in of volumes that are not at hand any more.
    earlier: &'a Earlier,
    /// Chunks of that.
    done: u64,
    check: CheckOnly<F>,
}

impl<F: FnMut(u64)> Sink for CheckingSink<'_, F> {
    fn chunks_done(&self) -> u64 {
        self.done
    }

    fn load(&mut self, blob: &Blob) -> Result<Vec<u8>> {
        self.appliance.store.read(&blob.digest, limits::MANIFEST_BYTES)
    }

    fn kept_midstates(&mut self, chunks: Range<u64>) -> Result<Vec<Hash>> {
        self.earlier.midstates(chunks)
    }

    fn recall(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        Ok(())
    }

    fn prefix(&mut self, blob: &Blob, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.earlier.prefix(&blob.digest, length, take)
    }

    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.documents.take(blob, bytes);
        self.check.blob(blob, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.check.begin(blob)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.check.piece(bytes)
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        self.check.end(blob, midstates)
    }

    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        if bases.iter().any(|base| base.carried) {
            return Ok(None);
        }
        bases::open(&self.appliance.store, blob, bases, unpacked)
    }

    fn unrestored(&mut self, _: &Blob) -> Result<()> {
        self.unrestored = self.unrestored.saturating_add(1);
        Ok(())
    }

    fn inside(&mut self, plain: u64, plain_size: u64, bytes_read: u64) {
        self.check.inside(plain, plain_size, bytes_read);
    }

    fn chunk_done(&mut self, chunks: u64, bytes_read: u64, midstate: Option<Hash>) -> Result<()> {
        self.check.chunk_done(chunks, bytes_read, midstate)
    }

    fn graph(&mut self, graph: Graph) -> Result<()> {
        if self.done > 0 {
            self.documents.complete(&self.appliance.store)?;
        }
        let incoming = Incoming {
            goes_live: self.goes_live,
            documents: &self.documents,
            room: self.room,
        };
        self.claimed = Some(claims::judge(self.appliance, self.head, &graph, &incoming)?);
        let (scope, home_hosts) = (self.head.scope(), &self.head.home_hosts);
        *self.hidden = self.appliance.hidden_of_graph(&scope, home_hosts, &graph)?;
        Ok(())
    }
}

//! What answers share while they are made and sent: turns at the disk, work that is done once, and the accounts of bytes in flight.
//!
//! Threads that wait belong to nobody for long: content is hashed on as many as there are cores, lists are made on a few, files are read
//! on some more, and what is left is the agents' ([`super::server`] has enough for all of them). Whoever waits for a turn is a task.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::buffers::Buffers;
use super::in_flight::{Account, Full, InFlight, Permit};
use super::settings::Limits;
use super::single_flight::{Outcome, SingleFlight};
use super::turns::{FairTurns, Party};
use crate::appliance::registry::{BlobReader, ChartIndex, Found, Registry, Snapshot};
use crate::domain::{Digest, RepositoryName, Result, Scope};
use crate::panics;

/// Threads that read files and look content up for the registry.
const DISK_TURNS: usize = 16;
/// Lists that are made at one time, one for a peer: each holds a few MiB while it is.
const LIST_TURNS: usize = 4;
/// Chart indexes that are made at one time, one of the charts of a trust domain.
const INDEX_TURNS: usize = 4;
/// Most threads that hash content; as many as there are cores, and no more than this.
const HASH_TURNS: usize = 8;

/// A chart index: of which generation, which repository, for whom.
type IndexKey = (u64, RepositoryName, Option<Scope>);

/// What answers share.
#[derive(Debug)]
pub(super) struct Sending {
    /// Bytes that clients have not taken yet.
    pub(super) in_flight: InFlight,
    /// What pieces of files are read into, where they must pass through memory.
    pub(super) buffers: Buffers,
    disk: Arc<Semaphore>,
    lists: FairTurns,
    charts: FairTurns,
    pieces: SingleFlight<(Digest, u64), BlobReader>,
    manifests: SingleFlight<Digest, Arc<[u8]>>,
    indexes: SingleFlight<IndexKey, Option<Arc<ChartIndex>>>,
}

impl Sending {
    /// Makes what a server's answers share.
    pub(super) fn new(limits: &Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(HASH_TURNS));
        let hashing = Arc::new(Semaphore::new(cores));
        Self {
            in_flight: InFlight::new(limits.bytes_in_flight, limits.bytes_in_flight_per_peer),
            buffers: Buffers::default(),
            disk: Arc::new(Semaphore::new(DISK_TURNS)),
            pieces: SingleFlight::new(&hashing),
            manifests: SingleFlight::new(&hashing),
            // Its work takes turns of `charts`.
            indexes: SingleFlight::new(&hashing),
            lists: FairTurns::new(LIST_TURNS),
            charts: FairTurns::new(INDEX_TURNS),
        }
    }

    /// Runs work that waits for a disk beside the runtime's threads.
    pub(super) fn disk<T: Send + 'static, W: FnOnce() -> Result<T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> + 'static {
        in_turn("disk", self.disk.clone(), work)
    }

    /// Makes a list, in a turn and with room for so many bytes of the account; returns the room with what was made.
    ///
    /// Who has no room gives its turn to others, and is refused when it has none for a moment.
    pub(super) async fn list<T: Send + 'static, W: FnOnce() -> Result<T> + Send + 'static>(
        &self,
        account: &Account,
        bytes: usize,
        work: W,
    ) -> std::result::Result<Result<(Permit, T)>, Full> {
        let mut patience = account.patience();
        loop {
            let given_back = account.given_back();
            let turn = self.lists.take([(Party::Peer(account.peer()), 1)]).await;
            match account.take(bytes) {
                Ok(room) => return Ok(on_thread("list", turn, work).await.map(|made| (room, made))),
                Err(full) => {
                    drop(turn);
                    patience.wait(given_back).await.ok_or(full)?;
                }
            }
        }
    }

    /// Opens a blob whose piece at `offset` was not checked yet, once for all who want it.
    pub(super) fn open(
        &self,
        registry: &Arc<Registry>,
        found: &Found,
        offset: u64,
    ) -> impl Future<Output = Outcome<BlobReader>> + Send + use<> + 'static {
        let (registry, key, found) = (registry.clone(), piece(found, offset), found.clone());
        self.pieces.run(key, move || registry.open_blob(&found, offset))
    }

    /// Checks the piece at `offset` of an open blob, once for all who want it. Where another client's file was checked meanwhile, the
    /// piece of this one may be unchecked still.
    pub(super) fn check(
        &self,
        registry: &Arc<Registry>,
        found: &Found,
        reader: &BlobReader,
        offset: u64,
    ) -> impl Future<Output = Outcome<BlobReader>> + Send + use<> + 'static {
        let (registry, reader) = (registry.clone(), reader.clone());
        self.pieces.run(piece(found, offset), move || {
            registry.check_piece(&reader, offset)?;
            Ok(reader)
        })
    }

    /// Reads a manifest that is not in memory, once for all who want it.
    pub(super) fn manifest(
        &self,
        registry: &Arc<Registry>,
        found: &Found,
    ) -> impl Future<Output = Outcome<Arc<[u8]>>> + Send + use<> + 'static {
        let (registry, found) = (registry.clone(), found.clone());
        self.manifests.run(found.digest, move || registry.manifest(&found))
    }

    /// Makes the index of a classic chart repository, once for all who want it: those of one trust domain after each other, so that one
    /// domain's keep no other's waiting.
    pub(super) fn charts(
        &self,
        registry: &Arc<Registry>,
        snapshot: Arc<Snapshot>,
        repository: RepositoryName,
        asker: Option<Scope>,
    ) -> impl Future<Output = Outcome<Option<Arc<ChartIndex>>>> + Send + use<> + 'static {
        let registry = registry.clone();
        let key = (snapshot.generation(), repository.clone(), asker.clone());
        let domain = Party::Domain(registry.charts_domain(&snapshot, &repository, asker.as_ref()));
        let turn = self.charts.take([(domain, 1)]);
        self.indexes.run_in(key, turn, move || {
            registry.charts(&snapshot, &repository, asker.as_ref())
        })
    }
}

/// Waits for a turn, and then does a part's work on a thread that may wait.
async fn in_turn<T: Send + 'static, W: FnOnce() -> Result<T> + Send + 'static>(
    part: &'static str,
    turns: Arc<Semaphore>,
    work: W,
) -> Result<T> {
    // It is never closed.
    let turn = turns.acquire_owned().await.ok();
    on_thread(part, turn, work).await
}

/// Does a part's work on a thread that may wait. The turn goes along, for the work goes on when nobody waits for it any more.
pub(super) async fn on_thread<T: Send + 'static>(
    part: &'static str,
    turn: impl Send + 'static,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(move || {
        panics::point(part);
        let done = work();
        drop(turn);
        done
    });
    done.await.unwrap_or_else(|_| Err(panics::note(part)))
}

/// What is checked together: one piece where pieces have hashes, else the whole blob.
fn piece(found: &Found, offset: u64) -> (Digest, u64) {
    let number = found.piece_size.and_then(|size| offset.checked_div(size));
    (found.digest, number.unwrap_or(0))
}

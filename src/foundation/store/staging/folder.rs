//! The staging of a head, as the thread sees it that knows the order.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Resource;

use super::super::Store;
use super::batch::{Batch, Large, Sealer};
use super::committer::Committer;
use super::earlier;
use super::journal::{self, Journal, PartEntry, Update};
use super::shelf::Shelf;
use crate::domain::{Digest, Error, Hash, Result};
use crate::stream::{Expected, create_own_folder, look, sync_folder};

/// Bytes after which a batch is made durable.
const BATCH_BYTES: u64 = 256 << 20;
/// Time after which a batch is made durable.
const BATCH_TIME: Duration = Duration::from_secs(5);
/// Files of a batch: each holds a descriptor until it is linked.
const BATCH_FILES: usize = 8192;

/// The staging folder of one head.
#[derive(Debug)]
pub struct Staging {
    store: Store,
    folder: PathBuf,
    /// What the last batch says that was handed over.
    journal: Journal,
    shelf: Arc<Shelf>,
    committer: Committer,
    /// Large blobs whose digests were compared since the last batch.
    ended: Vec<(Digest, Arc<Large>)>,
    /// The large blob under way, and how many bytes of it have had their turn.
    under_way: Option<PartEntry>,
    /// Whether it is made of a travel form: then it begins anew in a next try, and no journal names it.
    restored: bool,
    /// Of each chunk since the last batch.
    midstates: Vec<Hash>,
    since: Instant,
    /// Small blobs that had their turn since then.
    turns: usize,
    batch_files: usize,
}

impl Staging {
    /// Opens the staging of a head, and takes up its journal.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn open(store: &Store, head: Hash) -> Result<Self> {
        let incoming = store.incoming();
        let folder = incoming.join(head.to_hex());
        create_own_folder(&folder)?;
        sync_folder(&incoming)?;
        let journal = earlier::read_journal(store, &folder)?;
        remove_other_parts(&folder, journal.part.as_ref())?;
        let sealer = Arc::new(Sealer::new(store, folder.clone())?);
        let batch_files = descriptors_for_batches();
        let kept = journal.part.clone();
        let shelf = Shelf::new(store, folder.clone(), Arc::clone(&sealer), kept, batch_files * 2);
        Ok(Self {
            store: store.clone(),
            folder,
            journal,
            shelf: Arc::new(shelf),
            committer: Committer::start(sealer)?,
            ended: Vec::new(),
            under_way: None,
            restored: false,
            midstates: Vec::new(),
            since: Instant::now(),
            turns: 0,
            batch_files,
        })
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Returns how many chunks need not be read again.
    pub fn chunks_done(&self) -> u64 {
        self.journal.chunks
    }

    /// Returns the bytes of the disk that the large blob under way has already.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`.
    pub fn part_bytes(&self) -> Result<u64> {
        let Some(part) = &self.journal.part else {
            return Ok(0);
        };
        let found = look(&self.shelf.part_path(&part.digest), Expected::File)?;
        Ok(found.map_or(0, |found| found.allocated()))
    }

    /// Writes down what the import is called, which was stopped: whoever lets it go for another one tells that.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`, `E-SPACE`.
    pub fn call(&self, name: &str) -> Result<()> {
        earlier::call(&self.folder, name)
    }

    /// Returns where workers put content. Whoever puts it there says here, in order, how far that has come.
    pub fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf)
    }

    /// As [`Shelf::expect`].
    pub fn expect(&self, here: HashSet<Digest>) {
        self.shelf.expect(here);
    }

    /// As [`Shelf::put`].
    ///
    /// # Errors
    ///
    /// As [`Shelf::put`].
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        self.shelf.put(digest, bytes)
    }

    /// Returns the midstates that an earlier try has journalled of some chunks.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn midstates(&self, chunks: Range<u64>) -> Result<Vec<Hash>> {
        journal::midstates(&self.folder, chunks)
    }

    /// Hands the first bytes of the large blob under way to `take`.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn prefix(&mut self, digest: &Digest, length: u64, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        earlier::prefix(&self.store, &self.folder, (digest, length), take)
    }

    /// A small blob had its turn: it is on the shelf, or was before the batch that was handed over last.
    pub fn small_done(&mut self) {
        self.turns = self.turns.saturating_add(1);
    }

    /// A large blob has its turn, or goes on with what the journal says of it.
    pub fn begin(&mut self, digest: &Digest) {
        let bytes = self.shelf.kept(digest);
        self.under_way = Some(PartEntry { bytes, digest: *digest });
        self.restored = false;
    }

    /// A large blob has its turn that is made of a travel form: a stop inside it keeps nothing of it.
    pub fn begin_restored(&mut self, digest: &Digest) {
        self.begin(digest);
        self.restored = true;
    }

    /// Takes a small or large blob up that the store has: with the batch its name becomes durable, as an earlier try may have ended before.
    pub fn hold(&self, digest: &Digest, size: u64) {
        self.shelf.hold(digest, size);
    }

    /// So many further bytes of the large blob under way have had their turn: they are on the shelf, and hashed.
    pub fn advance(&mut self, bytes: u64) {
        if let Some(part) = &mut self.under_way {
            part.bytes = part.bytes.saturating_add(bytes);
        }
    }

    /// The large blob under way is whole, and its digest was compared: it gets its name with the batch.
    pub fn end(&mut self) {
        if let Some(part) = self.under_way.take() {
            let large = self.shelf.take_large(&part.digest);
            self.ended.extend(large.map(|large| (part.digest, large)));
        }
    }

    /// Says that everything of the first `chunks` chunks had its turn, and the midstate at the end of the last of them; hands the batch to
    /// the committer when it is due.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`, of this batch or the one before it.
    pub fn chunk_done(&mut self, chunks: u64, midstate: Option<Hash>) -> Result<()> {
        // No chunk inside a travel form is told of.
        let told = self.journal.chunks.saturating_add(self.midstates.len() as u64);
        for _ in told.saturating_add(1)..chunks {
            self.midstates.push(Hash([0; 32]));
        }
        self.midstates.push(midstate.unwrap_or(Hash([0; 32])));
        self.check()?;
        if self.is_due() {
            self.hand_over(Some(chunks))
        } else {
            Ok(())
        }
    }

    /// As [`Staging::chunk_done`], for one that picks chunks out: nothing is journalled, another try begins anew. `E-IO`, `E-SPACE`.
    pub fn picked(&mut self) -> Result<()> {
        self.check()?;
        if self.is_due() { self.hand_over(None) } else { Ok(()) }
    }

    fn check(&mut self) -> Result<()> {
        let checked = self.committer.check();
        self.shelf.watch(checked)
    }

    fn is_due(&self) -> bool {
        let (small, bytes) = self.shelf.came();
        // What came holds descriptors, a large blob two. What had its turn may have gone with the batch before, for workers are ahead: the
        // journal would never tell of it.
        let files = small.saturating_add(self.ended.len().saturating_mul(2)).max(self.turns);
        bytes >= BATCH_BYTES || files >= self.batch_files || self.since.elapsed() >= BATCH_TIME
    }

    fn hand_over(&mut self, chunks: Option<u64>) -> Result<()> {
        let mut batch = Batch {
            small: self.shelf.take_small(),
            ended: std::mem::take(&mut self.ended),
            under_way: self.under_way.as_ref().and_then(|part| self.shelf.large(&part.digest)),
            update: None,
        };
        if let Some(chunks) = chunks {
            self.journal = Journal {
                chunks,
                part: self.under_way.clone().filter(|_| !self.restored),
            };
            batch.update = Some(Update {
                journal: self.journal.clone(),
                midstates: std::mem::take(&mut self.midstates),
            });
        }
        self.since = Instant::now();
        self.turns = 0;
        let handed = self.committer.hand_over(batch);
        self.shelf.watch(handed)
    }

    /// Makes durable what an import has handed over, whether it has ended or was stopped, and says in the journal that the first
    /// `chunks` chunks are done. After a failure of the disk itself the journal before stays what it is.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn keep(&mut self, chunks: u64) -> Result<()> {
        if self.shelf.is_broken() {
            return Ok(());
        }
        // When nothing new came, a part that was not taken up again yet stays in the journal.
        if chunks != self.journal.chunks {
            self.hand_over(Some(chunks))?;
        }
        self.flush()
    }

    /// Makes everything durable that was handed over, and names what is verified of it.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`; [`Staging::keep`] does nothing any more then.
    pub fn flush(&mut self) -> Result<()> {
        if self.shelf.came().0 > 0 || !self.ended.is_empty() {
            self.hand_over(None)?;
        }
        let sealed = self.committer.wait();
        self.shelf.watch(sealed)
    }

    /// Removes what an import left that was stopped after it had published its release.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn discard(store: &Store, head: Hash) -> Result<()> {
        let folder = store.incoming().join(head.to_hex());
        match fs::remove_dir_all(&folder) {
            Ok(()) => sync_folder(&store.incoming()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("remove", &folder, error)),
        }
    }

    /// Removes the staging folder: after the import is published, or when what came is refused for good.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn remove(self) -> Result<()> {
        let Self {
            store,
            folder,
            committer,
            ..
        } = self;
        // Whatever it is at ends first.
        drop(committer);
        fs::remove_dir_all(&folder).map_err(|e| Error::io("remove", &folder, e))?;
        sync_folder(&store.incoming())
    }
}

/// Removes parts that no journal names: they begin anew, and until then their room is free.
fn remove_other_parts(folder: &std::path::Path, named: Option<&PartEntry>) -> Result<()> {
    let kept = named.map(|part| format!("{}.part", part.digest.0));
    for entry in fs::read_dir(folder).map_err(|e| Error::io("list", folder, e))? {
        let path = entry.map_err(|e| Error::io("list", folder, e))?.path();
        let is_kept = path.file_name().and_then(|name| name.to_str()) == kept.as_deref();
        let is_part = path.extension().is_some_and(|extension| extension == "part") && !is_kept;
        if is_part && look(&path, Expected::File)?.is_some() {
            fs::remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
        }
    }
    Ok(())
}

/// Raises the soft limit of open files to the hard one, and returns how many a batch may use.
fn descriptors_for_batches() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // One batch fills, up to twice its size between two chunks, and one is sealed; as many are left for everything else that a process
    // opens.
    current.map_or(BATCH_FILES, |current| {
        usize::try_from(current / 6)
            .unwrap_or(BATCH_FILES)
            .clamp(16, BATCH_FILES)
    })
}

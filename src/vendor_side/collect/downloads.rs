//! Downloads that run ahead of whoever reads: the next blobs of the list are on their way while one is read.
//!
//! What is ahead waits in memory, a little of each blob, so that many small blobs come as fast as few large ones and no large one takes
//! room. A blob that nobody asks for is let go as soon as a later one is read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::origin::Origin;
use crate::domain::{Class, Digest, Error, Result};
use crate::panics::caught;
use crate::stream::{BufferPool, PooledBuffer, read_exact_or_end};

/// Blobs that are on their way beside the one that is read.
const AHEAD: usize = 4;
/// How far the list is looked through for them.
const LOOKED: usize = 4 * AHEAD;
/// Bytes of a part.
const PART: usize = 1 << 18;
/// Parts of a blob that wait: most layers are then here as a whole when their turn comes, and no core waits for the rest of one.
const WAITING: usize = 8;

/// A blob, and where it is.
type Place = (Digest, u64, Arc<dyn Origin>);

/// Parts of a blob as they come.
type Parts = Receiver<Result<PooledBuffer>>;

/// The list, and what of it is on its way.
pub(super) struct Downloads {
    list: Vec<Place>,
    places: HashMap<Digest, usize>,
    state: Mutex<State>,
    /// Parts are used again, so that a thousand downloads take no more memory than the first few.
    pool: BufferPool,
}

#[derive(Default)]
struct State {
    started: BTreeMap<usize, Parts>,
    /// What was read once: nobody may want it again.
    read: HashSet<usize>,
}

impl std::fmt::Debug for Downloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Downloads({})", self.list.len())
    }
}

impl Default for Downloads {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Downloads {
    /// Of blobs in the order in which they will be read.
    pub(super) fn of(list: Vec<Place>) -> Self {
        let places = list
            .iter()
            .enumerate()
            .map(|(at, (digest, ..))| (*digest, at))
            .collect();
        Self {
            list,
            places,
            state: Mutex::default(),
            pool: BufferPool::new(PART),
        }
    }

    /// Opens a blob of the list, and has the next ones fetched, but for those that are `here`; nothing for one that is not in the list.
    ///
    /// # Errors
    ///
    /// Those of its origin.
    pub(super) fn open(
        &self,
        digest: &Digest,
        here: &dyn Fn(&Digest, u64) -> bool,
    ) -> Result<Option<Box<dyn Read + Send>>> {
        let Some(at) = self.places.get(digest).copied() else {
            return Ok(None);
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = state.started.remove(&at);
        state.started = state.started.split_off(&at);
        state.read.insert(at);
        let mine = match mine {
            Some(mine) => mine,
            None => self.start(at)?,
        };
        for next in (at.saturating_add(1)..self.list.len()).take(LOOKED) {
            if state.started.len() >= AHEAD {
                break;
            }
            let is_here = self.list.get(next).is_some_and(|(digest, size, _)| here(digest, *size));
            if !is_here && !state.started.contains_key(&next) && !state.read.contains(&next) {
                state.started.insert(next, self.start(next)?);
            }
        }
        drop(state);
        let first = match mine.recv() {
            Ok(first) => first?,
            Err(_) => self.pool.take(0),
        };
        Ok(Some(Box::new(Download {
            parts: mine,
            part: first,
            at: 0,
        })))
    }

    fn start(&self, at: usize) -> Result<Parts> {
        let lost = || Error::new(Class::Internal, "download", "a blob is not in its list");
        let (digest, size, origin) = self.list.get(at).cloned().ok_or_else(lost)?;
        let (sender, parts) = sync_channel(WAITING);
        let pool = self.pool.clone();
        thread::Builder::new()
            .name("download".to_owned())
            .spawn(move || {
                let ended = caught("download", || send(&*origin, &digest, size, &pool, &sender));
                // Nobody is left to tell where the one who reads has gone.
                if let Ok(Err(error)) | Err(error) = ended {
                    sender.send(Err(error)).ok();
                }
            })
            .map_err(|error| Error::new(Class::Io, "io", format!("cannot start a thread: {error}")))?;
        Ok(parts)
    }
}

/// Fetches a blob, as long as somebody reads it.
fn send(
    origin: &dyn Origin,
    digest: &Digest,
    size: u64,
    pool: &BufferPool,
    sender: &SyncSender<Result<PooledBuffer>>,
) -> Result<()> {
    let mut reader = origin.open(digest, size)?;
    loop {
        let mut part = pool.take(PART);
        let count = read_exact_or_end(&mut reader, part.bytes_mut()).map_err(told)?;
        part.set_len(count);
        if sender.send(Ok(part)).is_err() || count < PART {
            return Ok(());
        }
    }
}

/// What a download failed with, as it was.
fn told(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(Class::Io, "source", format!("a download ends: {error}")),
    }
}

struct Download {
    parts: Parts,
    part: PooledBuffer,
    at: usize,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.part.len() {
            match self.parts.recv() {
                Ok(part) => (self.part, self.at) = (part.map_err(io::Error::other)?, 0),
                Err(_) => return Ok(0),
            }
        }
        let rest = self.part.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}

//! Hashes blobs that span chunks, beside whoever writes them: both share one buffer, neither waits for the other's bytes.

use std::sync::{Arc, mpsc};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::panics::{self, caught};
use crate::stream::PooledBuffer;

/// Hashes blobs that span chunks on a thread of its own, beside whoever writes them.
pub(super) struct BlobHasher<'scope> {
    commands: mpsc::SyncSender<HashCommand>,
    results: mpsc::Receiver<Result<Digest>>,
    _thread: thread::ScopedJoinHandle<'scope, ()>,
}

enum HashCommand {
    Begin,
    Buffer(Arc<PooledBuffer>),
    Bytes(Vec<u8>),
    Finish,
}

impl<'scope> BlobHasher<'scope> {
    /// Starts the thread.
    pub(super) fn start<'env>(scope: &'scope thread::Scope<'scope, 'env>) -> Self {
        // Two buffers may wait: enough to keep both threads busy, and bounded.
        let (commands, work) = mpsc::sync_channel(2);
        let (answer, results) = mpsc::channel();
        let thread = scope.spawn(move || {
            if let Err(error) = caught("hasher", || hash(work, &answer)) {
                // For who waits for a digest; nobody does when the other side has ended.
                answer.send(Err(error)).ok();
            }
        });
        Self {
            commands,
            results,
            _thread: thread,
        }
    }

    // A command that finds no thread is one after a panic, which the next `finish` says.
    pub(super) fn begin(&self) {
        self.commands.send(HashCommand::Begin).ok();
    }

    pub(super) fn update(&self, bytes: Arc<PooledBuffer>) {
        self.commands.send(HashCommand::Buffer(bytes)).ok();
    }

    pub(super) fn update_slice(&self, bytes: &[u8]) {
        self.commands.send(HashCommand::Bytes(bytes.to_vec())).ok();
    }

    pub(super) fn finish(&self) -> Result<Digest> {
        self.commands.send(HashCommand::Finish).ok();
        self.results.recv().unwrap_or_else(|_| Err(gone()))
    }
}

/// Hashes what comes, until nothing can come any more or nobody waits.
fn hash(work: mpsc::Receiver<HashCommand>, answer: &mpsc::Sender<Result<Digest>>) {
    let mut hasher = Sha256::new();
    for command in work {
        panics::point("hasher");
        match command {
            HashCommand::Begin => hasher = Sha256::new(),
            HashCommand::Buffer(bytes) => hasher.update(&**bytes),
            HashCommand::Bytes(bytes) => hasher.update(&bytes),
            HashCommand::Finish => {
                let digest = Digest(Hash(std::mem::take(&mut hasher).finalize().into()));
                if answer.send(Ok(digest)).is_err() {
                    break;
                }
            }
        }
    }
}

/// The panic was told already, to an earlier caller.
fn gone() -> Error {
    Error::new(Class::Internal, "panic", "the hashing thread has ended by a panic")
}

/// Returns the digest of bytes that are at hand.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

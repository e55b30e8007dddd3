//! Hashes blobs that span chunks, beside whoever writes them: both share one buffer, neither waits for the other's bytes.

use std::sync::{Arc, mpsc};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::PooledBuffer;

/// Hashes blobs that span chunks on a thread of its own, beside whoever writes them.
pub(super) struct BlobHasher<'scope> {
    commands: mpsc::SyncSender<HashCommand>,
    results: mpsc::Receiver<Digest>,
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
            let mut hasher = Sha256::new();
            for command in work {
                match command {
                    HashCommand::Begin => hasher = Sha256::new(),
                    HashCommand::Buffer(bytes) => hasher.update(&**bytes),
                    HashCommand::Bytes(bytes) => hasher.update(&bytes),
                    HashCommand::Finish => {
                        let digest = Digest(Hash(std::mem::take(&mut hasher).finalize().into()));
                        if answer.send(digest).is_err() {
                            break;
                        }
                    }
                }
            }
        });
        Self {
            commands,
            results,
            _thread: thread,
        }
    }

    // The thread ends only after this side does, so a command always finds it.
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
        self.results
            .recv()
            .map_err(|_| Error::new(Class::Internal, "hasher", "the hashing thread ended too early"))
    }
}

/// Returns the digest of bytes that are at hand.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

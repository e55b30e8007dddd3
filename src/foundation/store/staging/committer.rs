//! One thread that makes batches durable while the next one fills.

use std::sync::{Arc, mpsc};
use std::thread;

use super::batch::{Batch, Sealer, gone};
use crate::domain::{Class, Error, Result};
use crate::panics::{self, caught};

/// Hands batches over to the thread that seals them. Ended by being dropped; whatever it is at is finished first.
#[derive(Debug)]
pub(super) struct Committer {
    batches: Option<mpsc::Sender<Batch>>,
    answers: mpsc::Receiver<Result<()>>,
    /// Whether a batch is being sealed.
    busy: bool,
    thread: Option<thread::JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// `E-IO` when the system gives none.
    pub(super) fn start(sealer: Arc<Sealer>) -> Result<Self> {
        let (batches, work) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("committer".into())
            .spawn(move || {
                for batch in work {
                    let sealed = caught("committer", || {
                        panics::point("committer");
                        sealer.seal(batch)
                    })
                    .flatten();
                    // After a failure nothing is sealed any more.
                    let failed = sealed.is_err();
                    if answer.send(sealed).is_err() || failed {
                        break;
                    }
                }
            })
            .map_err(|error| {
                Error::new(Class::Io, "thread", format!("no thread can be started: {error}")).with_source(error)
            })?;
        Ok(Self {
            batches: Some(batches),
            answers,
            busy: false,
            thread: Some(thread),
        })
    }

    /// Hands a batch over, as soon as the one before it is durable.
    ///
    /// # Errors
    ///
    /// Why that one could not be made durable.
    pub(super) fn hand_over(&mut self, batch: Batch) -> Result<()> {
        self.wait()?;
        self.busy = self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        if self.busy { Ok(()) } else { Err(gone()) }
    }

    /// Waits until everything that was handed over is durable.
    ///
    /// # Errors
    ///
    /// Why it could not be made so.
    pub(super) fn wait(&mut self) -> Result<()> {
        if !self.busy {
            return Ok(());
        }
        self.busy = false;
        self.answers.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// Whether the batch that was handed over could not be made durable, as far as that is known by now.
    ///
    /// # Errors
    ///
    /// Why it could not.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.answers.try_recv() {
            Ok(sealed) => {
                self.busy = false;
                sealed
            }
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // Its panics were caught and told.
            thread.join().ok();
        }
    }
}

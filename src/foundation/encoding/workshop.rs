//! Pieces of a blob, made on all cores and handed back in the order of the recipe (SPEC M-165).
//!
//! What is under way is bounded by its plain, whatever the recipe says. A workshop that is let go stops at the next block of each piece.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::domain::{Class, Error, Result};
use crate::panics::{self, caught};
use crate::producer::Producer;
use crate::recipe::{Fault, Made, Piece, PieceBuffers, Step, Worker};
use crate::stream::worker_count;

/// Plain bytes of what is under way, at most.
const BYTES: usize = 8 << 20;
/// Plain bytes of most pieces.
const PIECE: usize = 1 << 20;
/// Parts under way.
const PARTS: usize = 64;

type Outcome = Result<std::result::Result<Made, Fault>>;

/// A piece, and where it is wanted.
type Job = (Piece, SyncSender<Outcome>);

/// One part of the blob under way.
enum Part {
    Made(Made),
    Asked(Receiver<Outcome>),
}

/// Makes the pieces of one blob.
pub(super) struct Workshop {
    producer: Producer,
    plain: u64,
    buffers: PieceBuffers,
    /// Nobody works before there is a piece.
    jobs: Option<Sender<Job>>,
    parts: VecDeque<(usize, Part)>,
    under_way: usize,
    given_up: Arc<AtomicBool>,
}

/// Takes what was made, in order.
pub(super) type TakeMade<'a> = dyn FnMut(Made) -> Result<std::result::Result<(), Fault>> + 'a;

impl Workshop {
    pub(super) fn new(producer: Producer, plain: u64, buffers: &PieceBuffers) -> Self {
        Self {
            producer,
            plain,
            buffers: buffers.clone(),
            jobs: None,
            parts: VecDeque::new(),
            under_way: 0,
            given_up: Arc::default(),
        }
    }

    /// Takes the next step of the recipe, and hands over what is made by now.
    pub(super) fn step(&mut self, step: Step, take: &mut TakeMade<'_>) -> Result<std::result::Result<(), Fault>> {
        let (bytes, part) = match step {
            Step::Made(made) => (made.size(), Part::Made(made)),
            Step::Piece(piece) => (piece.size(), Part::Asked(self.ask(piece)?)),
        };
        self.parts.push_back((bytes, part));
        self.under_way = self.under_way.saturating_add(bytes);
        // A piece for each core and two that wait.
        let bytes = worker_count().saturating_add(2).saturating_mul(PIECE);
        self.hand_over(bytes.min(BYTES), PARTS, take)
    }

    /// Hands over all that is left.
    pub(super) fn rest(&mut self, take: &mut TakeMade<'_>) -> Result<std::result::Result<(), Fault>> {
        self.hand_over(0, 0, take)
    }

    /// Waits until no more than so much is under way; what is made already is handed over besides.
    fn hand_over(
        &mut self,
        bytes: usize,
        parts: usize,
        take: &mut TakeMade<'_>,
    ) -> Result<std::result::Result<(), Fault>> {
        while let Some((size, part)) = self.parts.pop_front() {
            let must = self.under_way > bytes || self.parts.len() >= parts;
            let made = match part {
                Part::Made(made) => Ok(made),
                Part::Asked(outcome) if must => outcome.recv().map_err(|_| gone())??,
                Part::Asked(outcome) => match outcome.try_recv() {
                    Ok(made) => made?,
                    Err(TryRecvError::Empty) => {
                        self.parts.push_front((size, Part::Asked(outcome)));
                        return Ok(Ok(()));
                    }
                    Err(TryRecvError::Disconnected) => return Err(gone()),
                },
            };
            self.under_way = self.under_way.saturating_sub(size);
            let taken = match made {
                Ok(made) => take(made)?,
                Err(fault) => Err(fault),
            };
            if taken.is_err() {
                return Ok(taken);
            }
        }
        Ok(Ok(()))
    }

    /// Gives a piece to whoever has time.
    fn ask(&mut self, piece: Piece) -> Result<Receiver<Outcome>> {
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self
                .jobs
                .insert(start(self.producer, self.plain, &self.buffers, &self.given_up)?),
        };
        let (sender, outcome) = mpsc::sync_channel(1);
        jobs.send((piece, sender)).map_err(|_| gone())?;
        Ok(outcome)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// Starts a worker a core; each ends when the workshop is gone.
fn start(producer: Producer, plain: u64, buffers: &PieceBuffers, given_up: &Arc<AtomicBool>) -> Result<Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..worker_count() {
        let (jobs, buffers, given_up) = (Arc::clone(&jobs), buffers.clone(), Arc::clone(given_up));
        let work = move || {
            let mut worker = None;
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((piece, outcome)) = job else { return };
                let made = caught("rebuilder", || {
                    panics::point("rebuilder");
                    worker
                        .get_or_insert_with(|| Worker::new(producer, plain, &buffers, Arc::clone(&given_up)))
                        .make(&piece)
                });
                // After a panic nobody knows what the emulator's state is worth.
                if made.is_err() {
                    worker = None;
                }
                if outcome.send(made).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("rebuilder".into())
            .spawn(work)
            .map_err(|error| Error::new(Class::Io, "thread", format!("no thread can be started: {error}")))?;
    }
    Ok(sender)
}

fn gone() -> Error {
    Error::new(Class::Internal, "rebuilder", "a piece was given to nobody")
}

#[cfg(test)]
mod tests {
    use super::super::rebuilding::Ends;
    use super::*;
    use crate::producer::Sample;
    use crate::producer::tests::Gathered;
    use crate::recipe::{Joiner, Splitter, Writer, judge};

    #[test]
    fn what_is_under_way_is_bounded() {
        let part = &Sample::Text.plain()[..2_000];
        let stream = Gathered::of(Producer::Zlib1Level6, part).bytes;
        let (mut recipe, parts) = (Writer::default(), 300_u64);
        for _ in 0..parts {
            recipe.raw(b"header");
            recipe.stream(&[(2_000, stream.len() as u64 * 8)]);
        }
        let size = parts * (6 + stream.len() as u64);
        let recipe = judge(recipe.finish(), Producer::Zlib1Level6, 2_000 * parts, size).unwrap();
        let buffers = PieceBuffers::default();
        let (mut joiner, mut splitter) = (Joiner::new(&recipe), Splitter::new(recipe, &buffers));
        let mut workshop = Workshop::new(Producer::Zlib1Level6, 2_000 * parts, &buffers);
        let (mut most, mut out) = ((0, 0), Vec::new());
        let mut take = |made| match joiner.take(made) {
            Ok(bytes) => {
                out.extend_from_slice(&bytes);
                Ok(Ok(()))
            }
            Err(fault) => Ok(Err(fault)),
        };
        let plain = part.repeat(300);
        let split = splitter.feed(&plain, &mut |step| {
            let stepped = workshop.step(step, &mut take);
            most = (most.0.max(workshop.parts.len()), most.1.max(workshop.under_way));
            match stepped {
                Ok(Ok(())) => Ok(()),
                Ok(Err(fault)) => Err(Ends::Fault(fault)),
                Err(error) => Err(Ends::Error(error)),
            }
        });
        match split {
            Ok(()) => {}
            Err(Ends::Fault(fault)) => panic!("{fault:?}"),
            Err(Ends::Error(error)) => panic!("{error}"),
        }
        workshop.rest(&mut take).unwrap().unwrap();
        assert!(out == [&b"header"[..], &stream[..]].concat().repeat(300));
        assert!(most.0 <= PARTS && most.1 <= BYTES, "{most:?}");
        assert_eq!(workshop.under_way, 0);
    }
}

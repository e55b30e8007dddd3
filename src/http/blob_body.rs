//! The body of a blob's answer: pieces of a file, each checked before it goes out, with bounded memory.
//!
//! When a piece turns out to be other content the body fails; hyper then ends the connection short of the promised length, so
//! no client takes what it got for the whole (threat model R05).

use std::fs::File;
use std::future::Future as _;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use rustix::io::ReadWriteFlags;
use tokio::task::JoinHandle;

use super::app::blocking;
use super::connection::{FileQueue, PIECE_BYTES};
use super::oci_error::OciError;
use crate::appliance::registry::{BlobReader, Found, Registry};
use crate::domain::{Class, Error, Result};
use crate::panics;

/// Bytes held in memory at once where they cannot go from file to socket by themselves.
const BUFFER_BYTES: usize = 256 << 10;

/// Bytes of a blob from one offset to another.
#[derive(Debug)]
pub(super) struct BlobBody {
    registry: Arc<Registry>,
    found: Found,
    reader: BlobReader,
    offset: u64,
    end: u64,
    /// Where the connection sends files from; without one the bytes are read into memory.
    queue: Option<FileQueue>,
    /// Work beside the runtime's threads: what it yields is sent next.
    work: Option<JoinHandle<Result<Step>>>,
}

#[derive(Debug)]
enum Step {
    /// The piece is checked, or is in the page cache now: look again.
    Again,
    /// These bytes come next.
    Send(Bytes),
}

impl BlobBody {
    /// Makes the body of an answer with `end - start` bytes.
    pub(super) fn new(
        registry: Arc<Registry>,
        found: Found,
        reader: BlobReader,
        start: u64,
        end: u64,
        queue: Option<FileQueue>,
    ) -> Self {
        Self {
            registry,
            found,
            reader,
            offset: start,
            end,
            queue,
            work: None,
        }
    }

    fn advance(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    /// Takes the next piece without waiting, or starts the work that it takes.
    fn next_piece(&mut self) -> Option<Bytes> {
        let (offset, reader) = (self.offset, self.reader.clone());
        let checked = reader.checked_until(offset).min(self.end);
        let most = if self.queue.is_some() {
            PIECE_BYTES
        } else {
            BUFFER_BYTES
        };
        let length = usize::try_from(checked.saturating_sub(offset)).map_or(most, |left| left.min(most));
        if length == 0 {
            let registry = self.registry.clone();
            self.work = Some(tokio::task::spawn_blocking(move || {
                panics::point("blob");
                registry.check_piece(&reader, offset)?;
                Ok(Step::Again)
            }));
            return None;
        }
        let file = self.reader.file();
        if let Some(queue) = &self.queue {
            if is_cached(file, offset, length) {
                return Some(queue.push(file, offset, length));
            }
        } else if let Some(bytes) = read_now(file, offset, length) {
            return Some(bytes);
        }
        let (file, queue) = (file.clone(), self.queue.clone());
        self.work = Some(tokio::task::spawn_blocking(move || {
            // Under memory pressure pages may be gone again before anyone looks, so what was read is not asked for twice.
            Ok(match queue {
                Some(queue) => {
                    warm(&file, offset, length)?;
                    Step::Send(queue.push(&file, offset, length))
                }
                None => Step::Send(read_waiting(&file, offset, length)?),
            })
        }));
        None
    }
}

impl HttpBody for BlobBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        loop {
            if let Some(work) = &mut self.work {
                let done = ready!(Pin::new(work).poll(context));
                self.work = None;
                let step = done.unwrap_or_else(|_| Err(panics::note("blob")));
                match step {
                    Ok(Step::Again) => {}
                    Ok(Step::Send(bytes)) => return self.advance(bytes),
                    Err(error) => {
                        tracing::error!(%error, digest = %self.found.digest, "an answer was broken off");
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
            if self.offset >= self.end {
                return Poll::Ready(None);
            }
            if let Some(bytes) = self.next_piece() {
                return self.advance(bytes);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.offset >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end.saturating_sub(self.offset))
    }
}

/// Reads a small range at once: from the page cache on this thread, else beside it.
pub(super) async fn read_at_once(reader: &BlobReader, offset: u64, length: u64) -> Result<Bytes, OciError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if let Some(bytes) = read_now(reader.file(), offset, length) {
        return Ok(bytes);
    }
    let file = reader.file().clone();
    blocking(move || read_waiting(&file, offset, length)).await
}

/// Reads from the page cache alone; nothing when a disk would have to be waited for.
fn read_now(file: &File, offset: u64, length: usize) -> Option<Bytes> {
    let mut bytes = vec![0; length];
    let count = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut bytes)], offset, ReadWriteFlags::NOWAIT);
    (count == Ok(length)).then(|| bytes.into())
}

/// Whether both ends of a range are in the page cache; read-ahead keeps what lies between with them.
fn is_cached(file: &File, offset: u64, length: usize) -> bool {
    let last = offset.saturating_add((length as u64).saturating_sub(1));
    [offset, last].iter().all(|at| {
        let mut byte = [0];
        rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], *at, ReadWriteFlags::NOWAIT) == Ok(1)
    })
}

/// Brings a range into the page cache.
fn warm(file: &File, offset: u64, length: usize) -> Result<()> {
    let end = offset.saturating_add(length as u64);
    let mut at = offset;
    while at < end {
        let step = usize::try_from(end.saturating_sub(at)).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
        read_waiting(file, at, step)?;
        at = at.saturating_add(step as u64);
    }
    Ok(())
}

fn read_waiting(file: &File, offset: u64, length: usize) -> Result<Bytes> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).map_err(|error: io::Error| {
        Error::new(Class::Io, "io", format!("cannot read a blob: {error}")).with_source(error)
    })?;
    Ok(bytes.into())
}

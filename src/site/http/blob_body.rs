//! The body of a blob's answer: pieces of a file, each checked before it goes out, with bounded memory: nothing where the kernel sends
//! the file, else what the account of the peer allows.
//!
//! When a piece turns out to be other content the body fails; hyper then ends the connection short of the promised length, so
//! no client takes what it got for the whole (threat model R05).

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use rustix::io::ReadWriteFlags;

use super::buffers::BUFFER_BYTES;
use super::connection::{FileQueue, PIECE_BYTES};
use super::in_flight::{Account, Permit, SMALL_BYTES};
use super::sending::Sending;
use super::single_flight::Outcome;
use crate::appliance::registry::{BlobReader, Found, Registry};
use crate::domain::{Class, Error, Result};

/// Bytes that are read at once to bring them into the page cache.
const WARM_BYTES: usize = 256 << 10;

/// What a body reads, and what its answer shares with others.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) sending: Arc<Sending>,
    pub(super) account: Account,
    pub(super) registry: Arc<Registry>,
    pub(super) found: Found,
    pub(super) reader: BlobReader,
    /// Where the connection sends files from; without one the bytes are read into memory.
    pub(super) queue: Option<FileQueue>,
}

/// Bytes of a blob from one offset to another.
pub(super) struct BlobBody {
    source: Source,
    offset: u64,
    end: u64,
    /// Work beside the runtime's threads: what it yields is sent next.
    work: Option<Work>,
}

type Work = Pin<Box<dyn Future<Output = Outcome<Step>> + Send>>;

enum Step {
    /// The piece is checked: look again.
    Again,
    /// So many bytes are in the page cache, and come next. Under memory pressure they may be gone again before anyone looks, so what
    /// was read is not asked for twice.
    SendFile(usize),
    /// These bytes come next.
    Send(Bytes),
}

impl BlobBody {
    /// Makes the body of an answer with `end - start` bytes.
    pub(super) fn new(source: Source, start: u64, end: u64) -> Self {
        Self {
            source,
            offset: start,
            end,
            work: None,
        }
    }

    fn advance(&mut self, bytes: Bytes) -> Poll<Option<Outcome<Frame<Bytes>>>> {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn send_file(&mut self, length: usize) -> Option<Bytes> {
        let queue = self.source.queue.as_ref()?;
        Some(queue.push(self.source.reader.file(), self.offset, length))
    }

    /// Takes the next piece without waiting, or starts the work that it takes.
    fn next_piece(&mut self) -> Option<Bytes> {
        let (offset, source) = (self.offset, &self.source);
        let checked = source.reader.checked_until(offset).min(self.end);
        let left = |most: usize| usize::try_from(checked.saturating_sub(offset)).map_or(most, |left| left.min(most));
        if left(1) == 0 {
            let checking = source
                .sending
                .check(&source.registry, &source.found, &source.reader, offset);
            self.work = Some(Box::pin(async move { checking.await.map(|_| Step::Again) }));
            return None;
        }
        let file = source.reader.file().clone();
        if source.queue.is_some() {
            let length = left(PIECE_BYTES);
            if is_cached(&file, offset, length) {
                return self.send_file(length);
            }
            let warming = source.sending.disk(move || warm(&file, offset, length));
            self.work = Some(Box::pin(async move {
                warming.await?;
                Ok(Step::SendFile(length))
            }));
            return None;
        }
        // Who has no room for more goes on with what every connection may hold.
        let permit = source.account.take(left(BUFFER_BYTES)).ok();
        let length = left(if permit.is_some() { BUFFER_BYTES } else { SMALL_BYTES });
        let piece = match permit {
            // Whole buffers only: a part of one would hold more than was put down.
            Some(permit) if length == BUFFER_BYTES => {
                read_piece(source, offset, Some(permit), source.sending.buffers.take())
            }
            permit => read_piece(source, offset, permit, vec![0; length]),
        };
        piece.map_err(|work| self.work = Some(work)).ok()
    }
}

/// Reads a piece without waiting, or returns the work that it takes.
fn read_piece<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static>(
    source: &Source,
    offset: u64,
    permit: Option<Permit>,
    mut buffer: B,
) -> std::result::Result<Bytes, Work> {
    let file = source.reader.file().clone();
    if is_read_now(&file, offset, buffer.as_mut()) {
        return Ok(held(permit, buffer));
    }
    let reading = source.sending.disk(move || {
        read_waiting(&file, offset, buffer.as_mut())?;
        Ok(held(permit, buffer))
    });
    Err(Box::pin(async move { Ok(Step::Send(reading.await?)) }))
}

impl HttpBody for BlobBody {
    type Data = Bytes;
    type Error = Arc<Error>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome<Frame<Bytes>>>> {
        loop {
            if let Some(work) = &mut self.work {
                let done = ready!(work.as_mut().poll(context));
                self.work = None;
                match done {
                    Ok(Step::Again) => {}
                    Ok(Step::Send(bytes)) => return self.advance(bytes),
                    Ok(Step::SendFile(length)) => {
                        if let Some(bytes) = self.send_file(length) {
                            return self.advance(bytes);
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, digest = %self.source.found.digest, "an answer was broken off");
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

/// Reads a small range at once, from the page cache on this thread, else beside it; nothing where there is no room for it.
pub(super) async fn read_at_once(
    sending: &Sending,
    account: &Account,
    reader: &BlobReader,
    start: u64,
    end: u64,
) -> Result<Option<Bytes>> {
    let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
    let permit = match account.take(length) {
        Ok(permit) => Some(permit),
        Err(_) if length <= SMALL_BYTES => None,
        Err(_) => return Ok(None),
    };
    let mut bytes = vec![0; length];
    if is_read_now(reader.file(), start, &mut bytes) {
        return Ok(Some(held(permit, bytes)));
    }
    let file = reader.file().clone();
    let reading = sending.disk(move || {
        read_waiting(&file, start, &mut bytes)?;
        Ok(held(permit, bytes))
    });
    reading.await.map(Some)
}

fn held<B: AsRef<[u8]> + Send + 'static>(permit: Option<Permit>, bytes: B) -> Bytes {
    match permit {
        Some(permit) => permit.hold(bytes),
        None => Bytes::from_owner(bytes),
    }
}

/// Fills a buffer from the page cache alone; false when a disk would have to be waited for.
fn is_read_now(file: &File, offset: u64, buffer: &mut [u8]) -> bool {
    let length = buffer.len();
    rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) == Ok(length)
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
    let mut bytes = vec![0; length.min(WARM_BYTES)];
    let mut at = offset;
    while at < end {
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        bytes.truncate(left);
        read_waiting(file, at, &mut bytes)?;
        at = at.saturating_add(bytes.len() as u64);
    }
    Ok(())
}

fn read_waiting(file: &File, offset: u64, buffer: &mut [u8]) -> Result<()> {
    file.read_exact_at(buffer, offset).map_err(|error: io::Error| {
        Error::new(Class::Io, "io", format!("cannot read a blob: {error}")).with_source(error)
    })
}

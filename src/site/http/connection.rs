//! A client's connection: bytes of blobs go from file to socket inside the kernel, and a client that does not take them is
//! cut off.
//!
//! # How file bytes pass hyper without being copied
//!
//! hyper writes what a body yields, and a body yields memory. So a body that wants to send a piece of a file puts the piece
//! into the connection's [`FileQueue`] and yields a slice of [`PLACEHOLDER`] of the same length. hyper counts it, queues it
//! behind the answer's head, and hands it to [`Connection`], which knows the region by its address and calls `sendfile(2)`
//! for the front of the queue instead of sending the slice. Order is kept because both queues are filled and emptied in
//! the same order. hyper hands slices on uncopied as long as `is_write_vectored` is true; a placeholder that arrives without
//! a queued piece is an error, never sent.
//!
//! The bodies see to it that a piece is in the page cache before they queue it, so `sendfile` does not wait for a disk.
//!
//! Over TLS every byte is encrypted on its way, so there bodies read pieces into memory, as they do without a queue.
//!
//! # Clients that do not read (threat model R12)
//!
//! While there is something to send, at least [`STALL_BYTES`] must go out in every stall period; else the connection ends.
//!
//! # Connections that rest
//!
//! Between two requests a connection needs nothing of HTTP: the buffers that hyper holds for it are larger than everything else about it,
//! and most connections rest most of the time. So hyper is ended for a connection that rests, at a point that hyper itself calls idle, and
//! begun anew with the first byte that comes; what hyper had read beyond the last request is read again ([`Connection::rewind`]).
//!
//! # Connections that leave HTTP
//!
//! A handler may take its connection over (`hyper::upgrade::on`), for a protocol such as WebSocket. The server keeps a
//! [`ConnectionControl`] of every connection: by it the server knows when a connection is gone, whoever held it, and makes it read its
//! end when the server stops. What is sent stays under the stall period; how long a client may be silent is for the handler to
//! bound.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::seats::SeatActivity;

/// Longest piece of a file that is queued at once: long enough that the turns through hyper cost nothing beside the kernel's
/// work.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// What must go out in every stall period.
const STALL_BYTES: u64 = 64 << 10;

/// Bytes of one connection that wait in the kernel to be sent for the first time. Left to itself it takes megabytes, which count as the
/// server's memory and which no account shows (threat model R14).
const UNSENT_BYTES: u32 = 64 << 10;

/// Sets a socket up: what is written goes out at once, and little waits in the kernel.
pub(super) fn set_up(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// Stands for bytes of files; its own bytes are never sent.
static PLACEHOLDER: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

/// Pieces of files that a connection sends in place of the placeholders it is handed.
#[derive(Debug, Clone, Default)]
pub(super) struct FileQueue(Arc<Mutex<VecDeque<Piece>>>);

#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    offset: u64,
    length: usize,
}

impl FileQueue {
    /// Queues a piece of a file and returns what the body yields for it. The piece is at most [`PIECE_BYTES`] long.
    pub(super) fn push(&self, file: &Arc<File>, offset: u64, length: usize) -> Bytes {
        let slice = PLACEHOLDER.get(..length).unwrap_or(&PLACEHOLDER);
        self.lock().push_back(Piece {
            file: file.clone(),
            offset,
            length: slice.len(),
        });
        Bytes::from_static(slice)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Piece>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_placeholder(slice: &[u8]) -> bool {
    let start = PLACEHOLDER.as_ptr().addr();
    (start..start + PIECE_BYTES).contains(&slice.as_ptr().addr()) && !slice.is_empty()
}

/// What a connection runs over.
#[derive(Debug)]
pub(super) enum Socket {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The connection as hyper sees it.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    queue: FileQueue,
    stall: Duration,
    /// Runs while the client has yet to take something.
    timer: Option<Pin<Box<Sleep>>>,
    sent: u64,
    /// Told whether something waits to be sent.
    activity: SeatActivity,
    unsent: bool,
    /// Read before what the socket has.
    rewound: Bytes,
    /// Whether the socket outlives HTTP: then an end of that is none of the socket's.
    kept: Arc<AtomicBool>,
    /// Nothing more is read once this arrived; taken out then.
    read_end: Option<oneshot::Receiver<()>>,
    /// Dropped with the connection, which tells its control.
    _dropped: oneshot::Sender<()>,
}

/// What the server keeps of a connection, whoever reads and writes it.
#[derive(Debug)]
pub(super) struct ConnectionControl {
    kept: Arc<AtomicBool>,
    read_end: Option<oneshot::Sender<()>>,
    dropped: oneshot::Receiver<()>,
}

impl ConnectionControl {
    /// Waits until the connection is gone.
    pub(super) async fn dropped(&mut self) {
        // Nothing is ever sent: an error says that the other end is gone.
        (&mut self.dropped).await.ok();
    }

    /// Whether the connection stays open when HTTP ends on it.
    pub(super) fn keep(&self, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
    }

    /// Makes the connection read its end, as if the client had sent its last byte. Sending stays possible.
    pub(super) fn end_reading(&mut self) {
        if let Some(read_end) = self.read_end.take() {
            // Not received when the connection is gone, and then there is nothing to end.
            read_end.send(()).ok();
        }
    }
}

impl Connection {
    /// Takes a connected socket; `queue` is shared with the bodies of its answers.
    pub(super) fn new(
        socket: Socket,
        queue: FileQueue,
        stall: Duration,
        activity: SeatActivity,
    ) -> (Self, ConnectionControl) {
        let (end_sender, end_receiver) = oneshot::channel();
        let (drop_sender, drop_receiver) = oneshot::channel();
        let kept = Arc::new(AtomicBool::new(false));
        let connection = Self {
            socket,
            queue,
            stall,
            timer: None,
            sent: 0,
            activity,
            unsent: false,
            rewound: Bytes::new(),
            kept: kept.clone(),
            read_end: Some(end_receiver),
            _dropped: drop_sender,
        };
        let control = ConnectionControl {
            kept,
            read_end: Some(end_sender),
            dropped: drop_receiver,
        };
        (connection, control)
    }

    /// Takes back what was read and is nobody's yet: a copy, for a part of a buffer keeps all of it.
    pub(super) fn rewind(&mut self, bytes: &[u8]) {
        self.rewound = Bytes::copy_from_slice(bytes);
    }

    /// Waits until there is something to read, or the end of it.
    pub(super) async fn readable(&self) -> io::Result<()> {
        let socket = match &self.socket {
            _ if !self.rewound.is_empty() => return Ok(()),
            Socket::Plain(socket) => socket,
            Socket::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                // What was decrypted already is not read from the socket any more.
                if !session.wants_read() {
                    return Ok(());
                }
                socket
            }
        };
        socket.readable().await
    }

    /// Whether nothing more is to be read; else the context's task is woken when that changes.
    fn poll_read_end(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(read_end) = &mut self.read_end
            && Pin::new(read_end).poll(context).is_ready()
        {
            self.read_end = None;
        }
        self.read_end.is_none()
    }

    /// Sends the front of the queue, as much as the socket takes.
    fn poll_send_file(&mut self, context: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        let Socket::Plain(socket) = &self.socket else {
            return Poll::Ready(Err(io::Error::other(
                "a piece of a file that would have to be encrypted",
            )));
        };
        loop {
            ready!(socket.poll_write_ready(context))?;
            let mut queue = self.queue.lock();
            let piece = queue
                .front_mut()
                .ok_or_else(|| io::Error::other("a placeholder without a piece of a file"))?;
            let mut offset = piece.offset;
            let wanted = length.min(piece.length);
            let sent = socket.try_io(Interest::WRITABLE, || {
                rustix::fs::sendfile(socket, &*piece.file, Some(&mut offset), wanted).map_err(io::Error::from)
            });
            match sent {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    piece.offset = offset;
                    piece.length = piece.length.saturating_sub(count);
                    if piece.length == 0 {
                        queue.pop_front();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn set_unsent(&mut self, unsent: bool) {
        if self.unsent != unsent {
            self.unsent = unsent;
            self.activity.set_unsent(unsent);
        }
    }

    /// Notes what a write or a flush came to, and ends a connection whose client takes too little.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = written {
            if let Ok(count) = result {
                self.sent = self.sent.saturating_add(count as u64);
            }
            return Poll::Ready(result);
        }
        let stall = self.stall;
        let timer = if let Some(timer) = &mut self.timer {
            timer
        } else {
            self.sent = 0;
            self.timer.insert(Box::pin(tokio::time::sleep(stall)))
        };
        while timer.as_mut().poll(context).is_ready() {
            if self.sent < STALL_BYTES {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.sent = 0;
            timer.as_mut().reset(Instant::now() + stall);
        }
        Poll::Pending
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_read_end(context) {
            return Poll::Ready(Ok(()));
        }
        if !self.rewound.is_empty() {
            let count = self.rewound.len().min(buffer.remaining());
            buffer.put_slice(&self.rewound.split_to(count));
            if self.rewound.is_empty() {
                self.rewound = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Tls(socket) => Pin::new(socket).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.set_unsent(true);
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or(0);
        let slices = slices.get(first..).unwrap_or_default();
        let written = match slices.first() {
            Some(slice) if is_placeholder(slice) => self.poll_send_file(context, slice.len()),
            _ => {
                let plain = slices.iter().take_while(|slice| !is_placeholder(slice)).count();
                let plain = slices.get(..plain).unwrap_or_default();
                match &mut self.socket {
                    Socket::Plain(socket) => Pin::new(socket).poll_write_vectored(context, plain),
                    Socket::Tls(socket) => Pin::new(socket).poll_write_vectored(context, plain),
                }
            }
        };
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// When everything queued was taken the client owes nothing. Encrypted bytes may be waiting still, and are watched too.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(context),
            Socket::Tls(socket) => Pin::new(socket).poll_flush(context),
        };
        if flushed.is_ready() {
            self.timer = None;
            self.set_unsent(false);
            return flushed;
        }
        self.watch(context, Poll::Pending).map(|result| result.map(drop))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.kept.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let ended = match &mut self.socket {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(context),
        };
        if ended.is_ready() {
            return ended;
        }
        self.watch(context, Poll::Pending).map(|result| result.map(drop))
    }
}

//! Connections for which there is no seat: each is told so, as an answer that every client understands, and then closed (threat model R14).
//!
//! What that costs is bounded: so many at one time are read to the end of what the client sent, which an answer needs that shall arrive, or
//! have keys agreed on with them; the others are written to without waiting, or, over TLS, closed. The log says how many it were, in one line
//! for many.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::oci_error::OciError;
use crate::panics::caught_future;

/// Connections that are seen off at one time.
const AT_ONCE: usize = 64;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of a client that are read and not looked at.
const READ_BYTES: usize = 16 << 10;
/// A line of the log stands for all of this time.
const QUIET: Duration = Duration::from_secs(10);

/// Sees connections off.
#[derive(Debug, Clone)]
pub(super) struct Farewells(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    room: Arc<Semaphore>,
    told: Mutex<Told>,
    answer: Vec<u8>,
}

/// What the log was told last, and how many came since.
#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    since: u64,
}

impl Farewells {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            room: Arc::new(Semaphore::new(AT_ONCE)),
            told: Mutex::default(),
            answer: OciError::NO_CONNECTION.as_bytes(),
        }))
    }

    /// Sees a connection off; waits for nothing.
    pub(super) fn say(&self, socket: TcpStream, remote: SocketAddr, tls: Option<&TlsAcceptor>, tracker: &TaskTracker) {
        self.log(remote);
        let Ok(room) = self.0.room.clone().try_acquire_owned() else {
            if tls.is_none() {
                // What does not go out at once does not go out.
                socket.try_write(&self.0.answer).ok();
            }
            return;
        };
        let (shared, tls) = (self.0.clone(), tls.cloned());
        let seen_off = async move {
            let answered = async {
                match tls {
                    Some(tls) => answer(&shared.answer, tls.accept(socket).await?).await,
                    None => answer(&shared.answer, socket).await,
                }
            };
            // A client that does not listen is closed all the same.
            tokio::time::timeout(PATIENCE, answered).await.ok();
            drop(room);
        };
        tracker.spawn(caught_future("farewell", seen_off));
    }

    fn log(&self, remote: SocketAddr) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.since = told.since.saturating_add(1);
        let now = Instant::now();
        if told.at.is_some_and(|at| now.duration_since(at) < QUIET) {
            return;
        }
        tracing::warn!(
            peer = %remote,
            connections = told.since,
            "connections are answered 503: all are taken that there are, or that an address may have; `[limits] connections` and \
             `connections_per_address` say how many"
        );
        *told = Told {
            at: Some(now),
            since: 0,
        };
    }
}

/// Writes the answer, and reads what comes until the client ends: bytes that nobody has read would take the answer back.
async fn answer(answer: &[u8], mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut read = 0;
    let mut buffer = [0; 1024];
    while read < READ_BYTES {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => read = read.saturating_add(count),
        }
    }
    Ok(())
}

//! Listening, accepting, bounding, ending (threat model R12).
//!
//! Sockets are bound before anything else, so that a process can give up the right to make new ones before its threads
//! start. A server ends in this order: no new connections, answers in progress run to their end, the rest is cut off.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::connection::{Connection, FileQueue};
use super::router::{Peer, router};
use super::settings::{Limits, Settings};
use crate::appliance::registry::{Registry, Watcher};
use crate::domain::{Class, Error, Result};

/// Longest head of a request (threat model 2.8).
const HEAD_BYTES: usize = 16 << 10;
/// Threads that wait for disks.
const BLOCKING_THREADS: usize = 16;
/// Threads that serve.
const WORKERS: usize = 8;
/// Pause after a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The server.
#[derive(Debug)]
pub struct Server;

/// A server that has its sockets and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    settings: Settings,
}

/// A server that answers. Dropping it cuts everything off; [`Running::shutdown`] lets answers end.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    runtime: Option<Runtime>,
    tracker: TaskTracker,
    stopping: CancellationToken,
    cut_off: CancellationToken,
    patience: Duration,
    watcher: Option<Watcher>,
}

impl Server {
    /// Binds every address of the settings.
    ///
    /// # Errors
    ///
    /// `E-USAGE` for settings that do not fit together, `E-IO` when an address cannot be bound.
    pub fn bind(settings: Settings) -> Result<Bound> {
        settings.check()?;
        let mut bound = Bound {
            listeners: Vec::new(),
            addresses: Vec::new(),
            settings,
        };
        for address in &bound.settings.listen {
            let failed = |e: std::io::Error| {
                Error::new(Class::Io, "bind", format!("cannot listen on {address}: {e}"))
                    .remedy("choose another address with --listen, or end the program that uses it")
                    .with_source(e)
            };
            let listener = TcpListener::bind(address).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            bound.addresses.push(listener.local_addr().map_err(failed)?);
            bound.listeners.push(listener);
        }
        Ok(bound)
    }

    /// Binds and starts in one step.
    ///
    /// # Errors
    ///
    /// Those of [`Server::bind`] and [`Bound::start`].
    pub fn start(settings: Settings, registry: &Arc<Registry>) -> Result<Running> {
        Self::bind(settings)?.start(registry)
    }
}

impl Bound {
    /// Returns the addresses that were bound; a port 0 of the settings is a real one here.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts answering, on threads of its own.
    ///
    /// # Errors
    ///
    /// `E-IO` when no thread can be started; those of the registry's watcher.
    pub fn start(self, registry: &Arc<Registry>) -> Result<Running> {
        let failed = |e: std::io::Error| {
            Error::new(Class::Io, "runtime", format!("cannot start the server: {e}")).with_source(e)
        };
        let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("http")
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stopping, cut_off, tracker) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let acceptor = Acceptor {
            router: router(registry.clone(), self.settings.read.clone()),
            seats: Seats::default(),
            limits: self.settings.limits.clone(),
            tracker: tracker.clone(),
            stopping: stopping.clone(),
            cut_off: cut_off.clone(),
        };
        for listener in self.listeners {
            let listener = {
                let _inside = runtime.enter();
                tokio::net::TcpListener::from_std(listener).map_err(failed)?
            };
            tracker.spawn_on(acceptor.clone().run(listener), runtime.handle());
        }
        tracker.close();
        Ok(Running {
            addresses: self.addresses,
            runtime: Some(runtime),
            tracker,
            stopping,
            cut_off,
            patience: self.settings.limits.shutdown,
            watcher: Some(Watcher::start(registry)?),
        })
    }
}

impl Running {
    /// Returns the addresses that answer.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers until SIGTERM or SIGINT arrives. `ready` is called once signals are caught, `stopping` when one came.
    ///
    /// # Errors
    ///
    /// `E-IO` when signals cannot be caught; those of `ready` and `stopping`.
    pub fn run_until_signal(
        self,
        ready: impl FnOnce() -> Result<()>,
        stopping: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let caught =
            |e: std::io::Error| Error::new(Class::Io, "signals", format!("cannot catch signals: {e}")).with_source(e);
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async {
                let mut terminate = signal(SignalKind::terminate()).map_err(caught)?;
                let mut interrupt = signal(SignalKind::interrupt()).map_err(caught)?;
                ready()?;
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stopping()
            })?;
        }
        self.shutdown();
        Ok(())
    }

    /// Ends the server: answers in progress may end within the time the settings give them.
    pub fn shutdown(mut self) {
        self.stopping.cancel();
        if let Some(runtime) = &self.runtime {
            let drained = runtime.block_on(async { tokio::time::timeout(self.patience, self.tracker.wait()).await });
            if drained.is_err() {
                tracing::warn!("some answers did not end in time and were cut off");
            }
        }
        self.end();
    }

    fn end(&mut self) {
        self.stopping.cancel();
        self.cut_off.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        self.watcher = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone)]
struct Acceptor {
    router: Router,
    seats: Seats,
    limits: Limits,
    tracker: TaskTracker,
    stopping: CancellationToken,
    cut_off: CancellationToken,
}

impl Acceptor {
    async fn run(self, listener: tokio::net::TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    // Beyond the bounds a connection is closed at once: that costs the client more than the server.
                    if let Some(seat) = self.seats.take(peer.ip(), &self.limits) {
                        self.tracker.spawn(self.clone().serve(socket, peer, seat));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve(self, socket: TcpStream, peer: SocketAddr, _seat: Seat) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let queue = FileQueue::default();
        let io = TokioIo::new(Connection::new(socket, queue.clone(), self.limits.stall));
        let started = Arc::new(AtomicBool::new(false));
        let start = started.clone();
        let service = self.router.map_request(move |request: hyper::Request<Incoming>| {
            start.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(queue.clone());
            request
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(io, TowerToHyperService::new(service))
        );
        let mut ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, %peer, "a connection ended early");
                    }
                    return;
                }
                () = self.cut_off.cancelled() => return,
                () = self.stopping.cancelled(), if !ending => {
                    // hyper waits for the first request of a connection; when the server ends there need not be one.
                    if !started.load(Ordering::Relaxed) {
                        return;
                    }
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Connections at present, in all and by address.
#[derive(Debug, Clone, Default)]
struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    fn take(&self, address: IpAddr, limits: &Limits) -> Option<Seat> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.total >= limits.connections || own >= limits.connections_per_address {
            return None;
        }
        taken.total = taken.total.saturating_add(1);
        taken.by_address.insert(address, own.saturating_add(1));
        Some(Seat {
            seats: self.clone(),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.total = taken.total.saturating_sub(1);
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_in_all_and_by_address() {
        let limits = Limits {
            connections: 3,
            connections_per_address: 2,
            ..Limits::default()
        };
        let seats = Seats::default();
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        let two: IpAddr = "10.0.0.2".parse().unwrap();
        let three: IpAddr = "10.0.0.3".parse().unwrap();
        let held = [seats.take(one, &limits).unwrap(), seats.take(one, &limits).unwrap()];
        assert!(seats.take("::ffff:10.0.0.1".parse().unwrap(), &limits).is_none());
        let other = seats.take(two, &limits).unwrap();
        assert!(seats.take(three, &limits).is_none());
        drop(other);
        assert!(seats.take(three, &limits).is_some());
        drop(held);
        assert_eq!(seats.lock().total, 0);
        assert!(seats.lock().by_address.is_empty());
    }
}

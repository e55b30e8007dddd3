//! Listening, accepting, bounding, ending (threat model R12).
//!
//! Sockets are bound before anything else, so that a process can give up the right to make new ones before its threads
//! start. A server ends in this order: no new connections, answers in progress run to their end, connections that handlers took over
//! read their end, the rest is cut off.

use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::connection::{Connection, ConnectionControl, FileQueue, Socket, set_up};
use super::connection_slots::{ConnectionSlot, ConnectionSlots};
use super::peer::{Local, Remote};
use super::services::Services;
use super::settings::{AgentsAddress, Limits, Settings};
use super::tls::Certificates;
use crate::appliance::live::Watcher;
use crate::domain::{Class, Error, Result};

/// Longest head of a request (threat model 2.8).
const HEAD_BYTES: usize = 16 << 10;
/// Threads that wait for disks, and for turns to check the hub's verifiers. Those take 48 at most, what the registry sends and what is
/// made of documents 30 ([`super::sending`]): the rest is for everything else that agents ask and report.
const BLOCKING_THREADS: usize = 96;
/// Threads that serve.
const WORKERS: usize = 8;
/// Pause after a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause between two looks at the certificate.
const CERTIFICATE_PAUSE: Duration = Duration::from_secs(1);

/// The server.
#[derive(Debug)]
pub struct Server;

/// A server that has its sockets and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    tls_listeners: Vec<TcpListener>,
    tls_addresses: Vec<SocketAddr>,
    settings: Settings,
}

/// A server that answers. Dropping it cuts everything off; [`Running::shutdown`] lets answers end.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    runtime: Option<Runtime>,
    tracker: TaskTracker,
    stopping: CancellationToken,
    cut_off: CancellationToken,
    drain_timeout: Duration,
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
        let (listeners, addresses) = bind_all(&settings.listen)?;
        let (tls_listeners, tls_addresses) = bind_all(&settings.tls.listen)?;
        Ok(Bound {
            listeners,
            addresses,
            tls_listeners,
            tls_addresses,
            settings,
        })
    }

    /// Binds and starts in one step.
    ///
    /// # Errors
    ///
    /// Those of [`Server::bind`] and [`Bound::start`].
    pub fn start(settings: Settings, services: impl Into<Services>) -> Result<Running> {
        Self::bind(settings)?.start(services)
    }
}

fn bind_all(addresses: &[SocketAddr]) -> Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let mut bound = (Vec::new(), Vec::new());
    for address in addresses {
        let failed = |e: std::io::Error| {
            Error::new(Class::Io, "bind", format!("cannot listen on {address}: {e}"))
                .remedy("choose another address, or end the program that uses it")
                .with_source(e)
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        bound.1.push(listener.local_addr().map_err(failed)?);
        bound.0.push(listener);
    }
    Ok(bound)
}

impl Bound {
    /// Returns the addresses that were bound without TLS; a port 0 of the settings is a real one here.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the addresses that were bound for HTTPS.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// Returns where agents find this appliance, as the settings say or as follows from the addresses.
    pub fn agents_address(&self) -> AgentsAddress {
        self.settings.agents_address(&self.addresses, &self.tls_addresses)
    }

    /// Starts answering, on threads of its own.
    ///
    /// # Errors
    ///
    /// `E-IO` when no thread can be started; `E-USAGE tls-certificate` and `tls-name`; those of the registry's watcher.
    pub fn start(self, services: impl Into<Services>) -> Result<Running> {
        let services = services.into();
        let failed = |e: std::io::Error| {
            Error::new(Class::Io, "runtime", format!("cannot start the server: {e}")).with_source(e)
        };
        let agents_address = self.agents_address();
        let certificates = self.certificates(&services, &agents_address)?;
        let tls = certificates.as_ref().map(Certificates::acceptor).transpose()?;
        let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("http")
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stopping, cut_off, tracker) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let watcher = services.watch()?;
        let acceptor = Acceptor {
            router: services.router(&self.settings, &agents_address, certificates.clone(), tracker.clone()),
            tls: None,
            slots: ConnectionSlots::default(),
            limits: self.settings.limits.clone(),
            tracker: tracker.clone(),
            stopping: stopping.clone(),
            cut_off: cut_off.clone(),
        };
        let plain = self.listeners.into_iter().map(|listener| (listener, None));
        let encrypted = self.tls_listeners.into_iter().map(|listener| (listener, tls.clone()));
        for (listener, tls) in plain.chain(encrypted) {
            let listener = {
                let _inside = runtime.enter();
                tokio::net::TcpListener::from_std(listener).map_err(failed)?
            };
            let acceptor = Acceptor {
                tls,
                ..acceptor.clone()
            };
            tracker.spawn_on(acceptor.run(listener), runtime.handle());
        }
        if let Some(certificates) = certificates {
            tracker.spawn_on(keep_certificates(certificates, stopping.clone()), runtime.handle());
        }
        tracker.close();
        Ok(Running {
            addresses: self.addresses,
            tls_addresses: self.tls_addresses,
            runtime: Some(runtime),
            tracker,
            stopping,
            cut_off,
            drain_timeout: self.settings.limits.shutdown,
            watcher: Some(watcher),
        })
    }

    /// Takes the certificate, when there is an address to show it on.
    fn certificates(&self, services: &Services, agents: &AgentsAddress) -> Result<Option<Arc<Certificates>>> {
        if self.tls_listeners.is_empty() {
            return Ok(None);
        }
        let authority = services.authority().ok_or_else(|| {
            Error::new(
                Class::Internal,
                "tls",
                "HTTPS was asked for, and the appliance's authority was not opened",
            )
        })?;
        let names = self.settings.certificate_names(&self.tls_addresses, agents);
        Certificates::open(authority, names, self.settings.tls.own.clone()).map(Some)
    }
}

/// Looks after the certificate until the server ends.
async fn keep_certificates(certificates: Arc<Certificates>, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(CERTIFICATE_PAUSE) => {}
        }
        let certificates = certificates.clone();
        if tokio::task::spawn_blocking(move || certificates.refresh())
            .await
            .is_err()
        {
            tracing::error!("looking after the certificate ended by a panic");
        }
    }
}

impl Running {
    /// Returns the addresses that answer.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the addresses that answer over HTTPS.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
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
            let drained =
                runtime.block_on(async { tokio::time::timeout(self.drain_timeout, self.tracker.wait()).await });
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
    /// For a listener of HTTPS.
    tls: Option<TlsAcceptor>,
    slots: ConnectionSlots,
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
                    if let Some(slot) = self.slots.take(peer.ip(), &self.limits) {
                        self.tracker.spawn(self.clone().serve(socket, peer, slot));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Agrees on keys where the listener wants that; a client has as long for it as for a request's head.
    async fn open(&self, socket: TcpStream, peer: SocketAddr) -> Option<Socket> {
        let Some(tls) = &self.tls else {
            return Some(Socket::Plain(socket));
        };
        let opened = tokio::select! {
            () = self.stopping.cancelled() => return None,
            opened = tokio::time::timeout(self.limits.head, tls.accept(socket)) => opened,
        };
        match opened {
            Ok(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                tracing::debug!(%error, %peer, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(%peer, "a TLS handshake took too long");
                None
            }
        }
    }

    /// Serves a connection to its end. Its slot is free again only then, also when a handler took the connection over.
    async fn serve(self, socket: TcpStream, peer: SocketAddr, slot: ConnectionSlot) {
        if let Err(error) = set_up(&socket) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let local = socket.local_addr().ok().map(Local);
        let Some(socket) = self.open(socket, peer).await else {
            return;
        };
        let queue = FileQueue::default();
        // Files go from disk to socket by themselves only where nothing has to be encrypted.
        let files = matches!(socket, Socket::Plain(_)).then(|| queue.clone());
        let (connection, control) = Connection::new(socket, queue, self.limits.stall);
        self.serve_http(connection, peer, local, files).await;
        self.wait_for_end(control).await;
        drop(slot);
    }

    /// Answers requests until the client or the server ends that, or a handler takes the connection over.
    async fn serve_http(
        &self,
        connection: Connection,
        peer: SocketAddr,
        local: Option<Local>,
        files: Option<FileQueue>,
    ) {
        let started = Arc::new(AtomicBool::new(false));
        let start = started.clone();
        let service = self
            .router
            .clone()
            .map_request(move |request: hyper::Request<Incoming>| {
                start.store(true, Ordering::Relaxed);
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Remote(peer));
                if let Some(local) = local {
                    request.extensions_mut().insert(local);
                }
                if let Some(files) = &files {
                    request.extensions_mut().insert(files.clone());
                }
                request
            });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(connection), TowerToHyperService::new(service))
                .with_upgrades()
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

    /// Waits until a connection is gone that HTTP is done with: at once, but where a handler took it over. Such a connection reads its
    /// end when the server stops, and is cut off with the rest.
    async fn wait_for_end(&self, mut control: ConnectionControl) {
        tokio::select! {
            () = control.dropped() => return,
            () = self.stopping.cancelled() => control.end_reading(),
        }
        tokio::select! {
            () = control.dropped() => {}
            () = self.cut_off.cancelled() => {}
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;

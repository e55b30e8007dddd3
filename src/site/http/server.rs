//! Listening, accepting, bounding, ending (threat model R12).
//!
//! Sockets are bound before anything else, so that a process can give up the right to make new ones before its threads
//! start. A server ends in this order: no new connections, answers in progress run to their end, connections that handlers took over
//! read their end, the rest is cut off.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::acceptor::{Acceptor, REST};
use super::descriptors;
use super::farewell::Farewells;
use super::hosts::Hosts;
use super::metrics;
use super::router::routes;
use super::seats::Seats;
use super::services::Services;
use super::settings::{AgentsAddress, Settings};
use super::tls::Certificates;
use crate::appliance::live::Watcher;
use crate::domain::{Class, Error, Result};

/// Threads that wait for disks, and for turns to check the hub's verifiers. Those take 48 at most, what the registry sends and what is
/// made of documents 30 ([`super::sending`]): the rest is for everything else that agents ask and report.
const BLOCKING_THREADS: usize = 96;
/// Threads that serve.
const WORKERS: usize = 8;
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
    metrics: Option<(TcpListener, SocketAddr)>,
    settings: Settings,
}

/// A server that answers. Dropping it cuts everything off; [`Running::shutdown`] lets answers end.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    runtime: Option<Runtime>,
    tracker: TaskTracker,
    stopping: CancellationToken,
    cut_off: CancellationToken,
    drain_timeout: Duration,
    watcher: Option<Watcher>,
}

/// Ends a server from another thread.
#[derive(Debug, Clone)]
pub struct Stopper(CancellationToken);

impl Stopper {
    /// Makes the server end as a signal does.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

impl Server {
    /// Binds every address of the settings. The process' limit of open files is raised as far as it goes, and connections are bounded
    /// by what it leaves.
    ///
    /// # Errors
    ///
    /// `E-USAGE` for settings that do not fit together and `E-USAGE descriptors` for too low a limit of open files, `E-IO` when an address cannot be bound.
    pub fn bind(mut settings: Settings) -> Result<Bound> {
        settings.check()?;
        descriptors::fit(&mut settings.limits)?;
        let (listeners, addresses) = bind_all(&settings.listen)?;
        let (tls_listeners, tls_addresses) = bind_all(&settings.tls.listen)?;
        let metrics: Vec<SocketAddr> = settings.metrics.into_iter().collect();
        let (metrics_listeners, metrics_addresses) = bind_all(&metrics)?;
        Ok(Bound {
            listeners,
            addresses,
            tls_listeners,
            tls_addresses,
            metrics: metrics_listeners.into_iter().zip(metrics_addresses).next(),
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
    /// `E-IO` when no thread can be started; `E-USAGE tls-certificate` and `tls-name`, and `E-STATE authority`, where nothing is served without TLS; those of the registry's watcher.
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
        let (watcher, authority) = (services.watch()?, services.authority());
        let hosts = Hosts::new(&self.settings, &agents_address);
        let app = services.app(&self.settings, certificates.clone(), tracker.clone());
        let (seats, counters) = (Seats::new(&self.settings.limits), app.counters.clone());
        let acceptor = Acceptor {
            router: routes(app.clone(), hosts.clone()),
            tls: None,
            seats: seats.clone(),
            counters: counters.clone(),
            farewells: Farewells::new(),
            rest: REST,
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
        let metrics_address = self.metrics.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = self.metrics {
            let listener = {
                let _inside = runtime.enter();
                tokio::net::TcpListener::from_std(listener).map_err(failed)?
            };
            let page = metrics::Page {
                app,
                counters,
                seats,
                authority,
                log: Mutex::default(),
            };
            let answering = metrics::Listener::new(page, hosts, tracker.clone(), stopping.clone());
            tracker.spawn_on(answering.run(listener), runtime.handle());
        }
        if let Some(certificates) = certificates {
            tracker.spawn_on(keep_certificates(certificates, stopping.clone()), runtime.handle());
        }
        tracker.close();
        Ok(Running {
            addresses: self.addresses,
            tls_addresses: self.tls_addresses,
            metrics_address,
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
        let is_needed = self.listeners.is_empty();
        Certificates::open(authority, names, self.settings.tls.own.clone(), is_needed).map(Some)
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
        // Panics end inside; else the work fails only when the runtime ends, and with it this.
        tokio::task::spawn_blocking(move || certificates.refresh()).await.ok();
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

    /// Returns the address of `/metrics`, where there is one.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Returns what ends [`Running::run_until_signal`] from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stopping.clone())
    }

    /// Answers until SIGTERM or SIGINT arrives, or a [`Stopper`] is told. `ready` is called once signals are caught, `stopping` when one came.
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
                    () = self.stopping.cancelled() => {}
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

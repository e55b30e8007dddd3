//! Accepting, and serving one connection from its first byte to its last (threat model R12, R14).
//!
//! A panic ends what met it and no more: the request, which is answered with 500; the connection, whose seat is free again; or one turn
//! of the accept loop, which goes on.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use std::{convert::Infallible, net::SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::connection::{Connection, ConnectionControl, FileQueue, Socket, set_up};
use super::farewell::Farewells;
use super::metrics::Counters;
use super::oci_error::OciError;
use super::peer::{Local, OverTls, Peer, Remote};
use super::seats::{Acquaintance, Seat, SeatActivity, Seats};
use super::sent_body::SentBody;
use super::settings::Limits;
use crate::panics::{self, caught_future};

/// Longest head of a request (threat model 2.8).
const HEAD_BYTES: usize = 16 << 10;
/// A connection that is idle for so long rests: what hyper holds for it is given back. Long enough that clients with one request after the
/// other do not notice.
pub(super) const REST: Duration = Duration::from_millis(250);
/// Pause after a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener accepts with.
#[derive(Clone)]
pub(super) struct Acceptor {
    pub(super) router: Router,
    /// For a listener of HTTPS.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) seats: Seats,
    pub(super) counters: Arc<Counters>,
    pub(super) farewells: Farewells,
    pub(super) limits: Limits,
    /// How long a connection is idle before it rests.
    pub(super) rest: Duration,
    pub(super) tracker: TaskTracker,
    pub(super) stopping: CancellationToken,
    pub(super) cut_off: CancellationToken,
}

/// What is known of a connection when its first request comes.
struct Arrival {
    remote: SocketAddr,
    local: Option<Local>,
    acquaintance: Acquaintance,
    activity: SeatActivity,
    /// Where bodies may queue pieces of files.
    files: Option<FileQueue>,
    counters: Arc<Counters>,
    /// Requests so far.
    requests: AtomicU64,
}

impl Acceptor {
    /// Accepts until the server stops.
    pub(super) async fn run(self, listener: tokio::net::TcpListener) {
        while caught_future("accept", self.accept(&listener)).await.is_err() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    async fn accept(&self, listener: &tokio::net::TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, remote)) => {
                    panics::point("accept");
                    match self.seats.take(Peer::of(remote)) {
                        Some(seat) => {
                            // In a box: what is handed on by value is kept twice by whoever takes it.
                            let served = Box::pin(self.clone().serve(socket, remote, seat));
                            self.tracker.spawn(caught_future("connection", served));
                        }
                        None => self.farewells.say(socket, remote, self.tls.as_ref(), &self.tracker),
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
    async fn open(&self, socket: TcpStream, remote: SocketAddr) -> Option<Socket> {
        let Some(tls) = &self.tls else {
            return Some(Socket::Plain(socket));
        };
        match tokio::time::timeout(self.limits.head, tls.accept(socket)).await {
            Ok(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                tracing::debug!(%error, peer = %remote, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(peer = %remote, "a TLS handshake took too long");
                None
            }
        }
    }

    /// Serves a connection to its end. Its seat is free again only then, also when a handler took the connection over.
    async fn serve(self, socket: TcpStream, remote: SocketAddr, seat: Seat) {
        panics::point("connection");
        if let Err(error) = set_up(&socket) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let local = socket.local_addr().ok().map(Local);
        let socket = tokio::select! {
            () = self.stopping.cancelled() => return,
            () = seat.give_way() => return,
            // What a handshake takes is given back behind it, as what a request takes is: a connection that rests is small.
            opened = Box::pin(self.open(socket, remote)) => opened,
        };
        let Some(socket) = socket else { return };
        let queue = FileQueue::default();
        // Files go from disk to socket by themselves only where nothing has to be encrypted.
        let files = matches!(socket, Socket::Plain(_)).then(|| queue.clone());
        let (connection, control) = Connection::new(socket, queue, self.limits.stall, seat.activity());
        let arrival = Arc::new(Arrival {
            remote,
            local,
            acquaintance: seat.acquaintance(),
            activity: seat.activity(),
            files,
            counters: self.counters.clone(),
            requests: AtomicU64::new(0),
        });
        let mut resting = Some(connection);
        while let Some(mut connection) = resting {
            if !self.wait_for_request(&connection, &seat).await {
                // Over TLS the end is told; nobody waits for a client that does not take it.
                poll_fn(|context| Poll::Ready(Pin::new(&mut connection).poll_shutdown(context).is_ready())).await;
                return;
            }
            resting = Box::pin(self.serve_http(connection, arrival.clone(), &control, &seat)).await;
        }
        // A handler that took the connection over may be silent for long, and is at work all the same.
        let _at_work = seat.activity().begin();
        self.wait_for_end(control).await;
        drop(seat);
    }

    /// Waits for the first byte of a request, for as long as a connection may be idle; whether it came.
    async fn wait_for_request(&self, connection: &Connection, seat: &Seat) -> bool {
        tokio::select! {
            biased;
            readable = connection.readable() => readable.is_ok(),
            () = self.stopping.cancelled() => false,
            () = seat.give_way() => false,
            () = tokio::time::sleep(self.limits.head) => false,
        }
    }

    /// Answers requests until the client or the server ends that, a handler takes the connection over, or it is to give way. Returns a
    /// connection that is idle, for the next request.
    async fn serve_http(
        &self,
        connection: Connection,
        arrival: Arc<Arrival>,
        control: &ConnectionControl,
        seat: &Seat,
    ) -> Option<Connection> {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let (router, arrival) = (self.router.clone(), arrival.clone());
            async move { Ok::<_, Infallible>(arrival.answer(router, request).await) }
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(connection), service)
            .with_upgrades();
        let before = arrival.requests.load(Ordering::Relaxed);
        let (mut ending, mut giving_way) = (false, false);
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, peer = %arrival.remote, "a connection ended early");
                    }
                    return None;
                }
                () = self.cut_off.cancelled() => return None,
                () = self.stopping.cancelled(), if !ending => {
                    // hyper waits for the first request of a connection; when the server ends there need not be one.
                    if arrival.requests.load(Ordering::Relaxed) == 0 {
                        return None;
                    }
                    ending = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = seat.give_way(), if !giving_way => {
                    // A request may have come since it was chosen.
                    if !arrival.activity.is_at_work() {
                        return None;
                    }
                    giving_way = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                // Not before there was a request: the time for its head runs.
                () = tokio::time::sleep(self.rest), if !(ending || giving_way) => {
                    if arrival.requests.load(Ordering::Relaxed) == before || !arrival.activity.has_rested(self.rest) {
                        continue;
                    }
                    // Ends hyper at once where that is idle, too. Else a body is still read that nobody wants; the connection ends behind it.
                    control.keep(true);
                    Pin::new(&mut connection).graceful_shutdown();
                    let ended = poll_fn(|context| Poll::Ready(Pin::new(&mut connection).poll(context))).await;
                    control.keep(false);
                    match ended {
                        Poll::Ready(Ok(())) => {
                            let parts = connection.into_parts()?;
                            let mut connection = parts.io.into_inner();
                            connection.rewind(&parts.read_buf);
                            return Some(connection);
                        }
                        Poll::Ready(Err(_)) => return None,
                        Poll::Pending => ending = true,
                    }
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

impl Arrival {
    /// Answers one request.
    async fn answer(&self, router: Router, request: hyper::Request<Incoming>) -> Response<Body> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let at_work = self.activity.begin();
        let response = if self.acquaintance.is_guest() && !request.headers().contains_key(header::AUTHORIZATION) {
            come_again()
        } else {
            self.route(router, request).await
        };
        let mut response = response;
        if response.status() == StatusCode::NOT_MODIFIED {
            // It would be the length of what the client has, and not that of this answer (RFC 9110, 8.6).
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        response.map(|body| Body::new(SentBody::new(body, self.counters.clone(), at_work)))
    }

    /// Asks the router. A guest that has shown nothing good by then is told nothing of what came of it.
    async fn route(&self, router: Router, request: hyper::Request<Incoming>) -> Response<Body> {
        let mut request = request.map(Body::new);
        let extensions = request.extensions_mut();
        extensions.insert(Remote(self.remote));
        extensions.insert(self.acquaintance.clone());
        if let Some(local) = self.local {
            extensions.insert(local);
        }
        match &self.files {
            Some(files) => drop(extensions.insert(files.clone())),
            // Only where something is encrypted.
            None => drop(extensions.insert(OverTls)),
        }
        let answered = caught_future("request", async {
            panics::point("request");
            router.oneshot(request).await
        });
        let response = match answered.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(error) => OciError::from(error).response(),
        };
        if self.acquaintance.is_guest() {
            return come_again();
        }
        response
    }
}

/// The answer for guests; the connection ends with it.
fn come_again() -> Response<Body> {
    let mut response = OciError::NO_SEAT.response();
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
#[path = "acceptor_tests.rs"]
mod tests;

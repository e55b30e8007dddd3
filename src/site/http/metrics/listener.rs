//! The address of the page. Few ask, and each gets one answer: a connection is closed behind it, and whoever is slow is cut off. Where all
//! connections are taken, the oldest that has not asked yet gives way: nobody keeps others out by saying nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::page::Page;
use crate::http::hosts::Hosts;
use crate::panics::caught_future;

/// Connections at one time.
const CONNECTIONS: usize = 8;
/// How long one may take, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest head of a request.
const HEAD_BYTES: usize = 8 << 10;
/// The form of the page.
const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What answers at the address.
#[derive(Clone)]
pub(in crate::http) struct Listener {
    page: Arc<Page>,
    hosts: Arc<Hosts>,
    /// The page is made once at a time.
    turn: Arc<Mutex<()>>,
    room: Arc<Semaphore>,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

/// A connection, for as long as it lasts.
#[derive(Default)]
struct Seat {
    asked: AtomicBool,
    end: CancellationToken,
}

impl Listener {
    /// Answers with a page, under the names of the appliance.
    pub(in crate::http) fn new(page: Page, hosts: Hosts, tracker: TaskTracker, stopping: CancellationToken) -> Self {
        Self {
            page: Arc::new(page),
            hosts: Arc::new(hosts),
            turn: Arc::new(Mutex::new(())),
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            tracker,
            stopping,
        }
    }

    /// Answers until the server stops.
    pub(in crate::http) async fn run(self, listener: TcpListener) {
        let mut seats: VecDeque<Arc<Seat>> = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, _)) => {
                    // Those that ended hold theirs no more.
                    seats.retain(|seat| Arc::strong_count(seat) > 1);
                    if self.room.available_permits() == 0 {
                        let silent = seats.iter().position(|seat| !seat.asked.load(Ordering::Relaxed));
                        if let Some(seat) = silent.and_then(|at| seats.remove(at)) {
                            seat.end.cancel();
                        }
                    }
                    let room = tokio::select! {
                        () = self.stopping.cancelled() => return,
                        room = self.room.clone().acquire_owned() => room,
                    };
                    let Ok(room) = room else { return };
                    let seat = Arc::new(Seat::default());
                    seats.push_back(seat.clone());
                    let served = self.clone().serve(socket, seat.clone());
                    self.tracker.spawn(async move {
                        let _room = room;
                        tokio::select! {
                            () = seat.end.cancelled() => {}
                            // What was caught was counted, and the page tells it.
                            _ = caught_future("metrics", tokio::time::timeout(PATIENCE, served)) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection for metrics could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve(self, socket: TcpStream, seat: Arc<Seat>) {
        let local = socket.local_addr().ok();
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let listener = self.clone();
            seat.asked.store(true, Ordering::Relaxed);
            let refused = listener.refuse(&request, local);
            async move {
                Ok::<_, Infallible>(match refused {
                    Some(refused) => refused,
                    None => listener.tell().await,
                })
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(HEAD_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(socket), service);
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection for metrics ended early");
        }
    }

    fn refuse(&self, request: &hyper::Request<Incoming>, local: Option<SocketAddr>) -> Option<Response<Body>> {
        // A page in a browser of this machine is no Prometheus, under whatever name it came here.
        let local = local.map(|address| address.ip());
        if self.hosts.check(request.uri(), request.headers(), local).is_err() {
            return Some(said(
                StatusCode::MISDIRECTED_REQUEST,
                "this is no name of the appliance\n",
            ));
        }
        if request.uri().path() != "/metrics" {
            return Some(said(StatusCode::NOT_FOUND, "numbers are at /metrics\n"));
        }
        (*request.method() != Method::GET).then(|| said(StatusCode::METHOD_NOT_ALLOWED, "GET alone\n"))
    }

    async fn tell(&self) -> Response<Body> {
        let _turn = self.turn.lock().await;
        let page = self.page.clone();
        match tokio::task::spawn_blocking(move || page.write()).await {
            Ok(text) => {
                let mut response = said(StatusCode::OK, text);
                let form = HeaderValue::from_static(TYPE);
                response.headers_mut().insert(header::CONTENT_TYPE, form);
                response
            }
            Err(error) => {
                tracing::error!(%error, "the page of metrics could not be made");
                said(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made\n")
            }
        }
    }
}

fn said(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

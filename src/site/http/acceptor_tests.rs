//! Connections that a handler takes over: they keep their slot, and the server's end is theirs.

use axum::extract::Request;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

/// Longer than anything here takes.
const TIMEOUT: Duration = Duration::from_secs(20);
const UPGRADE: &[u8] = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const PLAIN: &[u8] = b"GET /plain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A server with a slot for one connection, and a protocol to upgrade to.
struct Served {
    address: SocketAddr,
    tracker: TaskTracker,
    stopping: CancellationToken,
    cut_off: CancellationToken,
}

impl Served {
    async fn start() -> Self {
        // Far shorter than the tests hold an upgraded connection: it is a bound of HTTP.
        Self::with_head(Duration::from_millis(100)).await
    }

    async fn with_head(head: Duration) -> Self {
        let served = Self {
            address: ([127, 0, 0, 1], 0).into(),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            cut_off: CancellationToken::new(),
        };
        let limits = Limits {
            connections: 1,
            head,
            ..Limits::default()
        };
        let acceptor = Acceptor {
            router: Router::new()
                .route("/echo", get(echo))
                .route("/plain", get(async || "plain"))
                .route("/unread", post(unread)),
            tls: None,
            seats: Seats::new(&limits),
            counters: Arc::default(),
            farewells: Farewells::new(),
            limits,
            // Between any two requests.
            rest: Duration::from_millis(1),
            tracker: served.tracker.clone(),
            stopping: served.stopping.clone(),
            cut_off: served.cut_off.clone(),
        };
        let listener = tokio::net::TcpListener::bind(served.address).await.unwrap();
        let address = listener.local_addr().unwrap();
        served.tracker.spawn(acceptor.run(listener));
        served.tracker.close();
        Self { address, ..served }
    }

    /// Opens a connection and sends a request; returns it with what came back, up to the end of the head.
    async fn request(&self, request: &[u8]) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A connection without a slot may be closed before this arrives.
        stream.write_all(request).await.ok();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match timeout(TIMEOUT, stream.read_u8()).await.unwrap() {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        (stream, String::from_utf8(head).unwrap())
    }

    async fn upgraded(&self) -> TcpStream {
        let (stream, head) = self.request(UPGRADE).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream
    }

    /// Asks until there is a slot again.
    async fn plain_is_answered(&self) {
        let answered = async {
            while !self.request(PLAIN).await.1.starts_with("HTTP/1.1 200 ") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TIMEOUT, answered).await.unwrap();
    }
}

/// Takes the connection over and says back what it reads; at the end it says so.
async fn echo(mut request: Request) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    // Apart from the server's own tasks: what is waited for is the connection.
    TaskTracker::new().spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut buffer = [0; 64];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                // A protocol that hears nothing of its end.
                count if &buffer[..count] == b"hold" => {
                    stream.write_all(b"hold").await.unwrap();
                    std::future::pending::<()>().await;
                }
                count => stream.write_all(&buffer[..count]).await.unwrap(),
            }
        }
        stream.write_all(b"end").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("echo"));
    response
}

/// Answers at once, and lets somebody else read what is still coming.
async fn unread(request: Request) -> &'static str {
    TaskTracker::new().spawn(async move {
        axum::body::to_bytes(request.into_body(), usize::MAX).await.ok();
    });
    "unread"
}

/// Time in which a connection begins to rest.
async fn rest_a_while() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Reads an answer whose body is known.
async fn answer(stream: &mut TcpStream, body: &str) {
    let mut text = Vec::new();
    while !text.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        text.push(timeout(TIMEOUT, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(text.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&text));
}

async fn exchange(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut back = vec![0; text.len()];
    timeout(TIMEOUT, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, text.as_bytes());
}

async fn rest(mut stream: TcpStream) -> String {
    let mut rest = String::new();
    timeout(TIMEOUT, stream.read_to_string(&mut rest))
        .await
        .unwrap()
        .unwrap();
    rest
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_slot_until_it_ends() {
    let served = Served::start().await;
    let mut stream = served.upgraded().await;
    exchange(&mut stream, "one").await;
    let told = served.request(PLAIN).await.1;
    assert!(told.starts_with("HTTP/1.1 503 "), "there is no second slot: {told}");
    // HTTP's bounds in time are no longer its own.
    tokio::time::sleep(Duration::from_millis(300)).await;
    exchange(&mut stream, "two").await;
    stream.shutdown().await.unwrap();
    assert_eq!(rest(stream).await, "end");
    served.plain_is_answered().await;
}

#[tokio::test]
async fn an_upgraded_connection_reads_its_end_when_the_server_stops() {
    let served = Served::start().await;
    let mut stream = served.upgraded().await;
    exchange(&mut stream, "one").await;
    served.stopping.cancel();
    assert_eq!(rest(stream).await, "end");
    timeout(TIMEOUT, served.tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn an_upgraded_connection_that_does_not_end_is_waited_for_and_then_cut_off() {
    let served = Served::start().await;
    let mut stream = served.upgraded().await;
    exchange(&mut stream, "hold").await;
    served.stopping.cancel();
    let early = timeout(Duration::from_millis(300), served.tracker.wait()).await;
    assert!(early.is_err(), "the connection is still held");
    served.cut_off.cancel();
    timeout(TIMEOUT, served.tracker.wait()).await.unwrap();
}

const KEPT: &[u8] = b"GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_that_rested_is_answered_and_nothing_it_sent_is_lost() {
    let served = Served::with_head(TIMEOUT).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // It rests before its first request, too.
    rest_a_while().await;
    let (first, second) = KEPT.split_at(9);
    for _ in 0..3 {
        // The beginning of the next request comes with the one before, and its end after a rest.
        stream.write_all(&[KEPT, first].concat()).await.unwrap();
        answer(&mut stream, "plain").await;
        rest_a_while().await;
        stream.write_all(second).await.unwrap();
        answer(&mut stream, "plain").await;
        rest_a_while().await;
    }
    stream.write_all(&[KEPT, KEPT, PLAIN].concat()).await.unwrap();
    let all = rest(stream).await;
    assert_eq!(all.matches("HTTP/1.1 200 ").count(), 3, "{all}");
}

#[tokio::test]
async fn what_is_left_of_a_body_is_never_taken_for_a_request() {
    let served = Served::with_head(TIMEOUT).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        KEPT.len() + 5
    );
    stream.write_all(&[head.as_bytes(), b"begin"].concat()).await.unwrap();
    answer(&mut stream, "unread").await;
    rest_a_while().await;
    stream.write_all(KEPT).await.unwrap();
    rest_a_while().await;
    stream.shutdown().await.unwrap();
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_its_time_and_no_more() {
    let served = Served::start().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&[KEPT, b"GET /plain"].concat()).await.unwrap();
    answer(&mut stream, "plain").await;
    // The server ends it: nothing is sent meanwhile, and the client does not end.
    assert_eq!(rest(stream).await, "");
    served.plain_is_answered().await;
}

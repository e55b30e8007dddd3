//! A client that asks hundreds of questions over one connection.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::agents::request;
use crate::support::client::{Reply, connect, read_reply};

/// A connection that is kept open, and opened again when the server closes it.
pub(super) struct Wire {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Wire {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    pub(super) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, b"")
    }

    /// Sends a request and reads the answer.
    pub(super) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let bytes = request(method, path, headers, body);
        let close = b"Connection: close\r\n";
        let at = bytes.windows(close.len()).position(|window| window == close).unwrap();
        let bytes = [&bytes[..at], &bytes[at + close.len()..]].concat();
        // A connection that was kept may have been closed meanwhile; a new one has no such excuse.
        let kept = self.stream.take();
        let reply = kept.and_then(|stream| self.ask(stream, &bytes, method == "HEAD").ok());
        reply.unwrap_or_else(|| {
            let stream = BufReader::new(connect(self.address));
            self.ask(stream, &bytes, method == "HEAD").unwrap()
        })
    }

    fn ask(&mut self, mut stream: BufReader<TcpStream>, bytes: &[u8], head_only: bool) -> std::io::Result<Reply> {
        stream.get_mut().write_all(bytes)?;
        let reply = read_reply(&mut stream, head_only)?;
        if reply.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(reply)
    }
}

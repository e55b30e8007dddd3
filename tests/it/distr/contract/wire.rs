//! Connections of a double: kept open and used again as the agents' HTTP library does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::client::{Reply, connect, read_head};

/// A connection that carries one request after another.
pub(super) struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// How often it had to be opened.
    pub(super) opened: u32,
}

impl Connection {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            opened: 0,
        }
    }

    /// Sends a request and reads the whole answer. On a connection that the server has closed meanwhile, a new one is opened,
    /// once, as the agents' library does.
    pub(super) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        // Go sends a length with every POST and PUT, and with what else has a body.
        if body.is_some() || matches!(method, "POST" | "PUT") {
            head += &format!("Content-Length: {}\r\n", body.map_or(0, <[u8]>::len));
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend(body.unwrap_or_default());
        if self.stream.is_some()
            && let Ok(reply) = self.exchange(method, &bytes)
        {
            return reply;
        }
        self.opened += 1;
        self.stream = Some(BufReader::new(connect(self.address)));
        self.exchange(method, &bytes)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    fn exchange(&mut self, method: &str, bytes: &[u8]) -> std::io::Result<Reply> {
        let closed = || std::io::Error::other("no connection");
        let stream = self.stream.as_mut().ok_or_else(closed)?;
        let sent = stream.get_mut().write_all(bytes);
        let reply = sent.and_then(|()| read_answer(stream, method == "HEAD"));
        let keep = reply.as_ref().is_ok_and(|reply| {
            reply
                .header("connection")
                .is_none_or(|word| !word.eq_ignore_ascii_case("close"))
        });
        if !keep {
            self.stream = None;
        }
        reply
    }
}

/// Reads an answer with a length or in chunks.
fn read_answer(stream: &mut BufReader<TcpStream>, head_only: bool) -> std::io::Result<Reply> {
    let mut reply = read_head(stream)?;
    if head_only || matches!(reply.status, 204 | 304) {
        return Ok(reply);
    }
    if reply.header("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            chunk.truncate(size);
            if size == 0 {
                return Ok(reply);
            }
            reply.body.append(&mut chunk);
        }
    }
    let length = reply.header("content-length").map_or(Ok(0), str::parse);
    reply.body = vec![0; length.map_err(std::io::Error::other)?];
    stream.read_exact(&mut reply.body)?;
    Ok(reply)
}

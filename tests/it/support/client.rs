//! A client that sends exactly the bytes it is told to, and keeps exactly what comes back.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, in the order they came in.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(std::str::from_utf8(&self.body).unwrap()).unwrap()
    }

    /// The code of the first error of an OCI error body.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    /// Everything but the time of the answer.
    pub(crate) fn stable_headers(&self) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| name != "date");
        headers.sort();
        headers
    }
}

/// Connects, with a time after which a test fails rather than hangs.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Reply {
    request(address, "GET", path, &[])
}

pub(crate) fn head(address: SocketAddr, path: &str) -> Reply {
    request(address, "HEAD", path, &[])
}

pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    raw(address, text.as_bytes(), method == "HEAD").unwrap()
}

/// Sends bytes and reads one answer; an error when the server closes before the answer is complete.
pub(crate) fn raw(address: SocketAddr, bytes: &[u8], head_only: bool) -> std::io::Result<Reply> {
    let mut stream = connect(address);
    // A server may refuse before it has read everything.
    stream.write_all(bytes).ok();
    read_reply(&mut BufReader::new(stream), head_only)
}

pub(crate) fn read_reply(stream: &mut BufReader<impl Read>, head_only: bool) -> std::io::Result<Reply> {
    let mut reply = read_head(stream)?;
    let length = reply.header("content-length").map_or(0, |text| text.parse().unwrap());
    if head_only || reply.status == 304 {
        return Ok(reply);
    }
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = read_chunks(stream)?;
    } else {
        reply.body = vec![0; length];
        stream.read_exact(&mut reply.body)?;
    }
    Ok(reply)
}

/// Reads a body in chunks (RFC 9112, 7.1), which has no trailers here.
fn read_chunks(stream: &mut BufReader<impl Read>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        let begin = body.len();
        body.resize(begin + length + 2, 0);
        stream.read_exact(&mut body[begin..])?;
        body.truncate(begin + length);
        if length == 0 {
            return Ok(body);
        }
    }
}

pub(crate) fn read_head(stream: &mut BufReader<impl Read>) -> std::io::Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no answer: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(Reply {
        status,
        headers,
        body: Vec::new(),
    })
}

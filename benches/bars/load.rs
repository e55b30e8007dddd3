//! Clients: one plain request, one large download, and `wrk` for many.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use super::servers::Running;
use super::tls::Client;

const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// Picks a random line of a file of paths for every request, and prints what came of it in one line.
const SCRIPT: &str = r#"
local requests = {}
local number = 0
function setup(thread)
  number = number + 1
  thread:set("seed", number)
end
function init(args)
  math.randomseed(seed)
  wrk.headers["Accept"] = args[2]
  for path in io.lines(args[1]) do requests[#requests + 1] = wrk.format("GET", path) end
end
function request() return requests[math.random(#requests)] end
function done(summary)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"#;

/// Asks once, on a connection of its own; returns the bytes of the body.
pub(crate) fn get(address: SocketAddr, path: &str, tls: Option<&Client>) -> io::Result<u64> {
    match tls {
        None => ask(TcpStream::connect(address)?, address, path),
        Some(client) => ask(client.connect(address)?, address, path),
    }
}

fn ask(mut stream: impl Read + Write, address: SocketAddr, path: &str) -> io::Result<u64> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {ACCEPT}\r\nConnection: close\r\n\r\n"
    )?;
    let mut block = vec![0; 256 << 10];
    let mut head = Vec::new();
    // The head of an answer fits one block; the body may follow in it.
    let end = loop {
        let count = stream.read(&mut block)?;
        head.extend_from_slice(&block[..count]);
        if let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut bytes = (head.len() - end) as u64;
    let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(io::Error::other("not answered"));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: u64 = length.expect("an answer of known length").trim().parse().unwrap();
    // Not until the end of the stream: it need not be told in the same way by both servers.
    while bytes < length {
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes += count as u64,
        }
    }
    Ok(bytes)
}

/// Whether `wrk` is here.
pub(crate) fn is_there() -> bool {
    Command::new("wrk").arg("--version").output().is_ok()
}

/// Requests per second and per CPU second of the server, over some seconds.
pub(crate) fn many(server: &Running, paths: &[String], seconds: u64, work: &Path) -> (f64, f64) {
    let (script, list) = (work.join("wrk.lua"), work.join("paths"));
    fs::write(&script, SCRIPT).unwrap();
    fs::write(&list, paths.join("\n")).unwrap();
    let before = server.cpu();
    let output = Command::new("wrk")
        .args(["-t2", "-c32", "--timeout=20s", &format!("-d{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://{}", server.address))
        .arg("--")
        .arg(&list)
        .arg(ACCEPT)
        .output()
        .unwrap();
    let cpu = server.cpu() - before;
    let text = String::from_utf8(output.stdout).unwrap();
    let result = text
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "))
        .unwrap_or_else(|| {
            panic!("wrk said nothing: {text}{}", String::from_utf8_lossy(&output.stderr));
        });
    let numbers: Vec<f64> = result.split(' ').map(|word| word.parse().unwrap()).collect();
    assert!(
        numbers[2] < 1.0,
        "{} of {} requests failed at {}",
        numbers[2],
        numbers[0],
        server.address
    );
    (numbers[0] / (numbers[1] / 1e6), numbers[0] / cpu)
}

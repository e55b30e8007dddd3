//! A registry client of a few lines: HTTP/1.1 over loopback, one connection per request, every body hashed.
//!
//! It asks exactly what a pull asks and keeps every byte, so that "the same digests" is a comparison of bytes and not of what a
//! client says about them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Outcome, ensure, failure};

/// All manifest types that registries know.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// How long a server may take to notice that another release is live.
const NOTICED: Duration = Duration::from_secs(30);

/// A registry on this machine, spoken to in plain HTTP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// Its port at 127.0.0.1.
    pub(crate) port: u16,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Header fields by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What one tag leads to: role and digest of everything in the graph, each computed from the bytes that came.
pub(crate) type Graph = BTreeMap<String, &'static str>;

impl Client {
    /// Sends a request and reads the whole answer.
    pub(crate) fn send(self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Outcome<Answer> {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.port,
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        parse(&answer, method).map_err(|e| format!("{method} {path}: {e}").into())
    }

    /// Gets something and expects 200.
    pub(crate) fn get(self, path: &str) -> Outcome<Answer> {
        let answer = self.send("GET", path, &[("Accept", ACCEPT)], &[])?;
        ensure(answer.status == 200, || {
            format!(
                "GET {path}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
        })?;
        Ok(answer)
    }

    /// Asks for a tag until it names a digest: a running server notices a new release in its own time, but soon.
    pub(crate) fn shows(self, repository: &str, tag: &str, wanted: &str) -> Outcome {
        let deadline = Instant::now() + NOTICED;
        loop {
            let found = digest(&self.get(&format!("/v2/{repository}/manifests/{tag}"))?.body);
            if found == wanted {
                return Ok(());
            }
            ensure(Instant::now() < deadline, || {
                format!(
                    "after {} s {repository}:{tag} is still {found}, not {wanted}",
                    NOTICED.as_secs()
                )
            })?;
        }
    }

    /// Pulls an image by tag or digest: its manifest, then by digest everything that it leads to. Children of an index
    /// that the registry does not have are listed as `absent`.
    pub(crate) fn pull(self, repository: &str, reference: &str) -> Outcome<Graph> {
        self.pull_for(repository, reference, None)
    }

    /// Pulls an image as if the registry held one architecture only.
    pub(crate) fn pull_for(self, repository: &str, reference: &str, only: Option<&str>) -> Outcome<Graph> {
        let mut graph = Graph::new();
        let answer = self.get(&format!("/v2/{repository}/manifests/{reference}"))?;
        let digest = digest(&answer.body);
        let named = answer.headers.get("docker-content-digest");
        ensure(named == Some(&digest), || {
            format!("{repository}:{reference} is {digest}, and the registry says {named:?}")
        })?;
        self.follow(repository, &answer.body, digest, only, &mut graph)?;
        Ok(graph)
    }

    fn follow(self, repository: &str, bytes: &[u8], name: String, only: Option<&str>, graph: &mut Graph) -> Outcome {
        let document: Value = serde_json::from_slice(bytes)?;
        if let Some(children) = document["manifests"].as_array() {
            graph.insert(name, "index");
            for child in children {
                let wanted = child["digest"].as_str().ok_or("a child without digest")?;
                let architecture = child["platform"]["architecture"].as_str();
                if only.is_some() && architecture.is_some() && architecture != only {
                    graph.insert(wanted.to_owned(), "absent");
                    continue;
                }
                let path = format!("/v2/{repository}/manifests/{wanted}");
                let answer = self.send("GET", &path, &[("Accept", ACCEPT)], &[])?;
                if answer.status == 404 {
                    graph.insert(wanted.to_owned(), "absent");
                    continue;
                }
                ensure(answer.status == 200 && digest(&answer.body) == wanted, || {
                    format!("{path}: {}, {}", answer.status, digest(&answer.body))
                })?;
                self.follow(repository, &answer.body, wanted.to_owned(), only, graph)?;
            }
            return Ok(());
        }
        graph.insert(name, "manifest");
        let layers = document["layers"].as_array().map_or(&[][..], Vec::as_slice);
        let blobs = [(&document["config"], "config")]
            .into_iter()
            .chain(layers.iter().map(|layer| (layer, "layer")));
        for (blob, role) in blobs {
            let wanted = blob["digest"].as_str().ok_or("a descriptor without digest")?;
            let path = format!("/v2/{repository}/blobs/{wanted}");
            let body = self.get(&path)?.body;
            ensure(digest(&body) == wanted, || format!("{path} is {}", digest(&body)))?;
            graph.insert(wanted.to_owned(), role);
        }
        Ok(())
    }

    /// Pushes a blob.
    pub(crate) fn push_blob(self, repository: &str, bytes: &[u8]) -> Outcome {
        let answer = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], &[])?;
        ensure(answer.status == 202, || {
            format!("upload to {repository}: {}", answer.status)
        })?;
        let location = answer.headers.get("location").ok_or("an upload without location")?;
        let place = location
            .find("/v2/")
            .and_then(|start| location.get(start..))
            .ok_or("a location elsewhere")?;
        let join = if place.contains('?') { '&' } else { '?' };
        let answer = self.send("PUT", &format!("{place}{join}digest={}", digest(bytes)), &[], bytes)?;
        ensure(answer.status == 201, || {
            format!("upload to {repository}: {}", answer.status)
        })
    }

    /// Pushes a manifest under a tag or its digest.
    pub(crate) fn push_manifest(self, repository: &str, reference: &str, kind: &str, bytes: &[u8]) -> Outcome {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.send("PUT", &path, &[("Content-Type", kind)], bytes)?;
        ensure(answer.status == 201, || {
            format!(
                "PUT {path}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
        })
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// The digest of bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        text += &format!("{byte:02x}");
    }
    text
}

fn parse(answer: &[u8], method: &str) -> Outcome<Answer> {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("no head in the answer")?;
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or("no status in the answer")?;
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = body.get(4..).unwrap_or_default();
    let body = if headers.get("transfer-encoding").is_some_and(|how| how == "chunked") {
        unchunk(body)?
    } else {
        body.to_vec()
    };
    if let Some(length) = headers.get("content-length")
        && method != "HEAD"
        && length.parse() != Ok(body.len())
    {
        return failure(format!("{length} bytes were said and {} came", body.len()));
    }
    Ok(Answer { status, headers, body })
}

fn unchunk(mut rest: &[u8]) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|w| w == b"\r\n")
            .ok_or("a chunk without end")?;
        let (size, after) = rest.split_at(end);
        let size = usize::from_str_radix(std::str::from_utf8(size)?.trim(), 16)?;
        if size == 0 {
            return Ok(body);
        }
        let after = after.get(2..).unwrap_or_default();
        body.extend(after.get(..size).ok_or("a cut chunk")?);
        rest = after.get(size + 2..).ok_or("a cut chunk")?;
    }
}

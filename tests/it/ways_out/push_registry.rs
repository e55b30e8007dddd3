//! A small registry that takes pushes: HTTP/1.1 over loopback, one thread per connection, everything in memory, with faults on order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::support::site::digest;

/// How the registry behaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Behaviour {
    /// `Authorization` that it wants.
    pub(super) wants: Option<String>,
    /// Where its token service is, which gives the token `T`.
    pub(super) realm: Option<String>,
    /// It lists by itself what refers to a manifest.
    pub(super) keeps_referrers: bool,
    /// It takes no index of which a child is missing.
    pub(super) wants_children: bool,
    /// Where uploads go on, in place of here.
    pub(super) uploads_at: Option<String>,
    /// What of it is not so.
    pub(super) lie: Option<Lie>,
    /// Status of the next requests whose line holds the text: so many times.
    pub(super) faults: Vec<(&'static str, u16, u32)>,
}

/// How a registry contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Under a digest or tag it gives another manifest than it took.
    Manifest,
    /// It takes manifests, and keeps none.
    NoManifest,
    /// It takes blobs, and keeps none.
    NoBlob,
    /// It says to have a blob, of another size.
    BlobSize,
    /// It says that less of an upload has come.
    Range,
}

#[derive(Debug, Default)]
struct Shared {
    behaviour: Behaviour,
    blobs: BTreeMap<String, Vec<u8>>,
    /// Blobs by repository.
    linked: BTreeSet<(String, String)>,
    /// Manifests by repository and tag or digest.
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    uploads: BTreeMap<u64, Vec<u8>>,
    log: Vec<String>,
}

pub(super) struct PushRegistry {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl PushRegistry {
    pub(super) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            behaviour,
            ..Shared::default()
        }));
        let for_thread = shared.clone();
        // The thread lives as long as the test process: it waits for connections that no longer come.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = for_thread.clone();
                thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { address, shared }
    }

    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.lock().unwrap().behaviour);
    }

    /// Requests so far that hold a text, and forgets them.
    pub(super) fn asked(&self, text: &str) -> usize {
        let log = std::mem::take(&mut self.shared.lock().unwrap().log);
        log.iter().filter(|line| line.contains(text)).count()
    }

    pub(super) fn requests(&self) -> usize {
        self.shared.lock().unwrap().log.len()
    }

    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<Vec<u8>> {
        let key = (repository.to_owned(), reference.to_owned());
        Some(self.shared.lock().unwrap().manifests.get(&key)?.1.clone())
    }

    pub(super) fn has_blob(&self, repository: &str, digest: &str) -> bool {
        let key = (repository.to_owned(), digest.to_owned());
        self.shared.lock().unwrap().linked.contains(&key)
    }
}

fn serve(shared: &Mutex<Shared>, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        // The first byte of a TLS handshake.
        if reader.fill_buf().is_ok_and(|bytes| bytes.first() == Some(&0x16)) {
            writer.write_all(b"HTTP/1.1 400 X\r\n\r\n").ok();
            return;
        }
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let (mut length, mut authorization, mut kind) = (0, None, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => authorization = Some(value.to_owned()),
                "content-type" => value.clone_into(&mut kind),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let mut shared = shared.lock().unwrap();
        shared.log.push(format!("{} {}", words[0], words[1]));
        let (status, headers, answer) = shared.answer(words[0], words[1], authorization.as_deref(), &kind, body);
        drop(shared);
        let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", answer.len());
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let answer = if words[0] == "HEAD" { Vec::new() } else { answer };
        if writer.write_all(&[text.as_bytes(), &answer].concat()).is_err() {
            return;
        }
    }
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn error(status: u16, code: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": "no"}]}).to_string();
    (status, Vec::new(), body.into_bytes())
}

impl Shared {
    fn answer(&mut self, method: &str, target: &str, authorization: Option<&str>, kind: &str, body: Vec<u8>) -> Answer {
        let line = format!("{method} {target}");
        for (text, status, times) in &mut self.behaviour.faults {
            if *times > 0 && line.contains(*text) {
                *times -= 1;
                return (*status, vec![("retry-after", "0".to_owned())], Vec::new());
            }
        }
        if target.starts_with("/token?") {
            return (200, Vec::new(), br#"{"token":"T"}"#.to_vec());
        }
        if let Some(wanted) = &self.behaviour.wants
            && authorization != Some(wanted)
        {
            let mut answer = error(401, "UNAUTHORIZED");
            let challenge = match &self.behaviour.realm {
                Some(host) => format!("Bearer realm=\"http://{host}/token\",service=\"x\""),
                None => "Basic realm=\"x\"".to_owned(),
            };
            answer.1.push(("www-authenticate", challenge));
            return answer;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key, value.replace("%3A", ":").replace("%2F", "/")))
            .collect();
        let path = path.strip_prefix("/v2/").unwrap();
        if let Some((repository, upload)) = path.split_once("/blobs/uploads/") {
            return self.upload(method, repository, upload, &query, body);
        }
        if let Some((repository, digest)) = path.split_once("/blobs/") {
            if self.behaviour.lie == Some(Lie::BlobSize) {
                return (200, Vec::new(), b"?".to_vec());
            }
            return if self.linked.contains(&(repository.to_owned(), digest.to_owned())) {
                (200, Vec::new(), self.blobs[digest].clone())
            } else {
                error(404, "BLOB_UNKNOWN")
            };
        }
        if path.contains("/referrers/") {
            return if self.behaviour.keeps_referrers {
                (200, Vec::new(), br#"{"schemaVersion":2,"manifests":[]}"#.to_vec())
            } else {
                error(404, "NOT_FOUND")
            };
        }
        let (repository, reference) = path.split_once("/manifests/").unwrap();
        self.manifest(method, repository, reference, kind, &body)
    }

    fn upload(
        &mut self,
        method: &str,
        repository: &str,
        upload: &str,
        query: &BTreeMap<&str, String>,
        body: Vec<u8>,
    ) -> Answer {
        if let (Some(mount), Some(from)) = (query.get("mount"), query.get("from"))
            && self.linked.contains(&(from.clone(), mount.clone()))
        {
            self.linked.insert((repository.to_owned(), mount.clone()));
            return (201, Vec::new(), Vec::new());
        }
        let next = self.uploads.last_key_value().map_or(0, |(last, _)| last + 1);
        let number = upload.parse().unwrap_or(next);
        let held = self.uploads.entry(number).or_default();
        held.extend(body);
        if method != "PUT" {
            let place = match &self.behaviour.uploads_at {
                Some(host) => format!("http://{host}/v2/{repository}/blobs/uploads/{number}"),
                None => format!("/v2/{repository}/blobs/uploads/{number}"),
            };
            let mut headers = vec![("location", place)];
            if method == "PATCH" && self.behaviour.lie == Some(Lie::Range) {
                headers.push(("range", "0-5".to_owned()));
            }
            return (202, headers, Vec::new());
        }
        let (bytes, named) = (self.uploads.remove(&number).unwrap(), query["digest"].clone());
        if digest(&bytes).to_string() != named {
            return error(400, "DIGEST_INVALID");
        }
        if self.behaviour.lie == Some(Lie::NoBlob) {
            return (201, Vec::new(), Vec::new());
        }
        self.blobs.insert(named.clone(), bytes);
        self.linked.insert((repository.to_owned(), named));
        (201, Vec::new(), Vec::new())
    }

    fn manifest(&mut self, method: &str, repository: &str, reference: &str, kind: &str, body: &[u8]) -> Answer {
        let key = |reference: &str| (repository.to_owned(), reference.to_owned());
        if method != "PUT" && self.behaviour.lie == Some(Lie::Manifest) {
            let headers = vec![("docker-content-digest", reference.to_owned())];
            return (200, headers, br#"{"schemaVersion":2}"#.to_vec());
        }
        if method != "PUT" {
            return match self.manifests.get(&key(reference)) {
                Some((kind, bytes)) => {
                    let headers = vec![
                        ("content-type", kind.clone()),
                        ("docker-content-digest", digest(bytes).to_string()),
                    ];
                    (200, headers, bytes.clone())
                }
                None => error(404, "MANIFEST_UNKNOWN"),
            };
        }
        let document: Value = serde_json::from_str(std::str::from_utf8(body).unwrap()).unwrap();
        let named = |member: &str| -> Vec<String> {
            let list = document[member].as_array().cloned().unwrap_or_default();
            list.iter()
                .map(|entry| entry["digest"].as_str().unwrap().to_owned())
                .collect()
        };
        let blobs = named("layers");
        let lacks_blob = blobs.iter().any(|blob| !self.linked.contains(&key(blob)));
        let lacks_child = named("manifests")
            .iter()
            .any(|child| !self.manifests.contains_key(&key(child)));
        if lacks_blob || (lacks_child && self.behaviour.wants_children) {
            return error(400, "MANIFEST_BLOB_UNKNOWN");
        }
        let own = digest(body).to_string();
        if self.behaviour.lie == Some(Lie::NoManifest) {
            return (201, vec![("docker-content-digest", own)], Vec::new());
        }
        for reference in [&own, reference] {
            self.manifests.insert(key(reference), (kind.to_owned(), body.to_vec()));
        }
        (201, vec![("docker-content-digest", own)], Vec::new())
    }
}

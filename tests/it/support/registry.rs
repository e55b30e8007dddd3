//! A small registry for tests: HTTP/1.1 over loopback, one thread per connection, with faults on order.
#![allow(clippy::disallowed_methods, reason = "tests parse what they wrote")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::image_set::{INDEX, ImageSet, digest};

/// Who may come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    Open,
    /// `user` with `secret`.
    Basic,
    /// A token from the token endpoint, which wants `user` with `secret`.
    Bearer,
    /// A token for the identity token `refresh`.
    Identity,
    /// Nobody, whatever they show.
    Closed,
}

/// Something that goes wrong once, at the first request whose target contains the text.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Another status, with `Retry-After`.
    Status(&'static str, u16, &'static str),
    /// Another status, with `Retry-After` and a text.
    Said(&'static str, u16, &'static str, &'static str),
    /// The connection ends after so many bytes of the body.
    Cut(&'static str, usize),
    /// Nothing comes after so many bytes of the body, or before any of the answer; each time that somebody wants it.
    Stall(&'static str, Option<usize>),
}

/// How the registry behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    pub(crate) access: Access,
    pub(crate) no_referrers_api: bool,
    pub(crate) no_ranges: bool,
    /// Entries of one page of referrers; 0 means all on one page.
    pub(crate) referrers_page: usize,
    pub(crate) faults: Vec<Fault>,
    /// Speaks TLS with the certificate for `localhost`.
    pub(crate) tls: bool,
    /// Another certificate than that, and its key, as PEM.
    pub(crate) certificate: Option<(String, String)>,
    /// Whose certificate a client must show, as PEM.
    pub(crate) wants_certificate: Option<String>,
    /// Plain files beside the registry, by path: chart repositories.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Bytes sent in place of what a digest names.
    pub(crate) false_bytes: BTreeMap<String, Vec<u8>>,
    /// Digest that is said of every manifest, whatever it holds.
    pub(crate) said_digest: Option<String>,
    /// Name under which the token endpoint is announced, if not that of the registry.
    pub(crate) realm_host: Option<String>,
    /// Another address of this machine to listen on than 127.0.0.1.
    pub(crate) listens_on: Option<&'static str>,
    /// Where the token endpoint sends those who ask it.
    pub(crate) token_redirect: Option<String>,
    /// How many must ask for a tag that ends with `.0` at the same time before anybody is answered, but for `0.0`.
    pub(crate) together: usize,
}

/// A running registry with one repository, `acme/app`.
pub(crate) struct TestRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    image_set: ImageSet,
    behaviour: Mutex<Behaviour>,
    log: Mutex<Vec<String>>,
    /// How many have asked for a manifest.
    asking: (Mutex<usize>, Condvar),
}

struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl TestRegistry {
    pub(crate) fn start(image_set: ImageSet, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((behaviour.listens_on.unwrap_or("127.0.0.1"), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let tls = behaviour
            .tls
            .then(|| tls_config(behaviour.certificate.as_ref(), behaviour.wants_certificate.as_deref()));
        let shared = Arc::new(Shared {
            image_set,
            behaviour: Mutex::new(behaviour),
            log: Mutex::default(),
            asking: (Mutex::default(), Condvar::new()),
        });
        let for_thread = Arc::clone(&shared);
        // The thread lives as long as the test process: it waits for connections that no longer come.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, tls) = (Arc::clone(&for_thread), tls.clone());
                thread::spawn(move || match tls {
                    None => shared.serve(stream, address),
                    Some(config) => {
                        let connection = rustls::ServerConnection::new(config).unwrap();
                        shared.serve(rustls::StreamOwned::new(connection, stream), address);
                    }
                });
            }
        });
        Self { address, shared }
    }

    /// The host to use in image names.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// An image name.
    pub(crate) fn image(&self, reference: &str) -> String {
        format!("{}/acme/app{reference}", self.address)
    }

    /// Requests so far: method, target, range.
    pub(crate) fn log(&self) -> Vec<String> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Lets more go wrong.
    pub(crate) fn add_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.behaviour.lock().unwrap().faults.extend(faults);
    }

    /// Behaves differently from now on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().unwrap());
    }

    /// How many faults did not happen yet.
    pub(crate) fn faults_left(&self) -> usize {
        self.shared.behaviour.lock().unwrap().faults.len()
    }
}

fn tls_config(own: Option<&(String, String)>, client: Option<&str>) -> Arc<rustls::ServerConfig> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/tls/");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    let (certificate, key) = own
        .cloned()
        .unwrap_or_else(|| (read("server.pem"), read("NOT-A-SECRET-server.key.pem")));
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            let certificate = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            roots.add(certificate).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots));
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

impl Shared {
    fn serve<S: Read + Write>(&self, stream: S, address: SocketAddr) {
        let mut stream = BufReader::new(stream);
        // A client that goes away is its own affair.
        let Some(request) = read_request(&mut stream) else {
            return;
        };
        let range = request.headers.get("range").cloned().unwrap_or_default();
        let line = format!("{} {} {range}", request.method, request.target);
        self.log.lock().unwrap().push(line.trim_end().to_owned());
        if !self.are_together(&request.target) {
            return;
        }
        let fault = self.take_fault(&request.target);
        let (status, mut headers, body) = match &fault {
            Some(Fault::Status(_, status, after)) => (
                *status,
                vec![("Retry-After".to_owned(), (*after).to_owned())],
                Vec::new(),
            ),
            Some(Fault::Said(_, status, after, text)) => (
                *status,
                vec![("Retry-After".to_owned(), (*after).to_owned())],
                text.as_bytes().to_vec(),
            ),
            _ => self.answer(&request, address),
        };
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
        headers.push(("Connection".to_owned(), "close".to_owned()));
        let mut head = format!("HTTP/1.1 {status} X\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(Fault::Stall(_, None)) = fault {
            until_closed(&mut stream);
            return;
        }
        let sent = match &fault {
            _ if request.method == "HEAD" => 0,
            Some(Fault::Stall(_, Some(after)) | Fault::Cut(_, after)) => body.len().min(*after),
            _ => body.len(),
        };
        let out = stream.get_mut();
        write!(out, "{head}\r\n")
            .and_then(|()| out.write_all(&body[..sent]))
            .and_then(|()| out.flush())
            .ok();
        if matches!(fault, Some(Fault::Stall(..))) && request.method == "GET" {
            until_closed(&mut stream);
        }
    }

    /// Waits until as many ask as shall ask together; false when they do not.
    fn are_together(&self, target: &str) -> bool {
        let wanted = self.behaviour.lock().unwrap().together;
        if wanted < 2 || !target.ends_with(".0") || target.ends_with("/manifests/0.0") {
            return true;
        }
        let (count, came) = &self.asking;
        let mut asking = count.lock().unwrap();
        *asking += 1;
        came.notify_all();
        let (_asking, waited) = came
            .wait_timeout_while(asking, Duration::from_secs(20), |asking| *asking < wanted)
            .unwrap();
        !waited.timed_out()
    }

    fn take_fault(&self, target: &str) -> Option<Fault> {
        let mut behaviour = self.behaviour.lock().unwrap();
        let place = behaviour.faults.iter().position(|fault| match fault {
            Fault::Status(text, ..) | Fault::Said(text, ..) | Fault::Cut(text, _) | Fault::Stall(text, _) => {
                target.contains(text)
            }
        })?;
        if let Some(stall @ Fault::Stall(..)) = behaviour.faults.get(place) {
            return Some(stall.clone());
        }
        Some(behaviour.faults.remove(place))
    }

    fn answer(&self, request: &Request, address: SocketAddr) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let behaviour = self.behaviour.lock().unwrap().clone();
        let json = |value: Value| (200, Vec::new(), value.to_string().into_bytes());
        let not_found = || (404, Vec::new(), Vec::new());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let basic = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode("user:secret")
        );
        let shown = request.headers.get("authorization").map(String::as_str);
        if request.target.starts_with("/token") {
            if let Some(place) = &behaviour.token_redirect {
                return (307, vec![header("Location", place)], Vec::new());
            }
            let good = match behaviour.access {
                Access::Identity => {
                    request.method == "POST"
                        && request.body.contains("refresh_token=re%2Ffresh")
                        && request.body.contains("grant_type=refresh_token")
                }
                _ => shown == Some(&basic) && request.target.contains("scope=repository%3Aacme%2Fapp%3Apull"),
            };
            return if good {
                json(json!({"token": "good-token"}))
            } else {
                (401, Vec::new(), Vec::new())
            };
        }
        let realm = match &behaviour.realm_host {
            Some(name) => format!("{name}:{}", address.port()),
            None => address.to_string(),
        };
        let wanted = match behaviour.access {
            Access::Open => None,
            Access::Basic => Some((basic, "Basic realm=\"test\"".to_owned())),
            Access::Bearer | Access::Identity => Some((
                "Bearer good-token".to_owned(),
                format!("Bearer realm=\"http://{realm}/token\",service=\"test\",scope=\"repository:acme/app:pull\""),
            )),
            Access::Closed => Some(("nothing".to_owned(), "Basic realm=\"test\"".to_owned())),
        };
        if let Some((value, challenge)) = wanted
            && shown != Some(&value)
        {
            return (401, vec![header("WWW-Authenticate", &challenge)], Vec::new());
        }
        if let Some(bytes) = behaviour.files.get(&request.target) {
            return (200, Vec::new(), bytes.clone());
        }
        let Some(rest) = request.target.strip_prefix("/v2/acme/app/") else {
            return not_found();
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        match rest.split_once('/') {
            Some(("tags", "list")) => {
                let tags: Vec<&String> = self.image_set.tags.keys().collect();
                let last = query.strip_prefix("last=").unwrap_or_default();
                let from = tags.iter().position(|tag| *tag == last).map_or(0, |at| at + 1);
                // A few are on several pages, many on few.
                let page = if tags.len() > 100 { 1000 } else { 2 };
                let to = tags.len().min(from + page);
                let more = (to < tags.len()).then(|| {
                    header(
                        "Link",
                        &format!("</v2/acme/app/tags/list?last={}>; rel=\"next\"", tags[to - 1]),
                    )
                });
                let body = json!({"name": "acme/app", "tags": &tags[from..to]}).to_string();
                (200, more.into_iter().collect(), body.into_bytes())
            }
            Some(("manifests", name)) => {
                let found = match self.image_set.tags.get(name) {
                    Some(digest) => *digest,
                    None => match name.parse() {
                        Ok(digest) => digest,
                        Err(_) => return not_found(),
                    },
                };
                let Some(known) = self.image_set.manifests.iter().find(|known| digest(known) == found) else {
                    return not_found();
                };
                let bytes = behaviour
                    .false_bytes
                    .get(&found.to_string())
                    .unwrap_or(&self.image_set.blobs[&found]);
                let mut headers = vec![header("Content-Type", known["mediaType"].as_str().unwrap())];
                let said = behaviour.said_digest.as_deref();
                headers.extend(said.map(|said| header("Docker-Content-Digest", said)));
                (200, headers, bytes.clone())
            }
            Some(("blobs", name)) => {
                let Some(bytes) = name.parse().ok().and_then(|digest| self.image_set.blobs.get(&digest)) else {
                    return not_found();
                };
                let bytes = behaviour.false_bytes.get(name).unwrap_or(bytes);
                let start = request
                    .headers
                    .get("range")
                    .filter(|_| !behaviour.no_ranges)
                    .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
                match start {
                    None => (200, Vec::new(), bytes.clone()),
                    Some(start) => {
                        let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                        (206, vec![header("Content-Range", &range)], bytes[start..].to_vec())
                    }
                }
            }
            Some(("referrers", name)) if !behaviour.no_referrers_api => {
                let about: Vec<&Value> = self
                    .image_set
                    .manifests
                    .iter()
                    .filter(|known| {
                        let document: Value =
                            serde_json::from_slice(&self.image_set.blobs[&digest(known)]).unwrap_or_default();
                        document["subject"]["digest"] == name
                    })
                    .collect();
                let mut headers = vec![header("Content-Type", INDEX)];
                let from: usize = query
                    .strip_prefix("from=")
                    .and_then(|from| from.parse().ok())
                    .unwrap_or(0);
                let to = if behaviour.referrers_page == 0 {
                    about.len()
                } else {
                    about.len().min(from + behaviour.referrers_page)
                };
                if to < about.len() {
                    let next = format!("</v2/acme/app/referrers/{name}?from={to}>; rel=\"next\"");
                    headers.push(header("Link", &next));
                }
                let page = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": &about[from..to]});
                (200, headers, page.to_string().into_bytes())
            }
            _ => not_found(),
        }
    }
}

/// Until the other side has had enough.
fn until_closed(stream: &mut impl Read) {
    while stream.read(&mut [0]).is_ok_and(|count| count > 0) {}
}

fn read_request<S: Read>(stream: &mut BufReader<S>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, mut target) = (words.next()?.to_owned(), words.next()?.to_owned());
    // As a proxy is asked.
    if let Some((_, path)) = target.strip_prefix("http://").and_then(|rest| rest.split_once('/')) {
        target = format!("/{path}");
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|text: &String| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        target,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// Connects and goes away: keeps the type used where a test wants a port on which nobody answers.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(TcpStream::connect(address).is_err());
    address
}

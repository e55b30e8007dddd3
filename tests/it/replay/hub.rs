//! A hub on loopback that keeps the recorded wire contract to the letter, and does wrong where it is told to.
//!
//! Answers are those of the recordings (`distr/recordings`, scenario `login-api`), status by status and word for word. Beyond them it is stricter
//! than the hub: what a store of logs would refuse is refused, and what an agent would never send is noted as a mistake.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use airlock::domain::{AgentTime, Uuid};
use airlock::vendor_side::ledger::replay::Pace;
use base64::Engine as _;
use serde_json::{Value, json};

/// Token of the hub's API.
pub(crate) const API_TOKEN: &str = "distr-0123456789abcdef0123456789abcdef";

/// Time that passes when it is waited for.
#[derive(Debug, Default)]
pub(crate) struct Fast {
    pub(crate) now: Mutex<Duration>,
    pub(crate) waits: Mutex<Vec<Duration>>,
}

impl Pace for Fast {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn wait(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
        self.waits.lock().unwrap().push(time);
    }
}

/// What goes wrong, at the next request whose path contains the text.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This answer, and nothing is stored.
    Answer(u16, &'static [(&'static str, &'static str)], String),
    /// Nothing: a request that goes through.
    Pass,
    /// What is sent is stored, and the connection ends without an answer.
    StoredAndCut,
    /// Nothing is stored, and the connection ends without an answer.
    Cut,
    /// The answer begins and never ends.
    Endless(u16),
    /// The answer comes never.
    Silent,
    /// Whoever waits is told; what is sent is stored or not, and no answer comes.
    Hold { stored: bool, tell: Sender<()> },
}

/// A status that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) target: Uuid,
    pub(crate) revision: Uuid,
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) created_at: String,
}

/// A line that arrived: of a container with its stream, or of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredLine {
    pub(crate) target: Uuid,
    pub(crate) stream: String,
    pub(crate) at: AgentTime,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Secrets of targets.
    pub(crate) secrets: BTreeMap<Uuid, String>,
    /// Revisions that the hub knows, each with its target and deployment.
    pub(crate) revisions: BTreeMap<Uuid, (Uuid, Uuid)>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) metrics: Vec<(Uuid, Value)>,
    /// In the order in which they came; as a store of logs keeps them, each once.
    pub(crate) lines: Vec<StoredLine>,
    /// Requests: method, path, agent.
    pub(crate) requests: Vec<(String, String, String)>,
    /// Times of requests, and of logins, of each target.
    pub(crate) asked: BTreeMap<(Uuid, bool), Vec<Duration>>,
    /// What no agent would do.
    pub(crate) mistakes: Vec<String>,
    pub(crate) faults: VecDeque<(&'static str, Fault)>,
    /// Lines as text, and the newest of each stream.
    known: BTreeSet<String>,
    newest: BTreeMap<String, AgentTime>,
    tokens: BTreeMap<String, Uuid>,
    issued: u32,
    /// Time that the hub gives to what it gets.
    pub(crate) clock: u64,
}

/// A running hub.
pub(crate) struct Hub {
    address: SocketAddr,
    pub(crate) pace: Arc<Fast>,
    stored: Arc<Mutex<Stored>>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

type Answered = (u16, Vec<(&'static str, String)>, String);

impl Hub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = Self {
            address: listener.local_addr().unwrap(),
            pace: Arc::default(),
            stored: Arc::default(),
        };
        let (stored, pace) = (Arc::clone(&hub.stored), Arc::clone(&hub.pace));
        // The thread lives as long as the test process: it waits for connections that no longer come.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (stored, pace) = (Arc::clone(&stored), Arc::clone(&pace));
                thread::spawn(move || serve(stream, &stored, &pace));
            }
        });
        hub
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reads or changes what it has.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Stored) -> T) -> T {
        act(&mut self.stored.lock().unwrap())
    }

    /// A target with its secret and its deployments' revisions.
    pub(crate) fn know(&self, target: Uuid, secret: &str, revisions: &[(Uuid, Uuid)]) {
        self.with(|stored| {
            stored.secrets.insert(target, secret.to_owned());
            for (deployment, revision) in revisions {
                stored.revisions.insert(*revision, (target, *deployment));
            }
        });
    }

    /// Lets something go wrong.
    pub(crate) fn fault(&self, path: &'static str, fault: Fault) {
        self.with(|stored| stored.faults.push_back((path, fault)));
    }

    /// Paths of requests, without the common beginning.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.with(|stored| {
            let paths = stored.requests.iter();
            paths
                .map(|(_, path, _)| {
                    path.trim_start_matches("/api/v1/")
                        .trim_start_matches("agent/")
                        .to_owned()
                })
                .collect()
        })
    }

    #[track_caller]
    pub(crate) fn assert_well_used(&self) {
        let (mistakes, faults) = self.with(|stored| (stored.mistakes.clone(), stored.faults.len()));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(faults, 0, "every fault has happened");
    }
}

fn serve(stream: TcpStream, stored: &Mutex<Stored>, pace: &Fast) {
    let mut stream = BufReader::new(stream);
    // A client that goes away is its own affair.
    let Some(request) = read_request(&mut stream) else {
        return;
    };
    let fault = {
        let mut stored = stored.lock().unwrap();
        let agent = request.headers.get("user-agent").cloned().unwrap_or_default();
        stored
            .requests
            .push((request.method.clone(), request.path.clone(), agent));
        let place = stored.faults.iter().position(|(text, _)| request.path.contains(text));
        place
            .and_then(|place| stored.faults.remove(place))
            .map(|(_, fault)| fault)
    };
    let answer = |stored: &Mutex<Stored>| stored.lock().unwrap().answer(&request, pace);
    let (status, headers, body) = match fault {
        None | Some(Fault::Pass) => answer(stored),
        Some(Fault::Answer(status, headers, body)) => (
            status,
            headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            body,
        ),
        Some(Fault::StoredAndCut) => {
            answer(stored);
            return;
        }
        Some(Fault::Cut) => return,
        Some(Fault::Endless(status)) => {
            let out = stream.get_mut();
            let mut good = write!(out, "HTTP/1.1 {status} X\r\nContent-Length: 1000000000000\r\n\r\n").is_ok();
            while good {
                good = out.write_all(&[b' '; 4096]).is_ok();
            }
            return;
        }
        Some(Fault::Silent) => {
            // Until the other side has enough.
            stream.read_exact(&mut [0]).ok();
            return;
        }
        Some(Fault::Hold {
            stored: is_stored,
            tell,
        }) => {
            if is_stored {
                answer(stored);
            }
            tell.send(()).unwrap();
            stream.read_exact(&mut [0]).ok();
            return;
        }
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    if status != 204 {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let out = stream.get_mut();
    write!(out, "{head}\r\n{body}").and_then(|()| out.flush()).ok();
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
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
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}

fn text(status: u16, body: &str) -> Answered {
    let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
    (status, headers, format!("{body}\n"))
}

fn good(status: u16) -> Answered {
    (status, Vec::new(), String::new())
}

impl Stored {
    fn answer(&mut self, request: &Request, pace: &Fast) -> Answered {
        let Some(route) = request.path.strip_prefix("/api/v1/") else {
            return text(404, "404 page not found");
        };
        match route.strip_prefix("agent/") {
            Some("login") => self.login(request, pace),
            Some(route) => self.agent(route, request, pace),
            None => self.api(route, request),
        }
    }

    fn login(&mut self, request: &Request, pace: &Fast) -> Answered {
        if request.method != "POST" {
            return good(405);
        }
        let pair = request
            .headers
            .get("authorization")
            .and_then(|value| value.strip_prefix("Basic "));
        let pair = pair.and_then(|value| base64::engine::general_purpose::STANDARD.decode(value).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
        let Some((user, secret)) = pair.split_once(':') else {
            return good(401);
        };
        let Ok(target) = user.parse::<Uuid>() else {
            return text(400, "targetId is not a valid UUID");
        };
        self.asked.entry((target, true)).or_default().push(pace.now());
        match self.secrets.get(&target) {
            None => text(401, "unauthorized: not found"),
            Some(known) if known != secret => text(401, "unauthorized: failed to verify access: invalid accessKey"),
            Some(_) => {
                self.issued += 1;
                let token = format!("eyJhbGciOiJIUzI1NiJ9.dG9rZW4.{}", self.issued);
                self.tokens.insert(token.clone(), target);
                (
                    200,
                    Vec::new(),
                    format!("{}\n", json!({"token": token, "requiresMfa": false})),
                )
            }
        }
    }

    fn agent(&mut self, route: &str, request: &Request, pace: &Fast) -> Answered {
        let bearer = request
            .headers
            .get("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let Some(target) = bearer.and_then(|token| self.tokens.get(token)).copied() else {
            return text(401, "Unauthorized");
        };
        self.asked.entry((target, false)).or_default().push(pace.now());
        let header = |name: &str| request.headers.get(name).map(String::as_str).unwrap_or_default();
        if !header("user-agent").starts_with("DistrAgentClient/")
            || header("content-type") != "application/json"
            || header("content-length").is_empty()
        {
            self.mistakes.push(format!("{route}: {:?}", request.headers));
        }
        match (request.method.as_str(), route) {
            ("POST", "status") => self.status(target, &request.body),
            ("POST", "metrics") => self.sample(target, &request.body),
            ("PUT", "logs") => self.lines(target, true, &request.body),
            ("PUT", "deployment-target-logs") => self.lines(target, false, &request.body),
            (_, "status" | "metrics" | "logs" | "deployment-target-logs") => good(405),
            _ => text(404, "404 page not found"),
        }
    }

    fn status(&mut self, target: Uuid, body: &[u8]) -> Answered {
        #[expect(clippy::disallowed_methods, reason = "a test's own hub")]
        let Ok(report) = serde_json::from_slice::<Value>(body) else {
            return text(400, "unexpected EOF");
        };
        let word = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        let (kind, message) = (word("type"), word("message"));
        if !["healthy", "running", "progressing", "error", "ok"].contains(&kind.as_str()) {
            return text(400, &format!("invalid deployment status type: {kind}"));
        }
        let revision: Uuid = word("revisionId").parse().unwrap_or_else(|_| Uuid::from_bytes([0; 16]));
        match self.revisions.get(&revision) {
            None => return text(400, "failed to scan Deployment ID: not found"),
            Some((other, _)) if *other != target => return text(400, "Bad Request"),
            Some(_) if message.contains('\0') => return good(500),
            Some(_) => {}
        }
        if message.len() > 4096 {
            self.mistakes.push(format!("a message of {} bytes", message.len()));
        }
        self.clock += 1;
        self.statuses.push(Status {
            target,
            revision,
            kind,
            message,
            created_at: format!("2026-11-22T10:{:02}:{:02}.25Z", self.clock / 60, self.clock % 60),
        });
        good(200)
    }

    fn sample(&mut self, target: Uuid, body: &[u8]) -> Answered {
        #[expect(clippy::disallowed_methods, reason = "a test's own hub")]
        let sample: Value = serde_json::from_slice(body).unwrap_or_default();
        for name in ["cpuUsage", "memoryUsage"] {
            if !sample[name].as_f64().is_some_and(|part| (0.0..=1.0).contains(&part)) {
                self.mistakes.push(format!("{name}: {sample}"));
            }
        }
        self.metrics.push((target, sample));
        good(200)
    }

    fn lines(&mut self, target: Uuid, of_containers: bool, body: &[u8]) -> Answered {
        #[expect(clippy::disallowed_methods, reason = "a test's own hub")]
        let Ok(Value::Array(records)) = serde_json::from_slice::<Value>(body) else {
            return text(
                400,
                "json: cannot unmarshal object into Go value of type []api.DeploymentLogRecord",
            );
        };
        if records.len() > 1000 || body.len() > 8 << 20 {
            self.mistakes
                .push(format!("{} records, {} bytes", records.len(), body.len()));
        }
        let mut is_partly = false;
        for record in records {
            let word = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            if word("id") != "00000000-0000-0000-0000-000000000000" {
                self.mistakes.push(format!("an id: {record}"));
            }
            let Ok(at) = word("timestamp").parse::<AgentTime>() else {
                return text(400, "parsing time");
            };
            let stream = if of_containers {
                let revision: Uuid = word("deploymentRevisionId").parse().unwrap();
                let deployment = word("deploymentId");
                let known = self.revisions.get(&revision);
                if known.is_none_or(|(of, own)| *of != target || own.to_string() != deployment) {
                    // Silently, as the hub.
                    continue;
                }
                format!("{deployment} {revision} {}", word("resource"))
            } else {
                format!("agent {target}")
            };
            let line = StoredLine {
                target,
                stream,
                at,
                body: word("body"),
            };
            if !self.known.insert(format!("{} {} {}", line.stream, line.at, line.body)) {
                continue;
            }
            let newest = self.newest.get(&line.stream).copied();
            self.newest.insert(line.stream.clone(), newest.unwrap_or(at).max(at));
            if newest.is_some_and(|newest| newest > at) {
                // The store refuses what is an hour older; nothing may come out of order at all here.
                is_partly = true;
                self.mistakes.push(format!("an older line after a newer one: {line:?}"));
            }
            self.lines.push(line);
        }
        if is_partly {
            text(400, "entry too far behind")
        } else {
            good(204)
        }
    }

    fn api(&mut self, route: &str, request: &Request) -> Answered {
        let expected = format!("AccessToken {API_TOKEN}");
        if request.headers.get("authorization") != Some(&expected) {
            return text(401, "Unauthorized");
        }
        let json = |value: Value| {
            (
                200,
                vec![("Content-Type", "application/json".to_owned())],
                value.to_string(),
            )
        };
        let listed = |status: &Status| {
            json!({"id": "00000000-0000-4000-8000-00000000abcd", "createdAt": status.created_at, "deploymentRevisionId": status.revision,
                "type": status.kind, "message": status.message})
        };
        let parts: Vec<&str> = route.split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["deployment-targets", id]) => {
                let target: Uuid = id.parse().unwrap();
                if !self.secrets.contains_key(&target) {
                    return text(404, "not found");
                }
                let deployments: BTreeSet<Uuid> = self
                    .revisions
                    .values()
                    .filter(|(of, _)| *of == target)
                    .map(|(_, deployment)| *deployment)
                    .collect();
                let deployments: Vec<Value> = deployments
                    .into_iter()
                    .map(|deployment| {
                        let mut of = self
                            .statuses
                            .iter()
                            .filter(|status| self.revisions[&status.revision].1 == deployment);
                        match of.next_back() {
                            Some(status) => json!({"id": deployment, "latestStatus": listed(status)}),
                            None => json!({"id": deployment}),
                        }
                    })
                    .collect();
                json(json!({"id": target, "name": "x", "deployments": deployments}))
            }
            ("POST", ["deployment-targets", id, "access-request"]) => {
                let target: Uuid = id.parse().unwrap();
                self.issued += 1;
                let secret = format!("{:032x}", self.issued);
                self.secrets.insert(target, secret.clone());
                json(json!({"connectUrl": "x", "targetId": target, "targetSecret": secret, "connectCommand": "x"}))
            }
            ("GET", ["deployments", id, "status"]) => {
                let deployment: Uuid = id.parse().unwrap();
                let before = request.query.split('&').find_map(|part| part.strip_prefix("before="));
                let page: Vec<Value> = self
                    .statuses
                    .iter()
                    .rev()
                    .filter(|status| self.revisions[&status.revision].1 == deployment)
                    .filter(|status| before.is_none_or(|before| status.created_at.as_str() < before))
                    .take(100)
                    .map(listed)
                    .collect();
                json(Value::Array(page))
            }
            _ => text(404, "404 page not found"),
        }
    }
}

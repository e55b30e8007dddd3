//! What is in flight (R14, J16): many slow readers of anything long, in a process whose memory is looked at; others are served meanwhile.

#![allow(
    clippy::disallowed_methods,
    reason = "a client that reads whatever this server sends"
)]

use std::io::{BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use airlock::appliance::fleet::Login;
use airlock::bundle::desired::{Deployment, DockerDeployment, DockerMode};
use airlock::domain::{DocumentType, Uuid};
use rustix::net::{AddressFamily, SocketAddrV4, SocketType};

use super::process::{address, airlock};
use crate::support::bundles::REPOSITORY;
use crate::support::client::{Reply, get, head, read_head, read_reply};
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{Site, digest, noise};
use crate::support::strace;

const A: &str = "docker.io/library/a";
/// Slow readers of one thing.
const READERS: usize = 200;
/// What the process may have held at most, far below `READERS` times what each of them asks for.
const MOST: u64 = 200 << 20;

/// A server process; it ends with the test.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(state: &Path) -> Self {
        let mut child = airlock(state).args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let (address, _) = address(&mut child);
        Self { child, address }
    }

    /// A number of the kernel's about the process: `VmHWM` in bytes, `Threads`.
    fn status(&self, name: &str) -> u64 {
        let text = read(&Path::new("/proc").join(self.child.id().to_string()).join("status"));
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        let mut words = line.unwrap().split_whitespace();
        let number: u64 = words.next().unwrap().parse().unwrap();
        if words.next() == Some("kB") {
            number << 10
        } else {
            number
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A server process under strace; both end with the test.
struct TracedServing {
    child: Child,
    address: SocketAddr,
    log: tempfile::NamedTempFile,
}

impl TracedServing {
    fn start(state: &Path, calls: &str) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let arguments = ["serve", "--state", state.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let trace = ["-e".to_owned(), format!("trace={calls}")];
        let mut child = strace::command(&trace, log.path(), &arguments.map(Into::into))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (address, _) = address(&mut child);
        Self { child, address, log }
    }
}

impl Drop for TracedServing {
    fn drop(&mut self) {
        // strace ends with what it traces.
        let task = Path::new("/proc").join(self.child.id().to_string()).join("task");
        let traced = read(&task.join(self.child.id().to_string()).join("children"));
        for id in traced.split_whitespace() {
            let id = rustix::process::Pid::from_raw(id.parse().unwrap()).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        }
        self.child.wait().unwrap();
    }
}

/// Sends a request from an address of this machine, over a connection that takes in as little as the kernel allows.
fn ask_from(from: Ipv4Addr, server: SocketAddr, path: &str, more: &str) -> TcpStream {
    ask_taking(4096, from, server, path, more)
}

/// As [`ask_from`], with room for so many bytes.
fn ask_taking(bytes: usize, from: Ipv4Addr, server: SocketAddr, path: &str, more: &str) -> TcpStream {
    let IpAddr::V4(ip) = server.ip() else { unreachable!() };
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, bytes).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(from, 0)).unwrap();
    rustix::net::connect(&socket, &SocketAddrV4::new(ip, server.port())).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{more}\r\n").as_bytes())
        .unwrap();
    stream
}

/// Asks as many times as there are readers, reads every answer's head, and leaves the bodies where they are.
fn slow_readers(server: SocketAddr, path: &str, more: &str) -> Vec<(Reply, BufReader<TcpStream>)> {
    let asked: Vec<TcpStream> = (0..READERS)
        .map(|_| ask_from(Ipv4Addr::LOCALHOST, server, path, more))
        .collect();
    let read = asked.into_iter().map(|stream| {
        let mut stream = BufReader::with_capacity(1 << 10, stream);
        (read_head(&mut stream).unwrap(), stream)
    });
    read.collect()
}

/// An answer to somebody at another address.
fn elsewhere(server: SocketAddr, path: &str, more: &str) -> Reply {
    let stream = ask_from(Ipv4Addr::new(127, 0, 0, 9), server, path, more);
    read_reply(&mut BufReader::new(stream), false).unwrap()
}

/// A manifest of a length.
fn manifest(length: usize, seed: &str) -> Vec<u8> {
    let start = format!("{{\"schemaVersion\":2,\"annotations\":{{\"{seed}\":\"");
    let end = "\"}}";
    let filling = length - start.len() - end.len();
    format!("{start}{}{end}", "x".repeat(filling)).into_bytes()
}

#[test]
fn r14_slow_readers_of_long_manifests_hold_nothing_and_others_are_served() {
    let site = Site::new();
    let long = manifest(4 << 20, "long");
    let middle = manifest(60 << 10, "middle");
    site.release("erp", 1)
        .tag(A, "long", &long)
        .tag(A, "middle", &middle)
        .live();
    let serving = Serving::start(site.path());
    let server = serving.address;
    for (tag, body) in [("long", &long), ("middle", &middle)] {
        let path = format!("/v2/{A}/manifests/{tag}");
        let mut held = slow_readers(server, &path, "");
        assert!(held.iter().all(|(head, _)| head.status == 200));
        let other = elsewhere(server, &path, "");
        assert!(other.status == 200 && other.body == *body, "{tag}");
        assert!(serving.status("VmHWM") < MOST, "{} bytes", serving.status("VmHWM"));
        // They are slow, and get everything all the same.
        let (_, mut stream) = held.swap_remove(0);
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == *body, "{tag}");
    }
}

#[test]
fn r14_lists_that_nobody_takes_are_bounded_for_each_address() {
    let site = Site::new();
    let subject = manifest(100, "subject");
    let mut draft = site.release("erp", 1).tag(A, "v1", &subject);
    for number in 0..900 {
        let repository = format!("docker.io/{}/{number}", "r".repeat(200));
        draft = draft.tag(&repository, "v1", &subject);
    }
    draft.live();
    let serving = Serving::start(site.path());
    let path = "/v2/_catalog";
    let held = slow_readers(serving.address, path, "");
    let page = elsewhere(serving.address, path, "");
    assert_eq!(page.json()["repositories"].as_array().unwrap().len(), 901);
    let (answered, refused): (Vec<_>, Vec<_>) = held.iter().partition(|(head, _)| head.status == 200);
    // What one address may have in memory, in pages of this length, without the room that two take while they are made.
    let fit = (11 << 20) / page.body.len();
    assert!((fit..READERS).contains(&answered.len()), "{} of {fit}", answered.len());
    for (head, _) in &refused {
        assert_eq!((head.status, head.header("retry-after")), (429, Some("1")));
    }
    assert!(!refused.is_empty() && serving.status("VmHWM") < MOST);
    // Nothing is refused but lists, and nothing any more when they are gone.
    assert_eq!(get(serving.address, &format!("/v2/{A}/manifests/v1")).body, subject);
    drop((answered, refused));
    drop(held);
    let until = Instant::now() + Duration::from_secs(30);
    while get(serving.address, path).status != 200 {
        assert!(Instant::now() < until, "the room is given back");
    }
}

/// A UUID as a hub would choose one.
fn random(number: u16) -> Uuid {
    let [high, low] = number.to_be_bytes();
    let mut bytes = [low; 16];
    bytes[0] = high;
    bytes[6] = 0x40;
    bytes[8] = 0x80;
    Uuid::from_bytes(bytes)
}

/// Issues a secret for a target's agent, and logs it in.
fn token(instance: &InProcessAppliance, name: &str) -> String {
    let hub = instance.hub();
    let secret = hub.issue_secret(&target_id(name), false).unwrap();
    match hub.login(&target_id(name), secret.as_str()).unwrap() {
        Login::Token(token) => token.as_str().to_owned(),
        Login::Refused | Login::Busy => panic!("the secret was just issued"),
    }
}

/// An appliance with a target whose answer is as long as an import allows, one of the usual length, and their tokens.
fn with_long_answer() -> (InProcessAppliance, [String; 2]) {
    let compose = format!("services: {{}}\n# {}\n", "x".repeat((1 << 20) - 16));
    with_deployments(15, compose.as_bytes())
}

/// An appliance with a target that has so many deployments of one document, one as usual, and their tokens.
fn with_deployments(count: u16, compose: &[u8]) -> (InProcessAppliance, [String; 2]) {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 2, "as usual");
        let compose = desired.put(DocumentType::Compose, compose);
        let target = desired.target("edge-0");
        let one = target.deployments.remove(0);
        let replaced = one.docker.as_ref().unwrap().compose;
        target.deployments = (1..=count)
            .map(|number| Deployment {
                docker: Some(DockerDeployment {
                    compose,
                    env: None,
                    mode: DockerMode::Compose,
                }),
                id: random(number),
                revision: Uuid::derived("test-revision", &[&number.to_string()]),
                ..one.clone()
            })
            .collect();
        target.deployments.sort_by_key(|deployment| deployment.id);
        desired.documents.retain(|(_, bytes)| digest(bytes) != replaced);
        desired
    });
    instance.import(&made, false).unwrap();
    let tokens = ["edge-0", "edge-1"].map(|name| token(&instance, name));
    (instance, tokens)
}

#[test]
fn r14_j16_what_a_target_shall_run_is_made_as_its_agent_takes_it() {
    let (instance, [long, usual]) = with_long_answer();
    let serving = Serving::start(&instance.state());
    let server = serving.address;
    let path = "/api/v1/agent/resources";
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let mut held = slow_readers(server, path, &bearer(&long));
    assert!(held.iter().all(|(head, _)| head.status == 200), "nobody is refused");
    let other = elsewhere(server, path, &bearer(&usual));
    assert_eq!(
        (other.status, other.json()["deployments"].as_array().unwrap().len()),
        (200, 1)
    );
    assert!(serving.status("VmHWM") < MOST, "{} bytes", serving.status("VmHWM"));
    // The whole of it, though it was made in pieces.
    let (head, mut stream) = held.swap_remove(0);
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    let answer: serde_json::Value = serde_json::from_slice(&chunks(&mut stream)).unwrap();
    let deployments = answer["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 15);
    for deployment in deployments {
        use base64::Engine as _;
        let compose = base64::engine::general_purpose::STANDARD
            .decode(deployment["composeFile"].as_str().unwrap())
            .unwrap();
        assert!(compose.len() == 1 << 20 && compose.ends_with(b"x\n"));
        assert!(deployment["envFile"].is_null() && deployment["dockerType"] == "compose");
    }
}

#[test]
fn r14_a_long_answer_of_changed_documents_is_503_and_never_half_a_list() {
    let (instance, [long, _]) = with_long_answer();
    let serving = Serving::start(&instance.state());
    let ask = || {
        let more = format!("Authorization: Bearer {long}\r\n");
        let stream = ask_from(Ipv4Addr::LOCALHOST, serving.address, "/api/v1/agent/resources", &more);
        read_head(&mut BufReader::new(stream)).unwrap().status
    };
    assert_eq!(ask(), 200);
    let compose = format!("services: {{}}\n# {}\n", "x".repeat((1 << 20) - 16));
    let other = format!("services: {{}}\n# {}\n", "y".repeat((1 << 20) - 16));
    crate::support::in_process::overwrite(&instance.blob(&digest(compose.as_bytes())), other.as_bytes());
    assert_eq!(ask(), 503);
}

#[test]
fn r14_two_hundred_first_readers_of_a_layer_take_no_thread_each_and_agents_poll() {
    let instance = InProcessAppliance::new();
    let layer = noise(16 << 20, 7);
    let desired = |image| Desired::docker(image, 1, "as usual");
    let made = instance
        .vendor
        .with_layers_of("crm", 1, std::slice::from_ref(&layer), desired);
    instance.import(&made, false).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", token(&instance, "edge-0"));
    let serving = Serving::start(&instance.state());
    let server = serving.address;
    let path = format!("/v2/{REPOSITORY}/blobs/{}", digest(&layer));
    let before = serving.status("Threads");
    let last: Vec<u8> = layer[(4 << 20) - 1000..4 << 20].to_vec();
    let (done, all) = mpsc::channel();
    for _ in 0..200 {
        let (done, path, last) = (done.clone(), path.clone(), last.clone());
        std::thread::spawn(move || {
            // Who takes next to nothing at a time costs the kernel a packet for each such piece.
            let range = "Range: bytes=0-4194303\r\n";
            let mut stream = ask_taking(64 << 10, Ipv4Addr::LOCALHOST, server, &path, range);
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            done.send(got.ends_with(&last)).unwrap();
        });
    }
    drop(done);
    for _ in 0..20 {
        assert_eq!(elsewhere(server, "/api/v1/agent/resources", &bearer).status, 200);
    }
    assert_eq!(all.iter().filter(|right| *right).count(), 200);
    // Whoever waits for a piece is a task. Threads stay for a while when they are done, and a busy machine begins a new one where the last is
    // about to be free: 96 is what the server allows itself for all that waits.
    let after = serving.status("Threads");
    assert!(after <= before + 96, "{before} threads, then {after}");
}

#[test]
fn r14_a_question_about_the_head_reads_no_blob() {
    if !strace::available() {
        return;
    }
    let site = Site::new();
    let layer = noise(8 << 20, 8);
    let small = noise(1 << 20, 9);
    let gone = noise(20_000, 10);
    let long = manifest(1 << 20, "long");
    site.release("erp", 1)
        .tag(A, "v1", &long)
        .blob(A, &layer)
        .blob(A, &small)
        .blob(A, &gone)
        .live();
    std::fs::remove_file(site.blob_path(&digest(&gone))).unwrap();
    let serving = TracedServing::start(site.path(), "pread64,preadv2,read,sendfile");
    let server = serving.address;
    let blob = |bytes: &[u8]| format!("/v2/{A}/blobs/{}", digest(bytes));
    for (path, length) in [
        (blob(&layer), layer.len()),
        (blob(&small), small.len()),
        (format!("/v2/{A}/manifests/v1"), long.len()),
    ] {
        for _ in 0..20 {
            let reply = head(server, &path);
            assert_eq!(
                (reply.status, reply.header("content-length")),
                (200, Some(&*length.to_string()))
            );
        }
    }
    let missing = head(server, &blob(&gone));
    assert_eq!(missing.status, get(server, &blob(&gone)).status);
    assert_eq!(missing.status, 500);
    let traced = || {
        let text = read(serving.log.path());
        let of = |line: &str| {
            line.rsplit_once(" = ")
                .and_then(|(_, count)| count.trim().parse::<u64>().ok())
        };
        let calls = text
            .lines()
            .filter(|line| line.contains("pread") || line.contains("sendfile"));
        calls
            .filter(|line| line.contains(", 262144"))
            .filter_map(of)
            .sum::<u64>()
    };
    assert_eq!(traced(), 0, "content was hashed for a head");
    // The twin: who wants the bytes makes the server read them.
    assert!(get(server, &blob(&small)).body == small);
    let until = Instant::now() + Duration::from_secs(30);
    while traced() < small.len() as u64 {
        assert!(Instant::now() < until, "the trace shows what is read");
    }
}

#[test]
fn r14_a_document_that_many_deployments_name_is_opened_once_for_each_piece() {
    if !strace::available() {
        return;
    }
    let compose = b"services: {}\n";
    let (instance, [long, _]) = with_deployments(1000, compose);
    let serving = TracedServing::start(&instance.state(), "open,openat,openat2");
    let more = format!("Authorization: Bearer {long}\r\n");
    let stream = ask_from(Ipv4Addr::LOCALHOST, serving.address, "/api/v1/agent/resources", &more);
    let mut stream = BufReader::new(stream);
    assert_eq!(read_head(&mut stream).unwrap().status, 200);
    let answer = chunks(&mut stream);
    let told: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(told["deployments"].as_array().unwrap().len(), 1000);
    let name = digest(compose).to_string();
    let name = name.get(name.len() - 32..).unwrap();
    let text = read(serving.log.path());
    let opened = text.lines().filter(|line| line.contains(name)).count();
    // Hashed, looked at before anything is sent, and opened for each piece; those of an agent without room for more are 16 KiB.
    let most = 10 + 3 * answer.len().div_ceil(16 << 10);
    assert!((1..=most).contains(&opened), "{opened} of {most}");
}

/// Reads the chunks of a body to the last one.
fn chunks(stream: &mut BufReader<TcpStream>) -> Vec<u8> {
    use std::io::BufRead as _;
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let start = body.len();
        body.resize(start + length, 0);
        stream.read_exact(&mut body[start..]).unwrap();
        line.clear();
        stream.read_line(&mut line).unwrap();
        if length == 0 {
            return body;
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

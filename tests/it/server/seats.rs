//! R14: who gets a connection when somebody takes all of them.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::served::{Served, until};
use crate::support::agents::{basic, request};
use crate::support::appliance::AIRLOCK;
use crate::support::bundles::REPOSITORY;
use crate::support::client::{Reply, read_reply};
use crate::support::desired::target_id;
use crate::support::site::digest;

/// 24 for everybody, 8 for peers with tokens.
const FEW: &str = "[limits]\nconnections = 32\nconnections_per_address = 8\n";

/// Connects from an address of this machine: of 127.0.0.0/8 all are.
fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let from = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0);
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::bind(&socket, &from).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Asks from an address; nothing when the connection was turned away.
fn ask_from(last: u8, served: &Served, bytes: &[u8]) -> Option<Reply> {
    let mut stream = connect_from(last, served.address);
    stream.write_all(bytes).ok()?;
    read_reply(&mut BufReader::new(stream), false).ok()
}

/// Whether a pull from an address finds no seat: at once, or by the answer on one that is only lent.
fn is_turned_away(last: u8, served: &Served) -> bool {
    ask_from(last, served, &pull()).is_none_or(|reply| {
        let says = String::from_utf8_lossy(&reply.body).into_owned();
        let says = |text| says.contains(text);
        reply.status == 503 && (says("without a target's credentials") || says("every connection is taken"))
    })
}

fn pull() -> Vec<u8> {
    request("GET", &format!("/v2/{REPOSITORY}/manifests/latest"), &[], b"")
}

/// Takes as many connections from 127.0.0.2 to 127.0.0.9 as there are to have, and says nothing on them.
fn take_all(served: &Served, of_each: usize) -> Vec<TcpStream> {
    let from = (2..10).flat_map(|last| std::iter::repeat_n(last, of_each));
    from.map(|last| connect_from(last, served.address)).collect()
}

/// Strangers that ask for the layer and do not read it, until no seat is left for others.
fn fill_with_work(served: &Served) -> Vec<TcpStream> {
    let line = request("GET", &served.layer_path(), &[], b"");
    let mut held = Vec::new();
    for last in [2, 3, 4, 5].into_iter().cycle().take(32) {
        let mut stream = connect_from(last, served.address);
        stream.write_all(&line).ok();
        held.push(stream);
    }
    // None of them gives way, so another stranger is turned away, as soon as all are at work.
    until("strangers are turned away", || is_turned_away(20, served).then_some(()));
    held
}

#[test]
fn r14_idle_connections_give_way_to_whoever_has_a_request() {
    let served = Served::with(FEW, &[]);
    let login = basic(&target_id("edge-0").to_string(), &served.secret);
    let login = request("POST", "/api/v1/agent/login", &[("Authorization", &login)], b"");
    let _held = take_all(&served, 8);
    // An agent that was never here, and an engine without token; from an address that floods, too.
    for last in [1, 20, 9] {
        let seated = |bytes: &[u8]| ask_from(last, &served, bytes).filter(|reply| reply.status != 503);
        let reply = until("a login", || seated(&login));
        assert_eq!(reply.status, 200);
        let reply = until("a pull", || seated(&pull()));
        assert_eq!(digest(&reply.body), served.made.manifest);
    }
    assert!(served.serving.stop().success());
}

#[test]
fn r14_peers_with_tokens_keep_seats_that_nobody_at_work_can_take() {
    let served = Served::with(FEW, &[]);
    let token = served.token();
    let resources = served.resources(&token).body;
    let held = fill_with_work(&served);
    // The agent's address is a known one, for the agent and for its engine.
    for _ in 0..20 {
        let reply = served.resources(&token);
        assert_eq!((reply.status, &reply.body), (200, &resources));
        assert_eq!(served.report(&token).status, 200);
        assert_eq!(digest(&served.manifest().body), served.made.manifest);
    }
    assert!(is_turned_away(20, &served), "they are at work still");
    drop(held);
    let reply = until("strangers are served again", || {
        ask_from(20, &served, &pull()).filter(|reply| reply.status == 200)
    });
    assert_eq!(digest(&reply.body), served.made.manifest);
}

/// A server that has just started knows nobody; whoever fills it then, an agent that shows its secret or token gets in, and stays in.
#[test]
fn r14_after_a_start_agents_get_in_whoever_was_faster() {
    let served = Served::with(FEW, &[]);
    let login = |secret: &str| {
        let login = basic(&target_id("edge-0").to_string(), secret);
        request("POST", "/api/v1/agent/login", &[("Authorization", &login)], b"")
    };
    let held = fill_with_work(&served);
    // Neither a stranger nor who guesses is answered anything but to come again, and neither keeps the seat that was lent.
    let wrong = "f".repeat(32);
    for _ in 0..3 {
        assert!(is_turned_away(20, &served));
        let guess = ask_from(21, &served, &login(&wrong));
        assert!(guess.is_none_or(|reply| reply.status == 503 && reply.header("connection") == Some("close")));
    }
    let reply = until("a login", || {
        ask_from(1, &served, &login(&served.secret)).filter(|reply| reply.status == 200)
    });
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        assert_eq!(served.resources(&token).status, 200);
        assert_eq!(digest(&served.manifest().body), served.made.manifest);
    }
    assert!(is_turned_away(20, &served), "they are at work still");
    // Another agent of the same, from elsewhere, with the token alone.
    let bearer = format!("Bearer {token}");
    let resources = request("GET", "/api/v1/agent/resources", &[("Authorization", &bearer)], b"");
    let reply = until("resources", || {
        ask_from(30, &served, &resources).filter(|reply| reply.status == 200)
    });
    assert!(!reply.body.is_empty());
    assert!(
        !is_turned_away(30, &served),
        "its address is a known one now, for its engine too"
    );
    drop(held);
}

#[test]
fn r14_who_is_told_an_answer_is_never_cut_off_for_another() {
    let served = Served::with(FEW, &[]);
    let mut slow = connect_from(2, served.address);
    slow.write_all(&request("GET", &served.layer_path(), &[], b"")).unwrap();
    let mut slow = BufReader::with_capacity(1 << 10, slow);
    let mut first = [0; 12];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let _held = take_all(&served, 8);
    for _ in 0..30 {
        until("a pull", || ask_from(20, &served, &pull()));
    }
    let mut rest = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded")]
    slow.take(64 << 20).read_to_end(&mut rest).unwrap();
    let head = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    assert_eq!(digest(&rest[head + 4..]), served.made.layers[0]);
}

fn limited(files: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, AIRLOCK, "serve"]);
    command
}

#[test]
fn r14_connections_leave_files_for_everything_else() {
    // 128 connections, as 512 descriptors allow, though the configuration says 4096.
    let served = Served::of_command(limited(512), "", &[]);
    served.becomes_ready();
    let held = take_all(&served, 60);
    let token = until("a login", || {
        let login = basic(&target_id("edge-0").to_string(), &served.secret);
        let login = request("POST", "/api/v1/agent/login", &[("Authorization", &login)], b"");
        // A seat that is only lent may be asked back before the secret was compared.
        ask_from(1, &served, &login).filter(|reply| reply.status == 200)
    });
    let token = token.json()["token"].as_str().unwrap().to_owned();
    // The database, the status database and files are opened as ever.
    let next = super::served::release(&served.instance, 2);
    served.instance.import(&next, false).unwrap();
    until("the next release is served", || {
        let reply = ask_from(1, &served, &pull())?;
        (digest(&reply.body) == next.manifest).then_some(())
    });
    assert_eq!(served.report(&token).status, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", served.serving.id()))
        .unwrap()
        .count();
    assert!(open < 400, "{open} of 512 descriptors are open");
    served.becomes_ready();
    drop(held);
    assert!(served.serving.stop().success());
}

#[test]
fn r14_too_few_files_stop_the_start_and_say_what_to_do() {
    let instance = crate::support::in_process::InProcessAppliance::new();
    instance.release(1, 1, "a");
    let mut command = limited(200);
    command
        .args(["--listen", "127.0.0.1:0", "--state"])
        .arg(instance.state());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("E-USAGE descriptors") && said.contains("ulimit -n"),
        "{said}"
    );
}

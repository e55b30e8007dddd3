//! Zero outbound: without any network to reach, and by the system calls that were made.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::airlock::{Server, port_of, serving};
use crate::http::digest;
use crate::process::Program;
use crate::world::World;
use crate::{Outcome, ensure};

/// Runs the rest of its arguments in a network namespace of their own that has loopback and nothing else.
pub(crate) const ALONE: [&str; 6] = [
    "--net",
    "--",
    "sh",
    "-c",
    "ip link set lo up && test -z \"$(ip route)\" && exec \"$@\"",
    "sh",
];

/// The built program.
const AIRLOCK: &str = env!("CARGO_BIN_EXE_airlock");

/// Verify, import and serve, with a pull over loopback, in a network namespace without routes.
pub(crate) fn works_without_any_network(world: &World) -> Outcome {
    let alone = || Program::new("unshare").args(ALONE);
    let release = world.release(1)?;
    let site = world.site("alone")?;
    alone()
        .arg(AIRLOCK)
        .args(["bundle", "verify"])
        .arg(&release.bundle)
        .arg("--trust")
        .arg(world.root()?)
        .ok()?;
    alone()
        .arg(AIRLOCK)
        .arg("import")
        .arg(&release.bundle)
        .arg("--state")
        .arg(&site.state)
        .ok()?;
    let (service, port) = serving(alone().arg(AIRLOCK), &site.state).serve(port_of)?;
    let to = world.folder("alone-pull")?;
    // unshare, sh and airlock are one process after the other: the service's id is airlock's.
    inside(service.id())
        .words("skopeo --insecure-policy copy --src-tls-verify=false")
        .arg(format!("docker://127.0.0.1:{port}/acme/app:stable"))
        .arg(format!("dir:{}", to.display()))
        .ok()?;
    let pulled = digest(&fs::read(to.join("manifest.json"))?);
    ensure(pulled == release.top("acme/app")?, || format!("{pulled} was pulled"))?;
    let (status, log) = service.end()?;
    ensure(status.success(), || format!("serve ended with {status}: {log}"))
}

/// A program that runs in the network namespace of a process.
pub(crate) fn inside(process: u32) -> Program {
    Program::new("nsenter").arg(format!("--net=/proc/{process}/ns/net"))
}

/// The network calls of verify, import and serve, from a trace: listening and accepting on loopback, and nothing else.
pub(crate) fn system_calls_show_only_loopback(world: &World) -> Outcome {
    let dir = world.folder("traced")?;
    let release = world.release(1)?;
    let site = world.site("traced-site")?;
    let verify = dir.join("verify");
    traced(&verify)
        .arg(AIRLOCK)
        .args(["bundle", "verify"])
        .arg(&release.bundle)
        .arg("--trust")
        .arg(world.root()?)
        .ok()?;
    let import = dir.join("import");
    traced(&import)
        .arg(AIRLOCK)
        .arg("import")
        .arg(&release.bundle)
        .arg("--state")
        .arg(&site.state)
        .ok()?;
    for trace in [&verify, &import] {
        let text = fs::read_to_string(trace)?;
        ensure(text.contains("+++ exited with 0 +++"), || format!("no trace: {text}"))?;
        let calls = calls_of(&text);
        ensure(calls.is_empty(), || {
            format!("{} made network calls: {calls:?}", trace.display())
        })?;
    }
    let serve = dir.join("serve");
    let server = Server::start(serving(traced(&serve).arg(AIRLOCK), &site.state))?;
    // A traced client is the control: this trace would have shown a connection.
    let control = dir.join("control");
    let to = dir.join("pulled");
    traced(&control)
        .words("skopeo --insecure-policy copy --src-tls-verify=false")
        .arg(format!("docker://{}/acme/tool:stable", server.host()))
        .arg(format!("dir:{}", to.display()))
        .ok()?;
    let text = fs::read_to_string(&control)?;
    let reached = format!("htons({}), sin_addr=inet_addr(\"127.0.0.1\")", server.port);
    ensure(
        text.lines()
            .any(|line| line.contains("connect(") && line.contains(&reached)),
        || "the trace of a client shows no connection".to_owned(),
    )?;
    let (status, log) = server.service.end()?;
    ensure(status.success(), || format!("serve ended with {status}: {log}"))?;
    let text = fs::read_to_string(&serve)?;
    let calls = calls_of(&text);
    for expected in ["socket", "bind", "listen", "accept4"] {
        ensure(calls.contains(expected), || {
            format!("serve made no {expected} call: {calls:?}")
        })?;
    }
    let allowed = [
        "socket",
        "socketpair",
        "setsockopt",
        "getsockopt",
        "bind",
        "listen",
        "getsockname",
        "getpeername",
        "accept4",
        "recvfrom",
        "recvmsg",
        "sendto",
        "sendmsg",
        "sendfile",
        "shutdown",
    ];
    let foreign: Vec<_> = calls.iter().filter(|call| !allowed.contains(&call.as_str())).collect();
    ensure(foreign.is_empty(), || format!("serve made {foreign:?}"))?;
    for line in text.lines() {
        only_loopback(line)?;
    }
    Ok(())
}

/// Checks one line of a trace: no address but loopback, no internet socket but a stream, nothing sent to an address.
fn only_loopback(line: &str) -> Outcome {
    for (_, rest) in line
        .match_indices("inet_addr(\"")
        .map(|(at, mark)| line.split_at(at + mark.len()))
    {
        ensure(rest.starts_with("127.0.0.1\""), || format!("another address: {line}"))?;
    }
    ensure(!line.contains("inet_pton(") && !line.contains("AF_NETLINK"), || {
        format!("another kind of address: {line}")
    })?;
    let sends = line.contains("sendto(") || line.contains("sendmsg(");
    ensure(!(sends && line.contains("sin_addr")), || {
        format!("sent to an address: {line}")
    })?;
    let socket = line.contains(" socket(AF_INET");
    ensure(!socket || line.contains("SOCK_STREAM"), || {
        format!("a socket that is no stream: {line}")
    })
}

/// The names of the network calls in a trace.
fn calls_of(trace: &str) -> BTreeSet<String> {
    trace
        .lines()
        .filter_map(|line| {
            let call = line.split_once(' ')?.1.trim_start();
            let name = call.strip_prefix("<... ").unwrap_or(call);
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
            let name = name.get(..end)?;
            // `+++ exited` and `--- SIGTERM` are no calls.
            (!name.is_empty()).then(|| name.to_owned())
        })
        .collect()
}

/// strace as a bystander (`-D`): the program itself stays the child, and ends when it is told to.
fn traced(to: &Path) -> Program {
    Program::new("strace")
        .words("-D -f -e signal=none -e trace=%network -o")
        .arg(to)
}

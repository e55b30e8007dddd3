//! `systemd/airlock.service` without systemd as the first process: its command line under the restrictions that can be made here.
//!
//! In a mount namespace the whole file system is read-only but for the state, as `ProtectSystem=strict` makes it; in a network
//! namespace there is loopback only, as `IPAddressDeny=any` leaves it; another user, no capabilities and no way to new ones, no
//! core file. The notification socket must receive `READY=1` and `STOPPING=1`. The system calls of that run are then held
//! against `SystemCallFilter=`, expanded by `systemd-analyze`, and no mapping may be both writable and executable.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::isolation::inside;
use crate::process::Program;
use crate::world::World;
use crate::{Outcome, ensure, failure};

/// A user and group that own nothing: Debian's `nobody`.
const USER: &str = "65534";
/// Where the server listens without a configuration.
const PORT: u16 = 5000;

/// The unit's server starts, is ready, answers, stops.
pub(crate) fn unit_starts_under_its_restrictions(world: &World) -> Outcome {
    let unit = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/airlock.service"))?;
    let command = setting(&unit, "ExecStart").ok_or("the unit has no ExecStart")?;
    let dir = world.folder("unit")?;
    let site = world.site("unit-site")?;
    site.imported(&world.release(1)?.bundle)?;
    Program::new("chown").args(["-R", USER]).arg(&site.state).ok()?;
    let socket_path = dir.join("notify");
    let socket = UnixDatagram::bind(&socket_path)?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    Program::new("chmod").args(["0777"]).arg(&socket_path).ok()?;
    // The run's folder is for root alone: the socket and the state get places that the other user can reach.
    let script = format!(
        "set -e\n\
         ip link set lo up\n\
         mount -t tmpfs none /usr/local/bin && install -m 0755 {program} /usr/local/bin/airlock\n\
         mount -t tmpfs none /srv && mkdir /srv/state /srv/trace && touch /srv/notify\n\
         mount --bind {state} /srv/state && mount --bind {notify} /srv/notify && mount --bind {dir} /srv/trace\n\
         mount -t tmpfs none /var/lib && mkdir /var/lib/airlock && mount --bind /srv/state /var/lib/airlock\n\
         mount -o remount,bind,ro / && mount -o remount,bind,ro /usr/local/bin && mount -o remount,ro /var/lib\n\
         cd / && umask 0077 && ulimit -c 0\n\
         exec strace -D -f -o /srv/trace/calls setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs \
         --bounding-set=-all --inh-caps=-all env -i NOTIFY_SOCKET=/srv/notify {command}\n",
        program = env!("CARGO_BIN_EXE_airlock"),
        state = site.state.display(),
        notify = socket_path.display(),
        dir = dir.display(),
    );
    let (service, ()) = Program::new("unshare")
        .words("--mount --net --propagation private -- bash -c")
        .arg(script)
        .serve(|line| line.contains("serving http://").then_some(()))?;
    expect(&socket, "READY=1")?;
    inside(service.id())
        .words("curl --silent --show-error --fail --output /dev/null")
        .arg(format!("http://127.0.0.1:{PORT}/v2/acme/app/manifests/stable"))
        .ok()?;
    let status = fs::read_to_string(format!("/proc/{}/status", service.id()))?;
    for line in [
        "Uid:\t65534",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        ensure(status.contains(line), || format!("not {line:?}: {status}"))?;
    }
    let (ended, log) = service.end()?;
    ensure(ended.success(), || format!("the server ended with {ended}: {log}"))?;
    expect(&socket, "STOPPING=1")?;
    let trace = fs::read_to_string(dir.join("calls"))?;
    calls_are_allowed(&unit, &trace)
}

/// Waits for a message to the service manager.
fn expect(socket: &UnixDatagram, wanted: &str) -> Outcome {
    let mut buffer = [0; 1024];
    let length = socket.recv(&mut buffer).map_err(|e| format!("no {wanted}: {e}"))?;
    let message = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    ensure(message.lines().any(|line| line == wanted), || {
        format!("not {wanted} but {message:?}")
    })
}

/// The system calls of the server itself are among those that the unit allows.
fn calls_are_allowed(unit: &str, trace: &str) -> Outcome {
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (refused, sets) = match line.strip_prefix('~') {
            Some(sets) => (true, sets),
            None => (false, line),
        };
        for set in sets.split_whitespace() {
            for call in calls_in(set)? {
                if refused {
                    allowed.remove(&call);
                } else {
                    allowed.insert(call);
                }
            }
        }
    }
    ensure(allowed.len() > 100, || format!("the filter allows only {allowed:?}"))?;
    // What setpriv and env did before they became the server is not the server's.
    let start = trace
        .find("execve(\"/usr/local/bin/airlock\"")
        .ok_or("the trace shows no start of the server")?;
    let own = trace.get(start..).unwrap_or_default();
    let mut foreign = BTreeSet::new();
    for line in own.lines().skip(1) {
        let Some((_, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let name: String = call
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if call.get(name.len()..).is_some_and(|rest| rest.starts_with('(')) && !allowed.contains(&name) {
            foreign.insert(name);
        }
        if line.contains("PROT_WRITE|PROT_EXEC") {
            return failure(format!("memory that is writable and executable: {line}"));
        }
    }
    ensure(foreign.is_empty(), || format!("the unit does not allow {foreign:?}"))
}

/// The calls of a set (`@name`), with those of the sets in it.
fn calls_in(set: &str) -> Outcome<BTreeSet<String>> {
    if !set.starts_with('@') {
        return Ok(BTreeSet::from([set.to_owned()]));
    }
    let listed = Program::new("systemd-analyze")
        .args(["syscall-filter", "--no-pager", set])
        .ok()?;
    let mut calls = BTreeSet::new();
    for name in listed
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
    {
        if !name.is_empty() {
            calls.extend(calls_in(name)?);
        }
    }
    Ok(calls)
}

/// A setting of a unit.
fn setting<'a>(unit: &'a str, name: &str) -> Option<&'a str> {
    unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

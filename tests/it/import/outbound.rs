//! Promise P17: verify, import and serve open no connection to anywhere. Shown twice, because each way misses something: in a network
//! namespace that has no way out everything works as before, and a trace of every network call shows none but the server's
//! own on the loopback.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::appliance::{self, AIRLOCK, Appliance, Ended, Serving, import_arguments, read, write};
use crate::support::bundles::{Made, REPOSITORY, SMALL_CHUNKS, Vendor};
use crate::support::left_out::left_out;
use crate::support::site::{digest, noise};
use crate::support::strace::{self, Call};

struct Setup {
    appliance: Appliance,
    folder: tempfile::TempDir,
    made: Made,
}

impl Setup {
    fn new() -> Self {
        let vendor = Vendor::new();
        let setup = Self {
            appliance: Appliance::init(&vendor),
            folder: appliance::scratch(),
            made: vendor.bundle(1, &[noise(5000, 1), noise(1_500_000, 2)], SMALL_CHUNKS),
        };
        write(&setup.bundle(), &setup.made.bytes);
        write(&setup.folder.path().join("root.json"), &vendor.chain_file());
        setup
    }

    fn bundle(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    fn verify(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["--format", "json", "bundle", "verify"].map(Into::into).to_vec();
        arguments.push(self.bundle().into());
        arguments.push("--trust".into());
        arguments.push(self.folder.path().join("root.json").into());
        arguments
    }

    /// What a person sees of verify, import and one pull, all started by `prefix`.
    fn journey(&self, prefix: &[&str], state: &Path) -> Vec<Value> {
        let run = |arguments: &[OsString]| {
            let ended = Ended::of(&command(prefix).args(arguments).output().unwrap());
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            let mut result = ended.result;
            // How much is free is another matter a moment later.
            if let Some(room) = result["room"].as_object_mut() {
                room.retain(|member, _| !member.starts_with("free_"));
            }
            result
        };
        let mut seen = vec![run(&self.verify()), run(&import_arguments(state, &self.bundle()))];
        // A new namespace is born with its loopback down.
        let up = ["sh", "-c", r#"ip link set lo up; exec "$0" "$@""#];
        let prefix = if prefix.is_empty() {
            Vec::new()
        } else {
            [prefix, &up].concat()
        };
        let mut server = command(&prefix);
        server.args(["serve", "--listen", "127.0.0.1:0", "--state"]).arg(state);
        let server = Serving::spawn(server);
        for what in [format!("blobs/{}", self.made.layers[1]), "manifests/latest".into()] {
            let url = format!("http://{}/v2/{REPOSITORY}/{what}", server.address);
            let output = curl(&server, !prefix.is_empty(), &url);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            seen.push(digest(&output.stdout).to_string().into());
        }
        assert_eq!(seen[2], self.made.layers[1].to_string());
        assert_eq!(seen[3], self.made.manifest.to_string());
        if !prefix.is_empty() {
            let routes = read(Path::new(&format!("/proc/{}/net/route", server.id())));
            assert_eq!(
                String::from_utf8_lossy(&routes).lines().count(),
                1,
                "a header and no route"
            );
        }
        assert!(server.stop().success());
        seen
    }
}

/// The program, or something that starts it.
fn command(prefix: &[&str]) -> Command {
    let words = [prefix, &[AIRLOCK]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

/// Fetches with curl, from where the server is.
fn curl(server: &Serving, inside: bool, url: &str) -> Output {
    let mut command = if inside {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", server.id())).arg("curl");
        command
    } else {
        Command::new("curl")
    };
    command
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            url,
        ])
        .output()
        .unwrap()
}

/// Whether a program can be started; in CI it must be.
pub(super) fn have(what: &str, command: &mut Command) -> bool {
    let works = command.output().is_ok_and(|output| output.status.success());
    if !works {
        left_out(&format!("{what} does not work here"));
    }
    works
}

#[test]
fn without_a_network_everything_is_the_same() {
    let namespace = ["unshare", "--net", "--"];
    let mut probe = Command::new(namespace[0]);
    probe.args(&namespace[1..]).args(["sh", "-c", "ip link set lo up"]);
    if !have("a network namespace", &mut probe) || !have("curl", Command::new("curl").arg("--version")) {
        return;
    }
    let setup = Setup::new();
    let copy = setup.appliance.copy();
    let with = setup.journey(&[], &copy.path());
    let without = setup.journey(&namespace, &setup.appliance.path());
    assert_eq!(with, without);
    println!("without a network: verify, import and a pull came to the same");
}

/// Traces the network calls of a command, and some others that prove that the trace works.
pub(super) const TRACED: &str = "trace=%network,?open,openat,seccomp,execve";

pub(super) fn network(calls: &[Call]) -> impl Iterator<Item = &Call> {
    let other = ["open", "openat", "seccomp", "execve"];
    calls.iter().filter(move |call| !other.contains(&call.name.as_str()))
}

/// Whether a call names an address that is neither on this machine nor no network address at all.
pub(super) fn leaves(call: &Call) -> bool {
    if !["connect", "sendto", "sendmsg", "sendmmsg", "bind"].contains(&call.name.as_str()) {
        return false;
    }
    let four = call.rest.contains("sa_family=AF_INET,") && !call.rest.contains(r#"inet_addr("127."#);
    let six = call.rest.contains("sa_family=AF_INET6") && !call.rest.contains(r#""::1""#);
    // Packet, netlink and every other family than local ones.
    let other =
        call.rest.contains("sa_family=AF_") && !["AF_INET", "AF_UNIX"].iter().any(|family| call.rest.contains(family));
    four || six || other
}

#[test]
fn verify_and_import_make_no_network_call_at_all() {
    if !strace::available() {
        return;
    }
    let setup = Setup::new();
    let strace = ["-e".to_owned(), TRACED.to_owned()];
    let import = import_arguments(&setup.appliance.path(), &setup.bundle());
    for (what, arguments) in [("verify", setup.verify()), ("import", import)] {
        let run = strace::run(&strace, &arguments);
        assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
        assert_eq!(network(&run.calls).collect::<Vec<_>>(), Vec::<&Call>::new(), "{what}");
        assert_eq!(
            run.calls.iter().filter(|call| call.name == "execve").count(),
            1,
            "{what} starts nothing"
        );
        let bundle = setup.bundle().display().to_string();
        let opened = run
            .calls
            .iter()
            .position(|call| call.rest.contains(&bundle) && call.name.starts_with("open"));
        let confined = run
            .calls
            .iter()
            .position(|call| call.name == "seccomp" && call.rest.contains("SECCOMP_SET_MODE_FILTER"));
        assert!(opened.is_some(), "{what} opens the bundle: the trace is not empty");
        if what == "import" {
            assert!(
                confined.is_some() && confined < opened,
                "import gives up the network before it reads"
            );
        }
        println!("{what}: {} calls traced, none of the network", run.calls.len());
    }
}

#[test]
fn every_thread_of_an_import_is_confined() {
    let setup = Setup::new();
    let mut command = appliance::import_command(&setup.appliance.path(), Path::new("-"));
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut feed = child.stdin.take().unwrap();
    let (first, rest) = setup.made.bytes.split_at(setup.made.bytes.len() / 2);
    std::io::Write::write_all(&mut feed, first).unwrap();
    // Threads that decode begin when the first chunks come.
    let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
    let list = || {
        std::fs::read_dir(&tasks)
            .unwrap()
            .map(|task| task.unwrap().path().join("status"))
            .collect::<Vec<_>>()
    };
    appliance::wait_for("threads", || list().len() > 1);
    for status in list() {
        let status = String::from_utf8(read(&status)).unwrap();
        // 2 is SECCOMP_MODE_FILTER.
        assert!(
            status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n"),
            "{status}"
        );
    }
    std::io::Write::write_all(&mut feed, rest).unwrap();
    drop(feed);
    Ended::of(&child.wait_with_output().unwrap()).assert_imported();
}

#[test]
fn a_server_talks_on_the_loopback_alone() {
    if !strace::available() {
        return;
    }
    let setup = Setup::new();
    let state = setup.appliance.path();
    setup.appliance.import(&setup.bundle()).assert_imported();
    let log = tempfile::NamedTempFile::new().unwrap();
    // A machine may have no IPv6.
    let six = std::net::TcpListener::bind("[::1]:0").is_ok();
    let mut arguments: Vec<OsString> = ["serve", "--listen", "127.0.0.1:0"].map(Into::into).to_vec();
    if six {
        arguments.extend(["--listen", "[::1]:0"].map(Into::into));
    }
    arguments.push("--state".into());
    arguments.push(state.into());
    let server = Serving::spawn(strace::command(
        &["-e".to_owned(), TRACED.to_owned()],
        log.path(),
        &arguments,
    ));
    server.assert_serves(&setup.made);
    assert!(server.stop_traced().success());
    let run = strace::finish(
        &Output {
            status: std::process::ExitStatus::default(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        },
        log.path(),
    );
    let calls: Vec<_> = network(&run.calls).collect();
    let count = |name: &str, what: &str| {
        calls
            .iter()
            .filter(|call| call.name == name && call.rest.contains(what))
            .count()
    };
    assert_eq!(count("bind", r#"inet_addr("127.0.0.1")"#), 1, "{calls:#?}");
    assert_eq!(count("bind", r#""::1""#), usize::from(six), "{calls:#?}");
    assert_eq!(count("listen", ""), 1 + usize::from(six));
    let accepted = calls
        .iter()
        .filter(|call| call.name.starts_with("accept") && call.returned().is_some_and(|fd| fd >= 0));
    let accepted: Vec<_> = accepted.collect();
    assert_eq!(accepted.len(), 3, "a manifest and two layers were pulled: {calls:#?}");
    assert!(
        accepted
            .iter()
            .all(|call| call.rest.contains(r#"inet_addr("127.0.0.1")"#)),
        "{accepted:#?}"
    );
    assert_eq!(count("connect", ""), 0);
    assert_eq!(count("socket", "AF_INET"), 1 + usize::from(six), "those that listen");
    let outside: Vec<_> = calls.iter().filter(|call| leaves(call)).collect();
    assert!(outside.is_empty(), "{outside:#?}");
    assert_eq!(
        run.calls.iter().filter(|call| call.name == "execve").count(),
        1,
        "it starts nothing"
    );
    println!(
        "serve: {} network calls, {} connections accepted, none made",
        calls.len(),
        accepted.len()
    );
}

#[test]
fn the_judge_of_traces_knows_what_leaves() {
    let call = |name: &str, rest: &str| Call {
        thread: 1,
        name: name.into(),
        rest: rest.into(),
    };
    for (name, rest) in [
        (
            "connect",
            r#"3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}, 16) = 0"#,
        ),
        (
            "sendto",
            r#"3, "", 0, 0, {sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}, 28) = 0"#,
        ),
        (
            "bind",
            r#"3, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0"#,
        ),
        ("bind", r"3, {sa_family=AF_NETLINK, nl_pid=0}, 12) = 0"),
    ] {
        assert!(leaves(&call(name, rest)), "{name} {rest}");
    }
    for (name, rest) in [
        (
            "connect",
            r#"3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.1")}, 16) = 0"#,
        ),
        ("connect", r#"3, {sa_family=AF_UNIX, sun_path="/run/x"}, 12) = 0"#),
        ("sendto", r#"3, "HTTP", 4, MSG_NOSIGNAL, NULL, 0) = 4"#),
    ] {
        assert!(!leaves(&call(name, rest)), "{name} {rest}");
    }
}

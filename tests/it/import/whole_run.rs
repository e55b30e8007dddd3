//! Promise P17 over the whole run of a site: everything that a site does from its first day on, each command in a network namespace of its own
//! without a way out and under a trace, and what timers start as their units say it. No call of any process names another machine, none
//! connects to anything, and none starts another program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::outbound::{TRACED, have, leaves, network};
use crate::support::appliance::{AIRLOCK, Serving, read, scratch, write, write_private};
use crate::support::bundles::{Made, REPOSITORY, SMALL_CHUNKS, Vendor};
use crate::support::site::{digest, noise};
use crate::support::strace::{self, Call};

/// A new namespace is born with its loopback down.
const ALONE: [&str; 6] = [
    "unshare",
    "--net",
    "--",
    "sh",
    "-c",
    "ip link set lo up; exec \"$0\" \"$@\"",
];

struct Site {
    folder: tempfile::TempDir,
    made: Made,
}

impl Site {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program in a namespace of its own, under a trace with that name.
    fn command(&self, trace: &str, words: &[OsString]) -> Command {
        let mut command = Command::new(ALONE[0]);
        command.args(&ALONE[1..]);
        command.args(["strace", "-f", "-e", "signal=none", "-e", TRACED, "-o"]);
        command.arg(self.path(trace)).arg("--").arg(AIRLOCK).args(words);
        command.env("AIRLOCK_STATE", self.path("state")).stdin(Stdio::null());
        command
    }

    fn run(&self, trace: &str, words: &[&str]) -> Vec<Call> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let output = self.command(trace, &words).output().unwrap();
        assert!(
            output.status.success(),
            "{trace}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.calls(trace)
    }

    /// What stands in a trace, which is none of another program's.
    fn calls(&self, trace: &str) -> Vec<Call> {
        let output = Output {
            status: std::process::ExitStatus::default(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        let calls = strace::finish(&output, &self.path(trace)).calls;
        let count = |name: &str| calls.iter().filter(|call| call.name == name).count();
        assert_eq!(count("execve"), 1, "{trace} starts nothing");
        assert!(count("openat") > 0, "{trace}: the trace is not empty");
        calls
    }

    /// What a unit starts, with this site's folder for what leaves.
    fn of_unit(&self, name: &str) -> Vec<String> {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
        let unit = String::from_utf8(read(&unit)).unwrap();
        assert!(unit.contains("\nPrivateNetwork=yes\n"), "{name}");
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/airlock "))
            .unwrap();
        let out = self.path("out").display().to_string();
        line.split(' ')
            .map(|word| word.replace("/var/lib/airlock-out", &out))
            .collect()
    }
}

/// Asks the server, from where it is.
fn ask(server: &Serving, url: &str) -> Vec<u8> {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{}/ns/net", server.id()));
    command.args([
        "curl",
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "60",
        "--noproxy",
        "*",
        url,
    ]);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{url}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn f18_the_whole_run_reaches_nothing_but_this_machine() {
    let mut probe = Command::new(ALONE[0]);
    probe.args(&ALONE[1..]).arg("true");
    if !have("a network namespace", &mut probe)
        || !have("curl", Command::new("curl").arg("--version"))
        || !strace::available()
    {
        return;
    }
    let vendor = Vendor::new();
    let site = Site {
        folder: scratch(),
        made: vendor.bundle(1, &[noise(5000, 1), noise(1_500_000, 2)], SMALL_CHUNKS),
    };
    write(&site.path("bundle"), &site.made.bytes);
    write(&site.path("root.json"), &vendor.chain_file());
    write_private(&site.path("passphrase"), b"a passphrase for this test\n");
    // In a namespace of its own nobody else has these ports.
    write(
        &site.path("airlock.toml"),
        b"listen = [\"127.0.0.1:5000\"]\n[metrics]\nlisten = \"127.0.0.1:9105\"\n",
    );
    std::fs::create_dir(site.path("out")).unwrap();
    let path = |name: &str| site.path(name).display().to_string();
    let mut all = Vec::new();
    let mut run = |name: &str, words: &[&str]| all.push((name.to_owned(), site.run(name, words)));
    run("init", &["init", "--site", "plant", "--trust", &path("root.json")]);
    run("dry-run", &["import", &path("bundle"), "--dry-run"]);
    run("import", &["import", &path("bundle")]);
    let config = path("airlock.toml");
    // Beside a server it asks that one thing more, at its loopback address, which is told in a test of its own.
    run("doctor", &["doctor", "--config", &config]);
    let serve: Vec<OsString> = ["serve", "--config", &config].iter().map(OsString::from).collect();
    let server = Serving::spawn(site.command("serve", &serve));
    let manifest = ask(
        &server,
        &format!("http://127.0.0.1:5000/v2/{REPOSITORY}/manifests/latest"),
    );
    assert_eq!(digest(&manifest), site.made.manifest);
    let metrics = String::from_utf8(ask(&server, "http://127.0.0.1:9105/metrics")).unwrap();
    assert!(metrics.contains("# TYPE airlock_"), "{metrics}");
    ask(&server, "http://127.0.0.1:5000/readyz");
    for unit in ["airlock-gc.service", "airlock-scrub.service", "airlock-export.service"] {
        let words = site.of_unit(unit);
        run(unit, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let backup = path("site.backup");
    run(
        "backup",
        &["backup", "-o", &backup, "--passphrase-file", &path("passphrase")],
    );
    run("audit", &["audit", "verify"]);
    run("lists", &["release", "list"]);
    let routes = read(Path::new(&format!("/proc/{}/net/route", server.id())));
    assert_eq!(
        String::from_utf8_lossy(&routes).lines().count(),
        1,
        "a header and no route"
    );
    assert!(server.stop_traced().success());
    all.push(("serve".to_owned(), site.calls("serve")));
    assert!(
        std::fs::read_dir(site.path("out")).unwrap().count() > 0,
        "a package was laid out"
    );

    for (name, calls) in &all {
        let calls: Vec<&Call> = network(calls).collect();
        let outside: Vec<&&Call> = calls.iter().filter(|call| leaves(call)).collect();
        assert!(outside.is_empty(), "{name}: {outside:#?}");
        let count = |call: &str, what: &str| {
            let found = calls.iter().filter(|one| one.name == call && one.rest.contains(what));
            found.count()
        };
        assert_eq!(count("connect", ""), 0, "{name}");
        // Those of the server that listen: for engines and agents, and for whoever watches.
        let listens = if name == "serve" { 2 } else { 0 };
        assert_eq!(
            (count("socket", "AF_INET"), count("listen", "")),
            (listens, listens),
            "{name}"
        );
        println!("{name}: {} network calls, none to another machine", calls.len());
    }
    assert_eq!(all.len(), 11);
}

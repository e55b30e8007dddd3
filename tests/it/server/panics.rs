//! F21: a panic in every long-lived thread and task: what ends, what is answered meanwhile, what `/readyz` says, and that nothing hangs.
//! Panics are injected by a file, which builds without debug assertions do not look for; such builds have nothing to test here.
#![cfg(debug_assertions)]

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::served::{Served, VERIFIED, release, report, until};
use crate::support::appliance::{AIRLOCK, Appliance, Ended, audit_actions, import_command, incoming, scratch, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::client::raw;
use crate::support::site::{digest, noise};

const PANIC: &str = "E-INTERNAL panic";

/// Pulls and agents go on: a panic elsewhere is none of theirs.
#[track_caller]
fn others_are_served(served: &Served, token: &str, resources: &[u8]) {
    assert_eq!(digest(&served.manifest().body), served.made.manifest);
    let reply = served.resources(token);
    assert_eq!((reply.status, reply.body.as_slice()), (200, resources));
}

#[test]
fn f21_the_watcher_goes_on_and_is_not_ready_until_it_does() {
    let served = Served::start();
    let token = served.token();
    let resources = served.resources(&token).body;
    served.becomes_ready();
    let next = release(&served.instance, 2);
    served.panicking("generation", || {
        let problem = served.problem("releases");
        assert_eq!(problem["error"], PANIC);
        assert_eq!(served.ready().1["checks"]["releases"], PANIC);
        // What becomes live meanwhile is not noticed, and that is said; what was live is answered as before.
        served.instance.import(&next, false).unwrap();
        others_are_served(&served, &token, &resources);
        until("another look", || (served.panics("generation") > 1).then_some(()));
        assert_eq!(digest(&served.manifest().body), served.made.manifest);
    });
    let ready = served.becomes_ready();
    assert_eq!(ready["generation"], 2);
    assert_eq!(digest(&served.manifest().body), next.manifest);
    assert!(served.serving.stop().success());
}

#[test]
fn f21_a_check_that_panics_is_not_a_check_that_passed() {
    for (part, check) in [("index", "index"), ("database", "database"), ("status-check", "status")] {
        let served = Served::with("", &[part]);
        let problem = served.problem(part);
        assert_eq!(problem["error"], PANIC, "{part}");
        let (_, ready) = served.ready();
        let others = ["index", "database", "status"]
            .into_iter()
            .filter(|other| *other != check);
        for other in others {
            let word = until(other, || {
                let word = served.ready().1["checks"][other].as_str().unwrap().to_owned();
                (word != "running").then_some(word)
            });
            assert_eq!(word, "ok", "{part}: {other}");
        }
        assert_eq!(ready["problems"].as_array().unwrap().len(), 1, "{ready}");
        let token = served.token();
        let resources = served.resources(&token).body;
        others_are_served(&served, &token, &resources);
        assert_eq!(served.report(&token).status, 200);
        assert!(served.serving.stop().success());
    }
    let served = Served::start();
    assert_eq!(served.becomes_ready()["panics"], serde_json::json!([]));
}

#[test]
fn f21_the_writer_of_statuses_answers_who_waits_and_goes_on() {
    let served = Served::start();
    let token = served.token();
    let resources = served.resources(&token).body;
    assert_eq!(served.report(&token).status, 200);
    served.panicking("status", || {
        // Many at once, so that some wait in the queue while the writer ends. Each of them is answered.
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let (address, token) = (served.address, token.clone());
                std::thread::spawn(move || report(address, &token).status)
            })
            .collect();
        for status in waiting {
            assert_eq!(status.join().unwrap(), 503);
        }
        assert_eq!(served.problem("status")["error"], PANIC);
        assert_eq!(served.ready().1["checks"]["status"], PANIC);
        others_are_served(&served, &token, &resources);
    });
    until("a report is taken again", || {
        (served.report(&token).status == 200).then_some(())
    });
    served.becomes_ready();
    assert!(served.panics("status") >= 1);
    assert!(served.serving.stop().success());
}

#[test]
fn f21_a_writer_that_panics_at_the_end_does_not_keep_the_server() {
    let served = Served::start();
    let token = served.token();
    served.panicking("status", || {
        assert_eq!(served.report(&token).status, 503);
        let process = rustix::process::Pid::from_raw(served.serving.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        until("the process has ended", || {
            std::net::TcpStream::connect(served.address).is_err().then_some(())
        });
    });
    assert!(served.serving.stop().success());
}

#[test]
fn f21_accepting_and_connections_go_on_and_seats_come_back() {
    let served = Served::with("[limits]\nconnections = 16\nconnections_per_address = 4\n", &[]);
    served.becomes_ready();
    // More often than there are seats.
    for part in ["accept", "connection"] {
        for _ in 0..6 {
            served.panic_once(part);
            let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            assert!(raw(served.address, request, false).is_err(), "{part}");
            assert!(served.panicked(part));
            let after = until("the next one is answered", || raw(served.address, request, false).ok());
            assert_eq!(after.status, 200);
        }
        assert_eq!(served.panics(part), 6);
    }
    assert_eq!(served.ready().0, 200, "it is over, and said");
}

#[test]
fn f21_a_request_that_panics_is_answered_and_the_next_is_served() {
    let served = Served::start();
    let token = served.token();
    let resources = served.resources(&token).body;
    served.panic_once("request");
    let reply = served.manifest();
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8_lossy(&reply.body).contains(PANIC));
    others_are_served(&served, &token, &resources);
    // A question that waits for a disk; never an empty list (D11).
    served.panic_once("question");
    let reply = served.resources(&token);
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (500, format!("{PANIC}\n").as_bytes())
    );
    others_are_served(&served, &token, &resources);
    assert_eq!((served.panics("request"), served.panics("question")), (1, 1));
    assert_eq!(served.ready().0, 200);
}

#[test]
fn f21_a_piece_that_panics_breaks_one_answer_off() {
    let served = Served::start();
    let ask = || {
        let mut stream = crate::support::client::connect(served.address);
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            served.layer_path()
        );
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "bounded, and it may end anyhow")]
        stream.take(64 << 20).read_to_end(&mut answer).ok();
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        answer.split_off(head.map_or(0, |head| head + 4))
    };
    served.panic_once("blob");
    let broken = ask();
    assert!(served.panicked("blob"));
    assert!(broken.len() < 9 << 20, "nobody takes a part for the whole");
    let refused = broken.starts_with(b"{\"errors\"");
    assert!(
        refused || noise(9 << 20, 1).starts_with(&broken),
        "and no other bytes came"
    );
    assert_eq!(digest(&ask()), served.made.layers[0]);
    assert_eq!(served.panics("blob"), 1);
}

#[test]
fn f21_an_expensive_login_that_panics_gives_its_place_back() {
    let served = Served::start();
    // There are two places: one more in vain would be the end of logins.
    for _ in 0..3 {
        served.panic_once("hashing");
        assert_eq!(served.login("edge-1", VERIFIED).status, 500);
        assert!(served.panicked("hashing"));
    }
    assert_eq!(served.login("edge-1", VERIFIED).status, 200);
    assert_eq!(served.panics("question"), 3);
}

#[test]
fn f21_a_certificate_is_shown_on_while_nobody_can_look_after_it() {
    let served = Served::with("[tls]\nlisten = [\"127.0.0.1:0\"]\n", &[]);
    served.becomes_ready();
    served.panicking("certificate", || {
        assert_eq!(served.problem("certificate")["error"], PANIC);
        assert_eq!(served.manifest().status, 200);
    });
    served.becomes_ready();
    assert!(served.panics("certificate") >= 1);
}

/// A bundle of several chunks, with a blob that spans some of them.
fn bundle(vendor: &Vendor, folder: &Path) -> std::path::PathBuf {
    let path = folder.join("bundle");
    let made = vendor.bundle(1, &[noise(5000, 1), noise(3 << 20, 2)], SMALL_CHUNKS);
    write(&path, &made.bytes);
    path
}

#[test]
fn f21_an_import_whose_threads_panic_ends_as_after_any_error() {
    let vendor = Vendor::new();
    let folder = scratch();
    let bundle = bundle(&vendor, folder.path());
    let appliance = Appliance::init(&vendor);
    for part in ["reader", "worker", "hasher", "committer"] {
        let before = audit_actions(&appliance.path()).len();
        write(&folder.path().join(part), b"");
        let mut command = import_command(&appliance.path(), &bundle);
        let ended = Ended::of(&command.env("AIRLOCK_TEST_PANICS", folder.path()).output().unwrap());
        assert_eq!(ended.code, Some(70), "{part}: {}", ended.stderr);
        ended.assert_refused("E-INTERNAL", "panic", "X11");
        assert!(!folder.path().join(part).try_exists().unwrap(), "{part} has panicked");
        assert_eq!(
            audit_actions(&appliance.path()).len(),
            before + 1,
            "{part}: one row and nothing else"
        );
        assert_eq!(
            incoming(&appliance.path()),
            Vec::<String>::new(),
            "{part}: nothing stays staged"
        );
        assert_eq!(
            crate::support::appliance::check(&appliance.path(), &[]),
            0,
            "{part}: nothing is live"
        );
    }
    appliance.import(&bundle).assert_imported();
}

#[test]
fn f21_a_verification_whose_threads_panic_ends_with_its_code() {
    let vendor = Vendor::new();
    let folder = scratch();
    let bundle = bundle(&vendor, folder.path());
    let root = folder.path().join("root.json");
    write(&root, &vendor.chain_file());
    let verify = || {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "bundle", "verify"]).arg(&bundle);
        command.arg("--trust").arg(&root).stdin(Stdio::null());
        Ended::of(&command.env("AIRLOCK_TEST_PANICS", folder.path()).output().unwrap())
    };
    for part in ["reader", "worker", "hasher"] {
        write(&folder.path().join(part), b"");
        let ended = verify();
        assert_eq!(ended.code, Some(70), "{part}: {}", ended.stderr);
        assert!(!folder.path().join(part).try_exists().unwrap(), "{part} has panicked");
    }
    assert_eq!(verify().code, Some(0));
}

/// The demo creates a bundle before anything else that takes time.
#[cfg(feature = "vendor")]
fn demo(folder: &Path, part: &str) -> std::process::Output {
    write(&folder.join(part), b"");
    let mut command = Command::new(AIRLOCK);
    command.args(["demo", "--listen", "127.0.0.1:0", "--dir"]);
    command.arg(folder.join("demo")).stdin(Stdio::null());
    // No engine of this machine: its agent only pulls.
    command.env("PATH", "").env("AIRLOCK_TEST_PANICS", folder);
    command.output().unwrap()
}

#[cfg(feature = "vendor")]
#[test]
fn f21_a_creation_whose_threads_panic_leaves_no_file() {
    for part in ["reader", "worker"] {
        let folder = scratch();
        let output = demo(folder.path(), part);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(70), "{part}: {said}");
        assert!(said.contains(&format!("{part} ended by a panic")), "{said}");
        let mut bundles = std::fs::read_dir(folder.path().join("demo")).unwrap();
        let left = bundles.find(|entry| {
            entry
                .as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end == "airlock")
        });
        assert!(left.is_none(), "{part}: {left:?}");
    }
}

#[cfg(feature = "vendor")]
#[test]
fn f21_the_demo_ends_with_its_agent() {
    let folder = scratch();
    let output = demo(folder.path(), "agent");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{said}");
    assert!(said.contains("agent ended by a panic"), "{said}");
}

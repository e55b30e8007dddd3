//! A new secret lets its agent in at once, whatever was tried before; refused logins stand in the log, bounded and without secrets.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use airlock::appliance::fleet::Check;
use airlock::domain::Uuid;

use super::Plant;
use crate::support::agents::{basic, request};
use crate::support::appliance::{AIRLOCK, wait_for};
use crate::support::client::raw;
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, target_id};
use crate::support::in_process::InProcessAppliance;

const WRONG: &str = "ffffffffffffffffffffffffffffffff";

#[test]
fn a_new_secret_resets_the_limit_of_its_target_and_of_no_other() {
    let plant = Plant::new();
    plant.serving.instance.release(2, 2, "a");
    plant.serving.hub.refresh().unwrap();
    let (one, two) = (target_id("edge-0"), target_id("edge-1"));
    let login = |target: &Uuid, secret: &str| plant.serving.login(target, secret).status;
    let other = plant.serving.secret("edge-1");
    for target in [&one, &two] {
        // A window of the limit may end on the way, once.
        wait_for("the limit", || login(target, WRONG) == 429);
    }
    let secret = plant.good(&["target", "secret", "edge-0", "--yes"]).trim().to_owned();
    plant.serving.hub.refresh().unwrap();
    assert_eq!(login(&one, &secret), 200);
    assert_eq!(login(&one, WRONG), 401, "it counts from the beginning");
    // The twin: without a new secret even the right one waits, but for a window that ended.
    let waits = login(&two, &other);
    assert!(matches!(waits, 429 | 200), "{waits}");
}

/// `airlock serve` with its log.
struct Served {
    child: std::process::Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Served {
    fn start(instance: &InProcessAppliance) -> Self {
        let mut child = Command::new(AIRLOCK)
            .args(["serve", "--listen", "127.0.0.1:0", "--state"])
            .arg(instance.state())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| kept.lock().unwrap().push(line));
        });
        let address = |log: &Vec<String>| {
            let line = log.iter().find_map(|line| line.strip_prefix("serving http://"))?;
            Some(line.strip_suffix("/v2/")?.parse().unwrap())
        };
        wait_for("the server", || address(&log.lock().unwrap()).is_some());
        let address = address(&log.lock().unwrap()).unwrap();
        Self { child, address, log }
    }

    fn login(&self, target: &Uuid, secret: &str) -> u16 {
        let header = basic(&target.to_string(), secret);
        let request = request("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"");
        raw(self.address, &request, false).unwrap().status
    }

    /// Lines that have all of these parts.
    fn lines(&self, parts: &[&str]) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let with = log
            .iter()
            .filter(|line| parts.iter().all(|part| plain(line).contains(part)));
        with.cloned().collect()
    }
}

/// Without the colours of a terminal.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}

impl Drop for Served {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn refused_logins_and_a_release_that_goes_live_are_lines_of_the_log() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let secret = instance.hub().issue_secret(&target_id("edge-0"), false).unwrap();
    let served = Served::start(&instance);
    assert_eq!(served.login(&target_id("edge-0"), secret.as_str()), 200);
    let known = target_id("edge-0").to_string();
    for _ in 0..8 {
        served.login(&target_id("edge-0"), WRONG);
    }
    served.login(&target_id("edge-1"), WRONG);
    let nobody = Uuid::from_bytes([9; 16]);
    served.login(&nobody, WRONG);
    for (target, name, reason) in [
        (known.as_str(), "edge-0", "wrong-secret"),
        (&target_id("edge-1").to_string(), "edge-1", "no-secret-issued"),
        (&nobody.to_string(), "-", "unknown-target"),
    ] {
        let parts = ["WARN", "a login was refused", target, name, reason, "127.0.0.1"];
        wait_for(reason, || !served.lines(&parts).is_empty());
    }
    // A window may end on the way, once: then the same is said once more.
    assert!(served.lines(&["a login was refused", &known]).len() <= 2);

    // A spray of ids is counted, not written.
    for n in 0..200_u32 {
        served.login(&Uuid::derived("spray", &[&n.to_string()]), WRONG);
    }
    let all = served.lines(&["a login was refused"]);
    assert!(all.len() <= 60, "{}", all.len());

    instance.release(2, 2, "b");
    let parts = [
        "INFO",
        "a release is live now",
        "product=crm",
        "channel=stable",
        "release=2",
    ];
    wait_for("the release", || !served.lines(&parts).is_empty());
    let log = served.log.lock().unwrap();
    assert!(
        log.iter()
            .all(|line| !line.contains(WRONG) && !line.contains(secret.as_str()))
    );
}

/// A target whose secret was issued here is checked by a keyed hash alone, whatever other targets wait for.
#[test]
fn a_wrong_secret_is_expensive_only_where_a_verifier_waits() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 2, "a");
        desired.target("edge-0").verifier = Some(hub_verifier());
        desired
    });
    instance.import(&made, false).unwrap();
    let hub = instance.hub();
    let secret = hub.issue_secret(&target_id("edge-1"), false).unwrap();
    let wrong = |n: u32| format!("{n:032x}");
    let time = |target: &str, attempts: std::ops::Range<u32>| {
        let start = Instant::now();
        for n in attempts {
            assert_eq!(hub.check_secret(&target_id(target), &wrong(n)).unwrap(), Check::Wrong);
        }
        start.elapsed()
    };
    let expensive = time("edge-0", 0..3);
    let cheap = time("edge-1", 0..30);
    assert!(
        cheap < expensive,
        "thirty took {cheap:?}, three with a verifier {expensive:?}"
    );
    // The right ones count.
    assert_eq!(
        hub.check_secret(&target_id("edge-1"), secret.as_str()).unwrap(),
        Check::Good
    );
    assert_eq!(hub.check_secret(&target_id("edge-0"), HUB_SECRET).unwrap(), Check::Good);
}

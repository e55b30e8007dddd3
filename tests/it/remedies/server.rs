//! Remedies of the server: what it needs to start, and what it says while it runs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use airlock::domain::{Clock as _, SystemClock};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;

use super::follow::{Operator, Ran, commands};
use super::logged::Logged;
use crate::support::agents::{basic, request};
use crate::support::appliance::{AIRLOCK, read, wait_for, write};
use crate::support::client::{Reply, get, raw};
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, revision_id, target_id};
use crate::support::left_out::left_out;
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::{client, tls};

/// The first second of 2021, and that of 2200.
const YEAR_2021: u64 = 1_609_459_200;
const YEAR_2200: u64 = 7_258_118_400;

/// An appliance with a release and the targets `edge-0` and `edge-1`.
pub(super) fn with_targets() -> Operator {
    let operator = Operator::new();
    let made = operator.vendor.with_targets(1, |image| {
        let mut desired = Desired::both(image, 2, "a");
        desired.target("edge-1").verifier = Some(hub_verifier());
        desired
    });
    operator.import(&made).succeeded();
    operator
}

/// A server that does not start, as a configuration says.
fn refused(operator: &Operator, config: &str) -> Ran {
    let config = operator.file("airlock.toml", config.as_bytes());
    operator.run(&["serve", "--config", config.to_str().unwrap()])
}

/// Logs an agent in: its token.
pub(super) fn token(operator: &Operator, serving: &Logged, target: &str) -> String {
    let issued = operator.run(&["target", "secret", target, "--yes"]);
    let secret = issued.succeeded()["secret"].as_str().unwrap().to_owned();
    let header = basic(&target_id(target).to_string(), &secret);
    let login = request("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"");
    let mut token = None;
    wait_for("the login", || {
        let reply = raw(serving.address, &login, false).unwrap();
        token = (reply.status == 200).then(|| reply.json()["token"].as_str().unwrap().to_owned());
        token.is_some()
    });
    token.unwrap()
}

pub(super) fn ask(serving: &Logged, token: &str, method: &str, path: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let path = format!("/api/v1/agent/{path}");
    raw(
        serving.address,
        &request(method, &path, &headers, body.as_bytes()),
        false,
    )
    .unwrap()
}

pub(super) fn report(serving: &Logged, token: &str) -> u16 {
    let revision = revision_id("edge-0", "a");
    let body = format!(r#"{{"message":"well","type":"healthy","revisionId":"{revision}"}}"#);
    ask(serving, token, "POST", "status", &body).status
}

#[test]
fn a_configuration_is_corrected_as_the_message_says() {
    let operator = Operator::new();
    let remedy = refused(&operator, "[registry]\nreed = \"credentials\"\n").remedy("E-USAGE", "config");
    // What the file may say is told by the command that the message names.
    let command = commands(&remedy)[0].clone();
    let words = command.strip_prefix("airlock ").unwrap().split(' ');
    let shown = Command::new(AIRLOCK).args(words).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let table = shown.lines().find_map(|line| line.strip_prefix("registry."));
    let key = table.unwrap().split(" = ").next().unwrap();
    assert_eq!(key, "read");
    let config = format!("listen = [\"127.0.0.1:0\"]\n[registry]\n{key} = \"credentials\"\n");
    let serving = Logged::configured(&operator, &config);
    assert_eq!(get(serving.address, "/v2/").status, 401);
}

/// Makes a certificate for `localhost`, good from 2020 until so many seconds after 1970, and its key.
fn certificate(folder: &Path, until: u64) -> (PathBuf, PathBuf) {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(until);
    let key = KeyPair::generate().unwrap();
    let made = parameters.self_signed(&key).unwrap();
    let (certificate, private) = (folder.join("tls.pem"), folder.join("tls.key"));
    write(&certificate, made.pem().as_bytes());
    write(&private, key.serialize_pem().as_bytes());
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).unwrap();
    (certificate, private)
}

#[test]
fn an_expired_certificate_is_renewed_or_taken_out_as_the_message_says() {
    let operator = Operator::new();
    let folder = crate::support::appliance::scratch();
    let (certificate_file, key) = certificate(folder.path(), YEAR_2021);
    let without = "listen = []\n[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"localhost\"]\n";
    let with = format!(
        "{without}certificate = \"{}\"\nkey = \"{}\"\n",
        certificate_file.display(),
        key.display()
    );
    let config = operator.file("airlock.toml", with.as_bytes());
    let checked = operator.run(&["config", "check", "--config", config.to_str().unwrap()]);
    let remedy = checked.remedy("E-USAGE", "tls-certificate");
    assert!(
        remedy.starts_with("renew it, or take certificate and key out of [tls]"),
        "{remedy}"
    );
    let shows = |config: &str, trusted: &[u8]| {
        let serving = Logged::configured(&operator, config);
        let client = tls::trusting(std::str::from_utf8(trusted).unwrap());
        tls::shown(&client, serving.address, "localhost").unwrap();
    };
    shows(without, &read(&operator.state().join("identity/ca.pem")));
    // One that is not there at all, where nobody would be answered without it.
    std::fs::remove_file(&certificate_file).unwrap();
    let remedy = refused(&operator, &with).remedy("E-USAGE", "tls-certificate");
    assert!(
        remedy.starts_with("put certificate and key into the files that [tls] names, or take them out of [tls]"),
        "{remedy}"
    );
    certificate(folder.path(), YEAR_2200);
    shows(&with, &read(&certificate_file));
}

/// A certificate that ends while it is shown: one that is good takes its place, in the file that `/readyz` names, without a restart.
#[test]
fn a_certificate_that_ended_is_replaced_as_readyz_says() {
    let operator = Operator::new();
    let folder = crate::support::appliance::scratch();
    let now = SystemClock.now().unix().unsigned_abs();
    let (file, key) = certificate(folder.path(), now + 2);
    let serving = Logged::configured(
        &operator,
        &format!(
            "listen = [\"127.0.0.1:0\"]\n[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"localhost\"]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            file.display(),
            key.display()
        ),
    );
    let told = || {
        let ready = get(serving.plain.unwrap(), "/readyz").json();
        let problems = ready["problems"].as_array().unwrap().clone();
        let found = problems.into_iter().find(|problem| problem["part"] == "certificate");
        found.map(|problem| problem["remedy"].as_str().unwrap().to_owned())
    };
    let mut remedy = None;
    wait_for("the end of the certificate", || {
        remedy = told();
        remedy.is_some()
    });
    let named = remedy.unwrap();
    let named = named.strip_prefix("put one that is good at present into ").unwrap();
    assert_eq!(named, format!("{}, with its key", file.display()));
    certificate(folder.path(), YEAR_2200);
    wait_for("the new certificate", || told().is_none());
}

/// Plain HTTP for other machines: HTTPS there, a proxy in front, or the word in the configuration. Each alone lets it start.
#[test]
fn plain_http_beyond_loopback_is_served_otherwise_or_allowed() {
    let operator = Operator::new();
    let anywhere = "listen = [\"0.0.0.0:0\"]\n";
    let remedy = refused(&operator, anywhere).remedy("E-USAGE", "plain-http");
    let parts: Vec<&str> = remedy.split(", ").collect();
    assert_eq!(parts.len(), 3, "{remedy}");
    // Behind a proxy, which names the client, everybody needs credentials.
    assert!(parts[1].starts_with("put a TLS proxy in front"), "{remedy}");
    let serving = Logged::start(&operator);
    assert_eq!(get(serving.address, "/v2/").status, 200);
    let passed_on = [("X-Forwarded-For", "192.0.2.7")];
    assert_eq!(client::request(serving.address, "GET", "/v2/", &passed_on).status, 401);
    drop(serving);
    // Where nobody else can reach it.
    let alone = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--"]);
        command
    };
    if !alone().arg("true").status().is_ok_and(|status| status.success()) {
        left_out("a network of its own needs root");
        return;
    }
    assert!(parts[0].contains("[tls]"), "{remedy}");
    let key = parts[2].split("set ").nth(1).unwrap().split(" in the").next().unwrap();
    let tls = "listen = []\n[tls]\nlisten = [\"0.0.0.0:0\"]\nnames = [\"localhost\"]\n";
    for config in [tls.to_owned(), format!("{anywhere}{key}\n")] {
        let config = operator.file("airlock.toml", config.as_bytes());
        let mut command = alone();
        command.arg(AIRLOCK);
        let serving = Logged::spawn(&operator, command, &["--config", config.to_str().unwrap()]);
        assert!(serving.address.ip().is_unspecified());
    }
}

#[test]
fn the_limit_of_open_files_is_raised_as_the_message_says() {
    let operator = Operator::new();
    let limited = |files: u64| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), AIRLOCK]);
        command
    };
    let mut command = limited(200);
    command.args(["--format", "json", "serve", "--listen", "127.0.0.1:0"]);
    let ran = Ran::of(&command.env("AIRLOCK_STATE", operator.state()).output().unwrap());
    let remedy = ran.remedy("E-USAGE", "descriptors");
    assert!(remedy.starts_with("raise the limit with `ulimit -n`"), "{remedy}");
    let wanted = ran.ended.stderr.split(" at least: ").nth(1).unwrap();
    let wanted: u64 = wanted.split(' ').next().unwrap().parse().unwrap();
    let serving = Logged::spawn(&operator, limited(wanted), &["--listen", "127.0.0.1:0"]);
    assert_eq!(get(serving.address, "/healthz").status, 200);
    // The unit that comes with it says what the message says, and enough.
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/airlock.service");
    let unit = String::from_utf8(read(&unit)).unwrap();
    let word = remedy.split_whitespace().find(|word| word.ends_with('=')).unwrap();
    let said = unit.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    assert!(said.parse::<u64>().unwrap() >= wanted);
}

/// One half of the authority is gone: both are restored, or both removed and agents connected once more.
#[test]
fn a_damaged_authority_is_restored_or_made_anew() {
    let operator = with_targets();
    let config = "listen = []\n[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"localhost\"]\n";
    let files = ["identity/ca.pem", "identity/ca.key"].map(|name| operator.state().join(name));
    let kept = files.clone().map(|file| read(&file));
    let shows = || {
        let serving = Logged::configured(&operator, config);
        let pem = String::from_utf8(read(&files[0])).unwrap();
        tls::shown(&tls::trusting(&pem), serving.address, "localhost").unwrap();
        pem
    };
    let first = shows();
    std::fs::remove_file(&files[1]).unwrap();
    let remedy = refused(&operator, config).remedy("E-STATE", "authority");
    assert!(
        remedy.starts_with("restore both files; or remove both, start again"),
        "{remedy}"
    );
    for (file, bytes) in files.iter().zip(&kept) {
        write(file, bytes);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(shows(), first);
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    let next = shows();
    assert_ne!(next, first);
    let command = commands(&remedy)[0].clone();
    let list = operator.run(&["target", "list"]);
    for target in list.succeeded()["targets"].as_array().unwrap() {
        let words = format!("{command} --manifest --new-secret");
        let connected = operator.follow(&words, &[("TARGET", target["name"].as_str().unwrap())]);
        let manifest = connected.succeeded()["manifest"].as_str().unwrap().to_owned();
        assert!(next.lines().all(|line| manifest.contains(line)), "{manifest}");
        assert!(!first.lines().all(|line| manifest.contains(line)), "{manifest}");
    }
}

/// Values that no agent can be told were signed: a newer release with such as they must be is followed.
#[test]
fn values_that_are_no_object_come_right_with_a_newer_release() {
    let operator = Operator::new();
    let made = |sequence, values: &'static str| {
        operator.vendor.with_targets(sequence, move |image| {
            let mut desired = Desired::both(image, 0, "a");
            let was = desired.target("cluster").deployments[0].helm.as_ref().unwrap().values;
            desired
                .documents
                .retain(|(_, bytes)| crate::support::site::digest(bytes) != was);
            let digest = desired.put(airlock::domain::DocumentType::Values, values.as_bytes());
            let deployment = &mut desired.target("cluster").deployments[0];
            deployment.helm.as_mut().unwrap().values = digest;
            deployment.revision = revision_id("cluster", values);
            desired
        })
    };
    operator.import(&made(1, "[1]")).succeeded();
    let serving = Logged::start(&operator);
    let token = token(&operator, &serving, "cluster");
    assert_eq!(ask(&serving, &token, "GET", "resources", "").status, 503);
    let remedy = serving.last_error("an agent was not answered");
    assert!(
        remedy.contains("E-STATE") && remedy.contains("values are no JSON object"),
        "{remedy}"
    );
    assert!(
        remedy.contains("ask the vendor for a newer release with such values, and import it"),
        "{remedy}"
    );
    operator.import(&made(2, "{\"a\":1}")).succeeded();
    wait_for("the newer release", || {
        ask(&serving, &token, "GET", "resources", "").status == 200
    });
}

/// The status database was set aside too often: what was set aside is moved away, and statuses are taken again by themselves.
#[test]
fn what_was_set_aside_is_moved_away_as_the_message_says() {
    let operator = with_targets();
    let state = operator.state();
    for number in 1..=100 {
        write(&state.join(format!("status.db.damaged-{number}")), b"aside");
    }
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(state.join(format!("status.db{suffix}"))).ok();
    }
    write(&state.join("status.db"), b"garbage");
    let serving = Logged::start(&operator);
    let remedy = serving.last_error("was set aside 100 times already");
    let token = token(&operator, &serving, "edge-0");
    assert_eq!(report(&serving, &token), 503);
    let pattern = remedy.split(" move ").nth(1).unwrap().split(" away").next().unwrap();
    let away = crate::support::appliance::scratch();
    let moved = format!("mv {pattern} {}", away.path().display());
    assert!(Command::new("sh").args(["-c", &moved]).status().unwrap().success());
    wait_for("the database", || report(&serving, &token) == 200);
    // It went to the first name that was free then, perhaps while the others were still being moved.
    let aside = (1..=100).map(|number| state.join(format!("status.db.damaged-{number}")));
    let kept: Vec<Vec<u8>> = aside.filter(|path| path.is_file()).map(|path| read(&path)).collect();
    let moved = std::fs::read_dir(away.path())
        .unwrap()
        .map(|entry| read(&entry.unwrap().path()));
    assert!(kept.into_iter().chain(moved).any(|bytes| bytes == b"garbage"));
}

/// A panic of the writer of statuses: agents are told to wait, and it goes on by itself; so does what is started again.
#[cfg(debug_assertions)]
#[test]
fn after_a_panic_it_goes_on_as_the_message_says() {
    let operator = with_targets();
    let panics = crate::support::appliance::scratch();
    let mut command = Command::new(AIRLOCK);
    command.env("AIRLOCK_TEST_PANICS", panics.path());
    let serving = Logged::spawn(&operator, command, &["--listen", "127.0.0.1:0"]);
    let token = token(&operator, &serving, "edge-0");
    assert_eq!(report(&serving, &token), 200);
    write(&panics.path().join("status.always"), b"");
    assert_eq!(report(&serving, &token), 503);
    let told = serving.last_error("an agent was not answered");
    assert!(told.contains("see the log; it is tried again by itself"), "{told}");
    // The log says what it was.
    let ended = serving.last_error("status cannot be written");
    assert!(
        ended.contains("start it again, and report it with its input and the log"),
        "{ended}"
    );
    std::fs::remove_file(panics.path().join("status.always")).unwrap();
    wait_for("the writer", || report(&serving, &token) == 200);
    // What panicked and went on is reported, and is no problem.
    let ready = get(serving.address, "/readyz").json();
    let panicked = ready["panics"].as_array().unwrap();
    let told = panicked.iter().find(|panic| panic["part"] == "status").unwrap();
    assert_eq!(
        told["remedy"],
        "report it with the log; the part goes on by itself unless it is among the problems"
    );
    assert!(ready["problems"].as_array().unwrap().is_empty(), "{ready}");
    drop(serving);
    assert_eq!(report(&Logged::start(&operator), &token), 200);
    // A command whose thread panicked is started again; nothing of it was visible.
    let file = operator.bundle(&operator.vendor.with_targets(2, |image| Desired::both(image, 2, "b")));
    let run = |words: &[&str], part: Option<&str>| {
        if let Some(part) = part {
            write(&panics.path().join(part), b"");
        }
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json"]).args(words);
        command
            .env("AIRLOCK_STATE", operator.state())
            .env("AIRLOCK_TEST_PANICS", panics.path());
        Ran::of(&command.output().unwrap())
    };
    let import = ["import", file.to_str().unwrap()];
    let remedy = run(&import, Some("worker")).remedy("E-INTERNAL", "panic");
    assert!(remedy.starts_with("start it again"), "{remedy}");
    let releases = |operator: &Operator| -> Vec<Value> {
        operator.run(&["release", "list"]).succeeded()["releases"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert_eq!(releases(&operator).len(), 1);
    run(&import, None).succeeded();
    assert_eq!(releases(&operator).len(), 2);
}

/// A command that panicked itself: its input is kept, and the same input serves when it is given again.
#[cfg(debug_assertions)]
#[test]
fn the_input_of_a_command_that_panicked_is_kept() {
    let operator = with_targets();
    let panics = crate::support::appliance::scratch();
    write(&panics.path().join("hashing"), b"");
    let input = operator.file("secret", HUB_SECRET.as_bytes());
    let before = StateFingerprint::of(&operator.state());
    let connect = || {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "target", "connect", "edge-1", "--secret-stdin"]);
        command
            .env("AIRLOCK_STATE", operator.state())
            .env("AIRLOCK_TEST_PANICS", panics.path());
        command.stdin(std::fs::File::open(&input).unwrap());
        Ran::of(&command.output().unwrap())
    };
    let remedy = connect().remedy("E-INTERNAL", "panic");
    assert!(
        remedy.starts_with("keep the input and report it; nothing half done"),
        "{remedy}"
    );
    assert_eq!(StateFingerprint::of(&operator.state()), before);
    assert_eq!(read(&input), HUB_SECRET.as_bytes());
    connect().succeeded();
}

//! Secrets on every way into the program, at its most talkative, and everything that it writes searched for them (A04).

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::support::agents::{basic, request};
use crate::support::appliance::{AIRLOCK, read};
use crate::support::client::{Reply, raw};
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, target_id};
use crate::support::in_process::InProcessAppliance;

/// The forms in which a secret may show.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec(), secret.to_uppercase().into_bytes()];
    // As part of base64 text, wherever it begins.
    for shift in 0..3 {
        let padded = [&b"xx"[..shift], secret.as_bytes()].concat();
        let text = STANDARD.encode(&padded);
        let inner = text.as_bytes()[4..text.len() - 4].to_vec();
        let url = URL_SAFE_NO_PAD.encode(&padded);
        forms.push(inner);
        forms.push(url.as_bytes()[4..url.len() - 4].to_vec());
    }
    forms.push(
        secret
            .bytes()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect(),
    );
    forms
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    // As text, whose search is optimised in the tests' profile too; every form is ASCII, which stays as it is.
    let text = String::from_utf8_lossy(bytes);
    forms(secret)
        .iter()
        .any(|form| text.contains(std::str::from_utf8(form).unwrap()))
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), read(&path)));
        }
    }
}

#[test]
fn a04_no_secret_in_logs_answers_or_files() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 2, "a");
        desired.target("edge-0").verifier = Some(hub_verifier());
        desired
    });
    instance.import(&made, false).unwrap();
    let issued = instance.hub().issue_secret(&target_id("edge-1"), false).unwrap();
    let issued = issued.as_str().to_owned();
    let wrong = "c0ffee00c0ffee11c0ffee22c0ffee33";
    let mut child = Command::new(AIRLOCK)
        .env_clear()
        .env("AIRLOCK_LOG", "trace")
        .args(["serve", "--listen", "127.0.0.1:0", "--format", "json", "--state"])
        .arg(instance.state())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    let address: SocketAddr = loop {
        let start = log.len();
        assert!(lines.read_line(&mut log).unwrap() > 0, "{log}");
        if let Some((_, rest)) = log[start..].split_once("serving http://") {
            break rest.split_once("/v2/").unwrap().0.parse().unwrap();
        }
    };
    let rest = thread::spawn(move || {
        let mut rest = String::new();
        for line in lines.lines() {
            rest.push_str(&line.unwrap());
            rest.push('\n');
        }
        rest
    });
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        raw(address, &request(method, path, headers, body), false).unwrap()
    };
    let mut answers: Vec<Reply> = Vec::new();
    let mut tokens = Vec::new();
    for (name, secret) in [
        ("edge-0", HUB_SECRET),
        ("edge-1", &issued),
        ("edge-1", wrong),
        ("edge-9", wrong),
    ] {
        let id = target_id(name);
        let good = secret != wrong;
        let login = send(
            "POST",
            "/api/v1/agent/login",
            &[("Authorization", &basic(&id.to_string(), secret))],
            b"",
        );
        assert_eq!(login.status, if good { 200 } else { 401 }, "{name}");
        if good {
            tokens.push(login.json()["token"].as_str().unwrap().to_owned());
        } else {
            answers.push(login);
        }
        let query = format!("targetId={id}&targetSecret={secret}");
        for path in ["connect", "pre-connect"] {
            let reply = send(
                "GET",
                &format!("/api/v1/{path}?{query}"),
                &[("Referer", &format!("http://x/?{query}"))],
                b"",
            );
            if !good {
                answers.push(reply);
            }
        }
        // Where it does not belong.
        let json = format!(r#"{{"targetId":"{id}","targetSecret":"{secret}","password":"{secret}"}}"#);
        let user = basic("-", secret);
        answers.extend([
            send("POST", &format!("/api/v1/connect?{query}"), &[], b""),
            send("GET", &format!("/api/v1/nothing?{query}"), &[], b""),
            send("GET", &format!("/healthz?{query}"), &[], b""),
            send("GET", &format!("/v2/_catalog?{query}"), &[], b""),
            send(
                "GET",
                &format!("/v2/{secret}/manifests/{secret}"),
                &[("Authorization", "Basic %")],
                b"",
            ),
            send(
                "GET",
                &format!("/api/v1/connect?{query}"),
                &[("Host", "evil.example")],
                b"",
            ),
            send("GET", "/v2/", &[("Authorization", &user)], b""),
            send(
                "GET",
                "/api/v1/agent/resources",
                &[("Authorization", &format!("Bearer {secret}"))],
                b"",
            ),
            send(
                "POST",
                "/api/v1/agent/status",
                &[("Authorization", &user)],
                json.as_bytes(),
            ),
            send("POST", "/api/v1/agent/login", &[], json.as_bytes()),
        ]);
    }
    let bearer = format!("Bearer {}", tokens[0]);
    for (method, path, body) in [
        ("GET", "resources", String::new()),
        ("GET", "manifest", String::new()),
        ("POST", "status", "{".to_owned()),
        ("POST", "metrics", "{}".to_owned()),
    ] {
        let reply = send(
            method,
            &format!("/api/v1/agent/{path}"),
            &[("Authorization", &bearer)],
            body.as_bytes(),
        );
        if path != "manifest" {
            answers.push(reply);
        }
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    let mut output = Vec::new();
    std::io::copy(&mut child.stdout.take().unwrap(), &mut output).unwrap();
    assert!(child.wait().unwrap().success());
    log.push_str(&rest.join().unwrap());
    assert!(log.contains("stopping"), "{log}");
    let mut written = vec![
        ("the log".to_owned(), log.into_bytes()),
        ("the output".to_owned(), output),
    ];
    files(&instance.state(), &mut written);
    let signatures: Vec<String> = tokens
        .iter()
        .map(|token| token.rsplit('.').next().unwrap().to_owned())
        .collect();
    for secret in [HUB_SECRET, &issued, wrong]
        .into_iter()
        .map(str::to_owned)
        .chain(signatures)
    {
        for (name, bytes) in &written {
            assert!(!holds(bytes, &secret), "{name} holds {secret}");
        }
    }
    for secret in [HUB_SECRET, &issued] {
        for reply in &answers {
            assert!(
                !holds(format!("{reply:?}").as_bytes(), secret) && !holds(&reply.body, secret),
                "{reply:?}"
            );
        }
    }
    // The search itself finds what is there.
    assert!(holds(basic("x", &issued).as_bytes(), &issued) && holds(b"c0ffee00c0ffee11c0ffee22c0ffee33", wrong));
}

//! Values never show: neither in the state folder beyond `secrets/`, nor in lists, logs, packages and errors.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::world::{Plant, ask, release, run};
use crate::support::agents::{basic, request};
use crate::support::appliance::{Serving, read, wait_for};
use crate::support::client;
use crate::support::desired::target_id;

/// The value, and what it looks like in other clothes.
const CANARY: &str = "CANARY-q8\"W$z";

fn forms() -> Vec<Vec<u8>> {
    let hex = data_encoding::HEXLOWER.encode(CANARY.as_bytes());
    vec![
        b"CANARY-q8".to_vec(),
        STANDARD.encode(CANARY).trim_end_matches('=').as_bytes().to_vec(),
        hex.into_bytes(),
    ]
}

/// Files below a folder in which a form of the value stands.
fn found(folder: &Path, passed: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "secrets" {
            found.extend(super::shown::found(&path, passed));
        } else if path.is_file() && !passed(&name) {
            let bytes = read(&path);
            let holds = |form: &Vec<u8>| bytes.windows(form.len()).any(|window| window == form.as_slice());
            if forms().iter().any(holds) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_value_shows_nowhere_even_where_its_application_prints_it() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    plant.good_with(&["secret", "set", "API_KEY"], CANARY);
    let secret = plant.good(&["target", "secret", "edge-0"])["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let log = plant.file("serve.log", b"");
    let serving = Serving::start_logging(&plant.state(), &log);
    let send = |method: &str, path: &str, header: &str, body: &str| {
        // An agent says its version itself: letters and digits of its own choice.
        let version = format!("DistrAgentClient/{}", data_encoding::HEXLOWER.encode(CANARY.as_bytes()));
        let headers = [
            ("Authorization", header),
            ("Content-Type", "application/json"),
            ("User-Agent", version.as_str()),
        ];
        client::raw(
            serving.address,
            &request(method, path, &headers, body.as_bytes()),
            false,
        )
        .unwrap()
    };
    let login = send(
        "POST",
        "/api/v1/agent/login",
        &basic(&target_id("edge-0").to_string(), &secret),
        "",
    );
    let bearer = format!("Bearer {}", login.json()["token"].as_str().unwrap());
    let answer = send("GET", "/api/v1/agent/resources", &bearer, "").json();
    let revision = answer["deployments"][0]["revisionId"].as_str().unwrap().to_owned();
    let compose = STANDARD
        .decode(answer["deployments"][0]["composeFile"].as_str().unwrap())
        .unwrap();
    assert!(String::from_utf8_lossy(&compose).contains("CANARY-q8"));
    let echoed = [CANARY.to_owned(), STANDARD.encode(CANARY), format!("{CANARY:?}")];
    let message = format!("compose up failed: {}", echoed.join(" "));
    let body = serde_json::json!({"revisionId": revision, "type": "error", "message": message}).to_string();
    assert_eq!(send("POST", "/api/v1/agent/status", &bearer, &body).status, 200);

    let watched = run(&plant.state(), &["target", "watch", "--once"], "");
    let listed = run(&plant.state(), &["target", "list"], "");
    for shown in [&watched, &listed] {
        let target = &shown.result["targets"][0];
        assert_eq!(target["agent_reported"], "[redacted]", "{target}");
        assert!(target["deployments"].to_string().contains("[redacted]"), "{target}");
    }
    let secrets = run(&plant.state(), &["secret", "list"], "");
    let stick = plant.file("stick", b"");
    std::fs::remove_file(&stick).unwrap();
    std::fs::create_dir(&stick).unwrap();
    let config = plant.file("airlock.toml", b"[export]\nprofile = \"full\"\n");
    let config = ["--config", config.to_str().unwrap()];
    let previewed = run(
        &plant.state(),
        &[&["status", "preview", "--lines"], &config[..]].concat(),
        "",
    );
    assert_eq!(previewed.code, Some(0), "{}", previewed.stderr);
    let uses = [ask("edge-0", "API_KEY", false)];
    let signed = super::world::revision(&release(&plant.vendor, 1, "a", &uses), "edge-0", "a", &uses);
    let previewed = previewed.result.to_string() + &previewed.stderr;
    assert!(previewed.contains(&signed.to_string()), "{previewed}");
    let exported = run(
        &plant.state(),
        &[&["status", "export", stick.to_str().unwrap()][..], &config].concat(),
        "",
    );
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    for (what, text) in [
        ("watch", watched.result.to_string() + &watched.stderr),
        ("list", listed.result.to_string() + &listed.stderr),
        ("secrets", secrets.result.to_string() + &secrets.stderr),
        ("preview", previewed),
        ("export", exported.result.to_string() + &exported.stderr),
    ] {
        for form in forms() {
            assert!(!text.contains(std::str::from_utf8(&form).unwrap()), "{what}: {text}");
        }
        assert!(!text.contains(&revision), "{what} tells the revision of the site");
    }
    wait_for("the log", || !read(&log).is_empty());
    drop(serving);
    // Agents' own words stay as they sent them.
    let passed = |name: &str| name.starts_with("status.db");
    assert_eq!(found(&plant.state(), &passed), Vec::<String>::new());
    assert_eq!(found(&stick, &|_| false), Vec::<String>::new());
    assert_eq!(
        found(log.parent().unwrap(), &|name| name != "serve.log"),
        Vec::<String>::new()
    );
}

#[test]
fn no_process_leaves_a_core() {
    let plant = Plant::new();
    let serving = Serving::start(&plant.state());
    let limits = read(Path::new(&format!("/proc/{}/limits", serving.id())));
    let limits = String::from_utf8(limits).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}

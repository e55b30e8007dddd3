//! The agents' routes from outside: statuses, headers and bodies, row by row as the hub answers them.

use std::process::{Command, Stdio};

use airlock::appliance::status::RecordClass;
use airlock::domain::Uuid;

use crate::support::agents::{Serving, basic, request, text};
use crate::support::appliance::{read, wait_for};
use crate::support::client::{Reply, raw};
use crate::support::desired::{deployment_id, revision_id, target_id};
use crate::support::in_process::InProcessAppliance;

const TEXT: &str = "text/plain; charset=utf-8";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
const REFUSED: &str = "unauthorized: failed to verify access: invalid accessKey\n";

/// What the hub writes on an error with text.
fn assert_error(reply: &Reply, status: u16, line: &str) {
    assert_eq!((reply.status, text(reply)), (status, line), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some(TEXT));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}

fn assert_limit(reply: &Reply, limit: &str, remaining: &str) {
    assert_eq!(reply.header("x-ratelimit-limit"), Some(limit), "{reply:?}");
    assert_eq!(reply.header("x-ratelimit-remaining"), Some(remaining), "{reply:?}");
    let reset: i64 = reply.header("x-ratelimit-reset").unwrap().parse().unwrap();
    // The clock of these tests stands at 2026-11-21T10:00:00Z.
    assert!((1_795_255_201..=1_795_255_260).contains(&reset), "{reset}");
}

#[test]
fn connect_and_pre_connect_answer_and_count_as_the_hub_does() {
    let serving = Serving::two_targets();
    let secret = serving.secret("edge-0");
    let id = target_id("edge-0");
    let get = |path: &str, query: &str| serving.send("GET", &format!("/api/v1/{path}?{query}"), &[], b"");
    for path in ["connect", "pre-connect"] {
        for query in ["", "targetId=not-a-uuid", "targetSecret=x", "targetId=%zz"] {
            let reply = get(path, query);
            assert_error(&reply, 400, "targetId is not a valid UUID\n");
            assert_eq!(reply.header("x-ratelimit-limit"), None);
        }
        let reply = get(path, &format!("targetId={NOBODY}&targetSecret={secret}"));
        assert_error(&reply, 401, REFUSED);
        assert_limit(&reply, "5", "4");
        for wrong in ["&targetSecret=wrong", "", "&targetSecret="] {
            assert_error(&get(path, &format!("targetId={id}{wrong}")), 401, REFUSED);
        }
        let short = id.to_string().replace('-', "").to_uppercase();
        let good = get(path, &format!("targetId={short}&targetSecret={secret}&other=1"));
        assert_eq!(good.status, 200, "{good:?}");
        assert_limit(&good, "5", "1");
        let (media_type, part) = match path {
            "connect" => ("application/yaml", format!("DISTR_TARGET_SECRET: '{secret}'")),
            _ => (TEXT, "#!/bin/sh\n".to_owned()),
        };
        assert_eq!(good.header("content-type"), Some(media_type));
        assert!(
            text(&good).contains(&part) || text(&good).contains(&secret),
            "{}",
            text(&good)
        );
        // The fifth, and no further; the other route has a count of its own.
        assert_eq!(get(path, &format!("targetId={id}&targetSecret={secret}")).status, 200);
        let reply = get(path, &format!("targetId={id}&targetSecret={secret}"));
        assert_error(&reply, 429, "Too Many Requests\n");
        assert_eq!(reply.header("retry-after"), Some("60"));
        assert_limit(&reply, "5", "0");
        for method in ["POST", "HEAD", "PUT", "DELETE"] {
            let reply = serving.send(
                method,
                &format!("/api/v1/{path}?targetId={id}&targetSecret={secret}"),
                &[],
                b"",
            );
            assert_eq!((reply.status, reply.header("allow")), (405, Some("GET")), "{method}");
            assert_eq!(reply.body, b"");
        }
    }
}

#[test]
fn logins_answer_as_the_hub_does_and_failures_alone_count() {
    let serving = Serving::two_targets();
    let secret = serving.secret("edge-0");
    let id = target_id("edge-0");
    let login = |header: &str| serving.send("POST", "/api/v1/agent/login", &[("Authorization", header)], b"");
    let none = serving.send("POST", "/api/v1/agent/login", &[], b"");
    for reply in [none, login("Bearer x"), login("Basic %"), login("Basic eA==")] {
        assert_eq!((reply.status, reply.body.len()), (401, 0), "{reply:?}");
        assert_eq!(reply.header("www-authenticate"), None);
        assert_eq!(reply.header("content-length"), Some("0"));
    }
    assert_error(&login(&basic("abc", &secret)), 400, "targetId is not a valid UUID\n");
    // Successful ones do not count: an agent whose clock is wrong logs in before every request (A09).
    for user in [id.to_string(), id.to_string().replace('-', "").to_uppercase()] {
        for _ in 0..10 {
            let reply = login(&basic(&user, &secret));
            assert_eq!((reply.status, reply.header("content-type")), (200, Some(TEXT)));
            assert_limit(&reply, "5", "5");
            let token = reply.json()["token"].as_str().unwrap().to_owned();
            assert_eq!(
                text(&reply),
                format!("{{\"token\":\"{token}\",\"requiresMfa\":false}}\n")
            );
        }
    }
    for remaining in ["4", "3", "2", "1", "0"] {
        let reply = login(&basic(&id.to_string(), "wrong"));
        assert_error(&reply, 401, REFUSED);
        assert_limit(&reply, "5", remaining);
    }
    let reply = login(&basic(&id.to_string(), "wrong"));
    assert_error(&reply, 429, "Too Many Requests\n");
    assert_eq!(reply.header("retry-after"), Some("60"));
    let other = basic(&target_id("edge-1").to_string(), "wrong");
    assert_error(&login(&other), 401, REFUSED);
    assert_error(&login(&basic(NOBODY, "wrong")), 401, REFUSED);
    let reply = serving.send("GET", "/api/v1/agent/login", &[], b"");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
}

#[test]
fn every_route_wants_a_token_and_one_method() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let status = format!(
        r#"{{"revisionId":"{}","type":"healthy","message":"x"}}"#,
        revision_id("edge-0", "a")
    );
    let routes = [
        ("GET", "manifest", "", 200),
        ("GET", "resources", "", 200),
        ("POST", "status", status.as_str(), 200),
        ("POST", "metrics", "{}", 200),
        ("PUT", "logs", "[]", 204),
        ("PUT", "deployment-target-logs", "[]", 204),
    ];
    for (method, path, body, good) in routes {
        let send =
            |headers: &[(&str, &str)]| serving.send(method, &format!("/api/v1/agent/{path}"), headers, body.as_bytes());
        let tampered = format!("Bearer {}x", &token[..token.len() - 2]);
        let bearer = format!("Bearer {token}");
        for headers in [
            &[][..],
            &[("Authorization", "Bearer abc")],
            &[("Authorization", tampered.as_str())],
            &[("Authorization", &basic("-", &token))],
            &[("Authorization", &format!("AccessToken {token}"))],
            &[("Authorization", token.as_str())],
            &[("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())],
        ] {
            let reply = send(headers);
            assert_error(&reply, 401, "Unauthorized\n");
            assert_eq!(
                (reply.header("x-ratelimit-limit"), reply.header("www-authenticate")),
                (None, None)
            );
        }
        let reply = send(&[("Authorization", &bearer.replacen("Bearer", "bEARER", 1))]);
        assert_eq!(reply.status, good, "{path} {reply:?}");
        assert_eq!(reply.header("x-ratelimit-limit"), Some("500"));
        let length = if good == 204 {
            None
        } else {
            Some(reply.body.len().to_string())
        };
        assert_eq!(reply.header("content-length").map(str::to_owned), length, "{path}");
        if method != "GET" {
            assert_eq!((reply.body.len(), reply.header("content-type")), (0, None), "{path}");
        }
        for wrong in ["GET", "POST", "PUT", "HEAD", "DELETE"]
            .iter()
            .filter(|wrong| **wrong != method)
        {
            let reply = serving.send(
                wrong,
                &format!("/api/v1/agent/{path}"),
                &[("Authorization", &bearer)],
                b"",
            );
            assert_eq!(
                (reply.status, reply.header("allow")),
                (405, Some(method)),
                "{wrong} {path}"
            );
            assert_eq!(reply.body, b"");
        }
    }
    for path in ["nothing", "logs/", "Logs", "../agent/logs", "%6cogs"] {
        assert_error(&serving.agent(&token, "GET", path, ""), 404, "404 page not found\n");
    }
}

#[test]
fn a01_nobody_reads_or_writes_for_another() {
    let serving = Serving::two_targets();
    let (mine, other) = (serving.token("edge-0"), target_id("edge-1"));
    let foreign = revision_id("edge-1", "a");
    let own = serving.agent(&mine, "GET", "resources", "").json();
    let bearer = format!("Bearer {mine}");
    let path = format!("/api/v1/agent/resources?targetId={other}");
    let headers = [("Authorization", bearer.as_str()), ("X-Target-Id", &other.to_string())];
    let reply = serving.send(
        "GET",
        &path,
        &headers,
        format!(r#"{{"targetId":"{other}"}}"#).as_bytes(),
    );
    assert_eq!((reply.status, reply.json()), (200, own));
    for revision in [foreign, NOBODY.parse::<Uuid>().unwrap()] {
        let body = format!(r#"{{"revisionId":"{revision}","type":"error","message":"x","targetId":"{other}"}}"#);
        assert_error(&serving.agent(&mine, "POST", "status", &body), 400, "Bad Request\n");
    }
    assert_error(
        &serving.agent(&mine, "POST", "status", r#"{"type":"running"}"#),
        400,
        "Bad Request\n",
    );
    let line = |name: &str| {
        format!(
            r#"{{"deploymentId":"{}","deploymentRevisionId":"{}","timestamp":"2026-11-21T10:00:00Z","severity":"Log","body":"{name}"}}"#,
            deployment_id(name),
            revision_id(name, "a")
        )
    };
    // A deployment with another one's revision is nobody's either.
    let mixed = line("edge-0").replace(
        &deployment_id("edge-0").to_string(),
        &deployment_id("edge-1").to_string(),
    );
    let lines = format!("[{},{},{mixed}]", line("edge-1"), line("edge-1"));
    assert_eq!(serving.agent(&mine, "PUT", "logs", &lines).status, 204);
    assert_eq!(serving.records(), [], "nothing of another target was stored");
    let good = format!(
        r#"{{"revisionId":"{}","type":"ok","message":"x"}}"#,
        revision_id("edge-0", "a")
    );
    assert_eq!(serving.agent(&mine, "POST", "status", &good).status, 200);
    let lines = format!("[{},{}]", line("edge-1"), line("edge-0"));
    assert_eq!(serving.agent(&mine, "PUT", "logs", &lines).status, 204);
    let stored = [
        (RecordClass::Transition, "x".to_owned()),
        (RecordClass::Log, "edge-0".to_owned()),
    ];
    assert_eq!(serving.records(), stored);
    let overview = serving.status.overview().unwrap();
    assert_eq!(overview.len(), 1);
    assert_eq!(
        (overview[0].target, overview[0].agent.as_deref()),
        (target_id("edge-0"), Some("3.1.0"))
    );
}

#[test]
fn a02_a_token_ends_with_its_target_or_when_it_is_revoked() {
    let serving = Serving::two_targets();
    let (first, other) = (serving.token("edge-0"), serving.token("edge-1"));
    serving.hub.issue_secret(&target_id("edge-0"), true).unwrap();
    serving.hub.refresh().unwrap();
    assert_eq!(serving.agent(&first, "GET", "resources", "").status, 401);
    let pull = |token: &str| {
        serving
            .send("GET", "/v2/", &[("Authorization", &basic("-", token))], b"")
            .status
    };
    assert_eq!((pull(&first), pull(&other)), (401, 200));
    assert_eq!(serving.agent(&other, "GET", "resources", "").status, 200);
}

#[test]
fn a04_nothing_with_a_secret_is_kept_on_the_way() {
    let serving = Serving::two_targets();
    let secret = serving.secret("edge-0");
    let id = target_id("edge-0");
    let token = serving.token("edge-1");
    let secret_in_query = format!("/api/v1/connect?targetId={id}&targetSecret={secret}");
    for reply in [
        serving.send("GET", &secret_in_query, &[], b""),
        serving.send("POST", &secret_in_query, &[], b""),
        serving.send("GET", &secret_in_query.replace("connect", "nothing"), &[], b""),
        serving.send("GET", &secret_in_query, &[("Host", "evil.example")], b""),
        serving.login(&id, &secret),
        serving.login(&id, "wrong"),
        serving.agent(&token, "GET", "resources", ""),
        serving.agent("x", "GET", "resources", ""),
    ] {
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply:?}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        if reply.status != 200 {
            assert!(!format!("{reply:?}{}", text(&reply)).contains(&secret), "{reply:?}");
        }
    }
}

/// Everything below a folder.
fn files(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = read(&path);
            found.push((path, bytes));
        }
    }
    found
}

#[test]
fn a04_no_secret_in_logs_audit_or_state() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    let id = target_id("edge-0");
    let secret = instance.hub().issue_secret(&id, false).unwrap().as_str().to_owned();
    let log = instance.state().with_file_name("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_airlock"))
        .env_clear()
        .env("AIRLOCK_LOG", "trace")
        .args(["serve", "--listen", "127.0.0.1:0", "--state"])
        .arg(instance.state())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut address = None;
    wait_for("the server", || {
        let said = String::from_utf8(read(&log)).unwrap();
        let line = said.lines().find_map(|line| line.strip_prefix("agents: http://"));
        address = line.and_then(|line| line.parse().ok());
        address.is_some()
    });
    let address = address.unwrap();
    let send = |method: &str, path: &str, header: &str| {
        raw(
            address,
            &request(method, path, &[("Authorization", header)], b""),
            false,
        )
        .unwrap()
    };
    let canary = "c4na7yc4na7yc4na7yc4na7yc4na7y00";
    for tried in [secret.as_str(), canary] {
        for path in ["connect", "pre-connect", "nothing"] {
            send("GET", &format!("/api/v1/{path}?targetId={id}&targetSecret={tried}"), "");
        }
    }
    send("POST", "/api/v1/agent/login", &basic(&id.to_string(), canary));
    let login = send("POST", "/api/v1/agent/login", &basic(&id.to_string(), &secret));
    let token = login.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(
        send("GET", "/api/v1/agent/resources", &format!("Bearer {token}")).status,
        200
    );
    assert_eq!(send("GET", "/v2/", &basic("-", &token)).status, 200);
    send("GET", "/v2/", &basic("-", canary));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let kept = files(instance.state().parent().unwrap());
    assert!(kept.len() > 10);
    for (path, bytes) in kept {
        let text = String::from_utf8_lossy(&bytes);
        for hidden in [secret.as_str(), canary, token.as_str()] {
            assert!(!text.contains(hidden), "{} holds {hidden}", path.display());
        }
    }
}

#[test]
fn r11_only_known_hosts_are_answered_and_none_comes_back() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let bearer = format!("Bearer {token}");
    let port = serving.address.port();
    let ask = |host: &str, extra: &[(&str, &str)]| {
        let mut headers = vec![("Host", host), ("Authorization", bearer.as_str())];
        headers.extend(extra);
        serving.send("GET", "/api/v1/agent/manifest", &headers, b"")
    };
    let good = ask(&format!("127.0.0.1:{port}"), &[]);
    assert_eq!(good.status, 200);
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1"] {
        let forwarded = [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "https"),
            ("Forwarded", "host=evil.example"),
        ];
        let reply = ask(host, &forwarded);
        assert_eq!((reply.status, reply.body == good.body), (200, true), "{host}");
    }
    for host in [
        "evil",
        "evil.example:5000",
        "localhost.evil.example",
        "127.0.0.2",
        "[::1]",
        "",
    ] {
        let reply = ask(host, &[]);
        assert!(
            reply.status == 421 || (host.is_empty() && reply.status == 400),
            "{host} {reply:?}"
        );
        assert!(!format!("{reply:?}").contains("evil"));
    }
    let absolute = format!(
        "GET http://evil.example/api/v1/agent/manifest HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n"
    );
    let reply = raw(serving.address, absolute.as_bytes(), false).unwrap();
    assert_eq!(reply.status, 421);
}

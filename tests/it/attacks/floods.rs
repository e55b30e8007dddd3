//! An agent that never stops (A06): what it says is bounded, what it loses is said, and others lose nothing.

use std::fs;
use std::path::Path;

use airlock::appliance::status::Reason;

use super::snapshot::{own_line, records_of, status};
use crate::support::agents::Serving;
use crate::support::desired::target_id;
use crate::support::state_fingerprint::StateFingerprint;

fn size(state: &Path) -> u64 {
    ["status.db", "status.db-wal"]
        .iter()
        .filter_map(|name| fs::metadata(state.join(name)).ok())
        .map(|file| file.len())
        .sum()
}

#[test]
fn a06_logs_for_ever_leave_a_gap_record_and_every_status() {
    let serving = Serving::two_targets_with_quota(16);
    let (flooding, other) = (serving.token("edge-0"), serving.token("edge-1"));
    let before = StateFingerprint::of(&serving.instance.state());
    let mut largest = 0;
    let kinds = ["error", "running"];
    for round in 0..40 {
        let lines: Vec<String> = (0..10)
            .map(|line| own_line("edge-0", &format!("{round} {line} {}", "z".repeat(100_000))))
            .collect();
        let body = format!("[{}]", lines.join(","));
        // A refusal would set off the agents' burst of repeats.
        assert_eq!(serving.agent(&flooding, "PUT", "logs", &body).status, 204, "{round}");
        for (name, token) in [("edge-0", &flooding), ("edge-1", &other)] {
            let text = format!("round {round}");
            let reply = serving.agent(token, "POST", "status", &status(name, kinds[round % 2], &text));
            assert_eq!(reply.status, 200);
        }
        assert_eq!(serving.agent(&other, "GET", "resources", "").status, 200);
        largest = largest.max(size(&serving.instance.state()));
    }
    assert!(largest < 64 << 20, "{largest} bytes for a quota of 16 MiB");
    // Transitions outlive the flood, of both targets and in order.
    for name in ["edge-0", "edge-1"] {
        let texts: Vec<String> = records_of(&serving, name)
            .into_iter()
            .filter(|listed| listed.record.kind.is_some())
            .map(|listed| listed.record.text)
            .collect();
        let expected: Vec<String> = (0..40).map(|round| format!("round {round}")).collect();
        assert_eq!(texts, expected, "{name}");
    }
    // What is missing is said: how many lines of whom, and every number between the first and the last is there or in a gap.
    let kept: Vec<_> = records_of(&serving, "edge-0")
        .into_iter()
        .filter(|listed| listed.record.resource.is_some())
        .collect();
    let gaps = serving.status.gaps().unwrap();
    let missing: u64 = gaps
        .iter()
        .filter(|gap| gap.reason == Reason::Quota || gap.reason == Reason::Rate)
        .map(|gap| gap.count)
        .sum();
    assert!(missing > 0 && kept.len() < 400, "{} kept", kept.len());
    assert_eq!(missing + kept.len() as u64, 400, "{gaps:?}");
    // The newest text stays.
    assert!(kept.last().unwrap().record.text.starts_with("39 9 "));
    assert_eq!(StateFingerprint::of(&serving.instance.state()), before);
    let overview = serving.status.overview().unwrap();
    assert!(overview.iter().any(|target| target.target == target_id("edge-1")));
}

//! Who says what of whom (A01): identity comes from the token, and nothing reaches another target.

use super::snapshot::{Snapshot, line, own_line, records, records_of, status};
use crate::support::agents::Serving;
use crate::support::desired::{deployment_id, revision_id, target_id};
use crate::support::in_process::InProcessAppliance;

#[test]
fn a01_what_is_said_of_another_target_is_stored_nowhere() {
    let serving = Serving::two_targets();
    let (mine, other) = (serving.token("edge-0"), serving.token("edge-1"));
    let report = serving.agent(&other, "POST", "status", &status("edge-1", "healthy", "well"));
    assert_eq!(report.status, 200);
    let overview = |name: &str| {
        let mut all = serving.status.overview().unwrap();
        all.retain(|target| target.target == target_id(name));
        format!("{all:?}")
    };
    let (before, seen) = (Snapshot::of(&serving), overview("edge-1"));
    let (foreign, nobody) = (revision_id("edge-1", "a"), "11111111-1111-4111-8111-111111111111");
    for body in [
        status("edge-1", "error", "I am edge-1"),
        format!(r#"{{"revisionId":"{nobody}","type":"error","message":"x"}}"#),
        format!(
            r#"{{"revisionId":"{foreign}","type":"error","message":"x","deploymentTargetId":"{}"}}"#,
            target_id("edge-1")
        ),
        format!(
            r#"{{"type":"error","message":"x","deploymentId":"{}"}}"#,
            deployment_id("edge-1")
        ),
    ] {
        let reply = serving.agent(&mine, "POST", "status", &body);
        assert_eq!(reply.status, 400, "{body}");
    }
    // Foreign lines are dropped without a word, as the hub does.
    for lines in [
        own_line("edge-1", "I am edge-1"),
        line(
            deployment_id("edge-1"),
            revision_id("edge-0", "a"),
            "a foreign deployment",
        ),
        line(deployment_id("edge-0"), foreign, "a foreign revision"),
        line(deployment_id("edge-0"), nobody.parse().unwrap(), "nobody's revision"),
    ] {
        let reply = serving.agent(&mine, "PUT", "logs", &format!("[{lines}]"));
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{lines}");
    }
    before.assert_same(&serving);
    assert_eq!(overview("edge-1"), seen);
    // Of a mixed batch the own line is stored, and measurements are the caller's whatever else they say.
    let mixed = format!(
        "[{},{},{}]",
        own_line("edge-1", "foreign"),
        own_line("edge-0", "mine"),
        own_line("edge-1", "foreign")
    );
    assert_eq!(serving.agent(&mine, "PUT", "logs", &mixed).status, 204);
    let metrics = format!(r#"{{"cpuCoresMillis":1,"targetId":"{}"}}"#, target_id("edge-1"));
    assert_eq!(serving.agent(&mine, "POST", "metrics", &metrics).status, 200);
    assert_eq!(records_of(&serving, "edge-1").len(), 1);
    let texts: Vec<String> = records_of(&serving, "edge-0")
        .into_iter()
        .map(|listed| listed.record.text)
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert_eq!(texts[0], "mine");
    assert_eq!(overview("edge-1"), seen);
}

/// A01 over every pair of targets: a status counts exactly for the target that says it.
#[test]
fn a01_every_pair_of_targets() {
    let instance = InProcessAppliance::new();
    instance.release(1, 5, "a");
    let serving = Serving::start(instance, airlock::http::Settings::default());
    let names: Vec<String> = (0..5).map(|n| format!("edge-{n}")).collect();
    let tokens: Vec<String> = names.iter().map(|name| serving.token(name)).collect();
    for (sender, token) in tokens.iter().enumerate() {
        for (of, name) in names.iter().enumerate() {
            let before = records(&serving).len();
            let said = serving.agent(
                token,
                "POST",
                "status",
                &status(name, "running", &format!("{sender} of {of}")),
            );
            let (expected, stored) = if sender == of { (200, 1) } else { (400, 0) };
            assert_eq!(said.status, expected, "{sender} of {of}");
            assert_eq!(records(&serving).len() - before, stored);
            let resources = serving.agent(
                token,
                "GET",
                &format!("resources?deploymentTargetId={}", target_id(name)),
                "",
            );
            let text = String::from_utf8(resources.body).unwrap();
            assert!(text.contains(&deployment_id(&names[sender]).to_string()));
            assert_eq!(text.contains(&deployment_id(name).to_string()), sender == of);
        }
    }
}

//! From the first bundle to the second package and into a hub: nothing lost, nothing twice, order kept.

use std::time::{Duration, Instant};

use airlock::domain::Uuid;
use serde_json::{Value, json};

use super::stage::{Books, Stage, acknowledged, in_order};
use crate::agent::looping::{Agent, Round};
use crate::replay::hub::Hub;
use crate::replay::world::write_secret;

/// Secret of the target at the hub.
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Lets the agent send lines of a container of each deployment, and a sample with so many cores. Returns the lines.
fn speak(agent: &mut Agent<Books>, revision: &str, numbers: std::ops::Range<u64>, cores: u64) -> Vec<String> {
    let deployment = agent.records.keys().next().unwrap().clone();
    let lines: Vec<String> = numbers.map(|number| format!("order {number} went out")).collect();
    let at = airlock::domain::Clock::now(&airlock::domain::SystemClock).unix();
    let records: Vec<Value> = (0..)
        .zip(&lines)
        .map(|(nanos, line)| {
            json!({
                "id": "00000000-0000-0000-0000-000000000000", "deploymentId": deployment, "deploymentRevisionId": revision,
                "resource": "web", "severity": "Log", "body": line,
                "timestamp": airlock::domain::AgentTime::from_parts(at, nanos).to_string(),
            })
        })
        .collect();
    assert_eq!(agent.send_logs(&records.into()).unwrap(), 204);
    let sample =
        json!({"cpuCoresMillis": cores, "cpuUsage": 0.25, "memoryBytes": 8_000_000_000_u64, "memoryUsage": 0.5});
    assert_eq!(agent.send_metrics(&sample).unwrap(), 200);
    lines
}

#[test]
fn what_agents_reported_is_in_the_ledger_and_in_a_hub_once_and_the_next_bundle_is_small() {
    let stage = Stage::new();
    let (first, _) = stage.bundle(1);
    stage.import(&first);
    let serving = stage.serve();
    let mut agent = stage.agent(&serving);
    for _ in 0..4 {
        assert_eq!(agent.round(), Round::Done);
    }
    let of_first = agent.acknowledged.last().unwrap().revision.clone();
    let mut lines = speak(&mut agent, &of_first, 0..3, 2000);

    // Package 1, while the server goes on.
    let package = stage.export();
    let verdict = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert_eq!(verdict[0]["result"], "taken-in", "{verdict}");
    assert_eq!(stage.told(), acknowledged(&agent));
    let again = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert_eq!(again[0]["result"], "already");

    // The answers.
    let shown = stage.good(&["status", "show", "plant", "-w", "w"]);
    assert!(shown.to_string().contains("running"), "{shown}");
    let lacks = stage.good(&["vendor", "ledger", "who-lacks", "1.0", "-w", "w"]);
    println!("{lacks}");

    // Bundle 2 leaves out what the site holds, and brings the acknowledgement.
    agent.engine.trouble = Some("exited with code 137".into());
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
    agent.engine.trouble = None;
    let (second, made) = stage.bundle(2);
    println!("{made}");
    assert!(
        second.metadata().unwrap().len() < first.metadata().unwrap().len(),
        "{} and {}",
        first.metadata().unwrap().len(),
        second.metadata().unwrap().len()
    );
    let imported = stage.import(&second);
    println!("{imported}");
    // The server sees what another process imported within a tenth of a second.
    let imported = Instant::now();
    while agent.acknowledged.last().unwrap().revision == of_first {
        assert!(
            imported.elapsed() < Duration::from_secs(60),
            "the second release is never served"
        );
        agent.round();
    }
    for _ in 0..2 {
        assert_eq!(agent.round(), Round::Done);
    }
    let of_second = agent.acknowledged.last().unwrap().revision.clone();
    lines.extend(speak(&mut agent, &of_second, 3..5, 4000));
    agent.flush();

    // Package 2 begins behind what was acknowledged.
    let package = stage.export();
    let verdict = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert_eq!(verdict[0]["result"], "taken-in", "{verdict}");
    assert_eq!(stage.told(), acknowledged(&agent));
    assert_eq!(stage.told_in_order(), in_order(&agent));
    let findings: Value = stage.good(&["vendor", "ledger", "findings", "-w", "w"]);
    println!("{findings}");

    // The second sample came sooner than samples are kept: it lies inside a gap.
    let gaps = stage.ledger("SELECT class, reason, count FROM site_gap", |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, u64>(2)?,
        ))
    });
    assert_eq!(gaps, [("metrics".to_owned(), "rate".to_owned(), 1)]);

    // Into a hub: the last status of each revision, the newest sample and every line, once and in order.
    let hub = Hub::start();
    let target = know(&stage, &hub);
    let arguments = [
        "status",
        "replay",
        "-w",
        "w",
        "--site",
        "plant",
        "--credentials",
        "hub.json",
        "--hub",
    ];
    let url = hub.url();
    let arguments = [&arguments[..], &[url.as_str()]].concat();
    let replayed = stage.good(&arguments);
    let report = &replayed["sites"][0]["targets"][0];
    assert_eq!(
        (
            &report["statuses"]["sent"],
            &report["metrics"]["sent"],
            &report["lines"]["sent"]
        ),
        (&2.into(), &1.into(), &5.into())
    );
    arrived(&hub, target, &agent, &[of_first, of_second], &lines);
    // A second run has nothing to send.
    let asked = hub.paths().len();
    let again = stage.good(&arguments);
    assert_eq!(again["sites"][0]["targets"][0]["statuses"]["already"], 2);
    assert_eq!(hub.paths().len(), asked);
    hub.assert_well_used();
}

/// Lets a hub know what it would know that had collected the bundles; returns the target.
fn know(stage: &Stage, hub: &Hub) -> Uuid {
    let targets = stage.ledger("SELECT target FROM signed_target", |row| row.get::<_, Uuid>(0));
    let revisions = stage.ledger("SELECT DISTINCT deployment, revision FROM signed_revision", |row| {
        Ok((row.get::<_, Uuid>(0)?, row.get::<_, Uuid>(1)?))
    });
    let [target] = targets[..] else {
        panic!("one target: {targets:?}")
    };
    assert_eq!(revisions.len(), 2);
    hub.know(target, SECRET, &revisions);
    let credentials = json!({"targets": [{"secret": SECRET, "target": target}]});
    write_secret(&stage.path("hub.json"), &credentials.to_string());
    target
}

/// The hub has what the agent was told to be kept, revision by revision, and nothing else.
fn arrived(hub: &Hub, target: Uuid, agent: &Agent<Books>, revisions: &[String], lines: &[String]) {
    hub.with(|hub| {
        assert_eq!(hub.statuses.len(), revisions.len(), "{:?}", hub.statuses);
        for (status, revision) in hub.statuses.iter().zip(revisions) {
            let last = agent
                .acknowledged
                .iter()
                .rfind(|acknowledged| acknowledged.revision == *revision)
                .unwrap();
            assert_eq!(
                (status.target, status.revision.to_string(), &status.kind),
                (target, revision.clone(), &last.kind)
            );
            let (bracket, text) = status.message.split_once("] ").unwrap();
            assert!(
                bracket.starts_with("[airlock ") && text == last.message,
                "{}",
                status.message
            );
        }
        let [(of, sample)] = &hub.metrics[..] else {
            panic!("{:?}", hub.metrics)
        };
        assert_eq!((*of, &sample["cpuCoresMillis"]), (target, &2000.into()));
        let (of_agent, of_containers): (Vec<_>, Vec<_>) =
            hub.lines.iter().partition(|line| line.stream.starts_with("agent"));
        let bodies: Vec<&str> = of_containers.iter().map(|line| line.body.as_str()).collect();
        assert_eq!(bodies, lines);
        let starts = of_agent
            .iter()
            .filter(|line| line.body.starts_with("docker agent is starting"));
        assert_eq!(starts.count(), 1, "{of_agent:?}");
    });
}

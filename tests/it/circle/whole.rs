//! From the first bundle to the second package and into a hub: nothing lost, nothing twice, order kept.

use serde_json::Value;

use super::stage::{Stage, acknowledged};
use crate::agent::looping::Round;

#[test]
fn what_agents_reported_is_in_the_ledger_once_and_the_next_bundle_is_small() {
    let stage = Stage::new();
    let (first, _) = stage.bundle(1);
    stage.import(&first);
    let serving = stage.serve();
    let mut agent = stage.agent(&serving);
    for _ in 0..4 {
        assert_eq!(agent.round(), Round::Done);
    }

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
    for _ in 0..4 {
        agent.round();
    }

    // Package 2 begins behind what was acknowledged.
    let package = stage.export();
    let verdict = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert_eq!(verdict[0]["result"], "taken-in", "{verdict}");
    assert_eq!(stage.told(), acknowledged(&agent));
    let findings: Value = stage.good(&["vendor", "ledger", "findings", "-w", "w"]);
    println!("{findings}");
}

//! A site that was put back from its backup: its agents go on with their tokens, the vendor takes its next package as another life, and its next
//! bundle comes in.

#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::process::Command;

use super::stage::Stage;
use crate::agent::looping::Round;
use crate::support::appliance::{AIRLOCK, Serving, write};

#[test]
fn a_restored_site_goes_on_with_its_agents_and_its_vendor() {
    let stage = Stage::new();
    let (first, _) = stage.bundle(1);
    stage.import(&first);
    let serving = stage.serve();
    let address = serving.address;
    let mut agent = stage.agent(&serving);
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
    let package = stage.export();
    let taken = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert_eq!(taken[0]["result"], "taken-in", "{taken}");

    write(&stage.path("passphrase"), b"correct horse battery staple\n");
    let passphrase = ["--passphrase-file", "passphrase"];
    let words = ["backup", "-o", "backup", "--state", "state"];
    stage.good(&[words.as_slice(), &passphrase].concat());
    drop(serving);
    std::fs::rename(stage.path("state"), stage.path("lost")).unwrap();
    let words = ["restore", "backup", "--yes", "--state", "state", "--against", "lost"];
    stage.good(&[words.as_slice(), &passphrase].concat());
    stage.import(&first);

    let mut command = Command::new(AIRLOCK);
    command.args(["serve", "--listen", &address.to_string(), "--state"]);
    command.arg(stage.path("state"));
    let _serving = Serving::spawn(command);
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done, "with the token of before");
    }
    let package = stage.export();
    let taken = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert_eq!(taken[0]["result"], "taken-in", "{taken}");
    assert!(taken.to_string().contains("new-instance"), "{taken}");

    let (second, _) = stage.bundle(2);
    assert_eq!(stage.import(&second)["result"], "imported");
    assert_eq!(agent.round(), Round::Done);
}

//! Whose a UUID is, as an operator meets it: an import that is held back, and `airlock target free`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::appliance::{AIRLOCK, scratch, write};
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::{InProcessAppliance, enrol};
use crate::support::state_fingerprint::StateFingerprint;

#[test]
fn the_command_line_says_that_a_release_is_held_back() {
    let (instance, folder) = (InProcessAppliance::new(), scratch());
    instance.release(1, 1, "stable");
    let beta = instance
        .vendor
        .with_targets_in(("crm", "beta"), 1, |image| Desired::docker(image, 1, "beta"));
    let path = folder.path().join("beta.airlock");
    write(&path, &beta.bytes);
    for (flags, active) in [(&["--dry-run"][..], Value::Null), (&[], false.into())] {
        let output = Command::new(AIRLOCK)
            .args(["import", "--format", "json", "--state"])
            .arg(instance.state())
            .arg(&path)
            .args(flags)
            .output()
            .unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && talk.contains("it cannot go live (foreign-target)"),
            "{talk}"
        );
        let value: Value = serde_json::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap();
        assert_eq!(
            (&value["active"], &value["held"]["channel"]),
            (&active, &"stable".into()),
            "{value}"
        );
    }
}

#[test]
fn an_operator_is_told_what_freeing_does_and_asked() {
    let instance = InProcessAppliance::new();
    let (id, nobody) = (target_id("edge-0").to_string(), target_id("nobody").to_string());
    instance.release(1, 1, "a");
    enrol(&instance.hub(), "edge-0");
    let run = |arguments: &[&str]| {
        let output = Command::new(AIRLOCK)
            .args(["target", "free"])
            .args(arguments)
            .arg("--state")
            .arg(instance.state())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for (arguments, part) in [
        (&["edge-0", "--yes"][..], "is no UUID"),
        (&[nobody.as_str(), "--yes"][..], "ever stated"),
        (&[id.as_str()][..], " --yes --state "),
    ] {
        let before = StateFingerprint::of(&instance.state());
        let (code, out, talk) = run(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{talk}");
        assert!(talk.contains(part), "{talk}");
        assert_eq!(StateFingerprint::of(&instance.state()), before);
    }
    let (code, out, talk) = run(&[&id, "--yes", "--format", "json"]);
    assert_eq!(code, Some(0), "{talk}");
    for part in [
        "belongs to the product crm",
        "channel stable has it",
        "target edge-0 is refused",
        "earlier releases",
    ] {
        assert!(talk.contains(part), "{part:?} in {talk}");
    }
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&value["result"], &value["id"]), (&"freed".into(), &id.as_str().into()));
    assert!(run(&[&id]).1.contains("nobody's already"));
    assert!(instance.hub().targets().is_empty());
}

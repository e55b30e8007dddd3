//! Names that end with a release: told by the dry run, by the import, and by an activation, to people and machines.

use std::process::Command;

use serde_json::json;

use super::file_world::{File, bundle};
use crate::support::appliance::{AIRLOCK, Ended, scratch, write};
use crate::support::in_process::InProcessAppliance;

#[test]
fn names_that_end_with_a_release_are_told_before_and_after() {
    let instance = InProcessAppliance::new();
    let folder = scratch();
    let domain = instance.vendor.domain();
    let paths = ["crm/stable/manual", "crm/stable/licence"];
    for (sequence, path) in (1..).zip(paths) {
        let made = bundle(&instance, sequence, &File::new(path, b"a file"));
        write(&folder.path().join(sequence.to_string()), &made.bytes);
    }
    let name = |path: &str| format!("files.airlock.internal/{domain}/{path}:latest");
    let run = |format: &str, words: &[&str]| {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", format])
            .args(words)
            .current_dir(folder.path());
        let output = command.env("AIRLOCK_STATE", instance.state()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    };
    let result = |words: &[&str]| Ended::of(&run("json", words)).result;
    let first = result(&["import", "1"]);
    assert_eq!(
        (&first["from"], &first["names"]["come"], &first["names"]["end"]),
        (&json!(null), &json!([name(paths[0])]), &json!([]))
    );
    let human = String::from_utf8(run("human", &["import", "2", "--dry-run"]).stdout).unwrap();
    let told = format!(
        "1 name comes:\n  {}\n1 name goes:\n  {}",
        name(paths[1]),
        name(paths[0])
    );
    assert!(
        human.contains("what changes once it is live:") && human.contains(&told),
        "{human}"
    );
    let planned = &result(&["import", "2", "--dry-run"])["names"];
    assert_eq!(
        (&planned["come"], &planned["end"]),
        (&json!([name(paths[1])]), &json!([name(paths[0])]))
    );
    let imported = result(&["import", "2"]);
    assert_eq!(
        (&imported["active"], &imported["names"]["end"]),
        (&json!(true), &json!([name(paths[0])]))
    );
    // Back, and told likewise.
    let back = run("human", &["release", "activate", "1", "--yes"]);
    let told = format!("1 name goes:\n  {}", name(paths[1]));
    let said = String::from_utf8(back.stderr).unwrap();
    assert!(said.replace("airlock: ", "").contains(&told), "{said}");
    assert_eq!(
        result(&["release", "activate", "2", "--yes"])["names"]["end"],
        json!([name(paths[0])])
    );
}

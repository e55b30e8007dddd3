//! Remedies of what looks after an appliance, on a disk that nothing can be written to.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::follow::{Operator, Ran};
use crate::import::disk_full::in_namespace;
use crate::support::appliance::{AIRLOCK, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::left_out::is_root;
use crate::support::site::noise;

#[test]
fn a_state_folder_on_a_read_only_disk_is_copied_as_the_message_says() {
    if !in_namespace("remedies::care::a_state_folder_on_a_read_only_disk_is_copied_as_the_message_says") {
        return;
    }
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    operator
        .run(&["import", operator.bundle(&made).to_str().unwrap()])
        .succeeded();
    let state = operator.state();
    let state = state.to_str().unwrap();
    for words in [&["--bind", state, state][..], &["-o", "remount,ro,bind", state]] {
        assert!(Command::new("mount").args(words).status().unwrap().success());
    }
    let remedy = operator.run(&["release", "list"]).remedy("E-IO", "read-only");
    assert!(
        remedy.starts_with("copy the folder with `cp -a` to a disk that can be written"),
        "{remedy}"
    );
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(state)
            .arg(&copy)
            .status()
            .unwrap()
            .success()
    );
    let listed = operator.run(&["release", "list", "--state", copy.to_str().unwrap()]);
    let listed = listed.succeeded();
    assert_eq!(listed["releases"].as_array().unwrap().len(), 1, "{listed}");
}

/// A user that nobody is.
const USER: &str = "54321";

/// The user of airlock may not read a stick of root's, and root may not work in that user's state folder.
#[test]
fn a_medium_of_another_user_is_read_by_root_as_the_message_says() {
    if !is_root() {
        return;
    }
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(folder.path(), 0o755);
    let [program, stick, state] = ["airlock", "stick", "state"].map(|name| folder.path().join(name));
    std::fs::copy(AIRLOCK, &program).unwrap();
    mode(&program, 0o755);
    std::fs::create_dir(&stick).unwrap();
    let bundle = stick.join("bundle.airlock");
    write(&bundle, &made.bytes);
    mode(&stick, 0o700);
    let run = |words: &[&str]| {
        assert!(
            Command::new(words[0]).args(&words[1..]).status().unwrap().success(),
            "{words:?}"
        );
    };
    run(&["cp", "-a", operator.state().to_str().unwrap(), state.to_str().unwrap()]);
    run(&["chown", "-R", &format!("{USER}:{USER}"), state.to_str().unwrap()]);
    let import = |source: &str, input: Stdio| {
        let mut command = Command::new("setpriv");
        let user = [
            &format!("--reuid={USER}"),
            &format!("--regid={USER}"),
            "--clear-groups",
            "--",
        ]
        .map(ToOwned::to_owned);
        command
            .args(user)
            .arg(&program)
            .args(["--format", "json", "import", source]);
        Ran::of(&command.env("AIRLOCK_STATE", &state).stdin(input).output().unwrap())
    };
    for source in [&stick, &bundle] {
        let remedy = import(source.to_str().unwrap(), Stdio::null()).remedy("E-IO", "io");
        let by_root = format!("cat FILE | setpriv --reuid {USER} --regid {USER} --clear-groups -- airlock import -");
        assert!(remedy.ends_with(&by_root), "{remedy}");
    }
    let read_by_root = std::fs::File::open(&bundle).unwrap();
    assert_eq!(import("-", read_by_root.into()).succeeded()["result"], "imported");
}

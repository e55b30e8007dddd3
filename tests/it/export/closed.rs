//! Readers that do not stay for everything: lists end quietly, and a package that nobody took did not leave.

use std::process::Stdio;

use airlock::db::site::packages::State;

use super::desk::Desk;
use crate::support::appliance::Ended;

/// Runs a command whose standard output nobody reads.
fn unread(desk: &Desk, words: &str) -> Ended {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = desk.command(words);
    Ended::of(
        &command
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap(),
    )
}

#[test]
fn whoever_looks_at_the_beginning_alone_is_told_nothing() {
    let desk = Desk::new(0);
    for words in ["status preview --lines", "release list", "status summary --help"] {
        let ended = unread(&desk, words);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{words}");
    }
}

#[test]
fn a_package_that_its_reader_left_is_given_to_one_that_stays() {
    let desk = Desk::new(0);
    let ended = unread(&desk, "status export -");
    ended.assert_refused("E-IO", "io", "");
    assert!(
        ended
            .stderr
            .contains("give the pipe a reader that stays until everything was written")
            && !ended.stderr.contains("dmesg"),
        "{}",
        ended.stderr
    );
    assert_eq!(desk.states(), [(1, State::Signed)]);
    let output = desk.command("status export -").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && talk.contains("package 1 for Test to standard output, "),
        "{talk}"
    );
    assert!(output.stdout.starts_with(b"00-format"));
    assert_eq!(desk.states(), [(1, State::Exported)]);
}

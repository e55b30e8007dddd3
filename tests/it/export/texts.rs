//! What a preview says of texts, and a redactor that cannot be made.

use std::process::Command;

use super::desk::Desk;
use crate::support::appliance::AIRLOCK;

fn human(desk: &Desk) -> String {
    let mut command = Command::new(AIRLOCK);
    command
        .args(["status", "preview", "--discard", "--config"])
        .arg(desk.path("airlock.toml"));
    let output = command.arg("--state").arg(desk.state()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_more_is_promised_than_is_done_where_texts_leave() {
    let desk = Desk::new(0);
    let text = human(&desk);
    assert!(
        text.contains("  never   host names, addresses, secrets, paths;"),
        "{text}"
    );
    assert!(!text.contains("redactor"), "{text}");
    desk.configure(0, "profile = \"full\"\n");
    let text = human(&desk);
    for part in [
        "  never   outside of texts of statuses, lines of containers, lines of agents, versions of agents: host names, addresses, secrets, paths;",
        "  texts   these may hold anything that people or agents wrote",
        "\\.. is a stretch that it took out",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("the text of every status"), "{text}");
    // What agents say of their version leaves, and no text of a status: the preview says which of both.
    desk.configure(0, "profile = \"standard\"\n");
    let text = human(&desk);
    for part in [
        "and the text of every status",
        "  never   outside of versions of agents: host names",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_pattern_that_cannot_be_used_is_corrected_where_it_stands() {
    let desk = Desk::new(0);
    for pattern in ["(", "", "(?=x)"] {
        desk.configure(0, &format!("redact = [\"x\", \"{pattern}\"]\n"));
        for words in ["status preview", "status export stick"] {
            let ended = desk.refused(words, "E-USAGE", "redact");
            assert!(
                ended
                    .stderr
                    .contains("correct redact under [export] in the configuration"),
                "{}",
                ended.stderr
            );
        }
    }
    assert!(desk.states().is_empty() && desk.on_stick().is_empty());
    desk.configure(0, "redact = [\"x\", \"[(]\"]\n");
    desk.good("status export stick");
}

//! Whoever is asked by voice for this site's status key finds it, and whoever begins another life is asked whether it is meant.

use std::path::Path;
use std::process::Command;

use airlock::domain::Hash;
use serde_json::json;

use super::bench::Bench;
use crate::support::appliance::AIRLOCK;
use crate::support::streams;
use crate::vendor::passphrases::terminal;

#[test]
fn the_status_key_is_shown_as_init_and_the_vendor_show_it() {
    let bench = Bench::new();
    let init = streams::only(&bench.state()).rows[0].detail["status_key"].clone();
    let shown = bench.good("trust show");
    assert_eq!(shown["status_key"], init);
    assert_eq!(
        bench.good("vendor enroll --yes plant.json --name plant")["status_key"],
        shown["status_key"]
    );
    let rotated = bench.good("status rotate-key --yes")["status_key"].clone();
    assert_ne!(rotated, init);
    let shown = bench.good("trust show");
    assert_eq!(shown["status_key"], rotated);
    let mut command = Command::new(AIRLOCK);
    let output = command
        .args(["trust", "show", "--state"])
        .arg(bench.state())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let spoken = rotated.as_str().unwrap().parse::<Hash>().unwrap().spoken();
    assert!(text.contains(&format!("status key   {spoken}")), "{text}");
}

/// One vendor's file that was cut concerns that vendor: the others are shown, and the command ends as a problem that names it.
#[test]
fn a_root_that_was_cut_hides_no_other_vendor() {
    let bench = Bench::new();
    bench.pin_other();
    let (acme, other) = (bench.chain("acme").domain(), bench.chain("other").domain());
    let domains = |shown: &serde_json::Value| {
        let roots = shown["roots"].as_array().unwrap().iter();
        roots
            .map(|root| root["domain"].as_str().unwrap().to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let both = bench.good("trust show");
    assert_eq!((domains(&both).len(), &both["damaged"]), (2, &json!([])));
    let file = format!("state/roots/{other}.json");
    bench.edit(&file, &file, |bytes| bytes.truncate(bytes.len() / 2));
    let ended = bench.refused("trust show", "E-STATE", "pin-damaged");
    assert_eq!(domains(&ended.result), [acme.to_string()].into());
    let damaged = &ended.result["damaged"];
    assert_eq!(
        (damaged.as_array().unwrap().len(), &damaged[0]["domain"]),
        (1, &json!(other))
    );
    assert_eq!(damaged[0]["code"], "pin-damaged");
    // Pinned again, as it says.
    bench.pin_other();
    assert_eq!(domains(&bench.good("trust show")), domains(&both));
}

#[test]
fn another_life_is_begun_by_who_means_it() {
    let bench = Bench::new();
    let rows = || streams::only(&bench.state()).rows.len();
    let before = rows();
    if terminal() {
        let on_terminal = |answer: &str, more: &[&str]| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/vendor/terminal.py");
            let answers = if answer.is_empty() {
                json!([])
            } else {
                json!([["go on?", answer]])
            };
            let mut command = crate::support::python::python();
            command.arg(script).arg(answers.to_string()).arg(AIRLOCK);
            command
                .args(["recover", "--as", "restored"])
                .args(more)
                .arg("--state")
                .arg(bench.state());
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code(), text)
        };
        let (code, text) = on_terminal("n", &[]);
        assert_eq!((code, rows()), (Some(2), before), "{text}");
        assert!(
            text.contains("begins another life") && text.contains("drafts end"),
            "{text}"
        );
        let (code, text) = on_terminal("y", &[]);
        assert_eq!((code, rows()), (Some(0), before + 1), "{text}");
        let (code, text) = on_terminal("", &["--yes"]);
        assert_eq!((code, rows()), (Some(0), before + 2), "{text}");
    }
    // Where nobody can be asked nothing is done, and the message says what does it.
    let before = rows();
    for what in ["restored", "cloned", "token-key-lost"] {
        let ended = bench.run(&format!("recover --as {what}"));
        assert_eq!(ended.refusal.as_ref().unwrap().1, "confirm", "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("`airlock recover --as {what} --yes`")),
            "{}",
            ended.stderr
        );
        assert_eq!(rows(), before, "{what}");
    }
    bench.good("recover --as cloned --yes");
    assert_eq!(rows(), before + 1);
}

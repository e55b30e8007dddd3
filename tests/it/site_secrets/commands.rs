//! `airlock secret …`, and releases that wait: imported, told everywhere, and live with the last value.

use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::fleet::{Hub, SiteView};
use airlock::appliance::live::Live;
use airlock::db::Schema;
use airlock::db::site::audit;
use airlock::domain::SystemClock;

use super::world::{Plant, ask, desired, files, generate, release, run, said, with_places};
use crate::support::appliance::{AIRLOCK, Serving};
use crate::vendor::passphrases::terminal;

/// The details of the audit rows about secrets.
fn rows(plant: &Plant) -> Vec<String> {
    let db = airlock::db::Db::open(&plant.state().join("airlock.db"), &Schema::SITE).unwrap();
    let rows = db.read(|connection| audit::list(connection, 0, 10_000)).unwrap();
    let own = rows.into_iter().filter(|row| row.action == "secret");
    own.map(|row| row.detail).collect()
}

#[test]
fn a_release_waits_for_its_secrets_and_goes_live_with_the_last_one() {
    let plant = Plant::new();
    plant.import(1, &[]);
    assert_eq!(plant.live(), 1);
    let uses = [
        ask("edge-0", "SMTP_PASSWORD", true),
        ask("edge-1", "SMTP_PASSWORD", true),
        ask("edge-1", "API_KEY", false),
    ];
    let bundle = plant.bundle(2, &uses);
    let planned = plant.good(&["import", bundle.to_str().unwrap(), "--dry-run"]);
    let names = |value: &serde_json::Value| -> Vec<String> {
        let missing = value.as_array().unwrap().iter();
        missing
            .map(|one| {
                format!(
                    "{} {}",
                    one["name"].as_str().unwrap(),
                    one["target"]["name"].as_str().unwrap_or("-")
                )
            })
            .collect()
    };
    let expected = ["API_KEY -", "SMTP_PASSWORD edge-0", "SMTP_PASSWORD edge-1"];
    let sorted = |value: &serde_json::Value| {
        let mut names = names(value);
        names.sort();
        names
    };
    assert_eq!(sorted(&planned["waits_for"]), expected);
    let imported = plant.good(&["import", bundle.to_str().unwrap()]);
    assert_eq!((imported["active"].as_bool(), plant.live()), (Some(false), 1));
    assert_eq!(sorted(&imported["waits_for"]), expected);
    let again = plant.good(&["import", bundle.to_str().unwrap()]);
    assert_eq!(sorted(&again["waits_for"]), expected);
    let listed = plant.good(&["release", "list"]);
    assert_eq!(sorted(&listed["releases"][0]["waits_for"]), expected);
    assert_eq!(listed["releases"][1]["waits_for"].as_array().unwrap().len(), 0);
    assert_eq!(sorted(&plant.good(&["release", "show", "2.0"])["waits_for"]), expected);
    // Machines are told the whole command, and so are people.
    let command = format!(
        "airlock secret set API_KEY --product crm --state {}",
        plant.state().display()
    );
    assert_eq!(listed["releases"][0]["waits_for"][0]["command"], command);
    let list = std::process::Command::new(AIRLOCK)
        .args(["secret", "list", "--state"])
        .arg(plant.state())
        .output()
        .unwrap();
    let shown = String::from_utf8(list.stdout).unwrap();
    assert!(shown.contains(&format!("enter API_KEY: `{command}`")), "{shown}");
    let targets = plant.good(&["target", "list"]);
    assert_eq!(sorted(&targets["waiting"][0]["secrets"]), expected);
    let watched = plant.good(&["target", "watch", "--once"]);
    assert_eq!(sorted(&watched["waiting"][0]["secrets"]), expected);
    // Nothing is broken: the live release goes on.
    let serving = Serving::start(&plant.state());
    let ready = crate::support::client::get(serving.address, "/readyz");
    let waiting = ready.json()["waiting"][0]["secrets"].as_array().unwrap().len();
    assert_eq!((ready.status, waiting), (200, 3));
    assert!(serving.stop().success());

    let ended = plant.refused(&["release", "activate", "2.0"], "", "E-POLICY", "secrets-missing");
    let remedy = said(&ended, "remedy");
    let commands: Vec<&str> = remedy.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 3, "{remedy}");
    assert!(
        said(&ended, "found").contains("SMTP_PASSWORD of edge-0"),
        "{}",
        ended.stderr
    );
    for row in plant.listed() {
        assert_eq!(
            (row["state"].as_str(), row["source"].as_str()),
            (Some("missing"), Some("ask")),
            "{row}"
        );
    }

    // Whose target, and which product: what is not said is asked for.
    for (words, remedy) in [
        (&["SMTP_PASSWORD"][..], "add --target with one of these: edge-0, edge-1"),
        (&["API_KEY", "--target", "edge-1"], "leave --target out"),
        (&["API_KEI"], "did you mean API_KEY?"),
        (&["API_KEY", "--product", "erp"], "look at `airlock secret list`"),
    ] {
        let ended = plant.refused(&[&["secret", "set"], words].concat(), "x", "E-USAGE", "secret");
        assert_eq!(said(&ended, "remedy"), remedy);
    }
    for bad in ["", "\n", "a\0b", &"x".repeat(65_537)] {
        plant.refused(&["secret", "set", "API_KEY"], bad, "E-USAGE", "secret-value");
    }
    assert_eq!((files(&plant.state()), rows(&plant)), (Vec::new(), Vec::new()));

    // The commands as they were named, one by one.
    let command = |name: &str| -> Vec<&str> {
        let own = commands.iter().find(|command| command.contains(name)).unwrap();
        own.split(' ').skip(1).collect()
    };
    let first = plant.good_with(&command("SMTP_PASSWORD --target edge-0"), "CANARY-1\n");
    assert_eq!(
        (first["result"].as_str(), first["replaced"].as_bool()),
        (Some("set"), Some(false))
    );
    assert_eq!(
        sorted(&first["release"]["secrets"]),
        ["API_KEY -", "SMTP_PASSWORD edge-1"]
    );
    plant.good_with(&command("API_KEY"), "CANARY-2");
    assert_eq!(plant.live(), 1);
    let last = plant.good_with(&command("SMTP_PASSWORD --target edge-1"), "CANARY-3");
    assert_eq!(
        (last["release"]["result"].as_str(), plant.live()),
        (Some("activated"), 2)
    );
    assert_eq!(files(&plant.state()).len(), 3);
    assert_eq!(plant.good(&["target", "list"])["waiting"].as_array().unwrap().len(), 0);
    for row in plant.listed() {
        assert_eq!(
            (row["state"].as_str(), row["needed_by"].as_str()),
            (Some("entered"), Some("live")),
            "{row}"
        );
    }
    let rows = rows(&plant);
    assert_eq!(rows.len(), 3);
    assert!(!rows.concat().contains("CANARY"), "{rows:?}");
}

#[test]
fn a_value_is_replaced_and_forgotten_by_people_alone() {
    let plant = Plant::new();
    let both = [
        ask("edge-0", "API_KEY", false),
        generate("edge-1", "SESSION_KEY", Some(40)),
    ];
    plant.import(1, &both);
    plant.good_with(&["secret", "set", "API_KEY"], "first");
    assert_eq!(plant.live(), 1);
    let before = files(&plant.state());
    assert_eq!(before.len(), 2);
    // Through a pipe nobody is asked, so nothing is replaced without a word.
    let ended = plant.refused(&["secret", "set", "API_KEY"], "second", "E-USAGE", "confirm");
    let remedy = said(&ended, "remedy");
    assert_eq!(
        (remedy.as_str(), files(&plant.state())),
        (
            "when all of this is meant: `airlock secret set API_KEY --replace`",
            before.clone()
        )
    );
    let again = plant.good_with(&["secret", "set", "API_KEY", "--replace"], "second");
    assert_eq!(again["replaced"], true);
    let after = files(&plant.state());
    assert_eq!(
        (after.len(), after.iter().filter(|name| before.contains(name)).count()),
        (2, 1)
    );

    // A release that says another length leaves what is here; so does one that asks for what was made.
    plant.import(
        2,
        &[
            ask("edge-0", "API_KEY", false),
            generate("edge-1", "SESSION_KEY", Some(64)),
        ],
    );
    plant.import(
        3,
        &[ask("edge-0", "API_KEY", false), ask("edge-1", "SESSION_KEY", false)],
    );
    assert_eq!((plant.live(), files(&plant.state())), (3, after.clone()));
    let row = plant
        .listed()
        .into_iter()
        .find(|row| row["name"] == "SESSION_KEY")
        .unwrap();
    assert_eq!(
        (row["state"].as_str(), row["source"].as_str()),
        (Some("generated"), Some("ask"))
    );

    plant.refused(&["secret", "generate", "SESSION_KEY"], "", "E-USAGE", "confirm");
    assert_eq!(files(&plant.state()), after);
    plant.good(&["secret", "generate", "SESSION_KEY", "--yes"]);
    assert_ne!(files(&plant.state()), after);

    let ended = plant.refused(
        &["secret", "forget", "API_KEY", "--yes"],
        "",
        "E-POLICY",
        "secret-needed",
    );
    assert!(
        said(&ended, "remedy").contains("`airlock secret set --replace API_KEY --product crm`"),
        "{}",
        ended.stderr
    );
    plant.import(4, &[generate("edge-1", "SESSION_KEY", None)]);
    // One that is made here is made anew.
    let forget = ["secret", "forget", "SESSION_KEY", "--yes"];
    let ended = plant.refused(&forget, "", "E-POLICY", "secret-needed");
    let remedy = said(&ended, "remedy");
    assert!(
        remedy.contains("make another value with `airlock secret generate SESSION_KEY --product crm`"),
        "{remedy}"
    );
    plant.good(&["secret", "generate", "SESSION_KEY", "--product", "crm", "--yes"]);
    let row = plant.listed().into_iter().find(|row| row["name"] == "API_KEY").unwrap();
    assert_eq!(row["needed_by"], "earlier");
    plant.refused(&["secret", "forget", "API_KEY"], "", "E-USAGE", "confirm");
    let forgotten = plant.good(&["secret", "forget", "API_KEY", "--yes"]);
    assert_eq!(forgotten["for_good"], false);
    let row = plant.listed().into_iter().find(|row| row["name"] == "API_KEY").unwrap();
    assert!(row["kept"].is_null() && row["forgotten"].is_string(), "{row}");
    // The earlier release needs it once more.
    plant.refused(&["release", "activate", "3.0"], "", "E-POLICY", "secrets-missing");
    plant.good_with(&["secret", "set", "API_KEY"], "third");
    plant.good(&["release", "activate", "3.0"]);
}

#[test]
fn a_value_that_no_release_has_any_more_is_only_let_go() {
    let plant = Plant::new();
    plant.import(
        1,
        &[ask("edge-0", "SMTP_PASSWORD", true), ask("edge-1", "API_KEY", false)],
    );
    plant.good_with(&["secret", "set", "API_KEY"], "x");
    plant.good_with(&["secret", "set", "SMTP_PASSWORD", "--target", "edge-0"], "x");
    plant.good(&["target", "remove", "edge-0", "--yes"]);
    let row = plant
        .listed()
        .into_iter()
        .find(|row| row["name"] == "SMTP_PASSWORD")
        .unwrap();
    assert_eq!(row["needed_by"], "nobody");
    let target = row["target"]["id"].as_str().unwrap().to_owned();
    let which = ["SMTP_PASSWORD", "--target", &target];
    let ended = plant.refused(
        &[&["secret", "set"], &which[..]].concat(),
        "y",
        "E-USAGE",
        "secret-unused",
    );
    assert_eq!(
        said(&ended, "remedy"),
        format!(
            "look at `airlock secret list`; `airlock secret forget SMTP_PASSWORD --target {target} --product crm` lets its value go"
        )
    );
    // It is taken out of texts from before until it is let go once more.
    for (count, for_good) in [(2, false), (1, true)] {
        let forgotten = plant.good(&[&["secret", "forget"], &which[..], &["--yes"]].concat());
        assert_eq!(
            (files(&plant.state()).len(), &forgotten["for_good"]),
            (count, &for_good.into())
        );
    }
    let ended = plant.refused(&["secret", "forget", "SMTP_PASSWORD"], "", "E-USAGE", "secret");
    assert_eq!(said(&ended, "remedy"), "look at `airlock secret list`");
}

#[test]
fn a_person_is_told_who_gets_the_value_and_nobody_sees_it() {
    if !terminal() {
        return;
    }
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "SMTP_PASSWORD", true)]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/vendor/terminal.py");
    let typed = |answers: &[(&str, &str)]| {
        let output = std::process::Command::new("python3")
            .args([script, &serde_json::json!(answers).to_string(), AIRLOCK])
            .args(["secret", "set", "SMTP_PASSWORD", "--target", "edge-0", "--state"])
            .arg(plant.state())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!shown.contains("CANARY"), "{shown}");
        for part in ["crm/stable", "SMTP_PASSWORD of edge-0", "web on edge-0"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        (output.status.code(), shown)
    };
    let (asked, again) = ("(not shown): ", "the same again: ");
    let differ = [(asked, "CANARY-1"), (again, "CANARY-2")].repeat(3);
    let (code, shown) = typed(&differ);
    assert!(
        code == Some(2) && shown.contains("give the value again; nothing was changed"),
        "{shown}"
    );
    assert_eq!(plant.live(), 0);
    let (code, shown) = typed(&[(asked, "CANARY-1"), (again, "CANARY-1")]);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(plant.live(), 1);
    // One that is there is replaced by who says so.
    let before = files(&plant.state());
    let (code, shown) = typed(&[("go on? [y/N]", "n")]);
    assert!(code == Some(2) && shown.contains("cannot be had again"), "{shown}");
    assert_eq!(files(&plant.state()), before);
    let (code, shown) = typed(&[("go on? [y/N]", "y"), (asked, "CANARY-2"), (again, "CANARY-2")]);
    assert_eq!(code, Some(0), "{shown}");
    assert_ne!(files(&plant.state()), before);
}

#[test]
fn a_target_whose_name_another_one_has_is_named_by_its_uuid() {
    let plant = Plant::new();
    let uses = [
        ask("edge-0", "SMTP_PASSWORD", true),
        ask("edge-1", "SMTP_PASSWORD", true),
    ];
    let one = plant.vendor.with_targets(1, |image| desired(image, 1, "a", &uses));
    let bundle = plant.file("1.airlock", &one.bytes);
    plant.good(&["import", bundle.to_str().unwrap()]);
    plant.good_with(&["secret", "set", "SMTP_PASSWORD", "--target", "edge-0"], "x");
    plant.good(&["target", "add", "edge-1", "--like", "edge-0"]);
    // The next release has a target of that name itself.
    plant.import(2, &uses);
    let ended = plant.refused(
        &["secret", "set", "SMTP_PASSWORD", "--target", "edge-1"],
        "y",
        "E-USAGE",
        "secret",
    );
    assert!(said(&ended, "remedy").starts_with("name it by its UUID, --target with one of these: "));
    let ended = plant.refused(&["release", "activate", "2.0"], "", "E-POLICY", "secrets-missing");
    let remedy = said(&ended, "remedy");
    let commands: Vec<&str> = remedy.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 2, "{remedy}");
    for command in commands {
        plant.good_with(&command.split(' ').skip(1).collect::<Vec<_>>(), "y");
    }
    assert_eq!(plant.live(), 2);
}

#[test]
fn a_value_that_agents_could_not_be_told_is_refused_before_anything_is_written() {
    let plant = Plant::new();
    let uses = [ask("edge-0", "API_KEY", false)];
    let bundle = plant.file("large.airlock", &with_places(&plant.vendor, 1, &uses, 70).bytes);
    plant.good(&["import", bundle.to_str().unwrap()]);
    let before = (files(&plant.state()), rows(&plant), plant.live());
    let ended = plant.refused(
        &["secret", "set", "API_KEY"],
        &"x".repeat(65_536),
        "E-LIMIT",
        "rendered",
    );
    assert!(said(&ended, "found").contains("edge-0"), "{}", ended.stderr);
    assert_eq!((files(&plant.state()), rows(&plant), plant.live()), before);
    // As it says, and also where there is a value.
    let remedy = said(&ended, "remedy");
    let command: Vec<&str> = remedy.split('`').nth(1).unwrap().split(' ').skip(1).collect();
    plant.good_with(&command, "short");
    let before = (files(&plant.state()), rows(&plant), plant.live());
    assert_eq!(before.2, 1);
    plant.refused(&command, &"x".repeat(65_536), "E-LIMIT", "rendered");
    assert_eq!((files(&plant.state()), rows(&plant), plant.live()), before);
}

#[test]
fn a_release_that_a_value_makes_too_large_is_told_by_its_import_and_goes_live_with_a_shorter_one() {
    let plant = Plant::new();
    let uses = [ask("edge-0", "API_KEY", false)];
    let few = plant.file("few.airlock", &release(&plant.vendor, 1, "a", &uses).bytes);
    plant.good(&["import", few.to_str().unwrap()]);
    plant.good_with(&["secret", "set", "API_KEY"], &"x".repeat(65_536));
    assert_eq!(plant.live(), 1);
    let bundle = plant.file("many.airlock", &with_places(&plant.vendor, 2, &uses, 70).bytes);
    let planned = plant.good(&["import", bundle.to_str().unwrap(), "--dry-run"]);
    let imported = plant.good(&["import", bundle.to_str().unwrap()]);
    assert_eq!((imported["active"].as_bool(), plant.live()), (Some(false), 1));
    let again = plant.good(&["import", bundle.to_str().unwrap()]);
    let listed = plant.good(&["release", "list"]);
    let shown = plant.good(&["release", "show", "2.0"]);
    let secrets = plant.good(&["secret", "list"]);
    let command = format!(
        "airlock secret set --replace API_KEY --product crm --state {}",
        plant.state().display()
    );
    for value in [
        &planned["waits_for"],
        &imported["waits_for"],
        &again["waits_for"],
        &listed["releases"][0]["waits_for"],
        &shown["waits_for"],
        &secrets["waiting"][0]["secrets"],
    ] {
        let of: Vec<_> = value.as_array().unwrap().iter().collect();
        assert_eq!(of.len(), 1, "{value}");
        assert_eq!(
            (of[0]["name"].as_str(), of[0]["sealed"].as_bool()),
            (Some("API_KEY"), Some(false))
        );
        assert_eq!(of[0]["too_large"]["target"], "edge-0");
        assert!(
            of[0]["too_large"]["document_bytes"].as_u64().unwrap() > 4 << 20,
            "{value}"
        );
        assert_eq!(of[0]["command"], command.as_str());
    }
    // Before anything changes.
    let before = (files(&plant.state()), rows(&plant), plant.live());
    let ended = plant.refused(&["release", "activate", "2.0"], "", "E-LIMIT", "rendered");
    assert!(said(&ended, "found").contains("too large for agents with the value of API_KEY, with which \"edge-0\""));
    assert_eq!(ended.refusal.as_ref().unwrap().2, "X15");
    assert_eq!((files(&plant.state()), rows(&plant), plant.live()), before);
    // As it says.
    let remedy = said(&ended, "remedy");
    let command: Vec<&str> = remedy.split('`').nth(1).unwrap().split(' ').skip(1).collect();
    plant.refused(&command, &"y".repeat(65_536), "E-LIMIT", "rendered");
    assert_eq!(plant.live(), 1);
    let act = plant.good_with(&command, "short");
    assert_eq!(
        (act["release"]["result"].as_str(), plant.live()),
        (Some("activated"), 2)
    );
    assert_eq!(
        plant.good(&["release", "list"])["releases"][0]["waits_for"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn of_two_values_that_are_too_large_together_either_may_be_made_shorter() {
    let plant = Plant::new();
    let uses = [ask("edge-0", "API_KEY", false), ask("edge-0", "LICENCE", false)];
    let few = plant.file("few.airlock", &release(&plant.vendor, 1, "a", &uses).bytes);
    plant.good(&["import", few.to_str().unwrap()]);
    plant.good_with(&["secret", "set", "API_KEY"], &"x".repeat(65_536));
    plant.good_with(&["secret", "set", "LICENCE"], &"x".repeat(1_000));
    let bundle = plant.file("many.airlock", &with_places(&plant.vendor, 2, &uses, 70).bytes);
    plant.good(&["import", bundle.to_str().unwrap()]);
    assert_eq!(plant.live(), 1);
    // It is not this value that does not fit: the release goes on waiting for the other one.
    let act = plant.good_with(&["secret", "set", "LICENCE", "--replace"], &"x".repeat(2_000));
    assert_eq!(act["release"]["result"], "waiting");
    assert_eq!(act["release"]["secrets"][0]["name"], "API_KEY");
    plant.good_with(&["secret", "set", "API_KEY", "--replace"], "short");
    assert_eq!(plant.live(), 2);
}

#[test]
fn what_a_stopped_act_left_is_removed_by_the_next() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    let left = format!("secrets/{}.age", "0".repeat(32));
    let other = "secrets/notes.txt";
    for name in [left.as_str(), other] {
        crate::support::appliance::write(&plant.state().join(name), b"age-encryption.org/v1\n");
    }
    plant.good_with(&["secret", "set", "API_KEY"], "value");
    assert!(!plant.state().join(&left).try_exists().unwrap());
    // What no act of ours makes is nobody's to remove.
    assert!(plant.state().join(other).try_exists().unwrap());
}

/// What is too short to be looked for is said, and what is no value takes the place of none.
#[test]
fn a_value_is_judged_before_it_is_said_what_becomes_of_it() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    let short = "cannot be looked for in what agents report";
    let set =
        |words: &[&str], value: &str| run(&plant.state(), &[&["secret", "set", "API_KEY"], words].concat(), value);
    for (value, is_short) in [("12345", true), ("123456", false)] {
        let ended = set(&["--replace"], value);
        assert_eq!(
            (ended.code, ended.stderr.contains(short)),
            (Some(0), is_short),
            "{}",
            ended.stderr
        );
    }
    // Who gets it is said through a pipe too.
    let ended = set(&["--replace"], "1234567");
    assert!(
        ended.stderr.contains("the value goes to crm/stable of"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("it takes the place of one"), "{}", ended.stderr);
    for bad in ["", "a\0b"] {
        let ended = set(&["--replace"], bad);
        let (class, code, _) = ended.refusal.unwrap();
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "secret-value"));
        assert!(!ended.stderr.contains("takes the place"), "{}", ended.stderr);
    }
    let ended = set(&["--replace"], &"x".repeat(70_000));
    let (class, code, _) = ended.refusal.unwrap();
    assert_eq!((class.as_str(), code.as_str()), ("E-LIMIT", "size"));
    assert!(
        ended.stderr.contains("more than 65,536 bytes") && !ended.stderr.contains("65537"),
        "{}",
        ended.stderr
    );
}

/// Acts that take moments wait for one another.
#[test]
fn values_that_are_entered_at_once_are_all_taken() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    let state = plant.state();
    std::thread::scope(|scope| {
        let entering: Vec<_> = (0..6)
            .map(|number| {
                let state = &state;
                scope.spawn(move || {
                    run(
                        state,
                        &["secret", "set", "API_KEY", "--replace"],
                        &format!("value-{number}"),
                    )
                })
            })
            .collect();
        for one in entering {
            let ended = one.join().unwrap();
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
    });
    assert_eq!(rows(&plant).len(), 6);
}

/// Where secrets do not go is told before an agent is sent there; and what a target waits for, in place of its agent.
#[test]
fn what_keeps_an_agent_from_its_secrets_is_told_beforehand() {
    let plant = Plant::new();
    let config = |name: &str, address: &str| {
        let text =
            format!("listen = [\"{address}:5000\"]\nplain_http_beyond_loopback = true\n[agents]\nplain_http = true\n");
        plant.file(name, text.as_bytes()).to_str().unwrap().to_owned()
    };
    let (beyond, here) = (config("beyond.toml", "192.0.2.9"), config("here.toml", "127.0.0.1"));
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    let ended = plant.refused(&["target", "connect", "edge-0"], "", "E-POLICY", "secrets-missing");
    assert!(
        said(&ended, "remedy").contains("airlock secret set API_KEY"),
        "{}",
        ended.stderr
    );
    plant.good_with(&["secret", "set", "API_KEY"], "a value");
    let told = "what edge-0 shall run holds secrets, and agents are sent to http://192.0.2.9:5000 over plain HTTP";
    for words in [
        &["target", "list"][..],
        &["target", "connect", "edge-0", "--new-secret"],
    ] {
        for (config, is_told) in [(&beyond, true), (&here, false)] {
            let ended = run(&plant.state(), &[words, &["--config", config]].concat(), "");
            assert_eq!(
                (ended.code, ended.stderr.contains(told)),
                (Some(0), is_told),
                "{}",
                ended.stderr
            );
        }
    }
    // And by the server, which goes on.
    let appliance = airlock::appliance::Appliance::open(&plant.state(), Arc::new(SystemClock)).unwrap();
    let live = Live::load(&Arc::new(appliance), Duration::ZERO).unwrap();
    let problems = |address: &str, secure| {
        let view = SiteView::new(address, secure, SiteView::INTERVAL, None).unwrap();
        let problems = Hub::new(&live, view).unwrap().problems();
        problems.into_iter().map(|problem| problem.error).collect::<Vec<_>>()
    };
    assert_eq!(problems("192.0.2.9:5000", false), ["E-STATE secret-way"]);
    assert_eq!(problems("192.0.2.9:5000", true), Vec::<String>::new());
    assert_eq!(problems("[::1]:5000", false), Vec::<String>::new());
}

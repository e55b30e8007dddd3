//! Files that are given to the wrong command, folders and batches: what is said of them, and that doing it helps.
#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use airlock::crypto::Chain;
use serde_json::Value;

use super::stage::Stage;
use crate::support::appliance::AIRLOCK;

/// Each kind of file that people carry, by what it is called here.
struct Files {
    stage: Stage,
    bundle: String,
    package: String,
    enrolment: String,
}

fn files() -> Files {
    let stage = Stage::new();
    let (bundle, _) = stage.bundle(1);
    stage.import(&bundle);
    let package = stage.export();
    let text = stage.human(&["status", "summary", "--state", "state"]);
    fs::write(stage.path("codes.txt"), text).unwrap();
    stage.good(&["status", "verify", &package, "-w", "w"]);
    stage.good(&["vendor", "ledger", "ack", "plant", "-o", "plant.ack", "-w", "w"]);
    let key = stage.list("w/keys").into_iter().find(|name| {
        name.strip_suffix(".pem")
            .is_some_and(|name| name.starts_with("release"))
    });
    let key = format!("w/keys/{}", key.unwrap());
    let bundle = "stick/release-1.airlock".to_owned();
    stage.good(&["bundle", "sign", &bundle, "--key", &key, "--detached", "more.json"]);
    Files {
        enrolment: stage.only("state/outbox", "enrolment-"),
        stage,
        bundle,
        package,
    }
}

/// The refusal of a command, with a file on its standard input.
fn event(stage: &Stage, words: &[&str], input: Option<&str>) -> Value {
    let mut command = Command::new(AIRLOCK);
    command
        .args(["--format", "json"])
        .args(words)
        .current_dir(stage.path(""));
    command.env_clear().env("HOME", stage.path(""));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = input.map_or_else(Vec::new, |name| fs::read(stage.path(name)).unwrap());
    // Who was refused does not read on.
    let feed = std::thread::spawn(move || pipe.write_all(&bytes).ok());
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused = events.find(|event| event["event"] == "refused");
    refused.unwrap_or_else(|| panic!("{words:?} was not refused\n{text}"))
}

/// The commands that a remedy names, as words.
fn commands(remedy: &str) -> Vec<Vec<String>> {
    let parts = remedy.split('`').skip(1).step_by(2);
    parts
        .filter_map(|part| part.strip_prefix("airlock "))
        .map(|part| part.split(' ').map(str::to_owned).collect())
        .collect()
}

#[test]
fn a_file_of_another_kind_is_called_what_it_is_and_goes_where_the_message_says() {
    let Files {
        stage,
        bundle,
        package,
        enrolment,
    } = files();
    let kinds = [
        ("a bundle", bundle.as_str()),
        ("a status package", package.as_str()),
        ("a vendor's acknowledgement", "plant.ack"),
        ("a site's enrolment file", enrolment.as_str()),
        ("a vendor's trust root", "w/root.json"),
        ("a file of signatures", "more.json"),
        ("the text of a summary", "codes.txt"),
    ];
    // Each door with the kinds that it has words of its own for.
    let doors: [(&[&str], &[usize]); 8] = [
        (&["bundle", "inspect", "FILE"], &[0, 1]),
        (&["bundle", "verify", "FILE", "--trust", "w/root.json"], &[0, 1]),
        (&["import", "FILE", "--state", "state"], &[0, 1]),
        (&["status", "acknowledge", "FILE", "--state", "state"], &[2]),
        (&["status", "verify", "FILE", "-w", "w"], &[0, 1, 6]),
        (
            &["status", "verify", "FILE", "--enrolment", enrolment.as_str()],
            &[0, 1, 6],
        ),
        (&["vendor", "enroll", "--yes", "FILE", "-w", "w"], &[3]),
        (&["init", "--trust", "FILE", "--site", "x", "--state", "never"], &[4]),
    ];
    let chain = Chain::parse(&fs::read(stage.path("w/root.json")).unwrap()).unwrap();
    let fingerprint = chain.fingerprint().to_string();
    let mut followed = 0;
    for (door, own) in doors {
        let words = |file: &'static str, path: &str| {
            let put = |word: &&str| {
                if *word == file {
                    path.to_owned()
                } else {
                    (*word).to_owned()
                }
            };
            door.iter().map(put).collect::<Vec<String>>()
        };
        for (_, &(noun, path)) in kinds.iter().enumerate().filter(|(at, _)| !own.contains(at)) {
            let given = words("FILE", path);
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            let told = event(&stage, &given, None);
            let found = told["found"].as_str().unwrap();
            assert!(found.contains(&format!("this is {noun}")), "{given:?}: {told}");
            // Nobody can look at a pipe twice: what its refusal is called is the door's own word.
            let piped = words("FILE", "/dev/stdin");
            let piped: Vec<&str> = piped.iter().map(String::as_str).collect();
            let plain = event(&stage, &piped, Some(path));
            for member in ["class", "code", "step", "exit"] {
                assert_eq!(told[member], plain[member], "{given:?}: {member}");
            }
            let remedy = told["remedy"].as_str().unwrap();
            if door[0] == "init" {
                // There is nothing yet that a file could go to.
                assert!(remedy.contains("root.json") && !remedy.contains('`'), "{remedy}");
            }
            for command in commands(remedy) {
                let made = format!("made-{followed}");
                let mut words: Vec<&str> = command
                    .iter()
                    .map(|word| match word.as_str() {
                        "FILE" => path,
                        "BUNDLE" => bundle.as_str(),
                        "HEX" => fingerprint.as_str(),
                        "NAME" => "again",
                        word => word,
                    })
                    .collect();
                // Where the other side is, no message can know.
                let at_vendor = words[0] == "vendor" || words[..2] == ["status", "verify"];
                let place = if at_vendor { "-w" } else { "--state" };
                let state = if words[0] == "init" { made.as_str() } else { "state" };
                match words.iter().position(|word| *word == place) {
                    Some(_) if at_vendor => {}
                    Some(at) => words[at + 1] = state,
                    None => words.extend([place, if at_vendor { "w" } else { state }]),
                }
                stage.good(&words);
                followed += 1;
            }
        }
    }
    assert!(followed >= 30, "{followed} commands were followed");
    assert!(!stage.path("never").exists());
    stage.good(&["init", "--trust", "w/root.json", "--site", "x", "--state", "never"]);
    // As a guard names it.
    stage.good(&["status", "verify", &package, "--enrolment", &enrolment]);
}

#[test]
fn packages_of_a_folder_are_taken_in_the_order_of_their_names() {
    let Files {
        stage,
        package,
        enrolment,
        ..
    } = files();
    let (second, _) = stage.bundle(2);
    stage.import(&second);
    let next = stage.export();
    fs::create_dir(stage.path("empty")).unwrap();
    let names = |said: &Value| -> Vec<(String, String)> {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let all = said.as_array().unwrap().iter();
        all.map(|one| (word(&one["file"]), word(&one["result"]))).collect()
    };
    let mut both = [package.clone(), next.clone()];
    both.sort();
    let said = stage.good(&["status", "verify", "stick", "-w", "w"]);
    let expected = |known: &str, new: &str| {
        let of = |file: &String| (file.clone(), if *file == package { known } else { new }.to_owned());
        both.iter().map(of).collect::<Vec<_>>()
    };
    let mut said_by_name = names(&said);
    said_by_name.sort();
    assert_eq!(said_by_name, expected("already", "taken-in"));
    let said = stage.good(&["status", "verify", "stick", "--enrolment", &enrolment]);
    assert_eq!(names(&said["packages"]), expected("good", "good"));
    // Known ones are called by the site's name.
    let text = stage.human(&["status", "verify", "stick", "-w", "w"]);
    assert_eq!(text.matches(" of plant is in the ledger already").count(), 2, "{text}");
    // A folder without one, and then the file itself, whatever it is called.
    fs::copy(stage.path(&package), stage.path("empty/p")).unwrap();
    for door in [["-w", "w"], ["--enrolment", enrolment.as_str()]] {
        let given = [&["status", "verify", "empty"][..], &door].concat();
        let (class, code, remedy) = stage.refused(&given);
        assert_eq!((class.as_str(), code.as_str()), ("E-FORMAT", "source"));
        assert!(
            remedy.contains("a package that is called otherwise is named itself"),
            "{remedy}"
        );
        stage.good(&[&["status", "verify", "empty/p"][..], &door].concat());
    }
    // Nobody lists a folder of any size.
    for number in 0..10_000 {
        fs::File::create(stage.path(&format!("empty/{number}"))).unwrap();
    }
    let (class, code, remedy) = stage.refused(&["status", "verify", "empty", "-w", "w"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-LIMIT", "folder"));
    assert_eq!(remedy, "name the packages themselves");
    stage.good(&["status", "verify", "empty/p", "-w", "w"]);
}

#[test]
fn who_says_neither_workspace_nor_enrolment_is_told_of_both() {
    let Files {
        stage,
        package,
        enrolment,
        ..
    } = files();
    let (class, code, remedy) = stage.refused(&["status", "verify", &package]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "judged-by"));
    assert!(
        remedy.contains("-w DIR") && remedy.contains("--enrolment FILE"),
        "{remedy}"
    );
    stage.good(&["status", "verify", &package, "-w", "w"]);
    stage.good(&["status", "verify", &package, "--enrolment", &enrolment]);
}

#[test]
fn the_worst_refusal_of_a_batch_is_said_once_and_names_its_file() {
    let Files { stage, package, .. } = files();
    fs::write(stage.path("torn"), &fs::read(stage.path(&package)).unwrap()[..3000]).unwrap();
    fs::write(stage.path("notes"), "no package\n").unwrap();
    let output = stage.run("human", &["status", "verify", "torn", &package, "notes", "-w", "w"]);
    assert!(!output.status.success());
    let (shown, talk) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    let last = talk.lines().last().unwrap();
    let parts: Vec<&str> = last.splitn(4, ": ").collect();
    let [_, _, file, why] = parts[..] else { panic!("{last}") };
    assert!(["torn", "notes"].contains(&file), "{last}");
    assert!(shown.contains(&format!("{file}: refused, E-")), "{shown}");
    assert!(!shown.contains(why) && !why.is_empty(), "{shown}\n{last}");
    for name in ["torn", "notes"] {
        assert_eq!(shown.matches(&format!("{name}: refused, ")).count(), 1, "{shown}");
    }
}

#[test]
fn commands_that_answers_name_run_as_they_stand() {
    let Files { stage, .. } = files();
    let run = |text: &str, beside: &str| {
        let line = text
            .lines()
            .find(|line| line.contains(beside))
            .unwrap_or_else(|| panic!("{text}"));
        for words in commands(line) {
            stage.good(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
        commands(line).concat().join(" ")
    };
    // What a person reads who replaced the keys of a site.
    stage.good(&["status", "rotate-key", "--yes", "--state", "state"]);
    let newest = stage.only("state/outbox", "enrolment-");
    let replace = ["vendor", "enroll", "--yes", &newest, "--replace", "plant", "-w", "w"];
    let output = stage.run("human", &replace);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("\nbefore       "), "{told}");
    // Once more there is no key before this one.
    let again = stage.human(&replace);
    assert!(
        again.starts_with("has these keys already: plant ") && !again.contains("before"),
        "{again}"
    );
    assert_eq!(stage.good(&replace)["before"], Value::Null);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(run(&talk, "by voice"), "vendor withdraw-site plant -w w");
    // What is found in the packages of a site.
    let next = stage.export();
    stage.good(&replace);
    stage.good(&["status", "verify", &next, "-w", "w"]);
    let shown = stage.human(&["status", "show", "plant", "-w", "w"]);
    assert_eq!(run(&shown, "to look at"), "vendor ledger findings -w w");
}

#[test]
fn a_summary_is_taken_with_its_heading_and_without_numbers_told_what_it_lacks() {
    let Files { stage, .. } = files();
    let spoken = stage.run("human", &["status", "summary", "--spoken", "--state", "state"]);
    let heading = String::from_utf8(spoken.stderr).unwrap();
    let heading = heading
        .lines()
        .find(|line| line.starts_with("summary of package 1"))
        .unwrap();
    let lines = String::from_utf8(spoken.stdout).unwrap();
    let codes = fs::read_to_string(stage.path("codes.txt")).unwrap();
    for text in [&lines, &codes] {
        fs::write(stage.path("heard"), format!("{heading}\n{text}")).unwrap();
        assert_eq!(stage.good(&["status", "verify", "heard", "-w", "w"])[0]["number"], 1);
    }
    let bare = lines.lines().map(|line| &line[3..]).collect::<Vec<_>>().join("\n");
    fs::write(stage.path("heard"), bare).unwrap();
    let (class, code, remedy) = stage.refused(&["status", "verify", "heard", "-w", "w"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-FORMAT", "series-line"));
    assert!(remedy.starts_with("write before each line the number"), "{remedy}");
    fs::write(stage.path("heard"), &lines).unwrap();
    stage.good(&["status", "verify", "heard", "-w", "w"]);
}

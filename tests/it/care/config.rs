//! `airlock config`: what the file may say, what is wrong with it, and what holds.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::appliance::{AIRLOCK, Ended, scratch, write};

fn run(words: &[&str]) -> Ended {
    let mut command = Command::new(AIRLOCK);
    command
        .args(["--format", "json", "config"])
        .args(words)
        .stdin(Stdio::null());
    Ended::of(&command.output().unwrap())
}

#[track_caller]
fn good(words: &[&str]) -> Value {
    let ended = run(words);
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
    ended.result
}

fn key<'a>(value: &'a Value, name: &str) -> &'a Value {
    value["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["key"] == name)
        .unwrap()
}

/// The sample is a file to begin with: it is right, and says what holds without it.
#[test]
fn the_sample_is_right_and_says_the_defaults() {
    let folder = scratch();
    let path = folder.path().join("airlock.toml");
    let mut command = Command::new(AIRLOCK);
    let printed = command.args(["config", "reference", "--sample"]).output().unwrap();
    write(&path, &printed.stdout);
    let file = path.to_str().unwrap();
    let checked = good(&["check", "--config", file]);
    assert!(checked["keys"].as_u64().unwrap() > 25, "{checked}");
    let (empty, said) = (folder.path().join("empty"), good(&["show", "--config", file]));
    write(&empty, b"");
    let bare = good(&["show", "--config", empty.to_str().unwrap()]);
    for one in bare["keys"].as_array().unwrap() {
        let name = one["key"].as_str().unwrap();
        assert_eq!(one["from"], "default");
        assert_eq!(one["value"], key(&said, name)["value"], "{name}");
    }
    assert_eq!(key(&said, "registry.grace_seconds")["from"], "file");
}

#[test]
fn what_holds_is_shown_with_who_says_so() {
    let folder = scratch();
    let path = folder.path().join("airlock.toml");
    write(&path, b"activation = \"manual\"\n\n[registry]\ngrace_seconds = 5\n");
    let file = path.to_str().unwrap();
    let shown = good(&["show", "--config", file, "--listen", "127.0.0.1:7000"]);
    for (name, value, from, line) in [
        ("activation", Value::from("manual"), "file", Value::from(1)),
        ("registry.grace_seconds", 5.into(), "file", 4.into()),
        ("listen", vec!["127.0.0.1:7000"].into(), "flag", Value::Null),
        ("status.keep_days", 30.into(), "default", Value::Null),
        ("tls.certificate", Value::Null, "default", Value::Null),
    ] {
        let key = key(&shown, name);
        assert_eq!(
            (&key["value"], &key["from"], &key["line"]),
            (&value, &from.into(), &line),
            "{name}"
        );
    }
    // Each key that is explained is shown, and no other.
    let explained = good(&["reference"]);
    let names = |value: &Value| -> Vec<String> {
        value["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&explained), names(&shown));
    for one in explained["keys"].as_array().unwrap() {
        for member in ["meaning", "takes", "example"] {
            assert!(!one[member].as_str().unwrap().is_empty(), "{one}");
        }
    }
    assert_eq!(
        (
            &key(&explained, "care.keep_releases")["default"],
            &key(&explained, "listen")["default"]
        ),
        (&"2".into(), &"[\"127.0.0.1:5000\"]".into())
    );
}

/// What no command but the one that needs it would notice is found, with its place.
#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    let folder = scratch();
    let path = folder.path().join("airlock.toml");
    for (text, code, place) in [
        (
            "[registry]\nreed = \"loopback\"\n",
            "config",
            "line 2, column 1: unknown field `reed`, expected one of",
        ),
        (
            "[tls]\nnames = []\n[registry]\n[tls]\n",
            "config",
            "line 4, column 2: tls stands there already",
        ),
        ("listen = \"127.0.0.1:5000\"\n", "config", "expected a list, ["),
        (
            "[limits]\nconnections = \"many\"\n",
            "config",
            "line 2, column 15: invalid type",
        ),
        (
            "[tls]\nnames = [\"good.example\",\n  \"not a name\"]\n",
            "tls-name",
            "line 3, column 3",
        ),
        (
            "[agents]\naddress = \"https://x\"\n",
            "agents-address",
            "line 2, column 11",
        ),
        ("[agents]\ninterval = \"5\"\n", "agents", "line 2, column 12"),
        ("[export]\nredact = [\"a+\", \"(\"]\n", "redact", "line 2, column 17"),
        ("listen = [\"0.0.0.0:5000\"]\n", "plain-http", "line 1, column 11"),
        (
            "listen = [\"127.0.0.1:5000\", \"0.0.0.0:5000\"]\n",
            "plain-http",
            "line 1, column 29",
        ),
        (
            "listen = [\"127.0.0.1:5000\"]\n[tls]\nlisten = [\"127.0.0.1:5443\", \"127.0.0.1:5000\"]\nnames = [\"a.example\"]\n",
            "config",
            "line 3, column 29: listens on 127.0.0.1:5000 twice",
        ),
        (
            "listen = [\"127.0.0.1:5000\"]\n[metrics]\nlisten = \"127.0.0.1:5000\"\n",
            "config",
            "line 3, column 10: listens on 127.0.0.1:5000, and 127.0.0.1:5000 is taken already",
        ),
        (
            "[mirror]\nauthority = \"/etc/hostname\"\n",
            "config",
            "line 2, column 13: names /etc/hostname as mirror.authority",
        ),
        (
            "[mirror]\ncredentials = \"/etc/hostname\"\n",
            "config",
            "line 2, column 15: names /etc/hostname as mirror.credentials",
        ),
        (
            "[tls]\ncertificate = \"/etc/hostname\"\nkey = \"/etc/hostname\"\n",
            "tls-certificate",
            "line 2, column 15",
        ),
        (
            "[tls]\ncertificate = \"/nowhere/tls.pem\"\nkey = \"/nowhere/tls.key\"\n",
            "tls-certificate",
            "line 2, column 15",
        ),
        (
            "\u{feff}listen_on = 5\n",
            "config",
            "line 1, column 1: unknown field `listen_on`",
        ),
        ("activation = true\n", "config", "expected a text in quotes"),
        (
            "[[care]]\nkeep_releases = 1\n",
            "config",
            "[care] is written as a list of tables",
        ),
        (
            "[export]\nmax_size_mib = 0\n",
            "config",
            "export.max_size_mib of 1 or more",
        ),
        (
            "[limits]\nstall_seconds = 0\n",
            "config",
            "line 2, column 17: has limits.stall_seconds = 0",
        ),
    ] {
        write(&path, text.as_bytes());
        let ended = run(&["check", "--config", path.to_str().unwrap()]);
        ended.assert_refused("E-USAGE", code, "");
        assert!(ended.stderr.contains(place), "{text}: {}", ended.stderr);
        assert_eq!(ended.code, Some(2));
    }
    write(
        &path,
        b"[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"plant.example\"]\n",
    );
    let checked = good(&["check", "--config", path.to_str().unwrap()]);
    assert!(checked["notes"].as_array().unwrap().is_empty(), "{checked}");
    // What is right and may not be meant: agents would be sent to themselves, and a file is not there.
    write(&path, b"[mirror]\nauthority = \"/nowhere/ca.pem\"\n");
    let checked = good(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(checked["notes"].as_array().unwrap().len(), 2, "{checked}");
}

/// What is right, and harms agents or leaves nobody to approve: it is said, as `serve` says it.
#[test]
fn what_may_not_be_meant_is_noted() {
    let folder = scratch();
    let path = folder.path().join("airlock.toml");
    let keys = folder.path().join("site-keys.json");
    for (text, part) in [
        ("[agents]\ninterval = \"30s\"\n".to_owned(), Some("divides 30 s")),
        ("[agents]\ninterval = \"6s\"\n".to_owned(), Some("divides 30 s")),
        ("[agents]\ninterval = \"1000000h\"\n".to_owned(), Some("seldom")),
        ("[agents]\ninterval = \"7.3s\"\n".to_owned(), None),
        (
            format!("[export]\napprovals = 1\nkeys = \"{}\"\n", keys.display()),
            Some("no status package can be approved"),
        ),
        (
            format!("[mirror]\ncredentials = \"{}\"\n", folder.path().display()),
            Some("is named, and is no file"),
        ),
    ] {
        let tls = "[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"plant.example\"]\n";
        write(&path, format!("{text}{tls}").as_bytes());
        let checked = good(&["check", "--config", path.to_str().unwrap()]);
        let notes: Vec<&str> = checked["notes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| note.as_str().unwrap())
            .collect();
        assert_eq!(notes.len(), usize::from(part.is_some()), "{text}: {notes:?}");
        assert!(part.is_none_or(|part| notes[0].contains(part)), "{text}: {notes:?}");
    }
    write(&path, &vec![b'#'; (1 << 20) + 1]);
    let ended = run(&["check", "--config", path.to_str().unwrap()]);
    ended.assert_refused("E-LIMIT", "size", "");
    assert!(ended.stderr.contains("airlock.toml"), "{}", ended.stderr);
}

//! F15: every command that opens a state folder refuses one of a newer airlock, says what to do, and touches nothing in it.

use std::collections::BTreeSet;
use std::process::Command;

use super::workshop::{Workshop, assert_same, everything, on, run, said, verdict};
use crate::support::appliance::AIRLOCK;

/// Raises the version in the file, as a newer airlock leaves it.
fn raise(database: &std::path::Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .execute_batch("CREATE TABLE later (x INTEGER) STRICT; PRAGMA user_version = 7;")
        .unwrap();
}

/// The commands with an option `--state`, as the help says.
fn with_a_state_folder(words: &[String], found: &mut BTreeSet<String>) {
    let output = Command::new(AIRLOCK).args(words).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let Some((_, below)) = help.split_once("\nCommands:\n") else {
        if help.contains("--state <DIR>") {
            found.insert(words.join(" "));
        }
        return;
    };
    for line in below.lines().take_while(|line| !line.is_empty()) {
        // A description that goes on in the next line is indented further.
        let name = line.strip_prefix("  ").filter(|line| !line.starts_with(' '));
        let name = name.and_then(|line| line.split_whitespace().next());
        if let Some(name) = name.filter(|name| *name != "help") {
            with_a_state_folder(&[words, &[name.to_owned()]].concat(), found);
        }
    }
}

#[test]
fn f15_every_command_refuses_the_state_of_a_newer_airlock() {
    let workshop = Workshop::new();
    let bundle = workshop.bundle("2").display().to_string();
    let root = workshop.folder.path().join("root.json").display().to_string();
    let fingerprint = workshop.vendor.chain().fingerprint().to_hex();
    let copied = workshop.folder.path().join("log.jsonl").display().to_string();
    let config = workshop.folder.path().join("mirror.toml").display().to_string();
    let text = b"[mirror]\nregistry = \"127.0.0.1:1\"\n";
    crate::support::appliance::write(std::path::Path::new(&config), text);
    let id = "00000000-0000-4000-8000-000000000001";
    let lines: Vec<(&str, Vec<&str>)> = vec![
        ("serve", vec!["--listen", "127.0.0.1:0"]),
        ("import", vec![&bundle]),
        ("import", vec![&bundle, "--dry-run"]),
        ("release list", vec![]),
        ("release show", vec!["1"]),
        ("release activate", vec!["1"]),
        ("release remove", vec!["1", "--yes"]),
        ("gc", vec!["--yes"]),
        ("scrub", vec![]),
        ("disk", vec![]),
        ("approve", vec!["00000000", "--key", "x.pem"]),
        ("status export", vec!["x.status"]),
        ("trust show", vec![]),
        ("trust add", vec![&root, "--fingerprint", &fingerprint]),
        ("audit show", vec![]),
        ("audit verify", vec![]),
        ("audit export", vec!["-o", &copied]),
        ("backup", vec!["-o", &copied]),
        ("recover", vec!["--as", "restored", "--yes"]),
        ("status list", vec![]),
        ("status preview", vec![]),
        ("status rotate-key", vec!["--yes"]),
        ("status summary", vec![]),
        ("status acknowledge", vec![&root]),
        ("target list", vec![]),
        ("target watch", vec!["--once"]),
        ("target add", vec!["new", "--like", "old"]),
        ("target secret", vec!["x"]),
        ("target connect", vec!["x"]),
        ("target undeploy", vec!["x", "y", "--yes"]),
        ("target deploy", vec!["x", "y"]),
        ("target remove", vec!["x", "--yes"]),
        ("target restore", vec!["x"]),
        ("target free", vec![id, "--yes"]),
        ("secret list", vec![]),
        ("secret set", vec!["API_KEY"]),
        ("secret generate", vec!["API_KEY", "--yes"]),
        ("secret forget", vec!["API_KEY", "--yes"]),
        ("access add", vec!["ops", "--read", "crm/stable:*"]),
        ("access list", vec![]),
        ("access remove", vec!["ops"]),
        ("file list", vec![]),
        ("file get", vec!["x", "-o", "-"]),
        ("snippet", vec!["docker"]),
        ("mirror", vec!["--config", &config]),
    ];
    let mut known: BTreeSet<String> = lines.iter().map(|(command, _)| (*command).to_owned()).collect();
    // They make a state folder, and refuse every one that is there.
    known.insert("init".to_owned());
    known.insert("restore".to_owned());
    // It tells of it as one finding among others.
    known.insert("doctor".to_owned());
    let mut found = BTreeSet::new();
    with_a_state_folder(&[], &mut found);
    assert_eq!(found, known, "every command with a state folder is tried");

    let copy = workshop.base.copy();
    let state = copy.path();
    // The twin: a listing of this state is answered as long as no newer airlock was here.
    assert_eq!(run(&[], &on(&state, &["release", "list"])).code, Some(0));
    raise(&state.join("airlock.db"));
    let before = everything(&state);
    for (command, more) in lines {
        let words: Vec<&str> = command.split(' ').chain(more).collect();
        let ended = run(&[], &on(&state, &words));
        let expected = ("E-STATE".into(), "schema-too-new".into());
        assert_eq!(verdict(&ended), expected, "{words:?}: {}", ended.stderr);
        assert_eq!(ended.code, Some(27), "{words:?}");
        assert!(
            said(&ended, "found").contains("airlock.db was made by a newer airlock"),
            "{}",
            ended.stderr
        );
        assert!(
            said(&ended, "remedy").starts_with("use the airlock that wrote it"),
            "{}",
            ended.stderr
        );
        assert_same(&everything(&state), &before, &format!("{words:?}"));
    }
    let ended = run(&[], &on(&state, &["doctor"]));
    assert_eq!(verdict(&ended), ("E-STATE".into(), "doctor".into()), "{}", ended.stderr);
    let findings = ended.result["findings"].as_array().unwrap().clone();
    let told = findings.iter().find(|finding| finding["part"] == "databases").unwrap();
    assert_eq!(
        (&told["verdict"], &told["error"]),
        (&"broken".into(), &"E-STATE schema-too-new".into())
    );
    assert!(
        told["remedy"]
            .as_str()
            .unwrap()
            .starts_with("use the airlock that wrote it"),
        "{told}"
    );
    assert_same(&everything(&state), &before, "doctor");
}

/// A newer status database hides nothing else: what is listed is listed, with a word about the rest.
#[test]
fn f12_lists_go_on_beside_a_newer_status_database() {
    let workshop = Workshop::new();
    let copy = workshop.base.copy();
    let state = copy.path();
    let server = crate::support::appliance::Serving::start(&state);
    assert!(server.stop().success());
    raise(&state.join("status.db"));
    let before = everything(&state);
    let listed = run(&[], &on(&state, &["target", "list"]));
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    for part in [
        "what agents report cannot be read",
        "status.db was made by a newer airlock",
        "use the airlock that wrote it",
    ] {
        assert!(listed.stderr.contains(part), "{}", listed.stderr);
    }
    let watched = run(&[], &on(&state, &["target", "watch", "--once"]));
    assert_eq!(verdict(&watched), ("E-STATE".into(), "schema-too-new".into()));
    for kept in before.keys().filter(|path| path.to_string_lossy().contains("status")) {
        assert_eq!(everything(&state).get(kept), before.get(kept), "{}", kept.display());
    }
}

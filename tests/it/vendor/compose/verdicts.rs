//! Verdicts of a real compose, recorded and repeated: what it refuses is refused, what it takes is taken.
//!
//! `verdicts/services.txt` has one line for each thing that a service may say, `verdicts/documents.txt` whole files. The verdicts are those
//! of `docker compose config` 5.6, which agents have. Where a newer compose than 1 is there, it is asked again.

use std::path::Path;
use std::process::Command;

use airlock::bundle::desired::DockerMode;

use super::program::{composes, say};
use super::{one, write};

/// A file, what compose says of it, and the files beside it.
struct Row {
    name: String,
    takes: bool,
    files: Vec<(String, String)>,
}

/// What compose takes and this program refuses, each with the reason.
const NOT_CARRIED: &[(&str, &str)] = &[
    ("no service runs", "an application that runs nothing is a mistake"),
    ("build alone", "no site builds"),
    ("models", "a model would be fetched from outside"),
    (
        "file mounted writable",
        "what the container writes would be lost with the agent's folder",
    ),
    ("folder mounted", "an agent has no folders beside the compose file"),
    ("expose: [web]", "the engine refuses it when the container is made"),
    ("expose: [\"80/icmp\"]", "the same"),
    ("restart: sometimes", "the same"),
    ("restart: on-failure:x", "the same"),
    ("deploy: {restart_policy: {condition: sometimes}}", "the same"),
    ("mac_address: xx", "the same"),
    ("ports: [{target: 80, published: abc}]", "the same"),
    ("container_name: \"-ab\"", "the same"),
    ("healthcheck: {test: a, interval: -5s}", "the same"),
    ("mem_limit: -1", "the same"),
    ("cpus: -1", "the same"),
    (
        "logging: {driver: json-file, options: {max-size: 10m, max-file: 3, x: }}",
        "the same",
    ),
    (
        "networks: {default: {ipv4_address: 1.2.3.4, aliases: [a, b], priority: 5}}",
        "the same: the network has no subnet",
    ),
    (
        "volumes with null, settings and external",
        "a letter before a colon is a drive to compose, and no engine mounts at a:/a",
    ),
];

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for line in include_str!("verdicts/services.txt").lines() {
        let (takes, keys) = verdict(line);
        let mut text = "services:\n  w:\n".to_owned();
        if !keys.starts_with("image:") {
            text += "    image: a/b:1\n";
        }
        for key in keys.split(" && ") {
            text += &format!("    {key}\n");
        }
        text += "  v:\n    image: a/b:1\n";
        rows.push(Row {
            name: keys.to_owned(),
            takes,
            files: vec![("compose.yaml".to_owned(), text)],
        });
    }
    for part in include_str!("verdicts/documents.txt").split("##### ").skip(1) {
        let (head, body) = part.split_once('\n').unwrap();
        let (takes, name) = verdict(head);
        let files = format!("compose.yaml\n{body}")
            .split("=== ")
            .map(|file| {
                let (name, text) = file.split_once('\n').unwrap();
                (name.to_owned(), text.to_owned())
            })
            .collect();
        rows.push(Row {
            name: name.to_owned(),
            takes,
            files,
        });
    }
    rows
}

fn verdict(line: &str) -> (bool, &str) {
    let (word, rest) = line.split_once(' ').unwrap();
    assert!(matches!(word, "takes" | "refuses"), "{line}");
    (word == "takes", rest.trim_start())
}

fn write_row(folder: &Path, row: &Row) {
    let files: Vec<(&str, &str)> = row
        .files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    write(folder, &files);
}

/// What this program finds against a file.
fn ours(folder: &Path) -> Vec<String> {
    let dotenv = std::fs::read(folder.join(".env")).unwrap_or_default();
    let loaded = airlock::vendor_side::compose::Environment::parse(Path::new(".env"), &dotenv)
        .and_then(|env| super::load_with(folder, &one("verdict", &[]), &env, DockerMode::Compose));
    match loaded {
        Ok(project) => project.problems().iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn every_verdict_is_composes() {
    let rows = rows();
    assert!(rows.len() > 450, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let folder = crate::support::appliance::scratch();
        write_row(folder.path(), row);
        let found = ours(folder.path());
        let carried = row.takes && !NOT_CARRIED.iter().any(|(name, _)| *name == row.name);
        if carried != found.is_empty() {
            wrong.push(format!("{} (compose takes it: {}): {found:?}", row.name, row.takes));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    for (name, _) in NOT_CARRIED {
        assert!(rows.iter().any(|row| row.takes && row.name == *name), "{name}");
    }
}

#[test]
fn recorded_verdicts_are_those_of_a_compose_that_is_here() {
    let Some(compose) = composes().into_iter().find(|compose| !compose.old) else {
        say("SKIPPED, there is no compose newer than 1 here to repeat the recorded verdicts");
        return;
    };
    // An eighth of them where time is short.
    let step = if std::env::var_os("AIRLOCK_SLOW").is_some() {
        1
    } else {
        8
    };
    let rows: Vec<Row> = rows().into_iter().step_by(step).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let folder = crate::support::appliance::scratch();
        write_row(folder.path(), row);
        let status = Command::new(&compose.command[0])
            .args(&compose.command[1..])
            .args(["-p", "distr-0a1b2c3d", "-f", "compose.yaml", "config", "-q"])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", std::env::var_os("HOME").unwrap_or_default())
            .output()
            .unwrap()
            .status;
        if status.success() != row.takes {
            wrong.push(row.name.as_str());
        }
    }
    assert!(wrong.is_empty(), "{}: {}", compose.version, wrong.join("\n"));
    say(&format!(
        "{} verdicts are those of compose {}",
        rows.len(),
        compose.version
    ));
}

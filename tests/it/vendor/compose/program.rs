//! Finds composes, runs them, and compares what they make of files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use airlock::bundle::desired::DockerMode;
use airlock::domain::{Digest, RepositoryName};
use serde_json::Value;

use super::cases::CASES;
use super::{APPLICATIONS, Case, load_from, placed, resolve, write};

/// The project's name, as an agent's hub would have it.
const PROJECT: &str = "distr-0a1b2c3d";

/// A compose to compare with.
#[derive(Debug)]
pub(crate) struct Compose {
    pub(super) command: Vec<String>,
    pub(super) version: String,
    /// Compose 1: no JSON, and not everything known.
    pub(crate) old: bool,
}

/// Says something that the test runner does not swallow.
pub(crate) fn say(text: &str) {
    let mut stream = stderr();
    writeln!(stream, "compose: {text}").unwrap();
}

pub(crate) fn composes() -> Vec<Compose> {
    let mut candidates: Vec<Vec<String>> = Vec::new();
    if let Some(path) = std::env::var_os("AIRLOCK_TEST_COMPOSE") {
        candidates.push(vec![path.into_string().unwrap()]);
    }
    candidates.extend([vec!["docker".into(), "compose".into()], vec!["docker-compose".into()]]);
    let mut found: Vec<Compose> = Vec::new();
    for command in candidates {
        let Ok(output) = Command::new(&command[0])
            .args(&command[1..])
            .args(["version", "--short"])
            .output()
        else {
            continue;
        };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !found.iter().any(|known| known.version == version) {
            let old = version.trim_start_matches('v').starts_with("1.");
            found.push(Compose { command, version, old });
        }
    }
    found
}

/// Runs a command in a folder, its environment emptied, and reads what it prints.
fn read(command: &mut Command, folder: &Path) -> Result<Value, String> {
    let output = command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_saphyr::from_str(&String::from_utf8_lossy(&output.stdout)).map_err(|error| error.to_string())
}

impl Compose {
    /// Returns what it makes of files in a folder, whose environment file is `app.env`.
    pub(crate) fn config(&self, folder: &Path, files: &[&str], profiles: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .args(["-p", PROJECT, "--env-file", "app.env"]);
        for file in files {
            command.args(["-f", file]);
        }
        for profile in profiles {
            command.args(["--profile", profile]);
        }
        command.arg("config");
        if !self.old {
            command.args(["--format", "json"]);
        }
        read(&mut command, folder)
    }
}

/// Replaces images, and removes what the rewritten file does without: profiles, words about building and pulling, label files (compose shows what they
/// hold and names them all the same), and the dependencies
/// that need not be there.
fn expected(mut config: Value, resolved: &BTreeMap<String, (RepositoryName, Digest)>) -> Value {
    let image = |value: &mut Value| {
        if let Some(reference) = value.as_str() {
            *value = placed(resolved, reference).into();
        }
    };
    let services = config["services"].as_object_mut().unwrap();
    let names: Vec<String> = services.keys().cloned().collect();
    for service in services.values_mut() {
        let service = service.as_object_mut().unwrap();
        for key in ["profiles", "build", "pull_policy", "label_file"] {
            service.remove(key);
        }
        image(service.get_mut("image").unwrap());
        for volume in service
            .get_mut("volumes")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if volume["type"] == "image" {
                image(&mut volume["source"]);
            }
        }
        for hook in service
            .get_mut("pre_start")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            image(&mut hook["image"]);
        }
        if let Some(Value::Object(needed)) = service.get_mut("depends_on") {
            needed.retain(|name, _| names.contains(name));
            if needed.is_empty() {
                service.remove("depends_on");
            }
        }
    }
    config
}

/// Makes of files of the release folder, mounted or named by configs, the configs as which they travel.
fn carried(config: &mut Value, folder: &Path) {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let read = |path: &str| fs::read_to_string(path).unwrap().replace('$', "$$");
    for service in config["services"].as_object_mut().unwrap().values_mut() {
        let Some(volumes) = service.get_mut("volumes").and_then(Value::as_array_mut) else {
            continue;
        };
        let mut moved: Vec<Value> = Vec::new();
        volumes.retain(|volume| {
            let source = volume["source"].as_str().map(Path::new);
            let Some(source) = source.filter(|source| source.starts_with(folder) && source.is_file()) else {
                return true;
            };
            let name = source.file_name().unwrap().to_str().unwrap().to_owned();
            moved.push(serde_json::json!({"source": name, "target": volume["target"]}));
            files.insert(name, read(source.to_str().unwrap()));
            false
        });
        let service = service.as_object_mut().unwrap();
        if service["volumes"].as_array().unwrap().is_empty() {
            service.remove("volumes");
        }
        if !moved.is_empty() {
            let configs = service.entry("configs").or_insert_with(|| Value::Array(Vec::new()));
            configs.as_array_mut().unwrap().extend(moved);
        }
    }
    let root = config.as_object_mut().unwrap();
    for (name, content) in files {
        let configs = root
            .entry("configs")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        configs[&name] = serde_json::json!({"content": content, "name": format!("{PROJECT}_{name}")});
    }
    for config in root
        .get_mut("configs")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        let entry = config.1.as_object_mut().unwrap();
        if let Some(file) = entry
            .get("file")
            .and_then(Value::as_str)
            .filter(|file| Path::new(file).starts_with(folder))
        {
            let content = read(file);
            entry.remove("file");
            entry.insert("content".to_owned(), content.into());
        }
    }
}

/// Rewrites a case and returns the folder of originals, that of the rewritten file, and the images.
fn rewrite(
    case: &Case,
    mode: DockerMode,
) -> (
    tempfile::TempDir,
    tempfile::TempDir,
    BTreeMap<String, (RepositoryName, Digest)>,
) {
    let folders = (
        crate::support::appliance::scratch(),
        crate::support::appliance::scratch(),
    );
    write(folders.0.path(), case.files);
    let project = load_from(folders.0.path(), case, mode).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let resolved = resolve(&project);
    let bytes = project
        .rewrite(&resolved, PROJECT)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(bytes, project.rewrite(&resolved, PROJECT).unwrap(), "{}", case.name);
    for folder in [&folders.0, &folders.1] {
        // To the program that is run, and as the agent has it beside the compose file.
        fs::write(folder.path().join("app.env"), case.env).unwrap();
        fs::write(folder.path().join(".env"), case.env).unwrap();
    }
    fs::write(folders.1.path().join("docker-compose.yaml"), bytes).unwrap();
    (folders.0, folders.1, resolved)
}

/// Takes the project's name out of the rewritten file: compose 1 and stacks do not know it, and the agent does the same for stacks.
fn remove_name(folder: &Path) {
    let path = folder.join("docker-compose.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let line = format!("name: \"{PROJECT}\"\n");
    assert!(text.contains(&line));
    fs::write(&path, text.replace(&line, "")).unwrap();
}

/// Removes the version, which compose 1 makes up, and the order of lists that have none in newer ones.
fn even_out(config: &mut Value) {
    config.as_object_mut().unwrap().remove("version");
    for service in config["services"].as_object_mut().unwrap().values_mut() {
        for key in ["volumes", "depends_on"] {
            if let Some(items) = service.get_mut(key).and_then(Value::as_array_mut) {
                items.sort_by_key(Value::to_string);
            }
        }
    }
}

fn difference(path: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                difference(&format!("{path}.{key}"), a, b, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: original {a}, rewritten {b}")),
    }
}

#[test]
fn a_rewritten_file_is_equivalent() {
    let composes = composes();
    if composes.is_empty() {
        assert!(
            std::env::var_os("AIRLOCK_E2E").is_none(),
            "AIRLOCK_E2E is set, and there is no compose"
        );
        say("SKIPPED, there is no compose here to compare with");
        return;
    }
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let mut findings = Vec::new();
    for compose in &composes {
        let mut compared = 0;
        for case in CASES
            .iter()
            .copied()
            .chain(APPLICATIONS)
            .filter(|case| case.old || !compose.old)
            // The old one takes a second for each: all of them with `AIRLOCK_SLOW=1`, else one in seven.
            .step_by(if compose.old && !slow { 7 } else { 1 })
        {
            let (before, after, resolved) = rewrite(case, DockerMode::Compose);
            let original = compose.config(before.path(), case.given, case.profiles);
            if compose.old {
                remove_name(after.path());
            }
            let rewritten = compose.config(after.path(), &["docker-compose.yaml"], &[]);
            match (original, rewritten) {
                (Ok(original), Ok(mut rewritten)) => {
                    let mut original = expected(original, &resolved);
                    carried(&mut original, before.path());
                    if compose.old {
                        even_out(&mut original);
                        even_out(&mut rewritten);
                    }
                    let mut found = Vec::new();
                    difference("", &original, &rewritten, &mut found);
                    findings.extend(
                        found
                            .into_iter()
                            .map(|text| format!("{} ({}): {text}", case.name, compose.version)),
                    );
                    compared += 1;
                }
                (original, rewritten) => findings.push(format!(
                    "{} ({}): original {:?}, rewritten {:?}",
                    case.name,
                    compose.version,
                    original.err(),
                    rewritten.err()
                )),
            }
        }
        say(&format!(
            "{compared} applications are the same to {} {}",
            compose.command.join(" "),
            compose.version
        ));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn images_are_found() {
    for case in CASES
        .iter()
        .copied()
        .chain(APPLICATIONS)
        .filter(|case| !case.images.is_empty())
    {
        let folder = crate::support::appliance::scratch();
        write(folder.path(), case.files);
        let project = load_from(folder.path(), case, DockerMode::Compose).unwrap();
        let images: Vec<String> = project.images().into_iter().map(|image| image.reference).collect();
        assert_eq!(images, case.images, "{}", case.name);
    }
}

#[test]
fn a_rewritten_stack_is_equivalent() {
    // Older engines' clients do not have it, Debian's among them.
    let works = Command::new("docker").args(["stack", "config", "--help"]).output();
    if !works.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("docker stack config")) {
        say("SKIPPED, there is no docker stack config here to compare stacks with");
        return;
    }
    for case in super::cases::STACKS {
        let (before, after, resolved) = rewrite(case, DockerMode::Swarm);
        let config = |folder: &Path, files: &[&str]| {
            let mut command = Command::new("docker");
            command.args(["stack", "config"]);
            for file in files {
                command.args(["-c", file]);
            }
            read(&mut command, folder)
        };
        remove_name(after.path());
        let mut original = expected(config(before.path(), case.given).unwrap(), &resolved);
        let mut rewritten = config(after.path(), &["docker-compose.yaml"]).unwrap();
        even_out(&mut original);
        even_out(&mut rewritten);
        let mut found = Vec::new();
        difference("", &original, &rewritten, &mut found);
        assert!(found.is_empty(), "{}: {}", case.name, found.join("\n"));
    }
    say(&format!(
        "{} stacks are the same to docker stack config",
        super::cases::STACKS.len()
    ));
}

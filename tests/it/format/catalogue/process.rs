//! The vectors against the built program: class, sub-code, step and exit code, as a script sees them.

use std::process::Command;

use airlock::domain::Class;

use crate::format::vectors::{Vector, telling, vectors};

/// Runs `airlock bundle verify` and returns its exit code and the refusal on stderr.
fn verify(vector: &Vector) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
    command
        .env_clear()
        .args(["--format", "json", "bundle", "verify"])
        .arg(vector.bundle_path());
    for pin in vector.pin_paths() {
        command.arg("--trust").arg(pin);
    }
    if let Some(base) = vector.base_path() {
        command.arg("--base").arg(base);
    }
    if let Some(at) = vector.text["at"].as_str() {
        command.args(["--at", at]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let refusal = text
        .lines()
        .rfind(|line| line.contains("\"refused\""))
        .unwrap_or_default();
    (output.status.code().unwrap(), refusal.to_owned())
}

/// Each with `AIRLOCK_SLOW=1`, else one in four: without a process each of them is judged in any case.
#[test]
fn the_program_accepts_every_good_vector() {
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    for vector in vectors("good").into_iter().step_by(if slow { 1 } else { 4 }) {
        let (code, refusal) = verify(&vector);
        assert_eq!(code, 0, "{}: {refusal}", vector.name);
    }
}

#[test]
fn the_program_refuses_every_bad_vector_with_its_exit_code() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for vector in telling().into_iter().filter(|vector| !vector.needs_a_site()) {
        judged += 1;
        let (code, refusal) = verify(&vector);
        let refusal: serde_json::Value = serde_json::from_str(&refusal).unwrap_or_default();
        let expected = &vector.text["expect"];
        let class = Class::ALL
            .into_iter()
            .find(|class| class.name() == expected["class"])
            .unwrap();
        let agree = ["class", "code", "step"]
            .iter()
            .all(|name| refusal[name] == expected[name]);
        let sentence = refusal["found"].as_str().is_some_and(|found| !found.is_empty());
        if code != i32::from(class.exit_code()) || !agree || !sentence {
            wrong.push(format!("{}: exit {code}, {refusal}", vector.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
}

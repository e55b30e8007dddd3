//! The vectors of layers that are copied from others: judged by the program beside the release that brought what they are copied from.

use std::process::{Command, Output};

use serde_json::Value;

use crate::format::vectors::{Vector, vectors};

/// What `airlock bundle verify` says, with or without that release.
pub(super) fn verify(vector: &Vector, with_base: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
    command
        .args(["--format", "json", "bundle", "verify"])
        .arg(vector.bundle_path());
    for pin in vector.pin_paths() {
        command.arg("--trust").arg(pin);
    }
    if let Some(base) = vector.base_path().filter(|_| with_base) {
        command.arg("--base").arg(base);
    }
    command.output().unwrap()
}

fn not_restored(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap();
    said["not_restored"]["blobs"].clone()
}

fn of_deltas(kind: &str) -> Vec<Vector> {
    let mut vectors = vectors(kind);
    vectors.retain(|vector| vector.name.starts_with("delta-") || vector.name.starts_with("script-"));
    vectors
}

#[test]
fn layers_that_are_copied_are_made_where_what_they_are_copied_from_is_at_hand() {
    let good = of_deltas("good");
    assert!(good.len() >= 8, "{}", good.len());
    for vector in good {
        // What the bundle itself carries is at hand.
        let alone = match vector.name.as_str() {
            "delta-carried" => 0,
            "delta-gzip-shared" => 3,
            _ => 1,
        };
        assert_eq!(not_restored(&verify(&vector, true)), 0, "{}", vector.name);
        assert_eq!(not_restored(&verify(&vector, false)), alone, "{}", vector.name);
    }
}

#[test]
fn scripts_are_judged_whether_or_not_anything_can_be_copied() {
    let mut judged = 0;
    for vector in of_deltas("bad") {
        // What only the bytes of a base show, nobody sees without them.
        let class = &vector.text["expect"]["class"];
        let shown = class != "E-INTEGRITY" && class != "E-DEPENDENCY";
        for with_base in [true, false] {
            let output = verify(&vector, with_base);
            let said = String::from_utf8(output.stderr).unwrap();
            let refusal = said
                .lines()
                .rfind(|line| line.contains("\"refused\""))
                .unwrap_or("null");
            let refusal: Value = serde_json::from_str(refusal).unwrap();
            if with_base || shown {
                for member in ["class", "code", "step"] {
                    assert_eq!(refusal[member], vector.text["expect"][member], "{}", vector.name);
                }
                judged += 1;
            } else {
                assert_eq!(refusal, Value::Null, "{}", vector.name);
            }
        }
    }
    assert!(judged > 40, "{judged}");
}

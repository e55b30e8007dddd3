//! What a release changes of secrets is said before it goes live: by a dry run, by the import, and where an earlier one comes back.

use serde_json::{Value, json};

use super::world::{Plant, ask, desired, generate, run, sealed, sealed_release};
use crate::support::appliance::{Ended, audit_actions, write};
use crate::support::desired::deployment_id;
use crate::support::in_process::InProcessAppliance;
use crate::support::terminal::at_a_terminal;

fn good(instance: &InProcessAppliance, words: &[&str]) -> Ended {
    let ended = run(&instance.state(), words, "");
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
    ended
}

fn plan(ended: &Ended) -> Value {
    ended.result["secrets"].clone()
}

#[test]
fn what_changes_is_said_before_it_does() {
    let instance = InProcessAppliance::new();
    let import = |sequence: u64, uses: &[_], values: Option<&[(&str, Option<&str>, &str)]>, more: &[&str]| {
        let bundle = instance.state().with_file_name(format!("{sequence}.airlock"));
        write(&bundle, &sealed_release(&instance, sequence, uses, values).bytes);
        good(&instance, &[&["import", bundle.to_str().unwrap()], more].concat())
    };
    let (jwt, own) = (sealed("edge-0", "JWT", false), sealed("edge-1", "OWN", true));
    let redis = generate("edge-1", "REDIS_PASSWORD", None);
    let first = [jwt.clone(), own.clone(), redis];
    let values = [("JWT", None, "first"), ("OWN", Some("edge-1"), "own")];
    let ended = import(1, &first, Some(&values), &[]);
    // Nothing was live: everything is new.
    assert_eq!(
        plan(&ended),
        json!({"changed": [], "made": ["REDIS_PASSWORD"], "made_anew": [], "unused": []})
    );
    assert!(
        ended.stderr.contains("secrets that are made here: REDIS_PASSWORD"),
        "{}",
        ended.stderr
    );

    // The vendor rotates one, keeps one, and does without the third.
    let next = [("JWT", None, "second"), ("OWN", Some("edge-1"), "own")];
    let rotated = json!({"changed": ["JWT"], "made": [], "made_anew": [], "unused": ["REDIS_PASSWORD"]});
    let second = [jwt, own];
    let dry = import(2, &second, Some(&next), &["--dry-run"]);
    assert_eq!(plan(&dry), rotated);
    assert_eq!(plan(&import(2, &second, Some(&next), &[])), rotated);
    good(&instance, &["secret", "forget", "REDIS_PASSWORD", "--yes"]);

    // Going back brings the older one back, and makes anew what was forgotten.
    let ended = good(&instance, &["release", "activate", "1.0"]);
    assert_eq!(
        plan(&ended),
        json!({"changed": ["JWT"], "made": ["REDIS_PASSWORD"], "made_anew": [], "unused": []})
    );
    let told = |words: &str| {
        let at = ended.stderr.find(words);
        at.unwrap_or_else(|| panic!("{words}: {}", ended.stderr))
    };
    told(" goes back from release ");
    told("secrets that get another value, with which agents apply again what uses them: JWT");
    told(
        "secrets that are made, for nothing is here: whatever kept an older value does not know the new one: REDIS_PASSWORD",
    );
    // Live already: nothing changes.
    let ended = good(&instance, &["release", "activate", "1.0"]);
    assert_eq!(
        plan(&ended),
        json!({"changed": [], "made": [], "made_anew": [], "unused": []})
    );
    // No value stands in any of it.
    assert!(!ended.stderr.contains("second"));
}

#[test]
fn a_release_that_uses_no_secret_says_which_are_not_used_any_more() {
    let instance = InProcessAppliance::new();
    let import = |sequence: u64, uses: &[_]| {
        let bundle = instance.state().with_file_name(format!("{sequence}.airlock"));
        write(&bundle, &sealed_release(&instance, sequence, uses, None).bytes);
        plan(&good(&instance, &["import", bundle.to_str().unwrap()]))
    };
    import(1, &[generate("edge-0", "SESSION_KEY", None)]);
    assert_eq!(
        import(2, &[]),
        json!({"changed": [], "made": [], "made_anew": [], "unused": ["SESSION_KEY"]})
    );
    let human = std::process::Command::new(crate::support::appliance::AIRLOCK)
        .args(["release", "activate", "1.0", "--state"])
        .arg(instance.state())
        .output()
        .unwrap();
    let said = String::from_utf8(human.stderr).unwrap();
    assert!(human.status.success() && !said.contains("SESSION_KEY"), "{said}");
}

#[test]
fn where_nothing_goes_live_by_itself_the_last_value_names_the_command() {
    let plant = Plant::new();
    let config = plant.file("airlock.toml", b"activation = \"manual\"\n");
    let config = config.to_str().unwrap();
    let uses = [ask("edge-0", "API_KEY", false), ask("edge-1", "OTHER", false)];
    let bundle = plant.bundle(1, &uses);
    let words = ["import", bundle.to_str().unwrap(), "--config", config];
    let dry = plant.good(&[&words[..], &["--dry-run"]].concat());
    assert_eq!(
        dry["kept_inactive"], "activation = \"manual\" in the configuration",
        "{dry}"
    );
    plant.good(&words);
    let first = plant.good_with(&["secret", "set", "API_KEY", "--config", config], "a value");
    assert_eq!(first["complete"], Value::Null, "{first}");
    let last = plant.good_with(&["secret", "set", "OTHER", "--config", config], "a value");
    assert_eq!(plant.live(), 0);
    let head = last["complete"]["head"].as_str().unwrap();
    let head = head.strip_prefix("sha256:").unwrap_or(head);
    plant.good(&["release", "activate", &head[..16], "--config", config]);
    assert_eq!(plant.live(), 1);
    let after = plant.good_with(&["secret", "set", "OTHER", "--replace", "--config", config], "another");
    assert_eq!(after["complete"], Value::Null, "{after}");
}

/// A release that waits takes nothing away: the value that it waited for makes it live only where a person at a terminal was told what goes,
/// and says yes.
#[test]
fn a_value_takes_nothing_away_unasked() {
    let plant = Plant::new();
    let first = plant.vendor.with_targets(1, |image| desired(image, 2, "a", &[]));
    let next = plant.vendor.with_targets(2, |image| {
        let mut next = desired(image, 2, "b", &[ask("edge-0", "API_KEY", false)]);
        next.target("edge-1").deployments.clear();
        next.without(&[]).removing(&[deployment_id("edge-1")])
    });
    let first = plant.file("1.airlock", &first.bytes);
    let next = plant.file("2.airlock", &next.bytes);
    plant.good(&["import", first.to_str().unwrap()]);
    let plan = [
        "web version a goes from target edge-1 at its agent's next look",
        "its VOLUMES with all data in them",
    ];
    let says = |seen: &str| plan.iter().all(|part| seen.contains(part));
    let state = plant.state();
    // It waits, so its import asks nothing, and says what will go.
    let (code, seen) = at_a_terminal(&state, &["import", next.to_str().unwrap()], "");
    assert!(code == 0 && says(&seen) && !seen.contains("go on?"), "{seen}");
    assert!(seen.contains("what changes once it is live:"), "{seen}");
    let [no_terminal, beforehand] = [plant.copy(), plant.copy()];

    // No: the value is kept, and the release waits for a person.
    let (code, seen) = at_a_terminal(&state, &["secret", "generate", "API_KEY"], "n");
    assert!(code == 0 && says(&seen) && seen.contains("go on? [y/N]"), "{seen}");
    assert!(seen.contains("API_KEY has a value now"), "{seen}");
    assert_eq!(plant.live(), 1);
    assert_eq!(audit_actions(&state).last().unwrap(), "secret");
    let command = "is not live: make it live with `airlock ";
    let (_, command) = seen.split_once(command).unwrap_or_else(|| panic!("{seen}"));
    let words: Vec<&str> = command.split('`').next().unwrap().split(' ').collect();
    // Whoever goes back to it by that command is asked the same; yes makes it live.
    let (code, seen) = at_a_terminal(&state, &words, "n");
    assert!(code == 2 && says(&seen) && seen.contains("go on? [y/N]"), "{seen}");
    assert_eq!(plant.live(), 1);
    // A value that takes the place of another one asks for that, and then for the release.
    let (code, seen) = at_a_terminal(&state, &["secret", "generate", "API_KEY"], "y\ny");
    assert!(code == 0 && says(&seen) && seen.contains("is live now"), "{seen}");
    assert_eq!(plant.live(), 2);

    // Through a pipe nobody is asked, as by an import; with --yes neither. What goes is said.
    let piped = run(&no_terminal.path(), &["secret", "set", "API_KEY"], "a value");
    assert!(piped.code == Some(0) && says(&piped.stderr), "{}", piped.stderr);
    assert_eq!(piped.result["release"]["result"], "activated");
    let removes = piped.result["release"]["plan"]["removes"].as_array().unwrap();
    assert_eq!(removes.len(), 1);
    let (code, seen) = at_a_terminal(&beforehand.path(), &["secret", "generate", "API_KEY", "--yes"], "");
    assert!(code == 0 && says(&seen) && !seen.contains("go on?"), "{seen}");
    assert!(seen.contains("is live now"), "{seen}");
}

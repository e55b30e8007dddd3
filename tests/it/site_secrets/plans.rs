//! What a release changes of secrets is said before it goes live: by a dry run, by the import, and where an earlier one comes back.

use serde_json::{Value, json};

use super::world::{Plant, ask, generate, run, sealed, sealed_release};
use crate::support::appliance::{Ended, write};
use crate::support::in_process::InProcessAppliance;

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
        json!({"changed": [], "made": ["REDIS_PASSWORD"], "unused": []})
    );

    // The vendor rotates one, keeps one, and does without the third.
    let next = [("JWT", None, "second"), ("OWN", Some("edge-1"), "own")];
    let rotated = json!({"changed": ["JWT"], "made": [], "unused": ["REDIS_PASSWORD"]});
    let second = [jwt, own];
    let dry = import(2, &second, Some(&next), &["--dry-run"]);
    assert_eq!(plan(&dry), rotated);
    assert_eq!(plan(&import(2, &second, Some(&next), &[])), rotated);
    good(&instance, &["secret", "forget", "REDIS_PASSWORD", "--yes"]);

    // Going back brings the older one back, and makes anew what was forgotten.
    let ended = good(&instance, &["release", "activate", "1.0"]);
    assert_eq!(
        plan(&ended),
        json!({"changed": ["JWT"], "made": ["REDIS_PASSWORD"], "unused": []})
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
    assert_eq!(plan(&ended), json!({"changed": [], "made": [], "unused": []}));
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
        json!({"changed": [], "made": [], "unused": ["SESSION_KEY"]})
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
    plant.good(&["import", bundle.to_str().unwrap(), "--config", config]);
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

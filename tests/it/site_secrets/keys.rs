//! Another recipient key: what is kept is sealed to it in the same act, and what earlier releases sealed is read all the same.

use airlock::http::Settings;

use super::world::{Plant, ask, files, run, sealed, sealed_release};
use crate::support::agents::Serving;
use crate::support::appliance::read;
use crate::support::in_process::InProcessAppliance;

#[test]
fn what_is_kept_is_sealed_to_the_new_key() {
    let plant = Plant::new();
    plant.import(
        1,
        &[ask("edge-0", "API_KEY", false), ask("edge-1", "SMTP_PASSWORD", true)],
    );
    plant.good_with(&["secret", "set", "API_KEY"], "CANARY-1");
    plant.good_with(&["secret", "set", "SMTP_PASSWORD", "--target", "edge-1"], "CANARY-2");
    let before = files(&plant.state());
    plant.good(&["status", "rotate-key", "--yes"]);
    let after = files(&plant.state());
    assert_eq!(
        (after.len(), after.iter().filter(|name| before.contains(name)).count()),
        (2, 0)
    );
    // Without the earlier key they open all the same.
    for entry in std::fs::read_dir(plant.state().join("identity")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("recipient-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let listed = plant.good(&["target", "list"]);
    for target in listed["targets"].as_array().unwrap() {
        assert!(target["fault"].is_null(), "{target}");
    }
    assert!(!listed.to_string().contains("CANARY"));
}

#[test]
fn a_lost_key_is_replaced_and_what_it_opened_is_entered_again() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    plant.good_with(&["secret", "set", "API_KEY"], "CANARY-1");
    std::fs::remove_file(plant.state().join("identity/recipient.key")).unwrap();
    let fault = |plant: &Plant| plant.good(&["target", "list"])["targets"][0]["fault"].clone();
    assert!(fault(&plant).as_str().unwrap().contains("recipient.key"));
    let rotated = run(&plant.state(), &["status", "rotate-key", "--yes"], "");
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    assert!(
        rotated
            .stderr
            .contains("`airlock secret set --replace API_KEY --product crm "),
        "{}",
        rotated.stderr
    );
    assert!(fault(&plant).is_string());
    plant.good_with(
        &["secret", "set", "--replace", "API_KEY", "--product", "crm"],
        "CANARY-2",
    );
    assert!(fault(&plant).is_null());
}

#[test]
fn what_a_release_sealed_to_an_earlier_key_is_served_on() {
    let instance = InProcessAppliance::new();
    let uses = [sealed("edge-0", "LICENCE", false)];
    let made = sealed_release(&instance, 1, &uses, Some(&[("LICENCE", None, "CANARY-licence")]));
    instance.import(&made, false).unwrap();
    instance.appliance().rotate_status_key(instance.clock.0).unwrap();
    let state = instance.state();
    let serving = Serving::start(instance, Settings::default());
    let token = serving.token("edge-0");
    assert_eq!(serving.agent(&token, "GET", "resources", "").status, 200);
    let names = std::fs::read_dir(state.join("identity")).unwrap();
    let earlier = names
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("recipient-"));
    assert!(!read(&earlier.unwrap()).is_empty());
}

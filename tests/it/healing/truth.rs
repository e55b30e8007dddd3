//! What is told of damage: by `/readyz`, `release list|show`, `target list`, before, during and after; from a process that did not meet it.

use super::ward::{Damage, Ward, blob_path, human, json, stored};
use crate::support::appliance::{Appliance, Serving, wait_for, write};
use crate::support::bundles::{REPOSITORY, SMALL_CHUNKS, Vendor};
use crate::support::client::get;
use crate::support::site::{digest, noise};

/// The number of releases that each of those who tell calls damaged.
fn told(state: &std::path::Path, serving: &Serving) -> (u16, [usize; 3]) {
    let ready = get(serving.address, "/readyz");
    let count = |value: &serde_json::Value| value["damage"].as_array().unwrap().len();
    let lists = [
        count(&ready.json()),
        count(&json(state, &["release", "list"])),
        count(&json(state, &["target", "list"])),
    ];
    (ready.status, lists)
}

#[test]
fn f23_everybody_tells_of_damage_until_it_is_healed() {
    let ward = Ward::new();
    let Ward {
        state, made, bundle, ..
    } = &ward;
    let serving = Serving::start(state);
    let ready = |status: u16| get(serving.address, "/readyz").status == status;
    wait_for("the checks of the start", || {
        let ready = get(serving.address, "/readyz").json();
        let done = |check: &str| ready["checks"][check] == "ok";
        done("database") && done("index") && done("content")
    });
    assert_eq!(told(state, &serving), (200, [0, 0, 0]));
    let list = human(state, &["release", "list"]);
    assert!(list.starts_with("STATE") && !list.contains("DAMAGED"), "{list}");
    // A bit changes that nobody has read yet: nobody can know, until somebody asks for it.
    let layer = &made.layers[2];
    Damage::Flipped.strike(&blob_path(state, layer));
    assert_eq!(
        get(serving.address, &format!("/v2/{REPOSITORY}/blobs/{layer}")).status,
        500
    );
    wait_for("the damage in /readyz", || ready(503));
    assert_eq!(told(state, &serving), (503, [1, 1, 1]));
    let told_json = get(serving.address, "/readyz").json();
    assert_eq!(told_json["checks"]["content"], "E-STATE content-damaged");
    let damage = &told_json["damage"][0];
    assert_eq!(
        (&damage["sequence"], &damage["missing"], &damage["damaged"]),
        (&1.into(), &1.into(), &0.into())
    );
    let remedy = damage["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("0/1") || remedy.contains("0-1") || remedy.contains(damage["head"].as_str().unwrap()),
        "{remedy}"
    );
    for command in [
        &["release", "list"][..],
        &["release", "show", "1.0"],
        &["target", "list"],
    ] {
        // The command line says its own state folder too.
        let text = human(state, command).replace(&format!(" --state {}", state.display()), "");
        assert!(
            text.contains("DAMAGED: release") && text.contains(remedy),
            "{command:?}: {text}"
        );
    }
    // Importing again is what it says, and what helps.
    let healed = human(state, &["import", bundle.to_str().unwrap()]);
    assert!(healed.contains("restored 1 blob; receipt 3"), "{healed}");
    wait_for("the end of the damage in /readyz", || ready(200));
    assert_eq!(told(state, &serving), (200, [0, 0, 0]));
    let layer = get(serving.address, &format!("/v2/{REPOSITORY}/blobs/{layer}"));
    assert_eq!(layer.status, 200);
    let again = human(state, &["import", bundle.to_str().unwrap()]);
    assert!(again.contains("nothing to do"), "{again}");
}

#[test]
fn f23_files_that_are_gone_at_the_start_and_repairs_by_hand_are_told() {
    let ward = Ward::new();
    let Ward { state, made, .. } = &ward;
    let files = stored(state);
    let kept: Vec<Vec<u8>> = files.iter().map(|path| crate::support::appliance::read(path)).collect();
    for path in &files {
        Damage::Gone.strike(path);
    }
    let serving = Serving::start(state);
    wait_for("the damage", || {
        let ready = get(serving.address, "/readyz").json();
        ready["damage"][0]["missing"] == files.len()
    });
    let damage = get(serving.address, "/readyz").json()["damage"][0].clone();
    assert!(
        damage["documents"].as_u64().unwrap() >= 4 && damage["index_pages"].as_u64().unwrap() >= 1,
        "{damage}"
    );
    let told = json(state, &["release", "list"])["damage"][0].to_string();
    let told = told.replace(&format!(" --state {}", state.display()), "");
    assert_eq!(told, damage.to_string());
    // Somebody puts them back, from a copy of the folder.
    for (path, bytes) in files.iter().zip(&kept) {
        write(path, bytes);
    }
    wait_for("the repair", || get(serving.address, "/readyz").status == 200);
    assert!(
        json(state, &["release", "list"])["damage"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    serving.assert_serves(made);
}

#[test]
fn f23_a_release_that_is_not_live_is_told_and_harms_nobody() {
    let vendor = Vendor::new();
    let appliance = Appliance::init(&vendor);
    let state = appliance.path();
    let made: Vec<_> = (1..=2)
        .map(|n| vendor.bundle(n, &[noise(4000, n)], SMALL_CHUNKS))
        .collect();
    for made in &made {
        let bundle = state.join("../bundle");
        write(&bundle, &made.bytes);
        appliance.import(&bundle).assert_imported();
    }
    Damage::Gone.strike(&blob_path(&state, &made[0].layers[0]));
    let serving = Serving::start(&state);
    wait_for("the damage", || {
        get(serving.address, "/readyz").json()["damage"]
            .as_array()
            .unwrap()
            .len()
            == 1
    });
    let ready = get(serving.address, "/readyz");
    assert_eq!(
        (ready.status, &ready.json()["damage"][0]["state"]),
        (200, &"retired".into())
    );
    assert_eq!(json(&state, &["release", "list"])["damage"][0]["sequence"], 1);
    // And it cannot go live before it is whole.
    let refused = super::ward::airlock(&state, &["release", "activate", "1.0"]);
    assert_eq!(refused.status.code(), Some(27));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        text.contains("blob-missing") && text.contains("airlock import FILE"),
        "{text}"
    );
    let bundle = state.join("../bundle");
    write(&bundle, &made[0].bytes);
    assert_eq!(appliance.import(&bundle).result["restored_blobs"], 1);
    human(&state, &["release", "activate", "1.0"]);
    wait_for("the release", || digest(&serving.latest()) == made[0].manifest);
    serving.assert_serves(&made[0]);
}

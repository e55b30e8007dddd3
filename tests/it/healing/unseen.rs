//! Damage that a running server meets and others end: it is told again each time, whatever stands in the place of a blob.

use std::fs;
use std::path::Path;

use super::ward::{Damage, Ward, audited, blob_path, human, json};
use crate::support::appliance::{Appliance, Serving, read, wait_for, write};
use crate::support::bundles::{REPOSITORY, Vendor};
use crate::support::client::get;
use crate::support::site::noise;

fn assert_told(state: &Path, serving: &Serving, path: &str) {
    assert_eq!(get(serving.address, path).status, 500);
    wait_for("the damage in /readyz", || {
        get(serving.address, "/readyz").status == 503
    });
    let ready = get(serving.address, "/readyz").json();
    assert_eq!(ready["checks"]["content"], "E-STATE content-damaged");
    assert_eq!(json(state, &["release", "list"])["damage"].as_array().unwrap().len(), 1);
}

#[test]
fn f23_what_is_lost_again_right_after_another_process_healed_it_is_told_again() {
    let ward = Ward::new();
    let Ward {
        state, made, bundle, ..
    } = &ward;
    let serving = Serving::start(state);
    let blob = made.layers[2];
    let (file, path) = (blob_path(state, &blob), format!("/v2/{REPOSITORY}/blobs/{blob}"));
    for damage in [Damage::Gone, Damage::Gone, Damage::Socket, Damage::Pipe, Damage::Gone] {
        damage.strike(&file);
        assert_told(state, &serving, &path);
        // Asking again writes nothing.
        let rows = audited(state).len();
        for _ in 0..20 {
            assert_eq!(get(serving.address, &path).status, 500);
        }
        assert_eq!(audited(state).len(), rows, "{damage:?}");
        let healed = human(state, &["import", bundle.to_str().unwrap()]);
        assert!(healed.contains("restored 1 blob;"), "{damage:?}: {healed}");
        // At once: nothing of the server knows yet that it was whole.
        assert_eq!(get(serving.address, &path).status, 200, "{damage:?}");
    }
    wait_for("the end of it", || get(serving.address, "/readyz").status == 200);
}

#[test]
fn f23_what_stands_in_the_place_of_a_folder_is_set_aside_too() {
    let ward = Ward::new();
    let Ward {
        state, made, bundle, ..
    } = &ward;
    let serving = Serving::start(state);
    let blob = made.layers[2];
    let (file, path) = (blob_path(state, &blob), format!("/v2/{REPOSITORY}/blobs/{blob}"));
    let folder = file.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    write(folder, b"no folder");
    // Whoever starts now is told to look; the server that runs takes it out of the way.
    assert_told(state, &serving, &path);
    human(state, &["import", bundle.to_str().unwrap()]);
    wait_for("the end of it", || get(serving.address, "/readyz").status == 200);
    assert_eq!(get(serving.address, &path).status, 200);
    let kept = fs::read_dir(state.join("evidence")).unwrap();
    assert!(
        kept.into_iter()
            .any(|entry| read(&entry.unwrap().path()) == b"no folder")
    );
    serving.assert_serves(made);
}

#[test]
fn f23_every_damaged_live_release_is_a_problem_with_its_own_remedy() {
    let vendor = Vendor::new();
    let appliance = Appliance::init(&vendor);
    let state = appliance.path();
    let made = [
        vendor.bundle_of("crm", "registry.one/a", 1, &[noise(3000, 1)]),
        vendor.bundle_of("erp", "registry.two/b", 1, &[noise(3000, 2)]),
    ];
    let bundle = state.join("../bundle");
    for made in &made {
        write(&bundle, &made.bytes);
        appliance.import(&bundle).assert_imported();
    }
    for made in &made {
        Damage::Gone.strike(&blob_path(&state, &made.layers[0]));
    }
    let serving = Serving::start(&state);
    let problems = || {
        let ready = get(serving.address, "/readyz").json();
        let problems = ready["problems"].as_array().unwrap().clone();
        problems
            .iter()
            .map(|problem| problem["remedy"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    wait_for("both", || problems().len() == 2);
    let told = problems();
    for product in ["crm", "erp"] {
        let named = told.iter().filter(|remedy| remedy.contains(product)).count();
        assert_eq!(named, 1, "{product}: {told:?}");
    }
    // One is healed, the other one is still told.
    human(&state, &["import", bundle.to_str().unwrap()]);
    wait_for("one", || problems().len() == 1);
    assert!(problems()[0].contains("crm"), "{:?}", problems());
    write(&bundle, &made[0].bytes);
    human(&state, &["import", bundle.to_str().unwrap()]);
    wait_for("none", || get(serving.address, "/readyz").status == 200);
}

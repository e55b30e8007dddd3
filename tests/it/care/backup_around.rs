//! What lies around a backup: folders that a restore may not take, what it is compared with, a site that lacks what a backup is for.
#![allow(clippy::disallowed_methods, reason = "tests take keys away and put them back")]

use super::backup::Safe;
use super::world::World;
use crate::support::appliance::{read, write};

/// What a stopped restore left is taken away by the next one of that backup, and nothing else ever is.
#[test]
fn what_a_stopped_restore_did_not_make_is_left_alone() {
    let (world, safe) = (World::new(0), Safe::new());
    safe.quick(&world.state(), "backup", false);
    let words = ["restore", "@backup", "--yes", "--state", "@state"];
    let state = safe.path("state");
    let mark = {
        let said = safe.good(&["backup", "--check", "@backup"]);
        format!(
            "{} {}\n",
            said["of"]["facts"]["instance"].as_str().unwrap(),
            said["made_at"].as_str().unwrap()
        )
    };
    let own = state.join("identity/token.key");
    for (marker, other) in [
        ("", own.clone()),
        (mark.as_str(), state.join("precious")),
        (mark.as_str(), state.join("identity/mine")),
    ] {
        std::fs::create_dir_all(state.join("identity")).unwrap();
        write(&state.join("restoring"), marker.as_bytes());
        write(&other, b"mine");
        let refused = safe.run(&words);
        refused.assert_refused("E-STATE", "restore-stopped", "");
        assert_eq!(
            refused.remedy(),
            "give another --state folder, or move away by hand what is in this one"
        );
        assert_eq!(read(&other), b"mine");
        safe.restore("backup", "fresh", &[]);
        std::fs::remove_dir_all(safe.path("fresh")).unwrap();
        std::fs::remove_dir_all(&state).unwrap();
    }
    // What it made itself goes.
    std::fs::create_dir_all(state.join("identity")).unwrap();
    write(&state.join("restoring"), mark.as_bytes());
    write(&own, b"half");
    write(&state.join("identity/.status.pem.new"), b"half");
    write(&state.join("airlock.db.new-journal"), b"half");
    safe.good(&words);
    assert!(!state.join("restoring").is_file());
}

/// Marks count wherever they are read, and what says nothing at all of a site is no protection.
#[test]
fn what_is_compared_says_something_of_the_site() {
    let (world, safe) = (World::new(1), Safe::new());
    safe.quick(&world.state(), "old", false);
    let newer = world.release(7, 1000);
    world.import(&newer).assert_imported();
    std::fs::remove_file(world.state().join("marks")).unwrap();
    let against = world.state();
    let words = ["restore", "@old", "--yes", "--state", "@state", "--against"];
    let done = safe.good(&[&words[..], &[against.to_str().unwrap()]].concat());
    assert_eq!(done["taken_over"]["marks"].as_array().map(Vec::len), Some(1), "{done}");
    std::fs::remove_dir_all(safe.path("state")).unwrap();
    std::fs::create_dir(safe.path("empty")).unwrap();
    let refused = safe.run(&[&words[..], &["@empty"]].concat());
    refused.assert_refused("E-USAGE", "against", "");
    assert!(!safe.path("state").try_exists().unwrap());
    assert_eq!(
        refused.remedy(),
        "name the folder or backup of this site, or leave --against out"
    );
    safe.restore("old", "state", &[]);
}

/// A backup takes the place of the one before: one that lacks keys is none.
#[test]
fn a_site_without_its_keys_is_not_backed_up_and_nothing_goes_to_a_pipe() {
    let (world, safe) = (World::new(0), Safe::new());
    let state = world.state();
    let words = |output| ["backup", "-o", output, "--state", state.to_str().unwrap()];
    safe.run(&words("-")).assert_refused("E-USAGE", "output", "");
    for key in ["identity/token.key", "identity/recipient.key", "identity/status.pem"] {
        let (path, kept) = (state.join(key), safe.path("kept"));
        std::fs::rename(&path, &kept).unwrap();
        let refused = safe.run(&words("@backup"));
        assert_eq!(
            refused.refusal.as_ref().unwrap().0,
            "E-STATE",
            "{key}: {}",
            refused.stderr
        );
        assert!(!safe.path("backup").is_file());
        std::fs::rename(&kept, &path).unwrap();
    }
    safe.good(&words("@backup"));
}

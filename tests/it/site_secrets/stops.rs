//! Killed at calls that change something: a value is the old one or the new one, a release is live with all of its values or not at all,
//! and the same command again does the rest. By default at every so manieth call, with `AIRLOCK_SLOW` at each.

use std::ffi::OsString;
use std::path::Path;

use super::world::{Plant, ask, files, generate, live, run};
use crate::support::appliance::Appliance;
use crate::support::slow::share;
use crate::support::strace::{self, Fault};

/// By default every so manieth call gets its fault, beside the first and the last.
const STRIDE: usize = 19;

/// Kills a command at its calls; `check` sees what is left, and does the rest.
fn sweep(base: &Plant, words: &[&str], check: &dyn Fn(&Path, &str)) {
    let line = |state: &Path| -> Vec<OsString> {
        let words = ["--format", "json"].iter().chain(words).map(OsString::from);
        words.chain(["--state".into(), state.into()]).collect()
    };
    let undisturbed = base.copy();
    let traced = strace::run(&strace::changing(), &line(&undisturbed.path()));
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    let last = points.len().saturating_sub(1);
    let mut fired = 0;
    for (place, point) in points.iter().enumerate() {
        let taken = match share() {
            Some(share) => share.takes(place) && !strace::is_behind_a_sync(&points, place),
            None => place % STRIDE == 0 || place == last,
        };
        if !taken {
            continue;
        }
        let copy: Appliance = base.copy();
        let struck = strace::strike(Fault::Kill, &point.name, point.nth, &line(&copy.path()));
        if struck.fired(Fault::Kill, &point.name, point.nth) {
            fired += 1;
            check(&copy.path(), &format!("{point:?}"));
        }
    }
    assert!(fired > 2, "{fired} of {} kills came", points.len());
    println!("{words:?}: {} calls, {fired} kills", points.len());
}

fn list(state: &Path) -> Vec<serde_json::Value> {
    let listed = run(state, &["secret", "list"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    listed.result["secrets"].as_array().unwrap().clone()
}

/// Nothing that is answered lacks a value.
#[track_caller]
fn assert_whole(state: &Path, told: &str) {
    let listed = run(state, &["target", "list"], "");
    for target in listed.result["targets"].as_array().unwrap() {
        assert!(target["fault"].is_null(), "{told}: {target}");
    }
}

#[test]
fn a_value_is_the_old_one_or_the_new_one_wherever_setting_it_is_stopped() {
    if !strace::available() {
        return;
    }
    let plant = Plant::new();
    plant.import(1, &[generate("edge-0", "SESSION_KEY", None)]);
    let before = files(&plant.state());
    sweep(
        &plant,
        &["secret", "generate", "SESSION_KEY", "--yes"],
        &|state, told| {
            assert_whole(state, told);
            assert_eq!(list(state)[0]["state"], "generated", "{told}");
            let again = run(state, &["secret", "generate", "SESSION_KEY", "--yes"], "");
            assert_eq!(again.code, Some(0), "{told}: {}", again.stderr);
            let after = files(state);
            assert!(after.len() == 1 && after != before, "{told}: {after:?}");
            assert_whole(state, told);
        },
    );
}

#[test]
fn a_release_is_live_with_all_that_it_makes_or_not_at_all() {
    if !strace::available() {
        return;
    }
    let plant = Plant::new();
    plant.import(1, &[]);
    let uses = [
        generate("edge-0", "SESSION_KEY", None),
        generate("edge-1", "DB_PASSWORD", None),
    ];
    let bundle = plant.bundle(2, &uses);
    let imported = plant.good(&["import", bundle.to_str().unwrap(), "--no-activate"]);
    assert_eq!(imported["active"], false);
    sweep(&plant, &["release", "activate", "2.0"], &|state, told| {
        assert_whole(state, told);
        let is_live = live(state) == 2;
        let made = list(state).iter().filter(|row| row["state"] == "generated").count();
        assert_eq!(made, if is_live { 2 } else { 0 }, "{told}");
        let again = run(state, &["release", "activate", "2.0"], "");
        assert_eq!(again.code, Some(0), "{told}: {}", again.stderr);
        assert_eq!((live(state), files(state).len()), (2, 2), "{told}");
        assert_whole(state, told);
    });
}

#[test]
fn the_last_value_and_the_release_that_waits_for_it_stop_apart_and_whole() {
    if share().is_none() || !strace::available() {
        return;
    }
    let plant = Plant::new();
    plant.import(1, &[]);
    plant.import(2, &[ask("edge-0", "API_KEY", false)]);
    sweep(&plant, &["secret", "generate", "API_KEY", "--yes"], &|state, told| {
        assert_whole(state, told);
        let again = run(state, &["secret", "generate", "API_KEY", "--yes"], "");
        assert_eq!(again.code, Some(0), "{told}: {}", again.stderr);
        assert_eq!((live(state), files(state).len()), (2, 1), "{told}");
        assert_whole(state, told);
    });
}

#[test]
fn keys_are_replaced_with_all_that_is_sealed_to_them() {
    if share().is_none() || !strace::available() {
        return;
    }
    let plant = Plant::new();
    plant.import(1, &[generate("edge-0", "SESSION_KEY", None)]);
    sweep(&plant, &["status", "rotate-key", "--yes"], &|state, told| {
        assert_whole(state, told);
        let again = run(state, &["status", "rotate-key", "--yes"], "");
        assert_eq!(again.code, Some(0), "{told}: {}", again.stderr);
        assert_eq!(files(state).len(), 1, "{told}");
        assert_whole(state, told);
    });
}

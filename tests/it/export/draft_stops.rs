//! S09: wherever making a draft is stopped, there is a draft that goes on, or nothing.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use airlock::db::site::{audit, packages};
use airlock::db::{Db, Schema};
use airlock::domain::Hash;

use super::world::outbox;
use crate::support::appliance::{self, AIRLOCK, Appliance, Ended, write};
use crate::support::bundles::Vendor;
use crate::support::desired::Desired;
use crate::support::slow::share;
use crate::support::stopper;
use crate::support::strace::{Fault, only_syncs};

/// By default every so manieth call gets its fault, beside the first and the last of each name.
const STRIDE: usize = 41;

fn preview(state: &Path) -> Vec<OsString> {
    let words = ["--format", "json", "status", "preview", "--discard", "--state"];
    words.iter().map(OsString::from).chain([state.into()]).collect()
}

/// The draft that is there before: it shows more, so that it is another one though both are made within a second.
fn earlier(state: &Path, config: &Path) -> Vec<OsString> {
    let words = ["--format", "json", "status", "preview", "--state"];
    let words = words.iter().map(OsString::from);
    words.chain([state.into(), "--config".into(), config.into()]).collect()
}

fn run(arguments: &[OsString]) -> Ended {
    Ended::of(&Command::new(AIRLOCK).args(arguments).output().unwrap())
}

fn draft(state: &Path, domain: Hash) -> Option<packages::PackageRow> {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.read(audit::verify).unwrap();
    let mut all = db.read(|c| packages::list(c, domain)).unwrap();
    assert!(all.len() <= 1);
    all.pop()
}

#[test]
fn every_changing_call_of_a_preview_may_be_the_last() {
    if !stopper::available() {
        return;
    }
    let vendor = Vendor::new();
    let domain = vendor.chain().domain();
    let base = Appliance::init(&vendor);
    let folder = appliance::scratch();
    let bundle = folder.path().join("bundle");
    write(
        &bundle,
        &vendor.with_targets(1, |image| Desired::docker(image, 1, "a")).bytes,
    );
    base.import(&bundle).assert_imported();
    let config = folder.path().join("full.toml");
    write(&config, b"[export]\nprofile = \"full\"\n");
    let undisturbed = base.copy();
    // A draft is there already, so that taking its place is seen as well.
    assert_eq!(run(&earlier(&undisturbed.path(), &config)).code, Some(0));
    let traced = stopper::run(&preview(&undisturbed.path()), None);
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let calls = traced.calls;
    for expected in ["rename", "fsync", "pwrite64", "unlink"] {
        assert!(calls.iter().any(|name| name == expected), "no {expected}");
    }
    let share = share();
    let slow = share.is_some();
    let faults: &[Fault] = if slow {
        &[Fault::Kill, Fault::NoSpace, Fault::Io]
    } else {
        &[Fault::Kill]
    };
    let (mut kept, mut replaced) = (0, 0);
    for (index, name) in calls.iter().enumerate() {
        let first = calls.iter().position(|other| other == name) == Some(index);
        let last = calls.iter().rposition(|other| other == name) == Some(index);
        // What comes behind the commit, too.
        let late = index + 12 > calls.len() && index % 2 == 0;
        if !share.map_or(index % STRIDE == 0, |share| share.takes(index)) && !first && !last && !late {
            continue;
        }
        let point = (index + 1, name);
        for fault in faults {
            if slow && *fault == Fault::Kill && index > 0 && only_syncs(&calls[index - 1]) {
                continue;
            }
            let copy = base.copy();
            let state = copy.path();
            assert_eq!(run(&earlier(&state, &config)).code, Some(0));
            let before = draft(&state, domain).unwrap();
            let struck = stopper::run(&preview(&state), Some((*fault, index + 1)));
            // How many pages a transaction changes depends on the ids in them: a run may have fewer calls than the one that was counted.
            if !struck.fired {
                assert!(
                    struck.ended.code == Some(0) && struck.calls.len() <= index,
                    "{fault:?} {point:?}: {struck:?}"
                );
                continue;
            }
            // The draft before or the one after, whole; never none, and never half of one.
            let after = draft(&state, domain).unwrap();
            let name = format!("{}.airlock-status", after.head);
            assert!(outbox(&state).contains(&name), "{fault:?} {point:?}");
            if after == before {
                kept += 1;
            } else {
                replaced += 1;
            }
            let mut again = preview(&state);
            again.retain(|word| word != "--discard");
            if after == before {
                again = earlier(&state, &config);
            }
            let shown = run(&again);
            assert_eq!(shown.code, Some(0), "{fault:?} {point:?}: {}", shown.stderr);
            assert_eq!(shown.result["head"], after.head.to_hex(), "{fault:?} {point:?}");
            assert_eq!(outbox(&state), [name], "{fault:?} {point:?}: what has no row went");
            assert_eq!(shown.result["number"], 1);
        }
    }
    println!(
        "crash sweep of a preview: {} changing calls; {kept} ended with the draft before, {replaced} with the next",
        calls.len()
    );
    assert!(kept > 3 && replaced > 0, "{kept} {replaced}");
}

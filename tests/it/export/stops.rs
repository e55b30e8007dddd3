//! S09: killed or failing at every call that changes something, an export claims nothing that is not so, and the next one goes on with the
//! same bytes.

use airlock::db::site::packages::State;
use serde_json::json;

use super::desk::Desk;
use crate::support::appliance::read;
use crate::support::slow::share;
use crate::support::strace::{self, Fault, Point};

/// Of the calls in between, every so many is tried by default.
const STRIDE: usize = 29;

/// Runs a command undisturbed, then with a fault at each call that changes something; `check` sees what is left.
fn sweep(prepare: &dyn Fn() -> Desk, words: &dyn Fn(&Desk) -> String, check: &dyn Fn(&Desk, Fault, &Point)) {
    let undisturbed = prepare();
    let traced = strace::run(&strace::changing(), &undisturbed.arguments(&words(&undisturbed)));
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    for expected in ["rename", "fsync", "pwrite64"] {
        assert!(points.iter().any(|point| point.name == expected), "no {expected}");
    }
    let share = share();
    let slow = share.is_some();
    for (index, point) in points.iter().enumerate() {
        let is_rename = point.name.starts_with("rename");
        if !share.map_or(index % STRIDE == 0, |share| share.takes(index)) && !is_rename {
            continue;
        }
        let all = [Fault::Kill, Fault::NoSpace, Fault::Io];
        let faults = if slow { &all[..] } else { &all[index % 3..=index % 3] };
        for fault in faults {
            if slow && *fault == Fault::Kill && strace::is_behind_a_sync(&points, index) {
                continue;
            }
            let desk = prepare();
            let struck = strace::strike(*fault, &point.name, point.nth, &desk.arguments(&words(&desk)));
            assert!(
                struck.fired(*fault, &point.name, point.nth),
                "{fault:?} {point:?}: {struck:?}"
            );
            check(&desk, *fault, point);
        }
    }
}

#[test]
fn every_changing_call_of_an_export_may_be_the_last() {
    if !strace::available() {
        return;
    }
    let base = Desk::new(0);
    sweep(
        &|| base.copy(),
        &|_| "status export stick".to_owned(),
        &|desk, fault, point| {
            let told = format!("{fault:?} {point:?}");
            // What has the name of a package is one, whole; and what counts as exported is there.
            let whole = |desk: &Desk| {
                let names = desk.on_stick();
                let named: Vec<_> = names.iter().filter(|name| name.ends_with(".airlock-status")).collect();
                for name in &named {
                    assert_eq!(desk.judged(&desk.stick().join(name), "")["result"], "good", "{told}");
                }
                named.len()
            };
            let there = whole(desk);
            let before = desk.packages();
            let used: Vec<_> = before.iter().filter(|row| row.state != State::Draft).collect();
            assert_eq!(desk.signings(), used.len(), "{told}");
            assert!(used.len() <= 1 && there <= used.len(), "{told}");
            assert!(
                used.iter().all(|row| row.state == State::Signed || there == 1),
                "{told}"
            );
            let exported = desk.good("status export stick");
            assert!(whole(desk) > 0, "{told}");
            let first = &exported["packages"][0];
            if let Some(row) = used.first().filter(|row| row.state == State::Signed) {
                assert_eq!(
                    (&first["head"], &first["number"]),
                    (&json!(row.head), &json!(1)),
                    "{told}"
                );
                assert_eq!(desk.signings(), 1, "{told}");
            }
            let head = first["head"].as_str().unwrap();
            let left = read(std::path::Path::new(first["file"].as_str().unwrap()));
            assert_eq!(left, read(&desk.kept(head)), "{told}");
            assert!(
                desk.packages().iter().all(|row| row.state == State::Exported),
                "{told}: {:?}",
                desk.states()
            );
            // Nothing lies about: the outbox holds the files of rows, and enrolments.
            let names = std::fs::read_dir(desk.state().join("outbox")).unwrap();
            let count = names
                .filter(|one| {
                    !one.as_ref()
                        .unwrap()
                        .file_name()
                        .to_string_lossy()
                        .starts_with("enrolment-")
                })
                .count();
            assert_eq!(count, desk.packages().len(), "{told}");
        },
    );
}

#[test]
fn every_changing_call_of_an_approval_may_be_the_last() {
    if !strace::available() {
        return;
    }
    let base = Desk::new(1);
    sweep(
        &|| {
            let desk = base.copy();
            desk.draft();
            desk
        },
        &|desk| format!("approve {} --key 1.pem", desk.packages()[0].head),
        &|desk, fault, point| {
            let told = format!("{fault:?} {point:?}");
            assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Draft)], 0), "{told}");
            let head = desk.packages()[0].head;
            desk.good(&format!("approve {head} --key 1.pem"));
            desk.good(&format!("status export stick --digest {head}"));
            let name = &desk.on_stick()[0];
            desk.judged(&desk.stick().join(name), "1");
        },
    );
}

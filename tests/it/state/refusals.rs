//! A refusal keeps its class, whatever goes wrong while something is tidied up, kept or recorded afterwards; that is said beside it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;

use super::workshop::{Workshop, run, said, verdict};
use crate::support::appliance::{audit_actions, import_arguments, incoming, read, scratch, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::strace::{self, Fault};

/// A byte of the last chunk is another one: refused at X11, when blobs and staging are there.
fn broken(workshop: &Workshop) -> Vec<u8> {
    let mut bytes = workshop.releases[1].bytes.clone();
    let at = bytes.len() - 100_000;
    bytes[at] ^= 1;
    bytes
}

#[test]
fn a_refusal_keeps_its_class_when_staging_cannot_be_removed() {
    if !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    let bundle = workshop.bundle("broken");
    write(&bundle, &broken(&workshop));
    let twin = workshop.base.copy();
    twin.import(&bundle).assert_refused("E-INTEGRITY", "stored-hash", "X11");
    assert_eq!(incoming(&twin.path()), Vec::<String>::new());
    for call in ["unlinkat", "unlink"] {
        let copy = workshop.base.copy();
        let line = import_arguments(&copy.path(), &bundle);
        let run = strace::strike(Fault::Io, call, 1, &line);
        if !run.fired(Fault::Io, call, 1) {
            continue;
        }
        run.ended.assert_refused("E-INTEGRITY", "stored-hash", "X11");
        let found = said(&run.ended, "found");
        assert!(
            call == "unlink" || found.contains("; after that, cannot remove"),
            "{found}"
        );
        assert_eq!(audit_actions(&copy.path()).last().unwrap(), "refuse");
        // What is left is taken up or removed by the next.
        let again = copy.import(&workshop.bundle("2"));
        again.assert_imported();
    }
}

#[test]
fn two_heads_of_one_number_are_an_alarm_also_where_the_proof_cannot_be_kept() {
    let workshop = Workshop::new();
    let other = workshop.vendor.bundle(1, &[noise(3000, 9)], SMALL_CHUNKS);
    let bundle = workshop.bundle("other");
    write(&bundle, &other.bytes);
    let twin = workshop.base.copy();
    let ended = twin.import(&bundle);
    assert_eq!(verdict(&ended).0, "E-EQUIVOCATION");
    let kept: Vec<_> = fs::read_dir(twin.path().join("evidence")).unwrap().collect();
    assert_eq!(kept.len(), 1);
    let name = kept[0].as_ref().unwrap().file_name();
    let outside = scratch();
    let victim = outside.path().join("victim");
    write(&victim, b"root's own file");
    let temporary: OsString = [OsString::from("."), name.clone(), OsString::from(".new")]
        .into_iter()
        .collect();
    for planted in [name, temporary] {
        let copy = workshop.base.copy();
        symlink(&victim, copy.path().join("evidence").join(&planted)).unwrap();
        let ended = run(&[], &import_arguments(&copy.path(), &bundle).split_off(2));
        assert_eq!(
            (verdict(&ended).0.as_str(), ended.code),
            ("E-EQUIVOCATION", Some(16)),
            "{}",
            ended.stderr
        );
        let found = said(&ended, "found");
        assert!(
            found.contains("; after that, ") && found.contains("is a symbolic link"),
            "{found}"
        );
        assert_eq!(read(&victim), b"root's own file");
        assert_eq!(audit_actions(&copy.path()).last().unwrap(), "refuse");
    }
}

#[test]
fn a_refusal_that_cannot_be_recorded_keeps_its_class_and_says_so() {
    if !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    let stranger = Vendor::new().bundle(1, &[noise(3000, 9)], SMALL_CHUNKS);
    let bundle = workshop.bundle("stranger");
    write(&bundle, &stranger.bytes);
    workshop
        .base
        .copy()
        .import(&bundle)
        .assert_refused("E-TRUST", "unknown-domain", "X3");
    let mut unrecorded = 0;
    for call in ["pwrite64", "fdatasync", "fsync"] {
        for nth in 1.. {
            let copy = workshop.base.copy();
            let before = audit_actions(&copy.path());
            let run = strace::strike(Fault::Io, call, nth, &import_arguments(&copy.path(), &bundle));
            if !run.fired(Fault::Io, call, nth) {
                break;
            }
            let found = said(&run.ended, "found");
            let recorded = audit_actions(&copy.path()).len() > before.len();
            if found.contains("could not be recorded") {
                run.ended.assert_refused("E-TRUST", "unknown-domain", "X3");
                assert_eq!(run.ended.code, Some(13));
                unrecorded += 1;
            } else {
                assert!(
                    recorded || verdict(&run.ended).0 == "E-IO",
                    "{call} {nth}: {}",
                    run.ended.stderr
                );
            }
        }
    }
    assert!(unrecorded > 0, "no fault hit the audit row");
}

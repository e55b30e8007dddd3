//! Cases F03, F04 and F13: too few files or descriptors, a sync that fails once, and a database whose log of writes is gone.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use super::disk_full::{Disk, in_namespace};
use crate::support::appliance::{
    self, AIRLOCK, Appliance, Ended, check, import_arguments, import_command, incoming, read, write,
};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::stopper;
use crate::support::strace::{Fault, only_syncs};

/// Release 1 is live, and release 2 shall come.
struct Setup {
    appliance: Appliance,
    folder: tempfile::TempDir,
    vendor: Vendor,
    releases: [Made; 2],
}

impl Setup {
    fn new() -> Self {
        let vendor = Vendor::new();
        let setup = Self {
            appliance: Appliance::init(&vendor),
            folder: appliance::scratch(),
            releases: [
                vendor.bundle(1, &[noise(5000, 1)], SMALL_CHUNKS),
                vendor.bundle(2, &[noise(1_500_000, 2), noise(3000, 3)], SMALL_CHUNKS),
            ],
            vendor,
        };
        for (name, made) in ["1", "2"].iter().zip(&setup.releases) {
            write(&setup.path(name), &made.bytes);
        }
        setup.appliance.import(&setup.path("1")).assert_imported();
        setup
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn made(&self) -> [&Made; 2] {
        [&self.releases[0], &self.releases[1]]
    }
}

#[test]
fn f03_a_disk_without_files_left_is_refused_before_the_first_chunk() {
    if !in_namespace("import::shortages::f03_a_disk_without_files_left_is_refused_before_the_first_chunk") {
        return;
    }
    let setup = Setup::new();
    let disk = Disk::mount("tmpfs").unwrap();
    let state = disk.path().join("state");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(setup.appliance.path())
        .arg(&state)
        .status();
    assert!(copied.unwrap().success());
    let import = || Ended::of(&import_command(&state, &setup.path("2")).output().unwrap());
    let files = |count: u64| {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,nr_inodes={count}")])
            .arg(disk.path());
        assert!(mount.status().unwrap().success());
    };
    let used = {
        let stat = rustix::fs::statvfs(disk.path()).unwrap();
        stat.f_files - stat.f_ffree
    };
    // Enough for the database and its log, not for what comes.
    files(used + 10);
    import().assert_refused("E-SPACE", "no-space", "X10");
    assert_eq!(check(&state, &setup.made()), 1);
    assert_eq!(appliance::audit_actions(&state).last().unwrap(), "refuse");
    files(used + 10_000);
    import().assert_imported();
    assert_eq!(check(&state, &setup.made()), 2);
    assert_eq!(incoming(&state), Vec::<String>::new());
}

#[test]
fn f03_too_few_descriptors_end_an_import_and_nothing_is_lost() {
    let setup = Setup::new();
    let (mut classes, mut done) = (BTreeSet::new(), None);
    for most in [10, 14, 64] {
        let state = setup.appliance.copy();
        let before = StateFingerprint::of(&state.path());
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\""), AIRLOCK])
            .args(import_arguments(&state.path(), &setup.path("2")))
            .stdin(Stdio::null());
        let ended = Ended::of(&command.output().unwrap());
        if ended.code == Some(0) {
            ended.assert_imported();
            assert_eq!(check(&state.path(), &setup.made()), 2);
            done = Some(most);
            break;
        }
        let (class, ..) = ended
            .refusal
            .clone()
            .unwrap_or_else(|| panic!("{most}: {}", ended.stderr));
        assert!(class == "E-SPACE" || class == "E-IO", "{most}: {}", ended.stderr);
        classes.insert(class);
        // A refusal may be recorded; and what is wanting is no damage of anything.
        let after = StateFingerprint::of(&state.path());
        let is_recorded = after.differs_from(&before, false, true).is_none();
        assert!(is_recorded || after == before, "{most}: {}", ended.stderr);
        state.import(&setup.path("2")).assert_imported();
        assert_eq!(check(&state.path(), &setup.made()), 2);
    }
    println!("an import needs at most {done:?} descriptors; with fewer: {classes:?}");
    assert!(done.is_some() && !classes.is_empty());
}

#[test]
fn f04_a_sync_that_failed_once_is_not_believed_when_it_succeeds() {
    if !stopper::available() {
        return;
    }
    let setup = Setup::new();
    let run = |number: Option<usize>| {
        let copy = setup.appliance.copy();
        let fault = number.map(|number| (Fault::Io, number));
        let run = stopper::run(&import_arguments(&copy.path(), &setup.path("2")), fault);
        (copy, run)
    };
    let (_, whole) = run(None);
    let syncs = (1..).zip(&whole.calls).filter(|(_, name)| only_syncs(name));
    let syncs: Vec<usize> = syncs.map(|(number, _)| number).collect();
    // A sync of the content comes first; the last ones are of copies that are made again.
    let content = syncs.iter().find(|number| whole.calls[**number - 1] == "syncfs");
    for number in [syncs.first(), content].into_iter().flatten() {
        let (copy, struck) = run(Some(*number));
        assert!(struck.fired, "{struck:?}");
        assert_eq!(struck.ended.code, Some(25), "{number}: {}", struck.ended.stderr);
        // Nobody syncs the same once more and goes on: what the kernel dropped would be missing.
        assert_eq!(check(&copy.path(), &setup.made()), 1, "{number}");
        let after = struck
            .calls
            .iter()
            .skip(*number)
            .filter(|name| *name == "syncfs")
            .count();
        assert_eq!(after, 0, "{number}: {:?}", struck.calls);
        copy.import(&setup.path("2")).assert_imported();
        assert_eq!(check(&copy.path(), &setup.made()), 2);
    }
}

#[test]
fn f13_without_its_write_ahead_log_a_database_is_older_than_the_marks() {
    if !stopper::available() {
        return;
    }
    let setup = Setup::new();
    let state = setup.appliance.path();
    let counted = setup.appliance.copy();
    let whole = stopper::run(&import_arguments(&counted.path(), &setup.path("2")), None);
    // Killed at the very end: the release is published and marked, and its rows stand in the log alone.
    let last = (1..)
        .zip(&whole.calls)
        .filter(|(_, name)| *name == "rename")
        .last()
        .unwrap()
        .0;
    let struck = stopper::run(
        &import_arguments(&state, &setup.path("2")),
        Some((Fault::Kill, last + 1)),
    );
    assert!(struck.fired);
    assert!(!read(&state.join("airlock.db-wal")).is_empty());
    for side in ["airlock.db-wal", "airlock.db-shm"] {
        fs::remove_file(state.join(side)).unwrap();
    }
    assert_eq!(check(&state, &setup.made()), 1);
    // Of that number the marks know the head: another one is equivocation, an older one would be a rollback, and the same comes in.
    let other = setup.vendor.bundle(2, &[noise(4000, 9)], SMALL_CHUNKS);
    write(&setup.path("other"), &other.bytes);
    setup
        .appliance
        .import(&setup.path("other"))
        .assert_refused("E-EQUIVOCATION", "same-number", "X7");
    setup.appliance.import(&setup.path("2")).assert_imported();
    assert_eq!(check(&state, &setup.made()), 2);
}

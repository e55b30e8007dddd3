//! Remedies of what disks, file systems and the kernel answer: made to answer so, and put right.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::follow::{Operator, Ran, commands};
use super::logged::Logged;
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{AIRLOCK, incoming, read, wait_for, write};
use crate::support::bundles::{Made, SMALL_CHUNKS};
use crate::support::client::get;
use crate::support::left_out::is_root;
use crate::support::site::noise;
use crate::support::strace;

/// Runs `airlock WORDS…` while the kernel answers as `faults` say, for calls on one path; asserts that it did.
#[track_caller]
fn faulty(operator: &Operator, path: &Path, faults: &[&str], words: &[&str]) -> Ran {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut given = vec!["-P".to_owned(), path.to_str().unwrap().to_owned()];
    for fault in faults {
        let call = fault.split(':').next().unwrap();
        given.extend([
            "-e".into(),
            format!("trace={call}"),
            "-e".into(),
            format!("inject={fault}"),
        ]);
    }
    let words = ["--format", "json"].iter().chain(words).map(Into::into);
    let mut command = strace::command(&given, log.path(), &words.collect::<Vec<_>>());
    let ran = Ran::of(&command.env("AIRLOCK_STATE", operator.state()).output().unwrap());
    let trace = String::from_utf8(read(log.path())).unwrap();
    assert!(
        trace.contains("(INJECTED)"),
        "nothing was injected: {trace}\n{}",
        ran.ended.stderr
    );
    ran
}

/// A bundle that an import takes in piece by piece, in a file.
fn large(operator: &Operator) -> (Made, String) {
    let layers = [noise(100, 1), noise(5_000_000, 2)];
    let made = operator.vendor.bundle(1, &layers, SMALL_CHUNKS);
    let path = operator.file("large.airlock", &made.bytes);
    (made, path.to_str().unwrap().to_owned())
}

#[test]
fn a_wrong_path_is_checked_as_the_message_says() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let right = operator.bundle(&made);
    let import = |path: &Path| operator.run(&["import", path.to_str().unwrap()]);
    let remedy = import(&right.with_extension("elsewhere")).remedy("E-IO", "io");
    assert_eq!(remedy, "check the path, and that the medium is mounted");
    let remedy = import(&right.join("x")).remedy("E-IO", "io");
    assert_eq!(remedy, "check the path");
    // A folder where a file is read.
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let told = operator.vendor.chain().fingerprint().to_hex();
    let add = |path: &Path| operator.run(&["trust", "add", path.to_str().unwrap(), "--fingerprint", &told]);
    let remedy = add(root.parent().unwrap()).remedy("E-USAGE", "not-a-file");
    assert_eq!(remedy, "name the file itself");
    add(&root).succeeded();
    import(&right).succeeded();
}

#[test]
fn what_another_user_may_not_read_is_made_readable_as_the_message_says() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder.path(), 0o755);
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let (program, bundle) = (folder.path().join("airlock"), folder.path().join("bundle"));
    std::fs::copy(AIRLOCK, &program).unwrap();
    mode(&program, 0o755);
    write(&bundle, &made.bytes);
    mode(&bundle, 0o600);
    let as_user = |user: u32| {
        let mut command = Command::new("setpriv");
        command.args([
            &format!("--reuid={user}"),
            &format!("--regid={user}"),
            "--clear-groups",
            "--",
        ]);
        command
            .arg(&program)
            .args(["--format", "json", "bundle", "inspect"])
            .arg(&bundle);
        Ran::of(&command.output().unwrap())
    };
    let remedy = as_user(54_321).remedy("E-IO", "io");
    assert_eq!(
        remedy,
        "run the command as the user that owns it, or change its owner or mode"
    );
    as_user(0).succeeded();
    mode(&bundle, 0o644);
    as_user(54_321).succeeded();
    mode(&bundle, 0o600);
    as_user(54_321).remedy("E-IO", "io");
    let changed = Command::new("chown").arg("54321").arg(&bundle).status().unwrap();
    assert!(changed.success());
    as_user(54_321).succeeded();
}

#[test]
fn a_file_system_is_mounted_for_writing_as_the_message_says() {
    let test = "remedies::disk::a_file_system_is_mounted_for_writing_as_the_message_says";
    if !in_namespace(test) {
        return;
    }
    let disk = Disk::mount("tmpfs").unwrap();
    let mount = |how: &str| {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{how}")]).arg(disk.path());
        assert!(command.status().unwrap().success());
    };
    let operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let init = |state: &Path| {
        let (root, state) = (root.to_str().unwrap(), state.to_str().unwrap());
        operator.run(&["init", "--site", "x", "--trust", root, "--state", state])
    };
    mount("ro");
    let remedy = init(&disk.path().join("state")).remedy("E-IO", "io");
    assert_eq!(remedy, "mount it for writing, or name another place");
    let elsewhere = tempfile::tempdir().unwrap();
    init(&elsewhere.path().join("state")).succeeded();
    mount("rw");
    init(&disk.path().join("state")).succeeded();
}

/// A disk with errors: the kernel's messages are looked at, and it is tried again.
#[test]
fn after_an_error_of_the_disk_it_is_tried_again() {
    if !strace::available() {
        return;
    }
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let file = operator.bundle(&made);
    let import = ["import", file.to_str().unwrap()];
    let remedy = faulty(&operator, &file, &["openat:error=EIO"], &import).remedy("E-IO", "io");
    assert_eq!(remedy, "look at what the kernel says of it (`dmesg`), and try again");
    assert!(Command::new("dmesg").output().is_ok(), "there is such a program");
    // What stands where a new file shall be made.
    let state = tempfile::tempdir().unwrap();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let words = |name: &str| {
        let state = state.path().join(name).to_str().unwrap().to_owned();
        [
            "init",
            "--site",
            "x",
            "--trust",
            root.to_str().unwrap(),
            "--state",
            &state,
        ]
        .map(ToOwned::to_owned)
    };
    let first = words("a");
    let first = first.each_ref().map(String::as_str);
    let pin = format!("a/roots/.{}.json.new", operator.vendor.chain().domain());
    let remedy = faulty(
        &operator,
        &state.path().join(pin),
        &["?open,openat:error=EEXIST"],
        &first,
    )
    .remedy("E-IO", "io");
    assert!(
        remedy.starts_with("try again; where it stays, name another path, or move it away; then"),
        "{remedy}"
    );
    let other = words("b");
    operator.run(&other.each_ref().map(String::as_str)).succeeded();
    let (from, to) = (state.path().join("a"), state.path().join("c"));
    assert!(Command::new("mv").args([from, to]).status().unwrap().success());
    operator.run(&first).succeeded();
    // The database: of a failing disk, and of a full one.
    let log = operator.state().join("airlock.db-wal");
    for (fault, class, code, says) in [
        (
            "pwrite64:error=EIO",
            "E-IO",
            "database-io",
            "check the disk and the permissions of the folder",
        ),
        (
            "pwrite64:error=ENOSPC",
            "E-SPACE",
            "no-space",
            "free space and try again",
        ),
    ] {
        assert_eq!(faulty(&operator, &log, &[fault], &import).remedy(class, code), says);
    }
    operator.run(&import).succeeded();
}

/// A file system without unnamed files: the state folder is kept on another one, where the import works.
#[test]
fn a_file_system_without_unnamed_files_is_replaced_as_the_message_says() {
    if !strace::available() {
        return;
    }
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let file = operator.bundle(&made);
    let import = ["import", file.to_str().unwrap()];
    let store = operator.state().join("blobs/sha256");
    let lacking = ["?open:error=EOPNOTSUPP:when=2+"];
    let remedy = faulty(&operator, &store, &lacking, &import).remedy("E-IO", "io");
    let begins = "keep the state folder on a file system that has such files: ";
    assert!(remedy.starts_with(begins), "{remedy}");
    // On another one, which has them.
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = Command::new("mv")
        .arg(operator.state())
        .arg(elsewhere.path())
        .status()
        .unwrap();
    assert!(moved.success());
    let state = elsewhere.path().join("state");
    let words = [import[0], import[1], "--state", state.to_str().unwrap()];
    operator.run(&words).succeeded();
    // What fails there otherwise says something else: where the store is opened, and where a blob is made.
    for fault in ["?open:error=EIO:when=1", "?open:error=EIO:when=2+"] {
        let other = operator.fresh();
        let store = other.state().join("blobs/sha256");
        let remedy = faulty(&other, &store, &[fault], &import).remedy("E-IO", "io");
        assert!(remedy.contains("dmesg"), "{remedy}");
    }
}

/// What an earlier try stored is gone, or goes while it is read: the same bundle comes in at the next try.
#[test]
fn what_an_earlier_try_stored_and_is_gone_is_imported_once_more() {
    if !strace::available() {
        return;
    }
    let operator = Operator::new();
    let (made, file) = large(&operator);
    let half = &made.bytes[..made.bytes.len() - 2_000_000];
    let once_more = |remedy: &str| {
        for command in commands(remedy) {
            operator.follow(&command, &[("FILE", &file)]).succeeded();
        }
    };
    let fresh = operator.state().with_extension("fresh");
    super::follow::copy(&operator.state(), &fresh);
    let again = || {
        std::fs::remove_dir_all(operator.state()).unwrap();
        super::follow::copy(&fresh, &operator.state());
        let short = operator.file("short.airlock", half);
        let remedy = operator.run(&["import", short.to_str().unwrap()]);
        remedy.remedy("E-INCOMPLETE", "truncated");
        let staging = operator.state().join("incoming").join(&incoming(&operator.state())[0]);
        staging.join("midstates")
    };
    let import = ["import", file.as_str()];
    // A small blob that was stored.
    again();
    let hex = made.layers[0].0.to_hex();
    std::fs::remove_file(operator.state().join("blobs/sha256").join(&hex[..2]).join(hex)).unwrap();
    once_more(&operator.run(&import).remedy("E-STATE", "staging"));
    // What was kept of the large one's hash ends early.
    let midstates = again();
    once_more(&faulty(&operator, &midstates, &["pread64:retval=0:when=1"], &import).remedy("E-STATE", "staging"));
}

/// A new status database that could not be completed: the disk is checked, and it is tried again by itself.
#[test]
fn a_status_database_that_could_not_be_made_is_made_once_the_disk_is_well() {
    if !strace::available() {
        return;
    }
    let operator = Operator::new();
    operator
        .import(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS))
        .succeeded();
    let state = operator.state();
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(state.join(format!("status.db{suffix}"))).ok();
    }
    write(&state.join("status.db"), b"garbage");
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("strace");
    // -D: the program is the child itself, and ends with the test.
    command.args(["-D", "-f", "-e", "signal=none", "-o"]).arg(trace.path());
    command.arg("-P").arg(state.join("status.db.new"));
    // What the log holds cannot be moved into the file.
    command.args([
        "-e",
        "trace=pwrite64",
        "-e",
        "inject=pwrite64:error=EIO:when=2",
        "--",
        AIRLOCK,
    ]);
    let serving = Logged::spawn(&operator, command, &["--listen", "127.0.0.1:0"]);
    let told = serving.last_error("could not be moved into its database");
    assert!(
        told.contains("database-io") && told.contains("check the disk, and that it is not full"),
        "{told}"
    );
    wait_for("the status database", || get(serving.address, "/readyz").status == 200);
}

/// Somebody else writes into the database for longer than a command waits: it is tried again once that has ended. The wait takes ten
/// seconds, so this is one of the slow tests.
#[test]
fn what_a_writer_holds_too_long_is_tried_again() {
    if std::env::var_os("AIRLOCK_SLOW").is_none() {
        println!("skipped: AIRLOCK_SLOW is not set");
        return;
    }
    let operator = Operator::new();
    let file = operator.bundle(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS));
    let import = || operator.run(&["import", file.to_str().unwrap()]);
    let holder = rusqlite::Connection::open(operator.state().join("airlock.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(import().remedy("E-BUSY", "database-busy"), "try again");
    holder.execute_batch("ROLLBACK").unwrap();
    import().succeeded();
}

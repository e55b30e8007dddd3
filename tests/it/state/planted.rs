//! F19: whatever stands under a name that is read or written in the state folder without being what belongs there is refused, nothing
//! outside is written, and nothing waits.
//!
//! The names are those that real runs open, make or rename to, taken from their traces: a name that is added later is tested by itself.
//! `AIRLOCK_SLOW=1` plants everything under each of them, else each gets every fifth thing in turn.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode};

use super::workshop::{Workshop, assert_same, everything, on, run, said, verdict};
use crate::support::appliance::{Appliance, Serving, check, import_arguments, scratch, write};
use crate::support::strace;

/// What is planted under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    /// A link to what was there, moved outside, or to another file there.
    Link,
    /// A link to a name outside that is free.
    Dangling,
    /// Another name of a file outside.
    HardLink,
    Pipe,
    Folder,
    /// `/dev/full`: an opening that writes would fail, one that reads gets zeroes without end.
    Device,
}

impl Plant {
    const ALL: [Self; 6] = [
        Self::Link,
        Self::Dangling,
        Self::HardLink,
        Self::Pipe,
        Self::Folder,
        Self::Device,
    ];

    /// Plants it; returns false where that says nothing (a folder where one belongs), or the machine does not allow it.
    fn plant(self, name: &Path, outside: &Path) -> bool {
        let victim = outside.join("victim");
        let was_folder = name.symlink_metadata().is_ok_and(|data| data.is_dir());
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        if name.symlink_metadata().is_ok() {
            #[expect(clippy::disallowed_methods, reason = "a test's own files")]
            fs::rename(name, &victim).unwrap();
        } else {
            write(&victim, b"root's own file");
        }
        match self {
            Self::Link => symlink(&victim, name).unwrap(),
            Self::Dangling => symlink(outside.join("free"), name).unwrap(),
            Self::HardLink | Self::Folder if was_folder => return false,
            Self::HardLink => fs::hard_link(&victim, name).unwrap(),
            Self::Pipe => rustix::fs::mknodat(CWD, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            Self::Folder => fs::create_dir(name).unwrap(),
            Self::Device => {
                let full = rustix::fs::makedev(1, 7);
                return rustix::fs::mknodat(CWD, name, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, full)
                    .is_ok();
            }
        }
        true
    }
}

/// The names below a state folder that a run opens, makes, renames or links to.
fn names(state: &Path, line: &[OsString]) -> BTreeSet<PathBuf> {
    let traced =
        "trace=open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlinkat,mknodat";
    let run = strace::run(&[strace::SELECTIVE.into(), "-e".into(), traced.into()], line);
    assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
    below(state, run.calls.iter().map(|call| call.rest.as_str()))
}

fn below<'a>(state: &Path, calls: impl Iterator<Item = &'a str>) -> BTreeSet<PathBuf> {
    let beginning = format!("\"{}/", state.display());
    let mut found = BTreeSet::new();
    for call in calls {
        for (at, _) in call.match_indices(&beginning) {
            let name = call[at + beginning.len()..].split('"').next().unwrap();
            found.insert(PathBuf::from(name));
        }
    }
    found
}

/// Names of blobs: what stands there and is not the blob is damage, which is set aside.
fn is_blob(name: &Path) -> bool {
    name.starts_with("blobs/sha256") && name.file_name().unwrap().len() == 64
}

/// A name of a folder that holds a byte's blobs: one of them stands for the others.
fn is_one_of_many(name: &Path) -> bool {
    name.starts_with("blobs/sha256") && name.file_name().unwrap().len() == 2
}

fn slow() -> bool {
    std::env::var_os("AIRLOCK_SLOW").is_some()
}

/// The least that is tried of what both traces name: no name may be lost on the way.
fn least() -> usize {
    if slow() { 150 } else { 30 }
}

/// Plants something of everything under every name, runs the command, and judges what became of it.
fn try_all(base: &Appliance, names: &BTreeSet<PathBuf>, line: &dyn Fn(&Path) -> Vec<OsString>) -> usize {
    let mut tried = 0;
    let mut byte = None;
    let every = if slow() { 1 } else { 5 };
    for (turn, name) in names.iter().enumerate() {
        if is_blob(name) || (is_one_of_many(name) && byte.get_or_insert(name) != &name) {
            continue;
        }
        for plant in Plant::ALL.into_iter().skip(turn % every).step_by(every) {
            let copy = base.copy();
            let (state, outside) = (copy.path(), scratch());
            let path = state.join(name);
            // A folder that a stopped import left is no plant.
            let makes_folder = name.parent() == Some(Path::new("incoming"));
            if (plant == Plant::Folder && makes_folder) || !plant.plant(&path, outside.path()) {
                continue;
            }
            let before = everything(outside.path());
            let ended = run(&[], &line(&state));
            let told = (verdict(&ended), ended.code);
            let expected = (("E-STATE".to_owned(), "planted".to_owned()), Some(27));
            assert_eq!(told, expected, "{plant:?} {}: {}", name.display(), ended.stderr);
            let found = said(&ended, "found");
            assert!(found.contains(&path.display().to_string()), "{plant:?}: {found}");
            assert!(said(&ended, "remedy").contains("move it away"), "{}", ended.stderr);
            assert_same(
                &everything(outside.path()),
                &before,
                &format!("{plant:?} {}", name.display()),
            );
            tried += 1;
        }
    }
    tried
}

#[test]
fn f19_nothing_that_was_planted_is_followed_written_or_waited_for_by_an_import() {
    if !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    let (first, second) = (workshop.bundle("cut"), workshop.bundle("2"));
    // A first try was cut off: there is a journal, and the beginning of a large blob.
    write(&first, &workshop.releases[1].bytes[..2_000_000]);
    let begun = workshop.base.copy();
    begun.import(&first).assert_refused("E-INCOMPLETE", "truncated", "X11");
    let mut tried = 0;
    for base in [&workshop.base, &begun] {
        let copy = base.copy();
        let names = names(&copy.path(), &import_arguments(&copy.path(), &second));
        // One receipt for the import and one for the activation of each release.
        let receipt = format!("receipts/.{}-3.json.new", workshop.vendor.chain().domain());
        for expected in [
            "airlock.db-wal",
            "marks",
            ".marks.new",
            &receipt,
            "lock",
            "identity/status.pem",
        ] {
            assert!(
                names.contains(Path::new(expected)),
                "no {expected} in the trace: {names:?}"
            );
        }
        let inside = |end: &str| {
            names
                .iter()
                .any(|name| name.starts_with("incoming") && name.to_string_lossy().ends_with(end))
        };
        assert!(inside("/.journal.new") && inside(".part"), "{names:?}");
        // Once a first try was cut off, only what it left is new.
        let of_import = |name: &PathBuf| tried == 0 || name.starts_with("incoming");
        let names = names.into_iter().filter(of_import).collect();
        tried += try_all(base, &names, &|state| import_arguments(state, &second).split_off(2));
        // The twin: nothing planted.
        assert_eq!(check(&copy.path(), &[&workshop.releases[0], &workshop.releases[1]]), 2);
    }
    println!("{tried} imports refused what was planted");
    assert!(tried > least(), "only {tried} were tried");
}

/// What stands under the name of a blob is damage of the store: it is kept as evidence, and the blob takes its place.
#[test]
fn f19_what_stands_in_a_blobs_place_is_set_aside() {
    let workshop = Workshop::new();
    let blob = |digest: &airlock::domain::Digest| {
        let hex = digest.0.to_hex();
        PathBuf::from(format!("blobs/sha256/{}/{hex}", &hex[..2]))
    };
    // The one that is written at once, and the one that grows.
    for digest in &workshop.releases[1].layers {
        for plant in [Plant::Link, Plant::Dangling, Plant::Pipe, Plant::Folder, Plant::Device] {
            let copy = workshop.base.copy();
            let outside = scratch();
            if !plant.plant(&copy.path().join(blob(digest)), outside.path()) {
                continue;
            }
            let before = everything(outside.path());
            let ended = run(&[], &import_arguments(&copy.path(), &workshop.bundle("2")).split_off(2));
            ended.assert_imported();
            assert_same(&everything(outside.path()), &before, &format!("{plant:?}"));
            assert_eq!(
                fs::read_dir(copy.path().join("evidence")).unwrap().count(),
                1,
                "{plant:?}"
            );
            assert_eq!(check(&copy.path(), &[&workshop.releases[0], &workshop.releases[1]]), 2);
        }
    }
}

/// Every other command that opens the state refuses before it does anything.
#[test]
fn f19_no_command_works_in_a_state_with_something_planted() {
    let workshop = Workshop::new();
    let commands: [&[&str]; 9] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["release", "list"],
        &["release", "show", "1"],
        &["release", "activate", "1"],
        &["target", "list"],
        &["target", "watch"],
        &["target", "secret", "edge-0"],
        &["trust", "show"],
        &["import", "/nowhere"],
    ];
    let names = [
        "airlock.db",
        "status.db-wal",
        "identity/token.key",
        "identity/ca.key",
        "roots",
        ".status-mark.new",
    ];
    for command in commands {
        for name in names {
            let copy = workshop.base.copy();
            let (state, outside) = (copy.path(), scratch());
            assert!(Plant::Link.plant(&state.join(name), outside.path()));
            let before = (everything(&state), everything(outside.path()));
            let ended = run(&[], &on(&state, command));
            assert_eq!(
                verdict(&ended),
                ("E-STATE".into(), "planted".into()),
                "{command:?} {name}: {}",
                ended.stderr
            );
            assert_eq!(
                (everything(&state), everything(outside.path())),
                before,
                "{command:?} {name}"
            );
        }
    }
}

/// What a server and its agents' reports touch, from the trace of the whole loop.
#[cfg(feature = "vendor")]
#[test]
fn f19_a_server_starts_on_nothing_that_was_planted() {
    if !strace::available() {
        return;
    }
    let folder = scratch();
    let state = folder.path().join("d/site");
    let line = [
        "demo".into(),
        "--once".into(),
        "--dir".into(),
        folder.path().join("d").into(),
    ];
    let all = names(&state, &line);
    for expected in ["status.db-wal", "status-mark", ".status-mark.new", "identity/token.key"] {
        assert!(all.contains(Path::new(expected)), "no {expected} in the trace: {all:?}");
    }
    // Those of a server: neither of a running import, nor written by `init` alone.
    let of_import = ["incoming/", "receipts/", "outbox/"];
    let by_init_alone = ["identity/recipient.key"];
    let kept = |name: &&PathBuf| {
        let name = name.to_string_lossy();
        let new = name.contains("/.") && name.starts_with("roots/");
        !of_import.iter().any(|beginning| name.starts_with(beginning)) && !by_init_alone.contains(&&*name) && !new
    };
    let workshop = Workshop::new();
    // The file of a root is named after its domain.
    let renamed = |name: &PathBuf| {
        if name.starts_with("roots/") {
            let root = fs::read_dir(workshop.base.path().join("roots")).unwrap().next();
            Path::new("roots").join(root.unwrap().unwrap().file_name())
        } else {
            name.clone()
        }
    };
    let names: BTreeSet<PathBuf> = all.iter().filter(kept).map(renamed).collect();
    let tried = try_all(&workshop.base, &names, &|state| {
        on(state, &["serve", "--listen", "127.0.0.1:0"])
    });
    println!("{tried} servers refused what was planted under {names:?}");
    assert!(tried > least(), "only {tried} were tried");
    // The twin.
    let server = Serving::start(&workshop.base.path());
    server.assert_serves(&workshop.releases[0]);
    assert!(server.stop().success());
}

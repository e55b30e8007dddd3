//! A backup of an appliance, and the appliance that it makes: another life of the same site, which no older release comes into.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::FlockOperation;
use serde_json::Value;

use super::world::{World, stored};
use crate::support::appliance::{AIRLOCK, Ended, Serving, audit_actions, import_command, read, write, write_private};
use crate::support::bundles::Made;

/// A passphrase, and files beside the appliance.
pub(super) struct Safe {
    folder: tempfile::TempDir,
}

impl Safe {
    pub(super) fn new() -> Self {
        let safe = Self {
            folder: crate::support::appliance::scratch(),
        };
        write_private(&safe.path("passphrase"), b"correct horse battery staple\n");
        write_private(&safe.path("other"), b"tr0ub4dor&3\n");
        safe
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The words of a command, where `@NAME` is a file here.
    pub(super) fn words(&self, words: &[&str]) -> Vec<OsString> {
        let word = |word: &&str| match word.strip_prefix('@') {
            Some(name) => self.path(name).into_os_string(),
            None => OsString::from(word),
        };
        let json = ["--format", "json"].map(OsString::from);
        json.into_iter().chain(words.iter().map(word)).collect()
    }

    /// With the passphrase, unless another one is said.
    pub(super) fn run(&self, words: &[&str]) -> Ended {
        let mut words = self.words(words);
        if !words.iter().any(|word| word == "--passphrase-file") {
            words.extend(self.words(&["--passphrase-file", "@passphrase"]).split_off(2));
        }
        let mut command = Command::new(AIRLOCK);
        Ended::of(&command.args(words).stdin(Stdio::null()).output().unwrap())
    }

    /// Without a passphrase.
    pub(super) fn unlocked(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(AIRLOCK);
        Ended::of(&command.args(self.words(words)).stdin(Stdio::null()).output().unwrap())
    }

    /// As [`Self::unlocked`], where that ends well.
    #[track_caller]
    pub(super) fn plain(&self, words: &[&str]) -> Value {
        let ended = self.unlocked(words);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.result
    }

    #[track_caller]
    pub(super) fn good(&self, words: &[&str]) -> Value {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.result
    }

    #[track_caller]
    pub(super) fn back_up(&self, state: &Path, name: &str, more: &[&str]) -> Value {
        let name = format!("@{name}");
        let words = [
            &["backup", "-o", name.as_str(), "--state", state.to_str().unwrap()],
            more,
        ]
        .concat();
        self.good(&words)
    }

    /// Makes a backup in this process, whose key takes little: as its head says.
    #[track_caller]
    pub(super) fn quick(&self, state: &Path, name: &str, content: bool) {
        let clock = airlock::domain::SystemClock;
        let appliance = airlock::appliance::Appliance::open(state, std::sync::Arc::new(clock)).unwrap();
        let sealing = airlock::backup::Sealing {
            passphrase: "correct horse battery staple",
            cost: airlock::crypto::PassphraseCost::LEAST,
        };
        let now = airlock::domain::Clock::now(&clock);
        appliance
            .backup(&self.path(name), sealing, content, now, &mut |_, _| {})
            .unwrap();
    }

    /// Puts a backup back under a name, and returns the state folder.
    #[track_caller]
    pub(super) fn restore(&self, name: &str, state: &str, more: &[&str]) -> PathBuf {
        let (name, place) = (format!("@{name}"), format!("@{state}"));
        self.good(&[&["restore", name.as_str(), "--yes", "--state", place.as_str()], more].concat());
        self.path(state)
    }
}

fn import(safe: &Safe, state: &Path, made: &Made) -> Ended {
    let bundle = safe.path("bundle");
    write(&bundle, &made.bytes);
    Ended::of(&import_command(state, &bundle).output().unwrap())
}

fn ask(safe: &Safe, state: &Path, words: &[&str]) -> Value {
    safe.plain(&[words, &["--state", state.to_str().unwrap()]].concat())
}

#[test]
fn what_is_put_back_is_another_life_of_the_same_site_and_heals_by_its_bundles() {
    let (world, safe) = (World::new(2), Safe::new());
    let serving = Serving::start(&world.state());
    let made = safe.back_up(&world.state(), "backup", &[]);
    assert_eq!((&made["content"], &made["blobs"]), (&false.into(), &0.into()), "{made}");
    serving.assert_serves(&world.releases[1]);
    let left: Vec<_> = std::fs::read_dir(world.state())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("copy"))
        .collect();
    assert!(left.is_empty() && !safe.path("backup.partial").is_file(), "{left:?}");
    assert_eq!(world.rows("backup").len(), 1);

    let checked = safe.good(&["backup", "--check", "@backup"]);
    assert_eq!(checked["of"]["kind"], "site", "{checked}");
    assert_eq!(
        (&checked["of"]["facts"]["site"], &checked["files"]),
        (&made["site"], &made["files"])
    );

    let state = safe.restore("backup", "state", &[]);
    assert!(stored(&state).is_empty());
    let actions = audit_actions(&state);
    assert!(
        actions.ends_with(&["instance".to_owned(), "put-back".to_owned()]),
        "{actions:?}"
    );
    ask(&safe, &state, &["audit", "verify"]);
    let shown = |what| ask(&safe, &state, &["audit", "show", "--what", what])["rows"][0]["detail"].clone();
    let begun = shown("instance");
    assert_eq!(
        (&begun["reason"], &begun["parent"]),
        (&"restored".into(), &made["instance"]),
        "{begun}"
    );
    assert_eq!(shown("put-back")["before"], made["instance"]);
    // Opened again, it is the same life.
    assert_eq!(audit_actions(&state), actions);

    // What is live is known, what of it is not here is said, and comes back with its bundle.
    let list = ask(&safe, &state, &["release", "list"]);
    assert_eq!(list["releases"].as_array().unwrap().len(), 2, "{list}");
    for made in &world.releases {
        let healed = import(&safe, &state, made);
        assert_eq!((healed.code, healed.word()), (Some(0), "already"), "{}", healed.stderr);
        assert!(healed.result["restored_blobs"].as_u64() > Some(0), "{}", healed.result);
    }
    assert_eq!(stored(&state), world.stored());
    Serving::start(&state).assert_serves(&world.releases[1]);
    import(&safe, &state, &world.release(3, 1000)).assert_imported();
}

#[test]
fn with_content_it_serves_at_once_and_an_import_that_runs_is_no_hindrance() {
    let (world, safe) = (World::new(1), Safe::new());
    let lock = std::fs::File::open(world.state().join("lock")).unwrap();
    rustix::fs::flock(lock.as_fd(), FlockOperation::LockExclusive).unwrap();
    let made = safe.back_up(&world.state(), "backup", &["--with-content"]);
    assert_eq!(made["blobs"], world.stored().len(), "{made}");
    let state = safe.restore("backup", "state", &[]);
    assert_eq!(stored(&state), world.stored());
    let (before, after) = (modes(&world.state()), modes(&state));
    for (name, mode) in &after {
        let held = before.get(name);
        assert!(held.is_none_or(|held| held == mode), "{name}: {mode:o} {held:?}");
    }
    for part in [
        "airlock.db",
        "marks",
        "identity/ca.pem",
        "identity/token.key",
        "identity",
        ".",
    ] {
        assert!(
            before.contains_key(part) && after.contains_key(part),
            "{part}: {after:?}"
        );
    }
    Serving::start(&state).assert_serves(&world.releases[0]);
}

/// Everything in a folder, with the permissions that it has.
fn modes(folder: &Path) -> std::collections::BTreeMap<String, u32> {
    let (mut found, mut waiting) = (std::collections::BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = waiting.pop() {
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let name = match path.strip_prefix(folder).unwrap().to_str().unwrap() {
            "" => ".",
            name => name,
        };
        found.insert(
            name.to_owned(),
            std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777,
        );
    }
    found
}

/// What would be lost with the backup before it is refused by name, and nothing is written; with everything there again it is made.
#[test]
fn what_lacks_a_part_that_no_bundle_brings_back_is_not_backed_up() {
    let (world, safe) = (World::new(1), Safe::new());
    let state = world.state();
    let (source, aside) = (state.to_str().unwrap(), safe.path("aside"));
    let root = std::fs::read_dir(state.join("roots"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for (path, code) in [
        (state.join("identity/revision.key"), "revision-key"),
        (state.join("identity/ca.key"), "authority"),
        (root, "pin-missing"),
    ] {
        rustix::fs::rename(&path, &aside).unwrap();
        let refused = safe.run(&["backup", "-o", "@backup", "--state", source]);
        refused.assert_refused("E-STATE", code, "");
        assert!(!refused.remedy().is_empty() && !safe.path("backup").is_file(), "{code}");
        rustix::fs::rename(&aside, &path).unwrap();
    }
    safe.back_up(&state, "backup", &[]);
}

/// What of a backup is no good is refused before anything is written; each with the same words that work for the good one.
#[test]
fn what_is_not_this_backup_whole_is_refused_and_nothing_is_written() {
    let (world, safe) = (World::new(1), Safe::new());
    safe.quick(&world.state(), "backup", false);
    let good = read(&safe.path("backup"));
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let newer = [b"airlock-backup 7", &good[16..]].concat();
    let cases: [(&str, Vec<u8>, &str, &str); 6] = [
        (
            "no backup",
            b"a letter to somebody else".to_vec(),
            "E-FORMAT",
            "no-backup",
        ),
        ("newer", newer, "E-FORMAT", "backup-version"),
        ("cut", good[..good.len() - 1000].to_vec(), "E-INCOMPLETE", "backup-cut"),
        ("flipped", changed(good.len() / 2), "E-INTEGRITY", "backup-damaged"),
        ("its head", changed(40), "E-INTEGRITY", "backup-damaged"),
        ("its end", changed(good.len() - 30), "E-INTEGRITY", "backup-damaged"),
    ];
    for (what, bytes, class, code) in cases {
        write(&safe.path("bad"), &bytes);
        for words in [
            ["backup", "--check", "@bad"].as_slice(),
            &["restore", "@bad", "--yes", "--state", "@state"],
        ] {
            let ended = safe.run(words);
            ended.assert_refused(class, code, "");
            assert!(!ended.remedy().is_empty(), "{what}");
        }
        assert!(!safe.path("state").is_dir(), "{what}");
    }
    let wrong = [
        "restore",
        "@backup",
        "--yes",
        "--state",
        "@state",
        "--passphrase-file",
        "@other",
    ];
    safe.run(&wrong).assert_refused("E-TRUST", "passphrase", "");
    let mut command = Command::new(AIRLOCK);
    let nobody = command
        .args(safe.words(&wrong[..5]))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended::of(&nobody).assert_refused("E-TRUST", "passphrase", "");
    let unasked = safe.run(&["restore", "@backup", "--state", "@state"]);
    unasked.assert_refused("E-USAGE", "confirm", "");
    assert!(unasked.remedy().contains(" --passphrase-file "), "{}", unasked.remedy());
    assert!(!safe.path("state").is_dir());
    let state = safe.restore("backup", "state", &[]);

    // Nothing is written into a folder that holds anything, and no backup over anything.
    let before = audit_actions(&state);
    for (place, code) in [("@state", "already"), ("@.", "not-empty")] {
        let refused = safe.run(&["restore", "@backup", "--yes", "--state", place]);
        refused.assert_refused("E-STATE", code, "");
    }
    std::fs::create_dir_all(safe.path("part/identity")).unwrap();
    let refused = safe.run(&["restore", "@backup", "--yes", "--state", "@part"]);
    refused.assert_refused("E-STATE", "part-of-state", "");
    assert_eq!(audit_actions(&state), before);
    let source = world.state();
    let words = ["backup", "-o", "@backup", "--state", source.to_str().unwrap()];
    safe.run(&words).assert_refused("E-USAGE", "output", "");
    assert_eq!(read(&safe.path("backup")), good);
    safe.back_up(&source, "another-name", &[]);
    let inside = source.join("backup");
    let words = [
        "backup",
        "-o",
        inside.to_str().unwrap(),
        "--state",
        source.to_str().unwrap(),
    ];
    safe.run(&words).assert_refused("E-USAGE", "output", "");
}

/// F13 with a backup: what had come further is taken over where it is at hand, and told where it is not.
#[test]
fn f13_marks_of_the_folder_before_or_of_a_newer_backup_are_taken_over() {
    let (world, safe) = (World::new(1), Safe::new());
    let (second, third) = (world.release(2, 1000), world.release(3, 1000));
    safe.quick(&world.state(), "old", false);
    world.import(&third).assert_imported();
    safe.quick(&world.state(), "newer", false);
    let source = world.state();

    // Without a word of what came since, the second release counts as never seen; that is said.
    let alone = safe.run(&["restore", "@old", "--yes", "--state", "@alone"]);
    assert_eq!(alone.code, Some(0), "{}", alone.stderr);
    assert!(alone.stderr.contains("nothing was compared"), "{}", alone.stderr);
    import(&safe, &safe.path("alone"), &second).assert_imported();

    for (number, against) in [source.to_str().unwrap(), safe.path("newer").to_str().unwrap()]
        .into_iter()
        .enumerate()
    {
        let place = format!("@state-{number}");
        let ended = safe.run(&["restore", "@old", "--yes", "--state", &place, "--against", against]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("release 3 was imported since"),
            "{}",
            ended.stderr
        );
        assert_eq!(
            ended.result["taken_over"]["marks"][0]["sequence"], 3,
            "{}",
            ended.result
        );
        let state = safe.path(&format!("state-{number}"));
        let refused = import(&safe, &state, &second);
        assert_eq!(
            refused.refusal.as_ref().map(|it| it.0.as_str()),
            Some("E-ROLLBACK"),
            "{}",
            refused.stderr
        );
        import(&safe, &state, &third).assert_imported();
    }

    // A database that cannot be read is told, and its marks count all the same.
    let broken = world.copy();
    write(
        &broken.state().join("airlock.db"),
        b"this is no database at all, and long enough to be looked at as one",
    );
    let path = broken.state();
    let ended = safe.run(&[
        "restore",
        "@old",
        "--yes",
        "--state",
        "@again",
        "--against",
        path.to_str().unwrap(),
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("could not be compared"), "{}", ended.stderr);
    assert_eq!(
        ended.result["taken_over"]["marks"][0]["sequence"], 3,
        "{}",
        ended.result
    );

    // Another site's says nothing of this one.
    let other = World::new(0);
    let path = other.state();
    let words = [
        "restore",
        "@old",
        "--yes",
        "--state",
        "@other-state",
        "--against",
        path.to_str().unwrap(),
    ];
    safe.run(&words).assert_refused("E-USAGE", "other-site", "");
    assert!(!safe.path("other-state").is_dir());
    safe.good(&words[..5]);
}

/// How many have to approve what leaves does not go down with a backup, nor unsaid with a configuration that was not put back.
#[test]
fn fewer_approvals_than_before_are_told_or_not_taken() {
    let (world, safe) = (World::new(0), Safe::new());
    safe.quick(&world.state(), "old", false);
    world.appliance().unwrap().ask_approvals(2).unwrap();
    let state = world.state();
    let config = safe.path("airlock.toml");
    write(&config, b"[export]\napprovals = 1\nkeys = \"/nowhere/keys.json\"\n");
    let words = [
        "restore",
        "@old",
        "--yes",
        "--state",
        "@state",
        "--against",
        state.to_str().unwrap(),
    ];
    let ended = safe.run(&[&words[..], &["--config", config.to_str().unwrap()]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.result["taken_over"]["approvals"], 2, "{}", ended.result);
    for says in ["needs 2 approvals, as there", "asks for 1: put /etc/airlock back"] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    let restored = safe.path("state");
    assert!(audit_actions(&restored).contains(&"approvals".to_owned()));
    let clock = std::sync::Arc::new(airlock::domain::SystemClock);
    let appliance = airlock::appliance::Appliance::open(&restored, clock).unwrap();
    assert_eq!(appliance.approvals_asked().unwrap(), 2);
    // Where the backup knows as much, and so does the configuration, there is nothing to say.
    safe.quick(&state, "new", false);
    write(&config, b"[export]\napprovals = 2\nkeys = \"/nowhere/keys.json\"\n");
    let words = [
        "restore",
        "@new",
        "--yes",
        "--state",
        "@again",
        "--config",
        config.to_str().unwrap(),
    ];
    let ended = safe.run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("approval"), "{}", ended.stderr);
}

#[test]
fn one_backup_and_one_restore_at_a_time_and_the_next_one_works() {
    let (world, safe) = (World::new(0), Safe::new());
    let state = world.state();
    let words = ["backup", "-o", "@backup", "--state", state.to_str().unwrap()];
    for held in [state.join("airlock.db.copy"), safe.path("backup.partial")] {
        write(&held, b"");
        let file = std::fs::File::open(&held).unwrap();
        rustix::fs::flock(file.as_fd(), FlockOperation::LockExclusive).unwrap();
        let refused = safe.run(&words);
        refused.assert_refused("E-BUSY", "backup", "");
        assert_eq!(refused.remedy(), "wait for it to end");
        assert!(!safe.path("backup").is_file());
        rustix::fs::flock(file.as_fd(), FlockOperation::Unlock).unwrap();
    }
    safe.good(&words);

    let words = ["restore", "@backup", "--yes", "--state", "@state"];
    std::fs::create_dir(safe.path("state")).unwrap();
    let marker = safe.path("state/restoring");
    write(&marker, b"");
    let file = std::fs::File::open(&marker).unwrap();
    rustix::fs::flock(file.as_fd(), FlockOperation::LockExclusive).unwrap();
    let refused = safe.run(&words);
    refused.assert_refused("E-BUSY", "restore", "");
    assert_eq!(refused.remedy(), "wait for it to end");
    rustix::fs::flock(file.as_fd(), FlockOperation::Unlock).unwrap();
    safe.good(&words);
    assert!(!marker.is_file());
}

//! Remedies about the state folder: whose it is, what stands in it, and copies of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use airlock::db::site::audit;
use airlock::db::{Db, Schema, SqlResult as _};

use super::follow::{Operator, Ran, commands, copy};
use crate::support::appliance::{AIRLOCK, read};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::left_out::is_root;
use crate::support::site::noise;
use crate::support::strace;

/// Runs a line of shell, as root.
fn shell(line: &str) -> Ran {
    Ran::of(&Command::new("sh").args(["-c", line]).output().unwrap())
}

/// The command that a message gives to whoever is not the owner works as it stands, in a shell that knows nothing else.
#[test]
fn a_command_is_given_as_the_owner_of_the_folder() {
    if !is_root() {
        return;
    }
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = crate::support::appliance::scratch();
    mode(folder.path(), 0o755);
    let program = folder.path().join("airlock");
    std::fs::copy(AIRLOCK, &program).unwrap();
    mode(&program, 0o755);
    let operator = Operator::new();
    let state = operator.state();
    mode(state.parent().unwrap(), 0o755);
    mode(&state, 0o755);
    // Who owns it, who runs the command, and what says so.
    for (owner, user, says) in [
        (0, 54_321, "run it as root: "),
        (
            65_534,
            54_321,
            "as root, run it as the user that the folder belongs to: runuser -u nobody -- ",
        ),
        (
            65_534,
            0,
            "run it as the user that the folder belongs to: runuser -u nobody -- ",
        ),
        (54_321, 0, "run it as the user that the folder belongs to: setpriv "),
    ] {
        let chown = format!("chown -hR {owner}:{owner} {}", state.display());
        assert!(Command::new("sh").args(["-c", &chown]).status().unwrap().success());
        let list = Command::new("setpriv")
            .args([
                &format!("--reuid={user}"),
                &format!("--regid={user}"),
                "--clear-groups",
                "--",
            ])
            .arg(&program)
            .args(["--format", "json", "release", "list"])
            .env("AIRLOCK_STATE", &state)
            .output()
            .unwrap();
        let remedy = Ran::of(&list).remedy("E-STATE", "other-user");
        assert!(remedy.starts_with(says), "{remedy}");
        let (_, command) = remedy.split_once(": ").unwrap();
        shell(command).succeeded();
    }
}

/// There is no database in a folder with something else: a whole copy, the right folder, or a new appliance in another one.
#[test]
fn a_folder_without_its_database_is_answered_with_three_ways() {
    let operator = Operator::new();
    let state = operator.state();
    let (kept, right) = (state.with_extension("kept"), state.with_extension("right"));
    copy(&state, &kept);
    copy(&state, &right);
    std::fs::remove_file(state.join("airlock.db")).unwrap();
    let list = |state: &Path| operator.run(&["release", "list", "--state", state.to_str().unwrap()]);
    let remedy = list(&state).remedy("E-STATE", "database-missing");
    let ways: Vec<&str> = remedy.split(", ").collect();
    assert_eq!(
        ways[..3],
        [
            "end airlock serve",
            "then put a whole copy of this folder in its place",
            "point --state at the right folder"
        ]
    );
    list(&right).succeeded();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let another = state.with_extension("another");
    // The message repeats the folder that was given; another one takes its place.
    let command = commands(&remedy)[0].split(" --state").next().unwrap().to_owned();
    let state_of_it = format!(" --state {}", another.display());
    let at_hand = [("ROOT.JSON", root.to_str().unwrap()), ("NAME", "x")];
    operator.follow(&(command + &state_of_it), &at_hand).succeeded();
    list(&another).succeeded();
    std::fs::remove_dir_all(&state).unwrap();
    copy(&kept, &state);
    list(&state).succeeded();
}

/// Two `airlock init` at once: one is given another folder.
#[test]
fn of_two_inits_at_once_one_is_given_another_folder() {
    if !strace::available() {
        return;
    }
    let operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let folder = crate::support::appliance::scratch();
    let words = |state: &Path| {
        let words = ["--format", "json", "init", "--site", "x", "--trust"].map(Into::into);
        let paths = [root.as_os_str(), "--state".as_ref(), state.as_os_str()].map(ToOwned::to_owned);
        words.into_iter().chain(paths).collect::<Vec<_>>()
    };
    let state = folder.path().join("a");
    let identity = state.join("identity");
    let faults = [
        "-P",
        identity.to_str().unwrap(),
        "-e",
        "trace=%file",
        "-e",
        "inject=mkdir,mkdirat:error=EEXIST",
    ];
    let log = tempfile::NamedTempFile::new().unwrap();
    let faults = faults.map(ToOwned::to_owned);
    let refused = Ran::of(&strace::command(&faults, log.path(), &words(&state)).output().unwrap());
    let remedy = refused.remedy("E-STATE", "part-of-state");
    assert_eq!(remedy, "give another --state folder");
    let made = Command::new(AIRLOCK)
        .args(words(&folder.path().join("b")))
        .output()
        .unwrap();
    Ran::of(&made).succeeded();
}

/// What a newer airlock wrote is left as it is, and serves whoever wrote it, and this one once it is of this version again.
#[test]
fn a_database_of_a_newer_airlock_is_left_to_that_one() {
    let operator = Operator::new();
    let database = operator.state().join("airlock.db");
    let newer = |sql: &str| {
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    newer("CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later VALUES (5); PRAGMA user_version = 7;");
    let before = read(&database);
    let remedy = operator.run(&["release", "list"]).remedy("E-STATE", "schema-too-new");
    assert_eq!(
        remedy,
        "use the airlock that wrote it, or a newer one; nothing in it was changed"
    );
    assert_eq!(read(&database), before);
    // The newer one, as far as it can be played here: it finds what it wrote.
    let connection = rusqlite::Connection::open(&database).unwrap();
    let found: i64 = connection
        .query_row("SELECT x FROM later", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, 5);
    drop(connection);
    newer("DROP TABLE later; PRAGMA user_version = 1;");
    operator.run(&["release", "list"]).succeeded();
}

/// A kept root or a row of the audit log that was changed: a whole copy from before is the appliance again.
#[test]
fn a_changed_root_or_audit_row_is_answered_with_a_whole_copy() {
    let mut operator = Operator::new();
    let layers = |n| [noise(100, n)];
    let first = operator.vendor.bundle(1, &layers(1), SMALL_CHUNKS);
    operator.import(&first).succeeded();
    // The next bundle brings a root, and with it the kept ones are looked at.
    Rc::get_mut(&mut operator.vendor).unwrap().replace_release_key();
    let next = operator.vendor.bundle(2, &layers(2), SMALL_CHUNKS);
    let state = operator.state();
    let (kept, evidence) = (state.with_extension("kept"), state.with_extension("evidence"));
    copy(&state, &kept);
    let restore = || {
        std::fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    };
    let other = operator.file("other.json", &Vendor::new().chain_file());
    let aside = state.with_extension("aside");
    let words = ["init", "--site", "x", "--trust", other.to_str().unwrap()];
    let words = words.into_iter().chain(["--state", aside.to_str().unwrap()]);
    operator.run(&words.collect::<Vec<_>>()).succeeded();
    let sql = |text: &str| {
        let connection = rusqlite::Connection::open(state.join("airlock.db")).unwrap();
        connection.execute_batch(text).unwrap();
    };
    sql(&format!(
        "ATTACH '{}' AS other; UPDATE trust_root SET envelope = (SELECT envelope FROM other.trust_root);",
        aside.join("airlock.db").display()
    ));
    let remedy = operator.import(&next).remedy("E-STATE", "other-root");
    assert_eq!(
        remedy,
        "end airlock serve, then put a whole copy of the state folder in its place"
    );
    restore();
    operator.import(&next).succeeded();
    restore();
    // No command looks at the whole log yet; whoever does is told so.
    let verify = || {
        let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
        db.read(audit::verify)
    };
    let rows = verify().unwrap();
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| {
        tx.execute_batch("UPDATE audit SET action = 'x' WHERE number = 1")
            .sql("damage")
    })
    .unwrap();
    drop(db);
    let error = verify().unwrap_err();
    assert_eq!(error.code(), "audit-broken");
    assert!(
        error
            .advice()
            .unwrap()
            .starts_with("end airlock serve, keep a copy of the state folder as evidence, then put a whole copy"),
        "{error}"
    );
    copy(&state, &evidence);
    restore();
    assert_eq!(verify().unwrap(), rows);
    let broken = Db::open(&evidence.join("airlock.db"), &Schema::SITE).unwrap();
    broken.read(audit::verify).unwrap_err();
}

/// The appliance is made and the copy of its enrolment file is not: it is copied from where the message says.
#[test]
fn an_enrolment_file_that_was_not_written_is_copied_from_where_it_is() {
    let operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let folder = crate::support::appliance::scratch();
    let (state, copied) = (folder.path().join("state"), folder.path().join("carry/x.json"));
    let (state, to) = (state.to_str().unwrap(), copied.to_str().unwrap());
    let words = [
        "init",
        "--site",
        "x",
        "--trust",
        root.to_str().unwrap(),
        "--state",
        state,
        "--enrolment",
        to,
    ];
    let remedy = operator.run(&words).remedy("E-IO", "io");
    let from = remedy
        .strip_prefix("the appliance is made; copy its enrolment file from ")
        .unwrap();
    std::fs::create_dir(folder.path().join("carry")).unwrap();
    assert!(Command::new("cp").args([from, to]).status().unwrap().success());
    airlock::crypto::Enrolment::parse(&read(&copied)).unwrap();
    operator.run(&["release", "list", "--state", state]).succeeded();
}

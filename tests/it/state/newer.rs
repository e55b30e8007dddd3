//! F12, F15: a database that a newer airlock wrote is refused and left as it is, to the byte: never set aside, never opened.

use std::fs;
use std::path::Path;

use airlock::db::{Db, Schema};
use airlock::domain::Class;
use airlock::http::Settings;

use super::workshop::{Workshop, assert_same, everything, on, run, said, verdict};
use crate::support::agents::Serving as Agents;
use crate::support::appliance::{Serving, import_arguments, read, wait_for, write};
use crate::support::client;
use crate::support::desired::revision_id;
use crate::support::in_process::InProcessAppliance;

/// Raises the version in the file itself.
fn raise(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .execute_batch("CREATE TABLE later (x INTEGER) STRICT; PRAGMA user_version = 7;")
        .unwrap();
}

/// Raises it where a newer airlock that was killed leaves it: in the log alone.
fn raise_in_log(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = wal; CREATE TABLE later (x INTEGER) STRICT; PRAGMA user_version = 7; CREATE TABLE more (x) STRICT;",
        )
        .unwrap_or_else(|_| connection.execute_batch("PRAGMA user_version = 7;").unwrap());
    let side = |suffix: &str| std::path::PathBuf::from(format!("{}{suffix}", database.display()));
    let copies = ["", "-wal"].map(|suffix| (side(suffix), read(&side(suffix))));
    assert!(copies[1].1.len() > 1024, "nothing stands in the log");
    drop(connection);
    for (path, bytes) in copies {
        write(&path, &bytes);
    }
    fs::remove_file(side("-shm")).ok();
}

/// Raises the version of a database.
type Raise = fn(&Path);

const RAISES: [(&str, Raise); 2] = [("in the file", raise), ("in the log", raise_in_log)];

#[test]
fn f15_a_newer_database_of_any_kind_is_left_as_it_is() {
    for schema in [Schema::SITE, Schema::STATUS, Schema::LEDGER] {
        for (how, raise) in RAISES {
            let folder = crate::support::appliance::scratch();
            let path = folder.path().join("x.db");
            drop(Db::create(&path, &schema).unwrap());
            raise(&path);
            let before = everything(folder.path());
            let error = Db::open(&path, &schema).unwrap_err();
            assert_eq!(
                (error.class(), error.code()),
                (Class::State, "schema-too-new"),
                "{} {how}: {error}",
                schema.name
            );
            assert!(
                error.found().contains("newer airlock") && error.found().contains('7'),
                "{error}"
            );
            assert_same(&everything(folder.path()), &before, &format!("{} {how}", schema.name));
        }
        // The twins: one of this version, closed and killed.
        let folder = crate::support::appliance::scratch();
        let path = folder.path().join("x.db");
        let open = Db::create(&path, &schema).unwrap();
        let copy = crate::support::appliance::scratch();
        for name in ["x.db", "x.db-wal"] {
            write(&copy.path().join(name), &read(&folder.path().join(name)));
        }
        drop(open);
        Db::open(&path, &schema).unwrap();
        Db::open(&copy.path().join("x.db"), &schema).unwrap();
    }
}

#[test]
fn f15_no_command_touches_a_newer_security_database() {
    let workshop = Workshop::new();
    for (how, raise) in RAISES {
        let copy = workshop.base.copy();
        let state = copy.path();
        raise(&state.join("airlock.db"));
        let before = everything(&state);
        let lines = [
            on(&state, &["serve", "--listen", "127.0.0.1:0"]),
            on(&state, &["release", "list"]),
            import_arguments(&state, &workshop.bundle("2")).split_off(2),
        ];
        for line in lines {
            let ended = run(&[], &line);
            assert_eq!(
                verdict(&ended),
                ("E-STATE".into(), "schema-too-new".into()),
                "{how} {line:?}: {}",
                ended.stderr
            );
            assert!(
                said(&ended, "remedy").starts_with("use the airlock that wrote it"),
                "{}",
                ended.stderr
            );
            assert_same(&everything(&state), &before, &format!("{how} {line:?}"));
        }
        let init = run(&[], &workshop.init(&state));
        assert_eq!(verdict(&init), ("E-STATE".into(), "already".into()));
        assert_same(&everything(&state), &before, how);
    }
}

fn status_files(state: &Path) -> Vec<(std::path::PathBuf, String)> {
    let kept = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("status.db");
    everything(state).into_iter().filter(|(path, _)| kept(path)).collect()
}

/// A server goes on with everything else: pulls, and what agents ask. It says what is wrong, and to agents "later".
#[test]
fn f12_a_newer_status_database_stops_no_pull_and_is_not_touched() {
    let workshop = Workshop::new();
    for (how, raise) in RAISES {
        let copy = workshop.base.copy();
        let state = copy.path();
        let open = Db::open(&state.join("status.db"), &Schema::STATUS).unwrap();
        drop(open);
        raise(&state.join("status.db"));
        let before = status_files(&state);
        let server = Serving::start(&state);
        server.assert_serves(&workshop.releases[0]);
        // It is opened while the server answers already.
        wait_for("a word of the newer database", || {
            let ready = client::get(server.address, "/readyz");
            String::from_utf8_lossy(&ready.body).contains("E-STATE schema-too-new")
        });
        assert!(server.stop().success());
        assert_eq!(status_files(&state), before, "{how}");
        // Importing goes on too.
        run(&[], &import_arguments(&state, &workshop.bundle("2")).split_off(2)).assert_imported();
        assert_eq!(status_files(&state), before, "{how}");
    }
}

#[test]
fn f12_agents_keep_what_they_report_until_the_newer_airlock_is_back() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let state = instance.state();
    let serving = Agents::start(instance, Settings::default());
    let token = serving.token("edge-0");
    let report = |serving: &Agents, text: &str| {
        let revision = revision_id("edge-0", "a");
        let body = format!(r#"{{"revisionId":"{revision}","type":"healthy","message":"{text}"}}"#);
        serving.agent(&token, "POST", "status", &body).status
    };
    assert_eq!(report(&serving, "before"), 200);
    let instance = serving.stop();
    raise(&state.join("status.db"));
    let before = status_files(&state);
    let serving = Agents::start(instance, Settings::default());
    for path in ["resources", "manifest"] {
        assert_eq!(serving.agent(&token, "GET", path, "").status, 200);
    }
    assert_eq!(report(&serving, "meanwhile"), 503);
    assert_eq!(
        serving.status.health().trouble.as_deref(),
        Some("E-STATE schema-too-new")
    );
    assert_eq!(serving.status.health().set_aside, 0);
    let instance = serving.stop();
    assert_eq!(status_files(&state), before);
    // The twin: what it was before.
    let connection = rusqlite::Connection::open(state.join("status.db")).unwrap();
    connection
        .execute_batch("DROP TABLE later; PRAGMA user_version = 1;")
        .unwrap();
    drop(connection);
    let serving = Agents::start(instance, Settings::default());
    assert_eq!(report(&serving, "after"), 200);
    assert!(serving.status.gaps().unwrap().is_empty());
}

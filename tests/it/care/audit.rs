//! The log as people read it, who did what, and what a broken one stops.

use std::process::{Command, Stdio};

use airlock::db::{Db, Schema};

use super::world::World;
use crate::support::appliance::{AIRLOCK, Ended, Serving, read, wait_for, write};
use crate::support::client::get;

#[test]
fn rows_are_found_by_act_class_and_time() {
    let world = World::new(2);
    assert_eq!(world.import(&world.release(2, 10)).refusal.unwrap().0, "E-EQUIVOCATION");
    let all = world.good(&["audit", "show"]);
    let verified = world.good(&["audit", "verify"])["rows"].as_u64();
    assert_eq!(
        (all["all"].as_u64(), all["rows"].as_array().unwrap().len() as u64),
        (verified, verified.unwrap())
    );
    assert_eq!(world.rows("import").len(), 2);
    let refused = world.good(&["audit", "show", "--class", "e-equivocation", "--what", "refuse"]);
    assert_eq!(
        (refused["matching"].as_u64(), &refused["rows"][0]["detail"]["code"]),
        (Some(1), &"same-number".into())
    );
    assert_eq!(world.good(&["audit", "show", "--class", "E-FORMAT"])["matching"], 0);
    assert_eq!(
        world.good(&["audit", "show", "--since", "2000-01-01"])["matching"].as_u64(),
        verified
    );
    assert_eq!(world.good(&["audit", "show", "--since", "2999-01-01"])["matching"], 0);
    let last = world.good(&["audit", "show", "--last", "1"]);
    assert_eq!(
        (
            last["rows"].as_array().unwrap().len(),
            last["rows"][0]["number"].as_u64()
        ),
        (1, verified)
    );
    let human = world.human(&["audit", "show", "--what", "refuse"]);
    assert!(
        human.contains("class=E-EQUIVOCATION") && human.contains("by uid "),
        "{human}"
    );
}

/// Rows say who ran the program; what leaves for a vendor does not.
#[test]
fn local_rows_say_who_it_was_and_streams_do_not() {
    let world = World::new(1);
    let mut command = Command::new(AIRLOCK);
    command
        .args(world.arguments(&["release", "activate", "1.0"]))
        .env("SUDO_USER", "alice")
        .stdin(Stdio::null());
    assert_eq!(Ended::of(&command.output().unwrap()).code, Some(0));
    let mut command = Command::new(AIRLOCK);
    command
        .args(world.arguments(&["access", "add", "ward", "--read", "crm/stable:*"]))
        .env("SUDO_USER", "alice")
        .stdin(Stdio::null());
    let added = Ended::of(&command.output().unwrap());
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    let rows = world.good(&["audit", "show", "--last", "1"]);
    let operator = &rows["rows"][0]["detail"]["operator"];
    assert_eq!(operator["uid"], rustix::process::getuid().as_raw());
    assert_eq!(operator["sudo_user"], "alice");
    assert!(
        world
            .human(&["audit", "show", "--last", "1"])
            .contains("(alice by sudo)")
    );
    for stream in crate::support::streams::all(&world.state()) {
        let said = format!("{stream:?}");
        assert!(!said.contains("operator") && !said.contains("alice"), "{said}");
    }
    let db = Db::open(&world.state().join("airlock.db"), &Schema::SITE).unwrap();
    let told = db.read(|connection| {
        let domains = airlock::db::site::stream_log::domains(connection)?;
        airlock::db::site::stream_log::list(connection, domains[0], 0, 1000)
    });
    let told = told.unwrap();
    assert!(told.len() >= 3 && told.iter().all(|row| !row.detail.contains("operator")));
}

/// Where a row is not what was written, serving goes on, readiness says so, and nothing is imported, changed, signed or let out.
#[test]
fn a_broken_log_stops_what_changes_and_nothing_else() {
    let world = World::new(1);
    let next = world.release(2, 1000);
    world.sql("UPDATE audit SET detail = '{}' WHERE number = 1");
    let rows = world.good(&["audit", "show"])["all"].clone();
    let serving = Serving::start(&world.state());
    let ready = || get(serving.address, "/readyz").json();
    wait_for("the check", || ready()["checks"]["audit"] != "running");
    let told = ready();
    assert_eq!(told["checks"]["audit"], "E-STATE audit-broken", "{told}");
    let problems = told["problems"].as_array().unwrap();
    assert!(
        problems
            .iter()
            .any(|problem| problem["part"] == "audit" && problem["what"].as_str().unwrap().contains("audit row 1 "))
    );
    world.import(&next).assert_refused("E-STATE", "audit-broken", "X0");
    world
        .run(&["audit", "verify"])
        .assert_refused("E-STATE", "audit-broken", "");
    let (stick, copy) = (world.path("stick"), world.path("copy.jsonl"));
    std::fs::create_dir(&stick).unwrap();
    let (stick, copy) = (stick.to_str().unwrap(), copy.to_str().unwrap());
    for words in [
        &["release", "activate", "1.0"][..],
        &["gc", "--yes"],
        &["scrub"],
        &["access", "add", "ward", "--read", "crm/stable:*"],
        &["status", "preview"],
        &["status", "export", stick],
        &["audit", "export", "-o", copy],
    ] {
        world.run(words).assert_refused("E-STATE", "audit-broken", "");
    }
    // Nothing is added to it, also where the folder was copied and would begin another life; and nothing left.
    assert_eq!(world.good(&["audit", "show"])["all"], rows);
    let copy_of_it = world.copy_unopened();
    assert_eq!(copy_of_it.good(&["audit", "show"])["all"], rows);
    assert_eq!(copy_of_it.here(), [1]);
    assert!(std::fs::read_dir(stick).unwrap().next().is_none() && !std::path::Path::new(copy).is_file());
    assert!(
        world
            .run(&["audit", "show"])
            .stderr
            .contains("audit row 1 is not what was written")
    );
    serving.assert_serves(&world.releases[0]);
    assert_eq!(world.here(), [1]);
}

/// What was refused is a row, whatever command it was; what was mistyped, or not confirmed, is none.
#[test]
fn what_a_command_was_refused_for_is_a_row() {
    let world = World::new(2);
    let rows = || world.rows("refuse");
    assert!(rows().is_empty());
    world
        .run(&["gc", "--keep", "0"])
        .assert_refused("E-USAGE", "confirm", "");
    world
        .run(&["release", "activate", "9.9"])
        .assert_refused("E-USAGE", "release", "");
    world
        .run(&["release", "remove", "2.0", "--dry-run"])
        .assert_refused("E-POLICY", "release-live", "");
    assert!(rows().is_empty());
    world
        .run(&["release", "remove", "2.0", "--yes"])
        .assert_refused("E-POLICY", "release-live", "");
    let config = world.path("airlock.toml");
    write(&config, b"[export]\napprovals = 2\n");
    let stick = world.path("stick");
    std::fs::create_dir(&stick).unwrap();
    world
        .run(&[
            "status",
            "export",
            stick.to_str().unwrap(),
            "--config",
            config.to_str().unwrap(),
        ])
        .assert_refused("E-POLICY", "approvals", "");
    let told: Vec<_> = rows()
        .iter()
        .map(|row| (row["class"].clone(), row["code"].clone(), row["command"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("E-POLICY".into(), "release-live".into(), "release remove".into()),
            ("E-POLICY".into(), "approvals".into(), "status export".into())
        ]
    );
    assert_eq!(world.good(&["audit", "show", "--class", "E-POLICY"])["matching"], 2);
    world.good(&["audit", "verify"]);
}

/// Seals alone do not show that the end of a log is gone: what else is here does.
#[test]
fn a_log_that_was_cut_does_not_hold() {
    let world = World::new(2);
    world.good(&["status", "export", world.path("p.airlock-status").to_str().unwrap()]);
    world.good(&["access", "add", "ward", "--read", "crm/stable:*"]);
    world.good(&["audit", "verify"]);
    let database = world.state().join("airlock.db");
    let whole = read(&database);
    let last = "(SELECT max(number) FROM audit)";
    for (damage, said) in [
        ("DELETE FROM stream_audit".to_owned(), "row 1 of the stream log"),
        (
            "DELETE FROM stream_audit; DELETE FROM audit".to_owned(),
            "audit row 1 is missing",
        ),
        (
            format!("DELETE FROM audit WHERE number = {last}"),
            "the credential \\\"ward\\\"",
        ),
        (
            format!("DELETE FROM stream_audit WHERE number = (SELECT max(number) FROM stream_audit) AND row < {last}"),
            "has lost its row in the stream log",
        ),
        (
            // Both ends: of the receipts the numbers stand in the stream.
            "DELETE FROM access_grant; DELETE FROM access; DELETE FROM package;
             DELETE FROM stream_audit WHERE row > 1; DELETE FROM audit WHERE number > 1"
                .to_owned(),
            "was signed with it",
        ),
        (
            "DELETE FROM access_grant; DELETE FROM access; DELETE FROM receipt;
             DELETE FROM stream_audit WHERE row > 1; DELETE FROM audit WHERE number > 1"
                .to_owned(),
            "package 1 was signed with it",
        ),
        (
            "DELETE FROM receipt WHERE number = 1".to_owned(),
            "names receipt 1, which is not here",
        ),
        (
            "DELETE FROM receipt WHERE number = (SELECT max(number) FROM receipt)".to_owned(),
            ", which is not here",
        ),
        (
            "INSERT INTO acknowledgement (domain, number, envelope, records, receipts, audit, at)
             SELECT domain, 1, x'', 0, 0, 99, 0 FROM enrolment"
                .to_owned(),
            "has acknowledged row 99",
        ),
    ] {
        world.sql(&damage);
        let verified = world.run(&["audit", "verify"]);
        verified.assert_refused("E-STATE", "audit-broken", "");
        assert!(verified.stderr.contains(said), "{damage}: {}", verified.stderr);
        for words in [
            &["audit", "export", "-o", world.path("c").to_str().unwrap()][..],
            &["status", "preview"],
        ] {
            world.run(words).assert_refused("E-STATE", "audit-broken", "");
        }
        world
            .import(&world.release(3, 1000))
            .assert_refused("E-STATE", "audit-broken", "X0");
        for name in ["airlock.db-wal", "airlock.db-shm"] {
            std::fs::remove_file(world.state().join(name)).ok();
        }
        write(&database, &whole);
        world.good(&["audit", "verify"]);
    }
}

/// A mistyped class or act is no clean log.
#[test]
fn what_there_is_not_cannot_be_asked_for() {
    let world = World::new(1);
    let ended = world.run(&["audit", "show", "--class", "E-SIGNATUR"]);
    ended.assert_refused("E-USAGE", "class", "");
    assert!(ended.stderr.contains("E-SIGNATURE, "), "{}", ended.stderr);
    let ended = world.run(&["audit", "show", "--what", "imports"]);
    ended.assert_refused("E-USAGE", "act", "");
    assert!(
        ended.stderr.contains("if import is meant, say that"),
        "{}",
        ended.stderr
    );
    assert_eq!(world.good(&["audit", "show", "--what", "Import"])["matching"], 1);
}

#[test]
fn a_log_that_holds_is_told_to_hold() {
    let world = World::new(1);
    let serving = Serving::start(&world.state());
    wait_for("the check", || {
        get(serving.address, "/readyz").json()["checks"]["audit"] == "ok"
    });
    world.import(&world.release(2, 1000)).assert_imported();
}

//! The log as people read it, who did what, and what a broken one stops.

use std::process::{Command, Stdio};

use airlock::db::{Db, Schema};

use super::world::World;
use crate::support::appliance::{AIRLOCK, Ended, Serving, wait_for};
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

/// Where a row is not what was written, serving goes on, readiness says so, and nothing is imported.
#[test]
fn a_broken_log_stops_imports_and_nothing_else() {
    let world = World::new(1);
    let next = world.release(2, 1000);
    world.sql("UPDATE audit SET detail = '{}' WHERE number = 1");
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
    serving.assert_serves(&world.releases[0]);
    assert_eq!(world.here(), [1]);
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

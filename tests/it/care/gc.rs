//! What `airlock gc` and `airlock release remove` take, what they leave, and what goes on meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airlock::appliance::care::Policy;
use airlock::domain::Clock as _;

use super::backup::Safe;
use super::world::World;
use crate::support::appliance::{Serving, scratch, wait_for, write};
use crate::support::bundles::REPOSITORY;
use crate::support::client::get;
use crate::support::site::{Site, digest};
use crate::support::slow::share;
use crate::support::state_fingerprint::StateFingerprint;

/// The numbers of the releases of a plan that have a word, the newest first.
fn with_reason(plan: &serde_json::Value, reason: &str) -> Vec<u64> {
    let releases = plan["releases"].as_array().unwrap().iter();
    let has = |release: &&serde_json::Value| {
        let reasons = release["reasons"].as_array().unwrap();
        reasons.iter().any(|one| one["reason"] == reason)
    };
    releases
        .filter(has)
        .map(|release| release["sequence"].as_u64().unwrap())
        .collect()
}

#[test]
fn what_nobody_needs_goes_and_everything_else_stays() {
    let world = World::new(5);
    let before = StateFingerprint::of(&world.state());
    let stored = world.stored();

    // The plan, and no answer to it, change nothing.
    let plan = world.good(&["gc", "--dry-run", "--keep", "1"]);
    assert_eq!(with_reason(&plan, "live"), [5]);
    assert_eq!(with_reason(&plan, "recent"), [4]);
    assert_eq!(
        (
            plan["goes"].as_array().unwrap().len(),
            plan["leaves"].as_array().unwrap().len()
        ),
        (3, 0)
    );
    // Two layers, a manifest, a config, and an index page of each.
    let bytes = plan["bytes"].as_u64().unwrap();
    assert!((3 * 105_000..3 * 110_000).contains(&bytes), "{plan}");
    world
        .run(&["gc", "--keep", "1"])
        .assert_refused("E-USAGE", "confirm", "");
    assert!(StateFingerprint::of(&world.state()).is_but_for_rows(&before, 0, 0));
    assert_eq!(world.stored(), stored);

    let serving = Serving::start(&world.state());
    let done = world.good(&["gc", "--yes", "--keep", "1"]);
    assert_eq!(done["collected"]["releases"], 3, "{done}");
    assert_eq!(
        (done["collected"]["bytes"].as_u64(), done["collected"]["blobs"].as_u64()),
        (Some(bytes), plan["blobs"].as_u64())
    );
    assert_eq!(world.here(), [5, 4]);
    let left = world.stored();
    assert_eq!((stored.len() - left.len()) as u64, plan["blobs"].as_u64().unwrap());
    assert!(left.is_subset(&stored));
    serving.assert_serves(&world.releases[4]);
    drop(serving);

    // Nothing is left for another one, and the log says who did what.
    let again = world.good(&["gc", "--dry-run", "--keep", "1"]);
    assert_eq!(
        (
            again["goes"].as_array().unwrap().len(),
            again["unnamed"]["blobs"].as_u64()
        ),
        (0, Some(0))
    );
    let rows = world.rows("gc");
    assert_eq!(
        (
            rows.len(),
            &rows[0]["heads"].as_array().unwrap().len(),
            rows[0]["operator"]["uid"].is_u64()
        ),
        (1, &3, true)
    );
    world.good(&["audit", "verify"]);

    // What stayed can go live; what went cannot come back below the mark, and the newest is what it was.
    world.good(&["release", "activate", "4.0", "--yes"]);
    assert_eq!(world.import(&world.releases[2]).refusal.unwrap().0, "E-ROLLBACK");
    assert_eq!(world.import(&world.releases[4]).word(), "already");
}

/// What was replaced stays for as long as its digests can be read.
#[test]
fn what_clients_may_still_read_stays() {
    let world = World::new(2);
    world.sql("UPDATE release SET retired_at = retired_at + 100000 WHERE retired_at IS NOT NULL");
    let plan = world.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(with_reason(&plan, "grace"), [1]);
    assert_eq!(world.here(), [2, 1]);
    world.age();
    assert_eq!(world.good(&["gc", "--yes", "--keep", "0"])["collected"]["releases"], 1);
    assert_eq!(world.here(), [2]);
}

#[test]
fn the_configuration_says_how_many_stay() {
    let world = World::new(4);
    let config = world.path("airlock.toml");
    write(&config, b"[care]\nkeep_releases = 2\n");
    let plan = world.good(&["gc", "--yes", "--config", config.to_str().unwrap()]);
    assert_eq!(with_reason(&plan, "recent"), [3, 2]);
    assert_eq!(world.here(), [4, 3, 2]);
}

/// Whoever reads content when its release goes reads it to its end.
#[test]
fn a_pull_that_runs_is_not_cut_off() {
    let world = World::new(0);
    let made = world.release(1, 12 << 20);
    world.import(&made).assert_imported();
    let serving = Serving::start(&world.state());
    let layer = made.layers[0];
    let path = format!("/v2/{REPOSITORY}/blobs/{layer}");
    let mut stream = TcpStream::connect(serving.address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        serving.address
    )
    .unwrap();
    let mut begun = vec![0; 4096];
    stream.read_exact(&mut begun).unwrap();

    world.import(&world.release(2, 1000)).assert_imported();
    world.age();
    assert_eq!(world.good(&["gc", "--yes", "--keep", "0"])["collected"]["releases"], 1);
    assert!(!world.stored().contains(&layer.0.to_hex()));

    let mut rest = Vec::new();
    std::io::copy(&mut stream, &mut rest).unwrap();
    let whole = [begun, rest].concat();
    let body = whole.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(digest(&whole[body..]), layer);
    // It is nobody's any more, and nothing is missing.
    wait_for("the release after it", || get(serving.address, &path).status == 404);
    assert!(
        world.good(&["release", "list"])["damage"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(world.rows("missing").is_empty() && world.rows("set-aside").is_empty());
}

/// What no release names goes, unless a stopped import may count on it.
#[test]
fn what_nobody_names_goes_unless_a_stopped_import_may_want_it() {
    let world = World::new(1);
    let named = world.stored();
    let next = world.release(2, 3_000_000);
    let cut = world.path("cut");
    write(&cut, &next.bytes[..2_000_000]);
    world
        .appliance
        .import(&cut)
        .assert_refused("E-INCOMPLETE", "truncated", "X11");
    let stray = digest(b"nobody's");
    let place = world
        .state()
        .join("blobs/sha256")
        .join(&stray.0.to_hex()[..2])
        .join(stray.0.to_hex());
    write(&place, b"nobody's");

    let plan = world.good(&["gc", "--yes"]);
    assert_eq!(
        (plan["stopped_imports"].as_u64(), plan["unnamed"]["blobs"].as_u64()),
        (Some(1), Some(0))
    );
    assert!(place.is_file());
    assert!(world.import(&next).resumed_bytes() > 0);
    assert_eq!(world.good(&["gc", "--dry-run"])["unnamed"]["blobs"], 1);
    assert!(place.is_file());
    world.good(&["gc", "--yes"]);
    assert!(!place.is_file() && named.is_subset(&world.stored()));

    // Let go, it begins anew and comes in all the same.
    let third = world.release(3, 3_000_000);
    write(&cut, &third.bytes[..2_000_000]);
    world
        .appliance
        .import(&cut)
        .assert_refused("E-INCOMPLETE", "truncated", "X11");
    world.good(&["gc", "--yes", "--abandon-imports"]);
    assert!(crate::support::appliance::incoming(&world.state()).is_empty());
    let imported = world.import(&third);
    assert_eq!((imported.word(), imported.resumed_bytes()), ("imported", 0));
}

#[test]
fn a_release_that_a_person_names_goes_unless_it_is_live() {
    let world = World::new(3);
    world
        .run(&["release", "remove", "3.0", "--yes"])
        .assert_refused("E-POLICY", "release-live", "");
    let plan = world.good(&["release", "remove", "2.0", "--dry-run"]);
    assert_eq!(
        (
            &plan["result"],
            with_reason(&serde_json::json!({"releases": [plan["release"]]}), "recent")
        ),
        (&"planned".into(), vec![2])
    );
    world
        .run(&["release", "remove", "2.0"])
        .assert_refused("E-USAGE", "confirm", "");
    assert_eq!(world.here(), [3, 2, 1]);
    let removed = world.good(&["release", "remove", "2.0", "--yes"]);
    assert_eq!(removed["result"], "removed");
    assert_eq!(world.here(), [3, 1]);
    assert_eq!(world.rows("gc")[0]["command"], "release remove");
    let (gone, stays) = (&world.releases[1].layers[1], &world.releases[0].layers[1]);
    assert!(!world.stored().contains(&gone.0.to_hex()) && world.stored().contains(&stays.0.to_hex()));
    world
        .run(&["release", "remove", "2.0", "--yes"])
        .assert_refused("E-USAGE", "release", "");

    // One that a package lists is told to go.
    let stick = scratch();
    world.good(&["status", "export", stick.path().to_str().unwrap()]);
    assert_eq!(world.good(&["release", "remove", "1.0", "--yes"])["result"], "told");
    assert_eq!(world.here(), [3, 1]);
    world.good(&["status", "export", stick.path().to_str().unwrap()]);
    assert_eq!(world.good(&["release", "remove", "1.0", "--yes"])["result"], "removed");
    assert_eq!(world.here(), [3]);
}

/// A release that was removed, and is the newest that was ever imported, comes in again (SPEC M-110).
#[test]
fn the_newest_release_comes_in_again_after_it_was_removed() {
    let world = World::new(2);
    world.good(&["release", "activate", "1.0", "--yes"]);
    world.age();
    world.good(&["release", "remove", "2.0", "--yes"]);
    assert_eq!(world.here(), [1]);
    assert_eq!(world.import(&world.releases[1]).word(), "imported");
    assert_eq!(world.here(), [2, 1]);
    world.good(&["audit", "verify"]);
    let serving = Serving::start(&world.state());
    serving.assert_serves(&world.releases[1]);
}

/// While an import runs nothing is let go.
#[test]
fn nothing_goes_while_an_import_runs() {
    let world = World::new(2);
    let appliance =
        airlock::appliance::Appliance::open(&world.state(), std::sync::Arc::new(airlock::domain::SystemClock)).unwrap();
    let lock = appliance.lock().unwrap();
    world
        .run(&["gc", "--yes", "--keep", "0"])
        .assert_refused("E-BUSY", "import", "X0");
    world
        .run(&["release", "remove", "1.0", "--yes"])
        .assert_refused("E-BUSY", "import", "X0");
    drop(lock);
    assert_eq!(world.good(&["gc", "--yes", "--keep", "0"])["collected"]["releases"], 1);
}

/// The plan over 100,000 blobs, of which half are to go.
#[test]
fn a_plan_over_many_blobs_is_right_and_done() {
    if share().is_none() {
        return;
    }
    let site = Site::new();
    let id = "0123456789abcdef0123456789abcdef".parse().unwrap();
    airlock::db::status::create(&site.path().join("status.db"), &id).unwrap();
    for sequence in 1..=2_u32 {
        let mut draft = site.release("crm", sequence.into());
        for number in 0..75_000 {
            // A third of each is had by the other one too.
            let name = if number < 50_000 { sequence } else { 0 };
            draft = draft.blob("a.test/x", format!("{name} {number}").as_bytes());
        }
        draft.live();
    }
    site.damage("UPDATE release SET retired_at = retired_at - 100000 WHERE retired_at IS NOT NULL");
    let appliance = site.appliance().unwrap();
    let policy = Policy {
        keep: 0,
        grace: Duration::ZERO,
    };
    // How long is said and not judged: other tests run beside this one.
    let begun = Instant::now();
    let plan = appliance.gc_plan(policy, false, site.clock.now()).unwrap();
    let took = begun.elapsed();
    assert_eq!((plan.goes.len(), plan.blobs, plan.leftovers.blobs), (1, 50_000, 0));
    println!("a plan over 125,000 blobs took {took:?}");
    let begun = Instant::now();
    let gone = appliance
        .gc(policy, false, &plan, site.clock.now(), &mut |_, _| ())
        .unwrap();
    println!("and 50,000 were gone after {:?}", begun.elapsed());
    assert_eq!((gone.releases, gone.blobs), (1, 50_000));
}

/// Clients pull what is live, whole, while everything else goes, all content is hashed anew, and backups are made; with `AIRLOCK_SLOW` fifty
/// of them.
#[test]
fn pulls_go_on_beside_gc_scrub_and_backup() {
    let (world, safe) = (World::new(4), Safe::new());
    let clients = if share().is_some() { 50 } else { 12 };
    let (live, state) = (&world.releases[3], world.state());
    let serving = Serving::start(&state);
    let (address, ended, pulls) = (serving.address, AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    while !ended.load(Ordering::SeqCst) {
                        for layer in &live.layers {
                            let reply = get(address, &format!("/v2/{REPOSITORY}/blobs/{layer}"));
                            assert_eq!((reply.status, digest(&reply.body)), (200, *layer));
                            pulls.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        let scrubbed = world.good(&["scrub", "--rate", "0"]);
        safe.quick(&state, "before", true);
        let beside = scope.spawn(|| safe.back_up(&state, "beside", &["--with-content"]));
        let gone = world.good(&["gc", "--yes", "--keep", "0"]);
        beside.join().unwrap();
        let again = world.good(&["scrub", "--rate", "0"]);
        ended.store(true, Ordering::SeqCst);
        assert_eq!(
            (scrubbed["damaged"].as_u64(), again["missing"].as_u64()),
            (Some(0), Some(0))
        );
        assert_eq!(gone["collected"]["releases"], 3);
        for client in clients {
            client.join().unwrap();
        }
    });
    let pulls = pulls.load(Ordering::SeqCst);
    assert!(pulls >= clients * 3);
    println!("{clients} clients, {pulls} pulls beside scrub, gc and backup: no error");
    let back = safe.restore("beside", "back", &[]);
    Serving::start(&back).assert_serves(live);
}

/// Where the database names less of a release that stays than was signed, nothing goes until its bundle has put that right.
#[test]
fn nothing_goes_while_the_database_names_less_than_was_signed() {
    let world = World::new(2);
    let stored = world.stored();
    world.sql(
        "DELETE FROM release_blob WHERE release = (SELECT id FROM release WHERE state = 'active')
           AND blob = (SELECT max(blob) FROM release_blob)",
    );
    for words in [
        &["gc", "--yes", "--keep", "0"][..],
        &["release", "remove", "1.0", "--yes"],
    ] {
        let ended = world.run(words);
        ended.assert_refused("E-STATE", "release-rows", "");
        assert!(ended.stderr.contains("airlock import FILE"), "{}", ended.stderr);
    }
    assert_eq!((world.here(), world.stored()), (vec![2, 1], stored));
    assert_eq!(world.import(&world.releases[1]).word(), "already");
    assert_eq!(world.good(&["gc", "--yes", "--keep", "0"])["collected"]["releases"], 1);
}

/// What `gc` takes while somebody looks at it is gone, and nothing is damaged.
#[test]
fn a_release_that_goes_while_it_is_looked_at_is_no_damage() {
    let world = World::new(2);
    let appliance =
        airlock::appliance::Appliance::open(&world.state(), std::sync::Arc::new(airlock::domain::SystemClock)).unwrap();
    let release = appliance.find_release("1.0", None).unwrap();
    appliance
        .while_here(&release, || appliance.secret_plan(&release))
        .unwrap();
    assert_eq!(world.good(&["gc", "--yes", "--keep", "0"])["collected"]["releases"], 1);
    assert!(appliance.is_gone(&release).unwrap());
    let error = appliance
        .while_here(&release, || appliance.secret_plan(&release))
        .unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (airlock::domain::Class::Usage, "release"),
        "{error}"
    );
    let error = appliance
        .activate(
            release.head,
            airlock::db::site::targets::Undeploy::AsSigned,
            airlock::domain::SystemClock.now(),
        )
        .unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (airlock::domain::Class::Usage, "release"),
        "{error}"
    );
}

//! A site reports for its own targets alone.

use airlock::domain::StatusKind;
use airlock::package::{Line, StatusRecord, Target};

use super::world::{
    Package, SECRET, World, access, first_package, instance, of, site, status, target, undelivered, uuid,
};

/// A status of another target.
fn of_target(number: u64, target: u32, deployment: u32, revision: u32) -> Line {
    Line::Status(StatusRecord {
        deployment: uuid(deployment),
        target: uuid(target),
        ..status(number, revision, StatusKind::Running, "x")
    })
}

/// A package of a site with statuses of targets: number of target, deployment, revision.
fn tell(world: &World, from: u8, statuses: &[(u32, u32, u32)]) {
    let package = Package {
        site: site(from),
        instance: instance(0x20 + from),
        ..first_package()
    };
    let lines: Vec<Line> = (1..)
        .zip(statuses)
        .map(|(number, (target, deployment, revision))| of_target(number, *target, *deployment, *revision))
        .collect();
    world.take_in(&package, &lines);
}

#[test]
fn another_sites_target_is_refused_and_ones_own_goes_on() {
    let world = World::new();
    world.release(
        1,
        &[],
        &[(1, Some(site(1)), &[(100, 901)]), (2, Some(site(2)), &[(200, 902)])],
    );
    world.release(2, &[site(2)], &[(3, None, &[(300, 903)])]);
    for (target, deployment, revision) in [(1, 100, 901), (2, 200, 902), (3, 300, 903)] {
        world
            .hub
            .know(uuid(target), SECRET, &[(uuid(deployment), uuid(revision))]);
    }
    // The first site speaks for its own, for the other's, and for one of a release that it was never given.
    tell(&world, 1, &[(1, 100, 901), (2, 200, 902), (3, 300, 903)]);
    let all = || access(&[(1, SECRET), (2, SECRET), (3, SECRET)]);
    let replayed = world.replay_as(Some(site(1)), all()).unwrap();
    let error = replayed.verdict().unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-POLICY", "other-site"));
    assert!(
        error
            .to_string()
            .contains(&format!("it stands at the site {}", site(2))),
        "{error}"
    );
    assert!(
        error.to_string().contains("no release that states it is for this site"),
        "{error}"
    );
    for number in [2, 3] {
        let left = of(&replayed, number).left.unwrap();
        assert_eq!((left.code, left.policy), ("other-site", true));
    }
    world.hub.with(|hub| {
        let targets: Vec<_> = hub.statuses.iter().map(|status| status.target).collect();
        assert_eq!(targets, [uuid(1)], "its own arrives");
    });
    assert!(world.journal().iter().all(|(_, state)| state == "sent"));
    // Twin: the site itself.
    let world = World::new();
    world.release(1, &[], &[(2, Some(site(2)), &[(200, 902)])]);
    world.hub.know(uuid(2), SECRET, &[(uuid(200), uuid(902))]);
    tell(&world, 2, &[(2, 200, 902)]);
    world.replay_as(None, all()).unwrap().verdict().unwrap();
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 1);
}

#[test]
fn a_target_that_moved_is_the_new_sites_alone() {
    let world = World::new();
    world.release(1, &[], &[(1, Some(site(1)), &[(100, 901)])]);
    world.release(2, &[site(2)], &[(1, Some(site(2)), &[(100, 902)])]);
    world
        .hub
        .know(uuid(1), SECRET, &[(uuid(100), uuid(901)), (uuid(100), uuid(902))]);
    tell(&world, 1, &[(1, 100, 901)]);
    assert_eq!(world.replay().verdict().unwrap_err().code(), "other-site");
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 0);
    tell(&world, 2, &[(1, 100, 902)]);
    assert_eq!(
        world
            .replay_as(Some(site(2)), access(&[(1, SECRET)]))
            .unwrap()
            .verdict()
            .map_err(|error| error.to_string()),
        Ok(())
    );
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 1);
}

#[test]
fn a_target_without_a_site_is_the_first_named_ones_for_good() {
    let world = World::new();
    world.release(1, &[], &[(5, None, &[(500, 905)])]);
    world.hub.know(uuid(5), SECRET, &[(uuid(500), uuid(905))]);
    for number in [1, 2] {
        tell(&world, number, &[(5, 500, 905)]);
    }
    let secret = || access(&[(5, SECRET)]);
    let owners = || world.sql(|db| db.query_row("SELECT count(*) FROM replay_target", [], |row| row.get::<_, u64>(0)));
    // Nobody is named: neither speaks.
    let replayed = world.replay_as(None, secret()).unwrap();
    replayed.verdict().unwrap();
    assert_eq!(
        (
            undelivered(&replayed, "unnamed-targets"),
            world.hub.paths().len(),
            owners()
        ),
        (2, 0, 0)
    );
    // Without a secret nothing becomes anybody's.
    let replayed = world.replay_as(Some(site(2)), access(&[])).unwrap();
    assert_eq!((of(&replayed, 5).left.unwrap().code, owners()), ("no-secret", 0));
    replayed.verdict().unwrap();
    assert_eq!(replayed.without_secret(), 1);
    let replayed = world.replay_as(Some(site(2)), secret()).unwrap();
    replayed.verdict().unwrap();
    assert_eq!((of(&replayed, 5).statuses.sent, owners()), (1, 1));
    let before = world.hub.paths();
    let error = world.replay_as(Some(site(1)), secret()).unwrap().verdict().unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-POLICY", "other-site"));
    assert!(error.to_string().contains("for good"), "{error}");
    assert_eq!((world.hub.paths(), owners()), (before, 1));
    // It is said in the log, once.
    let actions: Vec<String> = world.sql(|db| {
        let mut select = db.prepare("SELECT action FROM audit WHERE action != 'ingest' ORDER BY number")?;
        select.query_map([], |row| row.get(0))?.collect()
    });
    assert_eq!(actions, ["replay-target", "status-replay"]);
    airlock::db::sealed_log::verify(&rusqlite::Connection::open(world.folder.path().join("w/ledger.db")).unwrap())
        .unwrap();
}

#[test]
fn what_the_hub_cannot_know_is_counted_and_not_sent() {
    let world = World::told();
    let mut second = first_package();
    (second.number, second.first) = (2, 9);
    let made_here = Target {
        follows: Some(uuid(1)),
        ..target(8)
    };
    world.take_in(
        &second,
        &[
            Line::Target(Box::new(made_here)),
            of_target(9, 8, 800, 908),
            // A target that nobody signed, and a revision that nobody signed for this site.
            of_target(10, 9, 900, 909),
            of_target(11, 1, 100, 999),
        ],
    );
    world.release(3, &[site(2)], &[(4, Some(site(2)), &[(100, 999)])]);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    for what in ["site-targets", "unknown-targets", "unknown-revisions"] {
        assert_eq!(undelivered(&replayed, what), 1, "{what}");
    }
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 2);
    world.hub.assert_well_used();
}

#[test]
fn a_withdrawn_site_is_passed_over_and_refused_by_name() {
    let world = World::told();
    world.sql(|db| db.execute("UPDATE site SET withdrawn_at = 1", []));
    let replayed = world.replay();
    assert_eq!((replayed.sites.len(), world.hub.paths().len()), (0, 0));
    let error = world.replay_as(Some(site(1)), access(&[(1, SECRET)])).unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-TRUST", "withdrawn-site"));
    world.sql(|db| db.execute("UPDATE site SET withdrawn_at = NULL", []));
    assert_eq!(of(&world.replay(), 1).statuses.sent, 2);
}

//! Lines of logs: from verified files, in the window, in order, in pieces, at a pace.

use std::fs;

use airlock::package::{Line, Switch};

use super::world::{
    Package, World, agent_log, deployment, first_package, instance, log, of, target, time, told_lines, undelivered,
};
use crate::support::appliance::{read, write};

fn bodies(world: &World) -> Vec<String> {
    world
        .hub
        .with(|hub| hub.lines.iter().map(|line| line.body.clone()).collect())
}

#[test]
fn the_window_is_thirty_days_less_one_hour_by_the_given_clock() {
    let mut world = World::told();
    let mut second = first_package();
    (second.number, second.first) = (2, 9);
    // To the second: the first is too old, the second is not.
    world.now = time("2026-12-21T10:00:00Z");
    let lines = [
        Line::Target(Box::new(target(1))),
        deployment(1, 100),
        log(9, "web-2", "2026-11-21T10:59:59.999999999Z", "too old"),
        log(10, "web-2", "2026-11-21T11:00:00Z", "old enough"),
        agent_log(11, "0001-01-01T00:00:00Z", "no time"),
        agent_log(12, "2031-01-01T00:00:00Z", "of tomorrow"),
    ];
    world.take_in(&second, &lines);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    let mut seen = bodies(&world);
    seen.sort();
    assert_eq!(
        seen,
        [
            "agent one",
            "agent\u{fffd} two",
            "db one",
            "of tomorrow",
            "old enough",
            "web one",
            "web two"
        ]
    );
    assert_eq!(undelivered(&replayed, "old-lines"), 2);
    // A second later the others are old too, and were sent already.
    world.now = time("2026-12-31T10:00:00Z");
    let replayed = world.replay();
    assert_eq!((undelivered(&replayed, "old-lines"), bodies(&world).len()), (2, 7));
    world.hub.assert_well_used();
}

#[test]
fn lines_go_in_pieces_of_a_thousand_at_the_pace_of_the_hub() {
    let world = World::told();
    let mut second = first_package();
    (second.number, second.first) = (2, 9);
    let mut lines: Vec<Line> = vec![Line::Target(Box::new(target(1))), deployment(1, 100)];
    for number in 0..3200_u64 {
        let at = format!("2026-11-21T12:{:02}:{:02}Z", number / 60, number % 60);
        lines.push(log(
            9 + number,
            if number % 2 == 0 { "a" } else { "b" },
            &at,
            &number.to_string(),
        ));
    }
    world.take_in(&second, &lines);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    let report = of(&replayed, 1);
    assert_eq!((report.lines.sent, report.lines.requests), (3 + 3200, 5));
    assert_eq!(bodies(&world).len(), 5 + 3200);
    world.hub.assert_well_used();
    let again = world.replay();
    assert_eq!((of(&again, 1).lines.sent, bodies(&world).len()), (0, 5 + 3200));
}

/// Ten megabytes through every check: with `AIRLOCK_SLOW=1`. That pieces are cut so is a test of their own beside the cut.
#[test]
fn a_request_has_eight_mebibytes_at_most() {
    if std::env::var_os("AIRLOCK_SLOW").is_none() {
        println!("skipped: AIRLOCK_SLOW is not set");
        return;
    }
    let world = World::told();
    let mut second = first_package();
    (second.number, second.first) = (2, 9);
    let mut lines: Vec<Line> = vec![Line::Target(Box::new(target(1))), deployment(1, 100)];
    for number in 0..40_u64 {
        let at = format!("2026-11-21T11:10:{number:02}Z");
        // Twice as long with JSON's escapes.
        lines.push(log(
            9 + number,
            "large",
            &at,
            &format!("{number}{}", "\"".repeat(262_000)),
        ));
    }
    world.take_in(&second, &lines);
    let report = of(&world.replay(), 1);
    // Fifteen of them fit.
    assert_eq!((report.lines.sent, report.lines.requests), (3 + 40, 1 + 3));
    assert_eq!(bodies(&world).len(), 5 + 40);
    world.hub.assert_well_used();
}

#[test]
fn nothing_newer_goes_before_what_is_older() {
    let world = World::new();
    world.release(1, &[], &[(1, Some(super::world::site(1)), &[(100, 902)])]);
    world.hub.know(
        super::world::uuid(1),
        super::world::SECRET,
        &[(super::world::uuid(100), super::world::uuid(902))],
    );
    let mut lines: Vec<Line> = vec![Line::Target(Box::new(target(1))), deployment(1, 100)];
    // In order but for neighbours, over several pieces; and one line that comes two thousand lines late.
    for number in 1..=2500_u64 {
        let second = if number % 7 == 0 { number - 2 } else { number };
        let at = format!(
            "2026-11-21T{:02}:{:02}:{:02}Z",
            10 + second / 3600,
            second % 3600 / 60,
            second % 60
        );
        lines.push(log(number, "web-1", &at, &number.to_string()));
    }
    lines.push(log(2501, "web-1", "2026-11-21T10:05:00Z", "late"));
    world.take_in(&first_package(), &lines);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    // The hub would note any line that is older than one of its stream before.
    world.hub.assert_well_used();
    let sent = of(&replayed, 1).lines.sent;
    assert_eq!(
        (sent + undelivered(&replayed, "late-lines"), bodies(&world).len() as u64),
        (2501, sent)
    );
    assert!(sent > 1000, "{sent}");
}

#[test]
fn a_missing_file_is_said_and_a_changed_one_is_not_believed() {
    let world = World::told();
    let mut second = first_package();
    (second.number, second.first) = (2, 9);
    let lines = [
        Line::Target(Box::new(target(1))),
        deployment(1, 100),
        log(9, "web-1", "2026-11-21T12:00:00Z", "three"),
    ];
    let path = world.take_in(&second, &lines);
    let folder = path.parent().unwrap().to_owned();
    let files = || {
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let first = files().into_iter().find(|file| *file != path).unwrap();
    let (whole, other) = (read(&path), read(&first));
    fs::remove_file(&first).unwrap();
    // A byte of the payload, one of the head, another good package, a link to a good one.
    let mut payload = whole.clone();
    let end = payload.len() - 2048;
    payload[end] ^= 1;
    let mut head = whole.clone();
    let at = head.windows(10).position(|part| part == b"\"made_at\":").unwrap() + 12;
    head[at] ^= 1;
    for bad in [payload, head, other.clone()] {
        write(&path, &bad);
        let replayed = world.replay();
        let said: Vec<(bool, &str)> = replayed.sites[0]
            .files
            .iter()
            .map(|file| (file.found == "file missing", file.file.as_str()))
            .collect();
        let expected = [(true, first.to_str().unwrap()), (false, path.to_str().unwrap())];
        assert_eq!(said, expected, "{:?}", replayed.sites[0].files);
        assert!(bodies(&world).is_empty(), "nothing of them is sent");
    }
    fs::remove_file(&path).unwrap();
    let elsewhere = folder.join("elsewhere");
    write(&elsewhere, &whole);
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(world.replay().sites[0].files.len(), 2);
    fs::remove_file(&path).unwrap();
    // Twin: put back as they were.
    write(&path, &whole);
    write(&first, &other);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    assert_eq!((replayed.sites[0].files.len(), bodies(&world).len()), (0, 6));
    world.hub.assert_well_used();
}

#[test]
fn packages_without_lines_are_not_opened() {
    let world = World::told();
    let mut second = first_package();
    (second.number, second.first, second.shows) = (2, 9, vec![Switch::Agents]);
    let path = world.take_in(
        &second,
        &[
            Line::Target(Box::new(target(1))),
            deployment(1, 100),
            Line::Status(airlock::package::StatusRecord {
                text: None,
                ..super::world::status(9, 902, airlock::domain::StatusKind::Healthy, "")
            }),
        ],
    );
    fs::remove_file(&path).unwrap();
    let replayed = world.replay();
    replayed.verdict().unwrap();
    assert_eq!((replayed.sites[0].files.len(), bodies(&world).len()), (0, 5));
}

/// A state folder that was turned back: what only the lost branch told is not what the site says.
#[test]
fn lines_of_a_lost_branch_stay_apart() {
    let world = World::told();
    world.replay();
    // The second instance goes on after record 6; the first one's 7 and 8 were never known to it.
    let second = Package {
        instance: instance(0x22),
        first: 7,
        begins: 7,
        before: vec![(instance(0x11), 1)],
        ..first_package()
    };
    let lines = [
        Line::Target(Box::new(target(1))),
        deployment(1, 100),
        log(7, "web-1", "2026-11-21T11:30:00Z", "of the new life"),
        agent_log(8, "2026-11-21T11:30:00Z", "of its agent"),
    ];
    world.take_in(&second, &lines);
    world.replay().verdict().unwrap();
    let seen = bodies(&world);
    assert!(
        seen.contains(&"of the new life".to_owned()) && seen.contains(&"of its agent".to_owned()),
        "{seen:?}"
    );
    assert_eq!(seen.len(), 7);
    // Seen from the beginning, the lost ones are not sent at all.
    world.sql(|db| db.execute("DELETE FROM replay", []));
    let fresh = super::hub::Hub::start();
    fresh.know(
        super::world::uuid(1),
        super::world::SECRET,
        &[
            (super::world::uuid(100), super::world::uuid(901)),
            (super::world::uuid(100), super::world::uuid(902)),
        ],
    );
    let world = World { hub: fresh, ..world };
    world.replay().verdict().unwrap();
    let mut seen = bodies(&world);
    seen.sort();
    assert_eq!(
        seen,
        ["agent one", "db one", "of its agent", "of the new life", "web two"]
    );
    assert!(told_lines().len() > 8);
    world.hub.assert_well_used();
}

//! What arrives, in which order, with which words; and that it arrives once.

use std::time::Duration;

use airlock::domain::StatusKind;
use airlock::package::{Line, StatusRecord, StatusRecordKind};
use airlock::vendor_side::ledger::replay::Tally;

use super::hub::Fault;
use super::world::{
    SECRET, World, access, first_package, of, site, status, target, time, told_lines, undelivered, uuid,
};

/// What the hub has, in words.
fn state(world: &World) -> (Vec<(String, String)>, usize, Vec<String>) {
    world.hub.with(|stored| {
        (
            stored
                .statuses
                .iter()
                .map(|status| (status.kind.clone(), status.message.clone()))
                .collect(),
            stored.metrics.len(),
            stored.lines.iter().map(|line| line.body.clone()).collect(),
        )
    })
}

#[test]
fn everything_arrives_in_order_and_once() {
    let world = World::told();
    let replayed = world.replay();
    replayed.verdict().unwrap();
    let (statuses, metrics, lines) = state(&world);
    assert_eq!(
        statuses,
        [
            (
                "running".to_owned(),
                "[airlock 01010101 #2 as of 2026-11-21T10:00:00Z, 1 times since 2026-11-21T10:00:00Z] old one".to_owned()
            ),
            (
                "healthy".to_owned(),
                "[airlock 01010101 #3 as of 2026-11-21T11:58:55Z, 1411 times since 2026-11-21T10:00:00Z] status check passed\n\
                 \u{fffd}[2K\u{fffd}x"
                    .to_owned()
            )
        ]
    );
    assert_eq!(metrics, 1);
    assert_eq!(
        lines,
        ["web one", "web two", "db one", "agent one", "agent\u{fffd} two"]
    );
    assert_eq!(
        world.hub.paths(),
        ["login", "status", "status", "metrics", "logs", "deployment-target-logs"]
    );
    world.hub.with(|stored| {
        assert!(stored.requests.iter().all(|(.., agent)| agent == "DistrAgentClient/3.1.0"), "{:?}", stored.requests);
        let (target, sample) = &stored.metrics[0];
        assert_eq!(*target, uuid(1));
        assert_eq!(
            *sample,
            serde_json::json!({"cpuCoresMillis": 4000, "cpuUsage": 0.125, "memoryBytes": 16, "memoryUsage": 0.25, "diskMetrics": [
                {"device": "disk-1", "path": "disk-1", "fsType": "", "bytesTotal": 500, "bytesUsed": 210}
            ]})
        );
    });
    let report = of(&replayed, 1);
    assert_eq!(
        (
            report.statuses.sent,
            report.metrics.sent,
            report.lines.sent,
            report.agent_lines.sent
        ),
        (2, 1, 3, 2)
    );
    assert_eq!(
        (report.lines.requests, report.agent_lines.requests, report.left),
        (1, 1, None)
    );
    for (what, count) in [("times", 3), ("older-states", 1), ("counts", 1410), ("gaps", 0)] {
        assert_eq!(undelivered(&replayed, what), count, "{what}");
    }
    let journal = world.journal();
    assert_eq!(
        journal,
        [
            "a/11111111/4-8",
            "l/11111111/5-7",
            "m/11111111/1",
            "s/11111111/2",
            "s/11111111/3"
        ]
        .map(|item| (item.to_owned(), "sent".to_owned()))
    );
    // Again, and again: nothing is asked of the hub, not even a login.
    let before = world.hub.paths();
    for _ in 0..2 {
        let again = world.replay();
        let report = of(&again, 1);
        assert_eq!(
            report.statuses,
            Tally {
                already: 2,
                ..Tally::default()
            }
        );
        assert_eq!(
            (report.metrics.already, report.lines.sent, report.agent_lines.sent),
            (1, 0, 0)
        );
    }
    assert_eq!((world.hub.paths(), world.journal()), (before, journal));
    world.hub.assert_well_used();
}

#[test]
fn a_later_package_brings_what_is_new_and_nothing_of_what_it_repeats() {
    let world = World::told();
    world.replay();
    let mut second = first_package();
    second.number = 2;
    let mut lines = told_lines();
    lines.push(Line::Status(StatusRecord {
        kind: StatusRecordKind::Continued,
        of: Some(3),
        count: Some(10),
        at: time("2026-11-21T12:00:00Z"),
        last: Some(time("2026-11-21T12:30:00Z")),
        ..status(9, 902, StatusKind::Healthy, "it goes on")
    }));
    lines.push(super::world::log(10, "web-1", "2026-11-21T12:10:00Z", "web three"));
    world.take_in(&second, &lines);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    let (statuses, metrics, lines) = state(&world);
    assert_eq!(
        statuses[2].1,
        "[airlock 01010101 #9 as of 2026-11-21T12:30:00Z, 1421 times since 2026-11-21T10:00:00Z] it goes on"
    );
    assert_eq!((statuses.len(), metrics, lines.len()), (3, 2, 6));
    assert_eq!(lines[5], "web three");
    let report = of(&replayed, 1);
    assert_eq!(
        (report.statuses.sent, report.statuses.already, report.lines.sent),
        (1, 1, 1)
    );
    world.hub.assert_well_used();
}

#[test]
fn a_dry_run_says_the_same_and_asks_nobody() {
    let world = World::told();
    let planned = world.plan();
    let report = of(&planned, 1);
    assert_eq!(
        (
            report.statuses.waiting,
            report.metrics.waiting,
            report.lines.waiting,
            report.agent_lines.waiting
        ),
        (2, 1, 3, 2)
    );
    assert_eq!((world.hub.paths().len(), world.journal().len()), (0, 0));
    let sent = of(&world.replay(), 1);
    assert_eq!(
        (
            sent.statuses.sent,
            sent.metrics.sent,
            sent.lines.sent,
            sent.agent_lines.sent
        ),
        (2, 1, 3, 2)
    );
    let planned = of(&world.plan(), 1);
    assert_eq!(
        (
            planned.statuses.waiting,
            planned.statuses.already,
            planned.lines.waiting
        ),
        (0, 2, 0)
    );
}

#[test]
fn messages_are_cut_and_what_was_not_carried_is_said() {
    let world = World::told();
    let mut second = first_package();
    (second.number, second.first) = (2, 9);
    let long = "\u{202e}".repeat(3000);
    let lines = [
        Line::Target(Box::new(target(1))),
        super::world::deployment(1, 100),
        Line::Status(status(9, 901, StatusKind::Error, &long)),
        Line::Status(status(10, 902, StatusKind::Error, "")),
    ];
    world.take_in(&second, &lines);
    world.sql(|db| db.execute("UPDATE record SET text = NULL WHERE number = 10", []));
    world.replay().verdict().unwrap();
    let (statuses, ..) = state(&world);
    let text = &statuses[0].1;
    assert!(text.len() <= 4096 && text.len() > 4090, "{}", text.len());
    assert!(text.ends_with("\u{fffd}\u{fffd}"), "{text}");
    assert!(statuses[1].1.ends_with("] (text not carried)"), "{}", statuses[1].1);
    world.hub.assert_well_used();
}

#[test]
fn an_agent_without_a_usable_version_is_called_by_the_signed_one() {
    for (told, named) in [
        ("3.2.1", "3.2.1"),
        ("3.1\r\nX-Evil: 1", "3.0.0"),
        ("", "3.0.0"),
        ("\u{202e}3", "3.0.0"),
    ] {
        let world = World::told();
        let quoted = airlock::package::Quoted::text(told);
        world.sql(|db| db.execute("UPDATE target_now SET agent = ?", [quoted.as_str()]));
        world
            .replay_as(None, access(&[(1, SECRET)]))
            .unwrap()
            .verdict()
            .unwrap();
        let agents = world.hub.with(|stored| {
            stored
                .requests
                .iter()
                .map(|(.., agent)| agent.clone())
                .collect::<Vec<_>>()
        });
        assert!(
            agents.iter().all(|agent| *agent == format!("DistrAgentClient/{named}")),
            "{agents:?}"
        );
    }
}

#[test]
fn no_minute_has_more_requests_and_logins_than_allowed() {
    let world = World::new();
    let targets: Vec<(u32, u32)> = (0..330).map(|number| (1000 + number, 2000 + number)).collect();
    world.release(1, &[], &[(1, Some(site(1)), &targets)]);
    let known: Vec<_> = targets
        .iter()
        .map(|(deployment, revision)| (uuid(*deployment), uuid(*revision)))
        .collect();
    world.hub.know(uuid(1), SECRET, &known);
    let lines: Vec<Line> = (1..)
        .zip(&targets)
        .map(|(number, (deployment, revision))| {
            Line::Status(StatusRecord {
                deployment: uuid(*deployment),
                ..status(number, *revision, StatusKind::Running, "x")
            })
        })
        .collect();
    world.take_in(&first_package(), &lines);
    // Three times the token no longer counts.
    for _ in 0..3 {
        world.hub.fault("agent/status", Fault::Answer(401, &[], String::new()));
        world.hub.fault("agent/status", Fault::Pass);
    }
    world.replay().verdict().unwrap();
    let asked = world.hub.with(|hub| hub.asked.clone());
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 330);
    for ((_, is_login), times) in asked {
        let most = if is_login { 2 } else { 300 };
        for window in times.windows(most + 1) {
            assert!(
                window[most] >= window[0] + Duration::from_secs(60),
                "{is_login}: {window:?}"
            );
        }
        assert!(times.len() > most, "{is_login}: the bound was met");
    }
    // Not longer than the bounds ask for: a minute for two more logins, and one for the last requests.
    let waited = *world.hub.pace.now.lock().unwrap();
    assert!(waited <= Duration::from_secs(120), "{waited:?}");
    world.hub.assert_well_used();
}

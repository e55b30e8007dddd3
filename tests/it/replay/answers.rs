//! What the hub may answer, and what becomes of it: waits, refusals, redirects, answers that never end.

use std::time::Duration;

use airlock::vendor_side::ledger::replay::{Bounds, Lines, Tally};

use super::hub::Fault;
use super::world::{SECRET, World, access, of, uuid};

const TOO_MANY: &str = "Too Many Requests\n";

/// Statuses, samples and lines that the hub has.
fn amounts(world: &World) -> (usize, usize, usize) {
    world
        .hub
        .with(|stored| (stored.statuses.len(), stored.metrics.len(), stored.lines.len()))
}

#[test]
fn a_busy_hub_is_waited_for_as_it_asks() {
    let world = World::told();
    for path in ["login", "status", "metrics", "/logs", "deployment-target-logs"] {
        world.hub.fault(
            path,
            Fault::Answer(
                429,
                &[("Retry-After", "60"), ("X-RateLimit-Limit", "5")],
                TOO_MANY.to_owned(),
            ),
        );
        let later = Fault::Answer(503, &[("Retry-After", "7")], "no\n".to_owned());
        world.hub.fault(path, later);
    }
    let replayed = world.replay();
    replayed.verdict().unwrap();
    assert_eq!(amounts(&world), (2, 1, 5));
    let waits = world.hub.pace.waits.lock().unwrap().clone();
    for seconds in [60, 7] {
        let of_them = waits.iter().filter(|wait| **wait == Duration::from_secs(seconds));
        assert_eq!(of_them.count(), 5, "{seconds}: {waits:?}");
    }
    let report = of(&replayed, 1);
    // After 503 nobody knows, after 429 everybody does.
    assert_eq!((report.statuses.sent, report.statuses.perhaps_twice), (2, 1));
    world.hub.assert_well_used();
}

#[test]
fn a_hub_that_stays_busy_is_left_and_what_was_sent_stays_sent() {
    let world = World::told();
    let always = |status| Fault::Answer(status, &[("Retry-After", "100000")], TOO_MANY.to_owned());
    for _ in 0..6 {
        world.hub.fault("metrics", always(429));
    }
    let replayed = world.replay();
    let error = replayed.verdict().unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-IO", "unfinished"));
    assert!(error.to_string().contains("429: Too Many Requests, 6 times"), "{error}");
    let report = of(&replayed, 1);
    assert_eq!(
        (report.left.unwrap().code, report.statuses.sent, report.metrics.waiting),
        ("busy", 2, 1)
    );
    assert_eq!(amounts(&world), (2, 0, 0));
    // 429: it certainly was not taken, so nothing of it stands in the journal.
    assert!(
        world
            .journal()
            .iter()
            .all(|(item, state)| item.starts_with("s/") && state == "sent")
    );
    let waited = *world.hub.pace.now.lock().unwrap();
    assert!(waited <= Duration::from_secs(5 * 120 + 60), "{waited:?}");
    // 500: perhaps it was.
    for _ in 0..6 {
        world.hub.fault("metrics", always(500));
    }
    world.replay();
    assert!(
        world
            .journal()
            .contains(&("m/11111111/1".to_owned(), "sending".to_owned()))
    );
    // Twin: a hub that answers again gets the rest.
    let replayed = world.replay();
    replayed.verdict().unwrap();
    assert_eq!(
        of(&replayed, 1).metrics,
        Tally {
            sent: 1,
            perhaps_twice: 1,
            ..Tally::default()
        }
    );
    assert_eq!(amounts(&world), (2, 1, 5));
    world.hub.assert_well_used();
}

#[test]
fn a_token_that_no_longer_counts_is_renewed_once() {
    let world = World::told();
    world
        .hub
        .fault("metrics", Fault::Answer(401, &[], "Unauthorized\n".to_owned()));
    world.replay().verdict().unwrap();
    assert_eq!(amounts(&world), (2, 1, 5));
    assert_eq!(world.hub.paths().iter().filter(|path| *path == "login").count(), 2);
    world.hub.assert_well_used();

    let world = World::told();
    for _ in 0..2 {
        world.hub.fault("metrics", Fault::Answer(401, &[], String::new()));
    }
    let replayed = world.replay();
    assert_eq!(replayed.verdict().unwrap_err().code(), "unfinished");
    assert_eq!(of(&replayed, 1).left.unwrap().code, "credentials");
    assert_eq!(amounts(&world), (2, 0, 0));
    assert_eq!(world.hub.paths().iter().filter(|path| *path == "login").count(), 2);
    assert!(world.journal().iter().all(|(item, _)| item.starts_with("s/")));
}

#[test]
fn a_wrong_secret_and_an_unknown_target_are_left_after_one_login() {
    for secret in ["ffffffffffffffffffffffffffffffff", SECRET] {
        let world = World::told();
        if secret == SECRET {
            world.hub.with(|stored| stored.secrets.remove(&uuid(1)));
        }
        let replayed = world.replay_as(None, access(&[(1, secret)])).unwrap();
        let error = replayed.verdict().unwrap_err();
        assert_eq!((error.class().name(), error.code()), ("E-IO", "unfinished"));
        assert!(!error.to_string().contains(secret), "{error}");
        assert_eq!(world.hub.paths(), ["login"]);
        assert!(world.journal().is_empty());
    }
}

#[test]
fn what_the_hub_will_never_take_is_refused_once_and_the_rest_goes_on() {
    let world = World::told();
    // It does not know the older revision, and another target has the newer one.
    world.hub.with(|stored| {
        stored.revisions.remove(&uuid(901));
    });
    world
        .hub
        .fault("metrics", Fault::Answer(400, &[], "unexpected EOF\n".to_owned()));
    world
        .hub
        .fault("/logs", Fault::Answer(400, &[], "entry too far behind\n".to_owned()));
    for run in 0..2 {
        let replayed = world.replay();
        // A new refusal is told of once; afterwards it is listed.
        let verdict = replayed.verdict().map_err(|error| (error.class().name(), error.code()));
        assert_eq!(
            verdict,
            if run == 0 {
                Err(("E-CONTENT", "refused"))
            } else {
                Ok(())
            }
        );
        let report = of(&replayed, 1);
        let sent = Tally {
            sent: u64::from(run == 0),
            already: u64::from(run == 1),
            refused: 1,
            ..Tally::default()
        };
        assert_eq!(report.statuses, sent);
        assert_eq!(report.metrics.refused, 1);
        let partly = if run == 0 { 3 } else { 0 };
        assert_eq!(
            report.lines,
            Lines {
                partly,
                ..Lines::default()
            }
        );
        assert_eq!(report.agent_lines.sent, if run == 0 { 2 } else { 0 });
    }
    assert_eq!(amounts(&world), (1, 0, 2));
    assert_eq!(world.hub.paths().len(), 6);
    let journal = world.journal();
    assert_eq!(
        journal.iter().filter(|(_, state)| state == "refused").count(),
        3,
        "{journal:?}"
    );
    world.hub.assert_well_used();
}

#[test]
fn redirects_are_not_followed() {
    for path in ["login", "status", "/logs"] {
        for status in [301, 307, 308] {
            let world = World::told();
            let other = super::hub::Hub::start();
            other.know(uuid(1), SECRET, &[]);
            // The answer must outlive the test's own strings.
            let place: &'static str = Box::leak(format!("{}/api/v1/agent/login", other.url()).into_boxed_str());
            let headers: &'static [(&'static str, &'static str)] = Box::leak(Box::new([("Location", place)]));
            world.hub.fault(path, Fault::Answer(status, headers, String::new()));
            let replayed = world.replay();
            assert_eq!(of(&replayed, 1).left.unwrap().code, "redirect");
            assert_eq!(replayed.verdict().unwrap_err().code(), "unfinished");
            assert!(other.paths().is_empty(), "nothing is sent elsewhere");
            assert!(
                world.journal().iter().all(|(_, state)| state == "sent"),
                "{:?}",
                world.journal()
            );
            // Twin: without the redirect it goes on.
            world.replay().verdict().unwrap();
            assert_eq!(amounts(&world), (2, 1, 5));
            world.hub.assert_well_used();
        }
    }
}

#[test]
fn answers_that_never_come_or_never_end_are_bounded() {
    let bounds = Bounds {
        connect: Duration::from_secs(5),
        request: Duration::from_millis(300),
        ..Bounds::default()
    };
    // Good ones with too much behind them: the status is what counts.
    let mut world = World::told();
    world.bounds = Bounds {
        request: Duration::from_secs(20),
        ..bounds
    };
    world.hub.fault("metrics", Fault::Endless(200));
    world.hub.fault("/logs", Fault::Endless(500));
    let replayed = world.replay();
    replayed.verdict().unwrap();
    assert_eq!((of(&replayed, 1).metrics.sent, amounts(&world)), (1, (2, 0, 5)));
    world.hub.assert_well_used();
    // A login that never ends gives no token.
    let mut world = World::told();
    world.bounds = Bounds {
        request: Duration::from_secs(20),
        ..bounds
    };
    world.hub.fault("login", Fault::Endless(200));
    assert_eq!(of(&world.replay(), 1).left.unwrap().code, "login");
    // One that is silent is given up, and asked again.
    let mut world = World::told();
    world.bounds = bounds;
    world.hub.fault("status", Fault::Silent);
    let replayed = world.replay();
    replayed.verdict().unwrap();
    assert_eq!(
        (of(&replayed, 1).statuses.perhaps_twice, amounts(&world)),
        (1, (2, 1, 5))
    );
    world.hub.assert_well_used();
}

#[test]
fn answers_to_logins_that_are_none_leave_the_target() {
    for body in [
        "",
        "{}",
        "[]",
        "{\"token\":\"\"}",
        "{\"token\":\"a b\"}",
        "{\"token\":\"a\\r\\nX: y\"}",
        "{\"token\":7}",
    ] {
        let world = World::told();
        world.hub.fault("login", Fault::Answer(200, &[], body.to_owned()));
        assert_eq!(of(&world.replay(), 1).left.unwrap().code, "login", "{body}");
        assert_eq!(world.hub.paths(), ["login"]);
    }
    let world = World::told();
    let huge = format!("{{\"token\":\"{}\"}}", "x".repeat(20_000));
    world.hub.fault("login", Fault::Answer(200, &[], huge));
    assert_eq!(of(&world.replay(), 1).left.unwrap().code, "login");
}

#[test]
fn a_hub_that_is_away_ends_the_run_with_its_first_target() {
    let world = World::told();
    world.release(3, &[], &[(7, Some(super::world::site(1)), &[(700, 970)])]);
    let mut second = super::world::first_package();
    (second.number, second.first) = (2, 9);
    let of_other = airlock::package::StatusRecord {
        deployment: uuid(700),
        target: uuid(7),
        ..super::world::status(9, 970, airlock::domain::StatusKind::Running, "x")
    };
    world.take_in(&second, &[airlock::package::Line::Status(of_other)]);
    for _ in 0..6 {
        world.hub.fault("login", Fault::Cut);
    }
    let replayed = world.replay_as(None, access(&[(1, SECRET), (7, SECRET)])).unwrap();
    assert_eq!(
        (of(&replayed, 1).left.unwrap().code, of(&replayed, 7).left.unwrap().code),
        ("unreachable", "unreachable")
    );
    assert_eq!(world.hub.paths().len(), 6, "the second target is not tried");
    assert!(world.journal().is_empty());
    world.hub.assert_well_used();
}

/// What the hub says is shown without the secrets that it was told, and in one line.
#[test]
fn the_hubs_words_are_a_line_and_no_secret() {
    for (words, shown) in [
        (format!("your secret is {SECRET}\n"), false),
        ("all\u{1b}[2K well\u{202e}\nairlock: good".to_owned(), true),
    ] {
        let world = World::told();
        world.hub.fault("status", Fault::Answer(404, &[], words));
        let replayed = world.replay();
        let text = replayed.verdict().unwrap_err().to_string();
        assert!(text.contains("the hub answers 404"), "{text}");
        assert!(
            !text.contains(SECRET) && !text.contains('\u{1b}') && !text.contains("airlock: good"),
            "{text}"
        );
        assert_eq!(text.contains("all\\u001b[2K well\\u202e"), shown, "{text}");
    }
}

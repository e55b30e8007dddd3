//! Steps of the clock stand in every stream: those that came while a server runs, and what is found at its start.

use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::live::{Live, Watcher};
use airlock::appliance::status::{Quota, StatusBuffer};
use airlock::domain::{Clock as _, Timestamp};
use serde_json::json;

use super::site::Site;
use crate::support::appliance::wait_for;
use crate::support::site::TestClock;
use crate::support::status::{logs, submit};
use crate::support::streams;

#[test]
fn a_step_of_the_clock_is_told_to_every_vendor_alike() {
    let site = Site::new();
    site.pin(&site.b);
    let clock = TestClock::at(site.clock.now().unix());
    let appliance = Appliance::open(&site.state(), Arc::new(clock.clone())).unwrap();
    let live = Live::load(&Arc::new(appliance), Duration::ZERO).unwrap();
    let _watcher = Watcher::start(&live).unwrap();
    let before = streams::all(&site.state());
    let steps = || {
        let rows = streams::all(&site.state()).into_iter().map(|stream| {
            let rows = stream.rows.into_iter().filter(|row| row.action == "clock");
            rows.map(|row| (row.at, row.detail)).collect::<Vec<_>>()
        });
        rows.collect::<Vec<_>>()
    };
    assert!(steps().iter().all(Vec::is_empty));
    // The watcher has to have looked once before it can see a step: so there is one after another.
    let (at, mut days) = (site.clock.now(), 0);
    wait_for("the step", || {
        days += 1;
        clock.set(at.plus_seconds(days * 86_400).unix());
        !steps()[0].is_empty()
    });
    let all = steps();
    assert_eq!(all[0], all[1], "both vendors are told the same");
    let [(told_at, detail)] = all[0].as_slice() else {
        panic!("{all:?}")
    };
    let time = |member: &str| detail[member].as_str().unwrap().parse::<Timestamp>().unwrap();
    let (from, to) = (time("from"), time("to"));
    assert_eq!(detail, &json!({"from": from, "times": 1, "to": to}));
    assert_eq!(*told_at, to.to_string());
    assert!(to.unix() - from.unix() > 80_000, "{from} {to}");
    // Nothing else was written.
    for (now, before) in streams::all(&site.state()).into_iter().zip(before) {
        assert_eq!(now.rows[..before.rows.len()], before.rows);
        assert_eq!(now.rows.len(), before.rows.len() + 1);
    }
}

/// Starts and ends a server by a clock after a status came by another one; returns the steps that stand in the first stream then.
fn steps_after_start(site: &Site, now: i64) -> Vec<serde_json::Value> {
    let appliance = Appliance::open(&site.state(), Arc::new(TestClock::at(now))).unwrap();
    let live = Live::begin(&Arc::new(appliance), Duration::ZERO).unwrap();
    let watcher = Watcher::start(&live).unwrap();
    // The look that loads targets has looked at the clock before.
    wait_for("the first look", || live.is_whole());
    drop(watcher);
    let mut all = streams::all(&site.state()).into_iter().map(|stream| {
        let rows = stream.rows.into_iter().filter(|row| row.action == "clock");
        rows.map(|row| row.detail).collect::<Vec<_>>()
    });
    let first = all.next().unwrap();
    assert!(all.all(|other| other == first), "every vendor is told the same");
    first
}

fn report_at(site: &Site, now: i64) {
    let appliance = Arc::new(Appliance::open(&site.state(), Arc::new(TestClock::at(now))).unwrap());
    let buffer = StatusBuffer::open(&appliance, Quota::default()).unwrap();
    submit(&buffer, logs("a", [(now, "line".into())])).unwrap();
}

#[test]
fn a_clock_that_was_set_while_the_server_was_down_is_told_at_the_start() {
    const DAY: i64 = 86_400;
    let site = Site::new();
    site.pin(&site.b);
    let zero = site.clock.now().unix();
    let step = |from: i64, to: i64| {
        let time = |unix| Timestamp::from_unix(unix).unwrap();
        json!({"from": time(from), "times": 1, "to": time(to)})
    };
    let none: [serde_json::Value; 0] = [];
    assert_eq!(steps_after_start(&site, zero), none, "nothing is known");
    report_at(&site, zero);
    // Off for a while, and a clock that was late by as much as it may be.
    for now in [zero - 60, zero, zero + 29 * DAY] {
        assert_eq!(steps_after_start(&site, now), none, "{}", now - zero);
    }
    let back = step(zero, zero - 61);
    assert_eq!(steps_after_start(&site, zero - 61), std::slice::from_ref(&back));
    // Told once, until it is set back again.
    assert_eq!(steps_after_start(&site, zero - 61), std::slice::from_ref(&back));
    let further = step(zero - 61, zero - DAY);
    assert_eq!(steps_after_start(&site, zero - DAY), [back.clone(), further.clone()]);
    report_at(&site, zero + 1);
    let ahead = step(zero + 1, zero + 400 * DAY);
    let all = [back, further, ahead];
    assert_eq!(steps_after_start(&site, zero + 400 * DAY), all);
    assert_eq!(steps_after_start(&site, zero + 400 * DAY), all);
}

//! Steps of the clock stand in every stream while a server runs.

use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::live::{Live, Watcher};
use airlock::domain::{Clock as _, Timestamp};
use serde_json::json;

use super::site::Site;
use crate::support::appliance::wait_for;
use crate::support::site::TestClock;
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

//! Clocks that stand still, go back or run ahead: imports go on, and agents are served (F10).

use airlock::domain::{FixedClock, Timestamp};

use super::{dated, floor, import_at, time, verdict};
use crate::support::agents::{Serving, credentials};
use crate::support::in_process::InProcessAppliance;
use crate::support::tls;

/// F10: a clock that stands still, years behind, an hour behind or two days ahead stops no import and asks nobody.
#[test]
fn f10_wrong_clocks_stop_no_import() {
    let right = ["2027-01-02T00:00:00Z", "2027-09-02T00:00:00Z", "2028-08-02T00:00:00Z"];
    let hour = 3600;
    for (says, offset, behind) in [
        ("1970", i64::MIN, true),
        ("ten years behind", -3652 * 24 * hour, true),
        ("an hour behind", -hour, false),
        ("right", 0, false),
        ("49 hours ahead", 49 * hour, false),
    ] {
        let instance = InProcessAppliance::new();
        for (sequence, now) in (1..).zip(right) {
            let clock = if offset == i64::MIN {
                Timestamp::EPOCH
            } else {
                time(now).plus_seconds(offset)
            };
            let issued = time(now).plus_seconds(-24 * hour).to_string();
            let made = instance
                .vendor
                .bundle_as("erp", sequence, dated(&issued, "2040-01-01T00:00:00Z"));
            let (result, notes) = import_at(&instance, &made, clock, None);
            assert_eq!(verdict(&result), "imported", "{says} {now}");
            let warned = notes
                .iter()
                .any(|note| note.starts_with("CLOCK_BEHIND") && note.contains("\"Test\""));
            assert_eq!(warned, behind, "{says} {now}: {notes:?}");
            assert_eq!(floor(&instance, instance.vendor.chain().domain()), time(&issued));
        }
        // What the floor proves to be past has expired, by any of these clocks.
        let clock = if offset == i64::MIN {
            Timestamp::EPOCH
        } else {
            time(right[2]).plus_seconds(offset)
        };
        let old = instance
            .vendor
            .bundle_as("erp", 4, dated("2027-01-01T00:00:00Z", "2028-07-01T00:00:00Z"));
        assert_eq!(
            verdict(&import_at(&instance, &old, clock, None).0),
            "E-EXPIRED bundle X8",
            "{says}"
        );
    }
}

/// F10: what an appliance makes while its clock stands at 1970 (authority, certificate, token) is good for agents whose clocks are right,
/// and stays good when its clock is set, runs ahead, and goes back.
#[test]
fn f10_an_appliance_born_at_1970_serves_agents() {
    let mut instance = InProcessAppliance::made_at("1970-01-01T00:00:00Z");
    instance.release(1, 2, "a");
    let mut tokens = Vec::new();
    let mut fingerprints = Vec::new();
    for clock in [
        "1970-01-01T00:00:00Z",
        "2026-11-28T00:00:00Z",
        "2030-01-01T00:00:00Z",
        "1970-01-02T00:00:00Z",
    ] {
        instance.clock = FixedClock(time(clock));
        let serving = Serving::start(instance, credentials());
        tokens.push(serving.token("edge-0"));
        let authority = serving.authority.as_ref().unwrap();
        fingerprints.push(authority.fingerprint());
        // The client checks by the clock of the machine that runs the tests.
        let config = tls::trusting(authority.certificate_pem());
        let shown = tls::shown(&config, serving.running.tls_addresses()[0], "localhost");
        assert!(shown.is_ok(), "{clock}: {shown:?}");
        for token in &tokens {
            assert_eq!(serving.agent(token, "GET", "resources", "").status, 200, "{clock}");
        }
        let Serving {
            running,
            instance: back,
            ..
        } = serving;
        running.shutdown();
        instance = back;
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1);
}

/// A dead clock proves nothing: two years after the newest statement a person is asked once.
#[test]
fn f10_a_dead_clock_asks_when_a_release_is_more_than_a_year_away() {
    let instance = InProcessAppliance::new();
    let first = instance
        .vendor
        .bundle_as("erp", 1, dated("2027-01-01T00:00:00Z", "2040-01-01T00:00:00Z"));
    assert_eq!(
        verdict(&import_at(&instance, &first, Timestamp::EPOCH, None).0),
        "imported"
    );
    let edge = instance
        .vendor
        .bundle_as("erp", 2, dated("2028-01-02T00:00:01Z", "2040-01-01T00:00:00Z"));
    assert_eq!(
        verdict(&import_at(&instance, &edge, Timestamp::EPOCH, None).0),
        "E-CLOCK issued-ahead X8"
    );
    let date = Some("2028-01-03T00:00:00Z");
    assert_eq!(
        verdict(&import_at(&instance, &edge, Timestamp::EPOCH, date).0),
        "imported"
    );
    let next = instance
        .vendor
        .bundle_as("erp", 3, dated("2028-12-01T00:00:00Z", "2040-01-01T00:00:00Z"));
    assert_eq!(
        verdict(&import_at(&instance, &next, Timestamp::EPOCH, None).0),
        "imported"
    );
}

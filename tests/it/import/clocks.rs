//! Cases F10 and F11: a dead clock stops nothing, a runaway clock leaves nothing behind.

use airlock::appliance::{Appliance, Options, Outcome};
use airlock::domain::{Class, Error, FixedClock, Step, Timestamp};

use crate::support::appliance::{self, check, import_here, scratch, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;

struct Setup {
    made: appliance::Appliance,
    folder: tempfile::TempDir,
    releases: Vec<Made>,
}

impl Setup {
    fn new() -> Self {
        let vendor = Vendor::new();
        let folder = scratch();
        let releases: Vec<Made> = (1..=3)
            .map(|n| vendor.bundle(n, &[noise(3000, n)], SMALL_CHUNKS))
            .collect();
        for (name, made) in (1..).zip(&releases) {
            write(&folder.path().join(format!("{name}")), &made.bytes);
        }
        Self {
            made: appliance::Appliance::init(&vendor),
            folder,
            releases,
        }
    }

    /// Imports release `number` on a machine whose clock says `clock`.
    fn import(&self, number: u64, clock: &str, date: Option<&str>) -> Result<Outcome, Error> {
        let options = Options {
            confirmed_date: date.map(|date| date.parse().unwrap()),
            ..Options::default()
        };
        let clock = FixedClock(clock.parse::<Timestamp>().unwrap());
        let appliance = Appliance::open(&self.made.path(), std::sync::Arc::new(airlock::domain::SystemClock)).unwrap();
        let bundle = self.folder.path().join(number.to_string());
        import_here(&appliance, &bundle, &options, &clock).map(|imported| imported.result)
    }

    fn live(&self) -> u64 {
        check(&self.made.path(), &self.releases.iter().collect::<Vec<_>>())
    }
}

#[test]
fn a_dead_clock_stops_no_import() {
    let setup = Setup::new();
    for number in 1..=3 {
        let result = setup.import(number, "1970-01-01T00:00:00Z", None).unwrap();
        assert!(matches!(result, Outcome::Published { .. }), "{result:?}");
        assert_eq!(setup.live(), number);
    }
}

#[test]
fn a_runaway_clock_leaves_nothing_behind() {
    let setup = Setup::new();
    setup.import(1, "2026-12-01T00:00:00Z", None).unwrap();
    // The bundles are good until 2090.
    let ahead = "2099-01-01T00:00:00Z";
    let refusal = setup.import(2, ahead, None).unwrap_err();
    assert_eq!(
        (refusal.class(), refusal.code(), refusal.step()),
        (Class::Clock, "clock-ahead", Some(Step::X8))
    );
    assert_eq!(setup.live(), 1);
    // A person who knows the date helps at once …
    setup.import(2, ahead, Some("2026-12-02T00:00:00Z")).unwrap();
    assert_eq!(setup.live(), 2);
    // … and once the clock is right, nothing remembers that it was not.
    setup.import(3, "2026-12-03T00:00:00Z", None).unwrap();
    assert_eq!(setup.live(), 3);
}
